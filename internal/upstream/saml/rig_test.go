package saml

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

const (
	publicURL = "https://acme.id.example"
	idpEntity = "https://idp.example/metadata"
	acs       = publicURL + "/login/callback?connection=corp"
	sp        = "urn:auth0:acme:corp"
)

// clockAt is the time of all tests.
var clockAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) string { return instant(clockAt.Add(d)) }

// pair is a key with a certificate for it.
type pair struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newPair(key crypto.Signer, from, until time.Time) pair {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "idp.example", Country: []string{"SE"}, Organization: []string{"Corp"}},
		NotBefore: from, NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return pair{key, cert}
}

func newRSA() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// Keys are made once: they take long.
var (
	idpKey   = sync.OnceValue(func() pair { return newPair(newRSA(), clockAt.Add(-time.Hour), clockAt.Add(time.Hour)) })
	otherKey = sync.OnceValue(func() pair { return newPair(newRSA(), clockAt.Add(-time.Hour), clockAt.Add(time.Hour)) })
	spKey    = sync.OnceValue(func() pair { return newPair(newRSA(), clockAt.Add(-time.Hour), clockAt.Add(time.Hour)) })
	ecKey    = sync.OnceValue(func() pair {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return newPair(k, clockAt.Add(-time.Hour), clockAt.Add(time.Hour))
	})
)

func (p pair) certPEM() string { return encodePEM([]*x509.Certificate{p.cert}) }

func (p pair) keyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// sign adds an enveloped signature behind the Issuer.
func (p pair) sign(e *etree.Element, method string) {
	s, err := dsig.NewSigningContext(p.key, [][]byte{p.cert.Raw})
	if err != nil {
		panic(err)
	}
	s.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := s.SetSignatureMethod(method); err != nil {
		panic(err)
	}
	signature, err := s.ConstructSignature(e, true)
	if err != nil {
		panic(err)
	}
	e.InsertChildAt(1, signature)
}

// says is what the provider answers. Its fields are the documents' parts; a test
// changes one.
type says struct {
	responseID, responseVersion, destination, inResponseTo, responseIssuer, status string

	id, version, issuer, issued                              string
	nameID                                                   string // XML of the element, or empty
	method, recipient, confirmedTo, confirmFrom, confirmTill string
	conditions                                               string // XML
	statement                                                string // XML
	attributes                                               string // XML
}

const requestID = "_request1"

func said() says {
	return says{
		responseID: "_r1", responseVersion: "2.0", destination: acs, inResponseTo: requestID, responseIssuer: idpEntity, status: statusSuccess,
		id: "_a1", version: "2.0", issuer: idpEntity, issued: at(0),
		nameID: `<saml:NameID Format="` + formatPersistent + `">carol</saml:NameID>`,
		method: methodBearer, recipient: acs, confirmedTo: requestID, confirmTill: at(5 * time.Minute),
		conditions: `<saml:Conditions NotBefore="` + at(-time.Minute) + `" NotOnOrAfter="` + at(5*time.Minute) + `"><saml:AudienceRestriction><saml:Audience>` +
			sp + `</saml:Audience></saml:AudienceRestriction></saml:Conditions>`,
		statement: `<saml:AuthnStatement AuthnInstant="` + at(0) + `" SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password` +
			`</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`,
		attributes: `<saml:AttributeStatement><saml:Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress">` +
			`<saml:AttributeValue>carol@corp.example</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`,
	}
}

// attr is an attribute; a value of "-" leaves it out.
func attr(name, value string) string {
	if value == "-" || value == "" {
		return ""
	}
	return ` ` + name + `="` + value + `"`
}

func (s says) assertion() *etree.Element {
	return parsed(`<saml:Assertion xmlns:saml="` + nsAssertion + `"` + attr("ID", s.id) + attr("Version", s.version) + attr("IssueInstant", s.issued) + `>` +
		`<saml:Issuer>` + s.issuer + `</saml:Issuer><saml:Subject>` + s.nameID +
		`<saml:SubjectConfirmation Method="` + s.method + `"><saml:SubjectConfirmationData` + attr("Recipient", s.recipient) + attr("InResponseTo", s.confirmedTo) +
		attr("NotBefore", s.confirmFrom) + attr("NotOnOrAfter", s.confirmTill) + `/></saml:SubjectConfirmation></saml:Subject>` + s.conditions + s.statement + s.attributes + `</saml:Assertion>`)
}

