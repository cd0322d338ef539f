package wsfed

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/safexml"
)

func refused(t *testing.T, got upstream.Result, err error) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || e.Cause == nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if got.Claims.Subject != "" || got.Claims.Attributes != nil || got.Foreign.Name != "" {
		t.Errorf("a refused login gave %v", got)
	}
	for _, private := range []string{"pia", "eve", "corp.example"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("the refusal tells %q: %v", private, err)
		}
	}
}

// Both versions of the token in both versions of the envelope.
func TestForms(t *testing.T) {
	for _, row := range []struct{ saml2, trust13, noCert bool }{{}, {saml2: true}, {trust13: true}, {saml2: true, trust13: true}, {noCert: true}} {
		r := newRig(t, trusting(t))
		f := newForge(t, r)
		f.saml2, f.trust13, f.noCert, f.groups = row.saml2, row.trust13, row.noCert, 2
		got, err := r.comeBack(result(f.response()))
		if err != nil {
			t.Fatalf("%+v: %v", row, err)
		}
		list := values(got.Claims.Attributes)
		if got.Claims.Subject != "pia@corp.example" || list["email"] != `"pia@corp.example"` || list["email_verified"] != "false" ||
			list["groups"] != `["g0","g1"]` || list["issuer"] != `"`+providerID+`"` || got.Foreign.Name != "pia@corp.example" {
			t.Errorf("%+v: %v %v", row, got, list)
		}
		if row.saml2 != (got.Foreign.Index == "_s1") || row.saml2 != (list["nameIdAttributes"] == `{"Format":"f","value":"pia@corp.example"}`) || list["sessionIndex"] != "" {
			t.Errorf("%+v: %v", row, got.Foreign)
		}
	}
}

// A person may be in thousands of groups.
func TestManyGroups(t *testing.T) {
	r := newRig(t, trusting(t))
	f := newForge(t, r)
	f.groups = 3000
	got, err := r.comeBack(result(f.response()))
	if err != nil || strings.Count(values(got.Claims.Attributes)["groups"], ",") != 2999 {
		t.Fatal(err)
	}
}

