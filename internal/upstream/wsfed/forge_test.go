package wsfed

import (
	"bytes"
	"crypto"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/safexml"
)

// forge makes responses as a provider would, and as none should.
type forge struct {
	t    testing.TB
	keys idptest.KeyPair
	now  time.Time
	// What the token says; the zero value of a field is what is right.
	saml2     bool
	trust13   bool
	id        string
	issuer    string
	audience  string
	nameID    string
	email     string // as XML
	groups    int
	algorithm string // of the signature; empty: RSA with SHA-256
	unsigned  bool
	noCert    bool
}

const providerID = "urn:mangrove:test:provider"

func newForge(t testing.TB, r *rig) *forge {
	t.Helper()
	return &forge{
		t: t, keys: testKeys(t), now: r.now(), id: "_a1", issuer: providerID, audience: ourRealm,
		nameID: "pia@corp.example", email: "pia@corp.example",
	}
}

var madeKeys *idptest.KeyPair

// testKeys are made once: tests of this package do not run at the same time.
func testKeys(t testing.TB) idptest.KeyPair {
	t.Helper()
	if madeKeys == nil {
		k := idptest.NewKeyPair(t, "provider")
		madeKeys = &k
	}
	return *madeKeys
}

const saml1Text = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" MinorVersion="1" AssertionID="{{.ID}}" Issuer="{{.Issuer}}" IssueInstant="{{.Now}}">` +
	`<saml:Conditions NotBefore="{{.Now}}" NotOnOrAfter="{{.End}}"><saml:AudienceRestrictionCondition><saml:Audience>{{.Audience}}</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>` +
	`<saml:AttributeStatement><saml:Subject><saml:NameIdentifier>{{.NameID}}</saml:NameIdentifier><saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</saml:ConfirmationMethod></saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Attribute AttributeName="emailaddress" AttributeNamespace="http://schemas.xmlsoap.org/ws/2005/05/identity/claims"><saml:AttributeValue>{{.Email}}</saml:AttributeValue></saml:Attribute>` +
	`<saml:Attribute AttributeName="Group" AttributeNamespace="http://schemas.xmlsoap.org/claims">{{range .Groups}}<saml:AttributeValue>g{{.}}</saml:AttributeValue>{{end}}</saml:Attribute></saml:AttributeStatement>` +
	`<saml:AuthenticationStatement AuthenticationInstant="{{.Now}}" AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password"><saml:Subject><saml:NameIdentifier>{{.NameID}}</saml:NameIdentifier></saml:Subject></saml:AuthenticationStatement></saml:Assertion>`

const saml2Text = `<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID="{{.ID}}" IssueInstant="{{.Now}}"><Issuer>{{.Issuer}}</Issuer>` +
	`<Subject><NameID Format="f">{{.NameID}}</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData NotOnOrAfter="{{.End}}" Recipient="` + callbackURL + `"/></SubjectConfirmation></Subject>` +
	`<Conditions NotBefore="{{.Now}}" NotOnOrAfter="{{.End}}"><AudienceRestriction><Audience>{{.Audience}}</Audience></AudienceRestriction></Conditions>` +
	`<AttributeStatement><Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"><AttributeValue>{{.Email}}</AttributeValue></Attribute>` +
	`<Attribute Name="http://schemas.xmlsoap.org/claims/Group">{{range .Groups}}<AttributeValue>g{{.}}</AttributeValue>{{end}}</Attribute></AttributeStatement>` +
	`<AuthnStatement AuthnInstant="{{.Now}}" SessionIndex="_s1"><AuthnContext><AuthnContextClassRef>urn:password</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion>`

// assertion makes the token, signed.
func (f *forge) assertion() *etree.Element {
	f.t.Helper()
	text := saml1Text
	if f.saml2 {
		text = saml2Text
	}
	stamp := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
	groups := make([]int, f.groups)
	for i := range groups {
		groups[i] = i
	}
	var b bytes.Buffer
	err := template.Must(template.New("").Parse(text)).Execute(&b, map[string]any{
		"ID": f.id, "Issuer": f.issuer, "Audience": f.audience, "NameID": f.nameID, "Email": f.email,
		"Now": stamp(f.now), "End": stamp(f.now.Add(time.Hour)), "Groups": groups,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(b.Bytes()); err != nil {
		f.t.Fatal(err)
	}
	if f.unsigned {
		return doc.Root()
	}
	return f.sign(doc.Root())
}

func (f *forge) sign(e *etree.Element) *etree.Element {
	f.t.Helper()
	var signer crypto.Signer = f.keys.Key
	cert := f.keys.Certificate.Raw
	s, err := dsig.NewSigningContext(signer, [][]byte{cert})
	if err != nil {
		f.t.Fatal(err)
	}
	s.IdAttribute = idAttribute(e)
	s.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if f.algorithm != "" {
		if err := s.SetSignatureMethod(f.algorithm); err != nil {
			f.t.Fatal(err)
		}
	}
	signed, err := s.SignEnveloped(e)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.noCert {
		sig := safexml.Child(signed, nsSignature, "Signature")
		for _, info := range safexml.Children(sig, nsSignature, "KeyInfo") {
			sig.RemoveChild(info)
		}
	}
	return signed
}

// response is a wresult around the token.
func (f *forge) response() string {
	f.t.Helper()
	return f.wrap(text(f.t, f.assertion()))
}

func (f *forge) wrap(token string) string {
	if f.trust13 {
		const ns = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
		return `<t:RequestSecurityTokenResponseCollection xmlns:t="` + ns + `"><t:RequestSecurityTokenResponse><t:RequestedSecurityToken>` + token +
			`</t:RequestedSecurityToken></t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection>`
	}
	return `<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust"><t:RequestedSecurityToken>` + token +
		`</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>`
}

func text(t testing.TB, e *etree.Element) string {
	t.Helper()
	doc := etree.NewDocument()
	doc.SetRoot(e.Copy())
	s, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trusting are options of a connection to the provider.
func trusting(t testing.TB) map[string]any {
	t.Helper()
	return map[string]any{"fedMetadataXml": idptest.FederationMetadata(providerID, "https://adfs.example/adfs/ls/", testKeys(t))}
}

// signatureOf is the text of the signature in a document, and the document without it.
func signatureOf(t testing.TB, document string) (signature, rest string) {
	t.Helper()
	from, to := strings.Index(document, "<ds:Signature "), strings.Index(document, "</ds:Signature>")
	if from < 0 || to < 0 {
		t.Fatalf("no signature in %s", document)
	}
	to += len("</ds:Signature>")
	return document[from:to], document[:from] + document[to:]
}
