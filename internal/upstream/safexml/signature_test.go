package safexml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// pair is a key with a certificate that has expired long ago.
func pair(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"},
		NotBefore: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is the document with the element of the ID signed.
func signed(t testing.TB, document, id string, key crypto.Signer, cert *x509.Certificate, method string, c14n dsig.Canonicalizer) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		t.Fatal(err)
	}
	s, err := dsig.NewSigningContext(key, [][]byte{cert.Raw})
	if err != nil {
		t.Fatal(err)
	}
	s.Canonicalizer = c14n
	if err := s.SetSignatureMethod(method); err != nil {
		t.Fatal(err)
	}
	e := doc.FindElement("//*[@ID='" + id + "']")
	signature, err := s.ConstructSignature(detach(e), true)
	if err != nil {
		t.Fatal(err)
	}
	e.AddChild(signature)
	text, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const document = `<r:root xmlns:r="urn:r" xmlns="urn:d" xmlns:unused="urn:u"><item ID="_1"><name r:kind="x">Pia</name></item></r:root>`

func item(t testing.TB, text string) *etree.Element {
	t.Helper()
	doc, err := Parse([]byte(text), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return doc.FindElement("//*[@ID='_1']")
}

func TestVerify(t *testing.T) {
	key := rsaKey(t)
	cert := pair(t, key)
	other := pair(t, rsaKey(t))
	exclusive := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	keys := Keys{Certificates: []*x509.Certificate{other, cert}}
	for name, c := range map[string]dsig.Canonicalizer{
		"exclusive": exclusive, "inclusive 1.0": dsig.MakeC14N10RecCanonicalizer(), "inclusive 1.1": dsig.MakeC14N11Canonicalizer(),
	} {
		got, err := Verify(item(t, signed(t, document, "_1", key, cert, dsig.RSASHA256SignatureMethod, c)), "ID", keys)
		if err != nil || !Is(got, "urn:d", "item") || Text(Child(got, "urn:d", "name")) != "Pia" || len(got.ChildElements()) != 1 {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	right := signed(t, document, "_1", key, cert, dsig.RSASHA256SignatureMethod, exclusive)
	weak := signed(t, document, "_1", key, cert, dsig.RSASHA1SignatureMethod, exclusive)
	commented := signed(t, document, "_1", key, cert, dsig.RSASHA256SignatureMethod, dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList(""))
	signature := right[strings.Index(right, "<ds:Signature "):strings.Index(right, "</item>")]
	rows := []struct {
		name, text string
		keys       Keys
		want       error
	}{
		{"right", right, keys, nil},
		{"the certificate beside it is of somebody else", strings.Replace(right, "<ds:KeyInfo>", "<ds:KeyInfo><!-- -->", 1), keys, nil},
		{"no key", right, Keys{}, ErrSignature},
		{"another key", right, Keys{Certificates: []*x509.Certificate{other}}, ErrSignature},
		{"another text", strings.Replace(right, "Pia", "Eve", 1), keys, ErrSignature},
		{"another attribute", strings.Replace(right, `kind="x"`, `kind="y"`, 1), keys, ErrSignature},
		{"another namespace", strings.Replace(right, "urn:d", "urn:e", 1), keys, ErrSignature},
		{"one more element", strings.Replace(right, "<name ", "<name/><name ", 1), keys, ErrSignature},
		{"no signature", document, keys, ErrUnsigned},
		{"two signatures", strings.Replace(right, signature, signature+signature, 1), keys, ErrUnsigned},
		{"deeper", strings.Replace(strings.Replace(right, signature, "", 1), "<name", signature+"<name", 1), keys, nil},
		{"not directly within", strings.Replace(strings.Replace(right, signature, "", 1), "Pia", "Pia"+signature, 1), keys, ErrUnsigned},
		{"the ID twice", strings.Replace(right, "</r:root>", `<other ID="_1"/></r:root>`, 1), keys, ErrSignature},
		{"the ID twice, in another attribute", strings.Replace(right, "</r:root>", `<other AssertionID="_1"/></r:root>`, 1), keys, ErrSignature},
		{"no reference", strings.Replace(right, "#_1", "", 1), keys, ErrUnsigned},
		{"another reference", strings.Replace(right, "#_1", "#_2", 1), keys, ErrUnsigned},
		{"SHA-1", weak, keys, ErrWeak},
		{"SHA-1, allowed", weak, Keys{Certificates: keys.Certificates, AllowSHA1: true}, nil},
		{"with comments", commented, keys, ErrWeak},
		{"HMAC", strings.Replace(right, dsig.RSASHA256SignatureMethod, "http://www.w3.org/2000/09/xmldsig#hmac-sha1", 1), Keys{Certificates: keys.Certificates, AllowSHA1: true}, ErrWeak},
	}
	for _, row := range rows {
		got, err := Verify(item(t, row.text), "ID", row.keys)
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) || (got == nil) != (err != nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestVerifyElliptic(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := pair(t, key)
	text := signed(t, document, "_1", key, cert, dsig.ECDSASHA256SignatureMethod, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""))
	if _, err := Verify(item(t, text), "ID", Keys{Certificates: []*x509.Certificate{cert}}); err != nil {
		t.Error(err)
	}
}

// A comment that somebody adds changes nothing, and takes nothing away.
func TestCommentsAreNothing(t *testing.T) {
	key := rsaKey(t)
	cert := pair(t, key)
	text := signed(t, document, "_1", key, cert, dsig.RSASHA256SignatureMethod, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""))
	got, err := Verify(item(t, strings.Replace(text, "Pia", "P<!-- x -->ia", 1)), "ID", Keys{Certificates: []*x509.Certificate{cert}})
	if err != nil || Text(got) != "Pia" {
		t.Errorf("%q %v", Text(got), err)
	}
}

func TestVerifyLarge(t *testing.T) {
	key := rsaKey(t)
	cert := pair(t, key)
	large := strings.Replace(document, "</item>", strings.Repeat("<v>x</v>", 3000)+"</item>", 1)
	text := signed(t, large, "_1", key, cert, dsig.RSASHA256SignatureMethod, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""))
	got, err := Verify(item(t, text), "ID", Keys{Certificates: []*x509.Certificate{cert}})
	if err != nil || len(Children(got, "urn:d", "v")) != 3000 {
		t.Error(err)
	}
}