// Documents that were really tampered with (security.md 99, 100, 104). Each row
// begins with a response that is accepted.
func TestTampering(t *testing.T) {
	replace := func(old, text string) func(*testing.T, *forge, string) string {
		return func(t *testing.T, _ *forge, s string) string {
			t.Helper()
			if !strings.Contains(s, old) {
				t.Fatalf("no %q in %s", old, s)
			}
			return strings.Replace(s, old, text, 1)
		}
	}
	const end = "</t:RequestedSecurityToken>"
	evil := func(t *testing.T, f *forge) string { // as the token, of somebody else, not signed
		t.Helper()
		e := *f
		e.nameID, e.email, e.unsigned = "eve@corp.example", "eve@corp.example", true
		return text(t, e.assertion())
	}
	evilWith := func(t *testing.T, f *forge, inside string) string {
		t.Helper()
		s := evil(t, f)
		return strings.Replace(s, "</saml:Assertion>", inside+"</saml:Assertion>", 1)
	}
	otherID := func(s string) string { return strings.Replace(s, `AssertionID="_a1"`, `AssertionID="_evil"`, 1) }
	token := func(s string) string {
		return s[strings.Index(s, "<saml:Assertion"):strings.Index(s, end)]
	}
	rows := []struct {
		name string
		make func(t *testing.T, f *forge, s string) string
	}{
		{"another e-mail", replace(">pia@corp.example</saml:AttributeValue>", ">eve@corp.example</saml:AttributeValue>")},
		{"another name", replace(">pia@corp.example</saml:NameIdentifier>", ">eve@corp.example</saml:NameIdentifier>")},
		{"another audience", replace(ourRealm, "urn:auth0:other")},
		{"another ID", replace(`AssertionID="_a1"`, `AssertionID="_b2"`)},
		{"a longer life", replace("<saml:Conditions ", "<saml:Conditions a=\"\" ")},
		{"no signature", func(t *testing.T, _ *forge, s string) string { _, rest := signatureOf(t, s); return rest }},
		{"an unsigned token", func(t *testing.T, f *forge, _ string) string { return f.wrap(evil(t, f)) }},
		{"the signature of another token", func(t *testing.T, f *forge, s string) string {
			sig, _ := signatureOf(t, s)
			return f.wrap(evilWith(t, f, sig))
		}},
		{"the signature outside of the token", func(t *testing.T, _ *forge, s string) string {
			sig, rest := signatureOf(t, s)
			return strings.Replace(rest, end, sig+end, 1)
		}},
		{"the signature at the root", func(t *testing.T, _ *forge, s string) string {
			sig, rest := signatureOf(t, s)
			return strings.Replace(rest, "<t:RequestedSecurityToken>", sig+"<t:RequestedSecurityToken>", 1)
		}},
		{"two signatures", func(t *testing.T, _ *forge, s string) string {
			sig, _ := signatureOf(t, s)
			return strings.Replace(s, sig, sig+sig, 1)
		}},
		{"two tokens, the other first", func(t *testing.T, f *forge, s string) string { return f.wrap(otherID(evil(t, f)) + token(s)) }},
		{"two tokens, the other last", func(t *testing.T, f *forge, s string) string { return f.wrap(token(s) + otherID(evil(t, f))) }},
		{"two tokens of one ID", func(t *testing.T, f *forge, s string) string { return f.wrap(evil(t, f) + token(s)) }},
		{"two envelopes", func(t *testing.T, f *forge, s string) string {
			return strings.Replace(s, end, end+"<t:RequestedSecurityToken>"+otherID(evil(t, f))+end, 1)
		}},
		{"the signed one inside the other", func(t *testing.T, f *forge, s string) string {
			return f.wrap(otherID(evilWith(t, f, token(s))))
		}},
		{"the signed one inside the other's advice", func(t *testing.T, f *forge, s string) string {
			return f.wrap(otherID(evilWith(t, f, "<saml:Advice>"+token(s)+"</saml:Advice>")))
		}},
		{"the signed one inside the signature of the other", func(t *testing.T, f *forge, s string) string {
			sig, _ := signatureOf(t, s)
			inside := strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+token(s)+"</ds:Object></ds:Signature>", 1)
			return f.wrap(otherID(evilWith(t, f, inside)))
		}},
		{"the other beside, where nobody looks", func(t *testing.T, f *forge, s string) string {
			return strings.Replace(s, "</t:RequestSecurityTokenResponse>", otherID(evil(t, f))+"</t:RequestSecurityTokenResponse>", 1)
		}},
		{"a reference to the whole document", func(t *testing.T, _ *forge, s string) string { return strings.Replace(s, `URI="#_a1"`, `URI=""`, 1) }},
		{"a key of one's own", func(t *testing.T, f *forge, _ string) string {
			e := *f
			e.keys, e.nameID = idptest.NewKeyPair(t, "provider"), "eve@corp.example"
			return e.response()
		}},
		{"a key of one's own, the right certificate beside", func(t *testing.T, f *forge, s string) string {
			e := *f
			e.keys, e.nameID = idptest.NewKeyPair(t, "provider"), "eve@corp.example"
			right, _ := signatureOf(t, s)
			forged := e.response()
			wrong, _ := signatureOf(t, forged)
			info := func(sig string) string {
				return sig[strings.Index(sig, "<ds:KeyInfo"):strings.Index(sig, "</ds:Signature>")]
			}
			return strings.Replace(forged, info(wrong), info(right), 1)
		}},
		{"SHA-1", func(t *testing.T, f *forge, _ string) string {
			e := *f
			e.algorithm = dsig.RSASHA1SignatureMethod
			return e.response()
		}},
		{"HMAC with the public key", replace(dsig.RSASHA256SignatureMethod, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")},
		{"no algorithm", replace(dsig.RSASHA256SignatureMethod, "")},
		{"a transform that takes things out", replace("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116")},
		{"an encrypted token", func(t *testing.T, f *forge, _ string) string {
			return f.wrap(`<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>`)
		}},
		{"another namespace", replace("urn:oasis:names:tc:SAML:1.0:assertion", "urn:oasis:names:tc:SAML:1.1:assertion")},
		{"another envelope", replace("http://schemas.xmlsoap.org/ws/2005/02/trust", "http://schemas.xmlsoap.org/ws/2004/04/trust")},
		{"a DOCTYPE", func(_ *testing.T, _ *forge, s string) string { return `<!DOCTYPE x>` + s }},
		{"an entity", func(_ *testing.T, _ *forge, s string) string {
			return `<!DOCTYPE x [<!ENTITY e "eve@corp.example">]>` + strings.Replace(s, ">pia@corp.example</saml:A", ">&e;</saml:A", 1)
		}},
		{"too much", func(_ *testing.T, _ *forge, s string) string { return s + strings.Repeat(" ", maxResult) }},
		{"nothing", func(*testing.T, *forge, string) string { return "" }},
		{"no XML", func(*testing.T, *forge, string) string { return "wresult" }},
		{"a JWT", func(*testing.T, *forge, string) string { return "eyJhbGciOiJub25lIn0.e30." }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, trusting(t))
			f := newForge(t, r)
			s := f.response()
			bad := row.make(t, f, s)
			if bad == s {
				t.Fatal("nothing was tampered with")
			}
			got, err := r.comeBack(result(bad))
			refused(t, got, err)
			if len(r.memory.seen) != 0 {
				t.Error("a refused token is remembered: the right one would be refused later")
			}
			if _, err := r.comeBack(result(s)); err != nil {
				t.Errorf("the right one: %v", err)
			}
		})
	}
}