// response without an assertion.
func (s says) response() *etree.Element {
	return parsed(`<samlp:Response xmlns:samlp="` + nsProtocol + `"` + attr("ID", s.responseID) + attr("Version", s.responseVersion) + attr("IssueInstant", at(0)) +
		attr("Destination", s.destination) + attr("InResponseTo", s.inResponseTo) + `><saml:Issuer xmlns:saml="` + nsAssertion + `">` + s.responseIssuer +
		`</saml:Issuer><samlp:Status><samlp:StatusCode Value="` + s.status + `"/></samlp:Status></samlp:Response>`)
}

// signed is the usual document: the assertion signed, and the response as well.
func (s says) signed(p pair) *etree.Element {
	r := s.assertionSigned(p)
	p.sign(r, method(p))
	return r
}

func (s says) assertionSigned(p pair) *etree.Element {
	r, a := s.response(), s.assertion()
	p.sign(a, method(p))
	r.AddChild(a)
	return r
}

func method(p pair) string {
	if _, ok := p.key.(*ecdsa.PrivateKey); ok {
		return dsig.ECDSASHA256SignatureMethod
	}
	return dsig.RSASHA256SignatureMethod
}

func parsed(s string) *etree.Element {
	d := etree.NewDocument()
	if err := d.ReadFromString(s); err != nil {
		panic(err)
	}
	return d.Root()
}

func posted(e *etree.Element) url.Values { return postedText(text(e)) }

func postedText(s string) url.Values {
	return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(s))}}
}

// rig is a connector with a memory of its own.
type rig struct {
	*Connector
	c *connection.Connection
}

type memory struct{ seen map[string]int64 }

func (m *memory) Seen(_ context.Context, key string, until int64) (bool, error) {
	_, again := m.seen[key]
	m.seen[key] = until
	return !again, nil
}

type tenantKey struct{}

func (tenantKey) Signer(context.Context) (crypto.Signer, []byte, error) {
	return spKey().key, spKey().cert.Raw, nil
}

func newConnector() *Connector {
	return New(publicURL, outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), tenantKey{}, &memory{map[string]int64{}}, func() time.Time { return clockAt })
}

// newRig has a connection that is ready; options are added to it.
func newRig(options map[string]any) rig {
	all := map[string]any{"signInEndpoint": "https://idp.example/sso", "signOutEndpoint": "https://idp.example/slo", "cert": idpKey().certPEM(), "issuer": idpEntity}
	for name, v := range options {
		all[name] = v
	}
	return rig{newConnector(), made("samlp", all)}
}

func made(strategy string, options map[string]any) *connection.Connection {
	raw, err := json.Marshal(options)
	if err != nil {
		panic(err)
	}
	return &connection.Connection{ID: "con_1", Name: "corp", Strategy: strategy, Options: raw}
}

func (r rig) callback(got url.Values) (upstream.Result, error) {
	return r.Callback(context.Background(), r.c, upstream.Start{}, upstream.Pending{RequestID: requestID}, got)
}

// refused wants ErrRefused, and the cause to say why.
func refused(t *testing.T, err error, why string) {
	t.Helper()
	if !errors.Is(err, upstream.ErrRefused) {
		t.Fatalf("%v, want a refusal", err)
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("%v, want %q", err, why)
	}
}

// child finds what a test takes apart.
func child(e *etree.Element, path ...string) *etree.Element {
	for _, tag := range path {
		i := slices.IndexFunc(e.ChildElements(), func(c *etree.Element) bool { return c.Tag == tag })
		if i < 0 {
			panic("no " + tag)
		}
		e = e.ChildElements()[i]
	}
	return e
}

func attribute(res upstream.Result, name string) string {
	for _, a := range res.Claims.Attributes {
		if a.Name == name {
			return string(a.Value)
		}
	}
	return ""
}

func parseText(b []byte) (*etree.Document, error) { return safexml.Parse(b, maxMetadata) }
