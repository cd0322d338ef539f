package saml

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// carried is the message in a departure.
func carried(t *testing.T, d upstream.Departure, name string) *etree.Element {
	t.Helper()
	if d.Form != nil {
		raw, err := base64.StdEncoding.DecodeString(d.Form.Get(name))
		if err != nil {
			t.Fatal(err)
		}
		return parsed(string(raw))
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(u.Query().Get(name))
	if err != nil {
		t.Fatal(err)
	}
	out, err := inflate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(string(out))
}

func (r rig) depart(t *testing.T, s upstream.Start) upstream.Departure {
	t.Helper()
	d, err := r.Depart(context.Background(), r.c, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRequest(t *testing.T) {
	d := newRig(nil).depart(t, upstream.Start{State: "state&1"})
	if !strings.HasPrefix(d.URL, "https://idp.example/sso?SAMLRequest=") || !strings.HasSuffix(d.URL, "&RelayState=state%261") || d.Form != nil {
		t.Errorf("%+v", d)
	}
	e := carried(t, d, "SAMLRequest")
	want := map[string]string{
		"ID": d.Pending.RequestID, "Version": "2.0", "IssueInstant": "2026-03-01T12:00:00.000Z", "Destination": "https://idp.example/sso",
		"AssertionConsumerServiceURL": acs, "ProtocolBinding": bindingPOST, "ForceAuthn": "",
	}
	for name, v := range want {
		if got := safexml.Attr(e, name); got != v || name == "ID" && len(v) != 41 {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
	if got := safexml.Text(safexml.Child(e, nsAssertion, "Issuer")); got != sp {
		t.Errorf("issuer %q", got)
	}
	if again := newRig(nil).depart(t, upstream.Start{}); again.Pending.RequestID == d.Pending.RequestID {
		t.Error("two requests have one ID")
	}
}

func TestRequestOptions(t *testing.T) {
	login := url.Values{"prompt": {"login"}, "ui": {"sv"}}
	d := newRig(map[string]any{
		"protocolBinding": bindingPOST, "entityId": "urn:me", "signInEndpoint": "https://idp.example/sso?t=1",
		"upstream_params": map[string]any{"lang": map[string]any{"alias": "ui"}, "SAMLRequest": map[string]any{"value": "x"}},
	}).depart(t, upstream.Start{State: "s", LoginHint: "carol", Params: login})
	if d.URL != "https://idp.example/sso?lang=sv&login_hint=carol&t=1" && !strings.Contains(d.URL, "t=1") {
		t.Error(d.URL)
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Query().Get("login_hint") != "carol" || u.Query().Has("prompt") || u.Query().Has("SAMLRequest") {
		t.Error(d.URL)
	}
	if d.Form.Get("RelayState") != "s" || len(d.Form) != 2 {
		t.Errorf("%v", d.Form)
	}
	e := carried(t, d, "SAMLRequest")
	if safexml.Attr(e, "ForceAuthn") != "true" || safexml.Text(safexml.Child(e, nsAssertion, "Issuer")) != "urn:me" {
		t.Error(text(e))
	}
}

func TestSignedRequest(t *testing.T) {
	own := map[string]any{"key": otherKey().keyPEM(), "cert": otherKey().certPEM()}
	for _, row := range []struct {
		name    string
		options map[string]any
		by      pair
		method  string
		sha1    bool
	}{
		{"by the tenant's key", map[string]any{}, spKey(), dsig.RSASHA256SignatureMethod, false},
		{"by the connection's key", map[string]any{"signing_key": own}, otherKey(), dsig.RSASHA256SignatureMethod, false},
		{"by SHA-1", map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"}, spKey(), dsig.RSASHA1SignatureMethod, true},
	} {
		row.options["signSAMLRequest"] = true
		t.Run(row.name+", redirected", func(t *testing.T) {
			d := newRig(row.options).depart(t, upstream.Start{State: "s"})
			u, err := url.Parse(d.URL)
			if err != nil {
				t.Fatal(err)
			}
			signed, signature, _ := strings.Cut(u.RawQuery, "&Signature=")
			raw, err := url.QueryUnescape(signature)
			if err != nil {
				t.Fatal(err)
			}
			b, err := base64.StdEncoding.DecodeString(raw)
			if err != nil {
				t.Fatal(err)
			}
			algorithm := x509.SHA256WithRSA
			if row.sha1 {
				algorithm = x509.SHA1WithRSA
			}
			if u.Query().Get("SigAlg") != row.method || row.by.cert.CheckSignature(algorithm, []byte(signed), b) != nil {
				t.Error(d.URL)
			}
		})
		t.Run(row.name+", posted", func(t *testing.T) {
			row.options["protocolBinding"] = bindingPOST
			e := carried(t, newRig(row.options).depart(t, upstream.Start{State: "s"}), "SAMLRequest")
			if e.ChildElements()[1].Tag != "Signature" { // the schema's order
				t.Error(text(e))
			}
			if _, err := safexml.Verify(e, "ID", safexml.Keys{Certificates: []*x509.Certificate{row.by.cert}, AllowSHA1: row.sha1}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRequestTemplate(t *testing.T) {
	const template = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" @@AssertServiceURLAndDestination@@ ID="@@ID@@" IssueInstant="@@IssueInstant@@" ` +
		`ProtocolBinding="@@ProtocolBinding@@" ProviderName="@@ProviderName@@" Version="2.0"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@@Issuer@@</saml:Issuer>` +
		`<x>@@Connection.tenant_domain@@|@@LoginHint@@|@@Connection.decryptionKey@@|@@Nobody@@|@@Destination@@|@@AssertionConsumerServiceURL@@</x></samlp:AuthnRequest>`
	r := newRig(map[string]any{"requestTemplate": template, "tenant_domain": `a&b"`, "decryptionKey": spKey().keyPEM()})
	e := carried(t, r.depart(t, upstream.Start{LoginHint: `</x><evil a="` + "\x00\n"}), "SAMLRequest")
	if got, want := safexml.Text(child(e, "x")), `a&b"|</x><evil a="`+"\n"+`|||https://idp.example/sso|`+acs; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if safexml.Attr(e, "ProviderName") != "acme" || safexml.Attr(e, "AssertionConsumerServiceURL") != acs {
		t.Error(text(e))
	}
}

func TestRequestThatCannotBeMade(t *testing.T) {
	for name, options := range map[string]map[string]any{
		"no certificate":           {"cert": nil},
		"no endpoint":              {"signInEndpoint": nil},
		"an endpoint that is none": {"signInEndpoint": "javascript:alert(1)"},
		"a template that is none":  {"requestTemplate": "<x/>"},
		"a certificate that is":    {"cert": "x"},
	} {
		r := newRig(options)
		if _, err := r.Depart(t.Context(), r.c, upstream.Start{}); !errors.Is(err, upstream.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