// Text is read whole, whatever stands in it (security.md 100): a comment takes no part
// of an address away, whether the provider signed it or somebody put it in later.
func TestTextIsReadWhole(t *testing.T) {
	for _, inside := range []string{"<!-- -->", "<![CDATA[]]>"} {
		r := newRig(t, trusting(t))
		f := newForge(t, r)
		f.nameID, f.email = "pia@corp.example"+inside+".evil.example", "pia@corp.example"+inside+".evil.example"
		signed := f.response()
		f.nameID, f.email, f.id = "pia@corp.example.evil.example", "pia@corp.example.evil.example", "_a2"
		added := strings.ReplaceAll(f.response(), "corp.example.evil", "corp.example"+inside+".evil")
		for _, s := range []string{signed, added} {
			got, err := r.comeBack(result(s))
			if err != nil || got.Claims.Subject != "pia@corp.example.evil.example" || values(got.Claims.Attributes)["email"] != `"pia@corp.example.evil.example"` {
				t.Errorf("%s: %v, %v", inside, got, err)
			}
		}
	}
}

// One token, one login: for this process, the next one and another instance, until it
// has expired (security.md 102).
func TestTokensCountOnce(t *testing.T) {
	r := newRig(t, trusting(t))
	s := newForge(t, r).response()
	if _, err := r.comeBack(result(s)); err != nil {
		t.Fatal(err)
	}
	r.fresh()
	got, err := r.comeBack(result(s))
	refused(t, got, err)
	for _, until := range r.memory.seen {
		if end := r.now().Add(time.Hour + skew).UnixMicro(); until != end {
			t.Errorf("remembered until %d, want %d", until, end)
		}
	}
	r.pass(time.Hour + skew)
	r.memory.seen = nil // swept
	got, err = r.comeBack(result(s))
	refused(t, got, err)
}

func TestWrongWa(t *testing.T) {
	r := newRig(t, trusting(t))
	form := result(newForge(t, r).response())
	for _, wa := range []string{"", "wsignout1.0", "WSIGNIN1.0"} {
		form.Set("wa", wa)
		got, err := r.comeBack(form)
		refused(t, got, err)
	}
}

// A response of one connection's provider is nothing at another's.
func TestOtherConnection(t *testing.T) {
	r := newRig(t, trusting(t))
	s := newForge(t, r).response()
	r.options = map[string]any{"fedMetadataXml": idptest.FederationMetadata("urn:other", "https://other.example/", idptest.NewKeyPair(t, "other"))}
	got, err := r.comeBack(result(s))
	refused(t, got, err)
	// The same keys, as Entra ID has them for all tenants, but another tenant.
	r.options = map[string]any{"fedMetadataXml": idptest.FederationMetadata("urn:other", "https://other.example/", testKeys(t))}
	got, err = r.comeBack(result(s))
	refused(t, got, err)
}

// BenchmarkLogin is the whole of what a login costs here.
func BenchmarkLogin(b *testing.B) {
	r := &rig{memory: &memory{}, clock: time.Now()}
	r.fresh()
	raw, err := json.Marshal(trusting(b))
	if err != nil {
		b.Fatal(err)
	}
	c := &connection.Connection{ID: "con_1", Name: "corp", Strategy: "adfs", Options: raw}
	f := &forge{t: b, keys: testKeys(b), now: r.clock, id: "_a1", issuer: providerID, audience: ourRealm, nameID: "pia", email: "pia@x.example", groups: 50}
	form := result(f.response())
	for b.Loop() {
		r.memory.seen = nil
		if _, err := r.connector.Callback(b.Context(), c, start(), upstream.Pending{}, form); err != nil {
			b.Fatal(err)
		}
	}
}

// The law: a wresult of which the signature counts says what the provider has signed,
// nothing more and nothing less; nothing panics.
func FuzzResult(f *testing.F) {
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	block, _ := pem.Decode(file("provider.pem"))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	keys := safexml.Keys{Certificates: []*x509.Certificate{cert}}
	want := map[string]token{} // by namespace
	for _, name := range []string{"saml1.xml", "saml2.xml"} {
		s := file(name)
		f.Add(string(s))
		a, err := assertionOf(s)
		if err != nil {
			f.Fatal(err)
		}
		signed, err := safexml.Verify(a, idAttribute(a), keys)
		if err != nil {
			f.Fatal(err)
		}
		want[a.NamespaceURI()] = readToken(signed)
	}
	f.Add(`<a/>`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := assertionOf([]byte(s))
		if err != nil {
			return
		}
		_ = check(readToken(a), facts{}) // whatever it says
		signed, err := safexml.Verify(a, idAttribute(a), keys)
		if err != nil {
			return
		}
		if got := readToken(signed); !reflect.DeepEqual(got, want[a.NamespaceURI()]) {
			t.Errorf("read %+v", got)
		}
	})
}
