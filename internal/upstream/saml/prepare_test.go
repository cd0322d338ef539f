package saml

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

func idpMetadata(p pair, sso, slo string) string {
	service := func(name, binding, at string) string {
		if at == "" {
			return ""
		}
		return `<` + name + ` Binding="` + binding + `" Location="` + at + `"/>`
	}
	return `<?xml version="1.0"?><EntityDescriptor xmlns="` + nsMetadata + `" entityID="` + idpEntity + `"><IDPSSODescriptor protocolSupportEnumeration="` + nsProtocol + `">` +
		`<KeyDescriptor use="signing"><KeyInfo xmlns="` + nsSignature + `"><X509Data><X509Certificate>` + "\n" + base64.StdEncoding.EncodeToString(p.cert.Raw) + "\n" + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
		`<KeyDescriptor use="encryption"><KeyInfo xmlns="` + nsSignature + `"><X509Data><X509Certificate>x</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
		service("SingleLogoutService", bindingRedirect, slo) + service("SingleSignOnService", bindingPOST, sso+"/post") + service("SingleSignOnService", bindingRedirect, sso) +
		`</IDPSSODescriptor></EntityDescriptor>`
}

func document(t *testing.T, options map[string]any) strictjson.Document {
	t.Helper()
	raw, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return strictjson.ParseDocument(raw)
}

func prepare(t *testing.T, strategy string, stored strictjson.Document, next map[string]any) (strictjson.Document, error) {
	t.Helper()
	return newConnector().Preparer(strategy).Prepare(t.Context(), "corp", stored, document(t, next))
}

func TestPrepareMetadata(t *testing.T) {
	xml := idpMetadata(idpKey(), "https://idp.example/sso", "https://idp.example/slo")
	got, err := prepare(t, "samlp", nil, map[string]any{"metadataXml": xml, "signInEndpoint": "https://old.example", "fieldsMap": map[string]any{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	pem := idpKey().certPEM()
	want := document(t, map[string]any{
		"signInEndpoint": "https://idp.example/sso", "signOutEndpoint": "https://idp.example/slo", "bindingMethod": bindingRedirect, "issuer": idpEntity,
		"cert": pem, "signingCert": base64.StdEncoding.EncodeToString([]byte(pem)), "thumbprints": []string{thumbprint(idpKey().cert)},
		"expires": "2026-03-01T13:00:00.000Z", "subject": map[string]any{"commonName": "idp.example", "countryName": "SE", "organizationName": "Corp"},
		"fieldsMap": map[string]any{"a": "b"},
	})
	if string(got.Encode()) != string(want.Encode()) {
		t.Errorf("%s\n%s", got.Encode(), want.Encode())
	}
	t.Run("what metadata made stays when it is not sent again", func(t *testing.T) {
		next, err := prepare(t, "samlp", got, map[string]any{"fieldsMap": map[string]any{"a": "b"}})
		if err != nil || string(next.Encode()) != string(want.Encode()) {
			t.Errorf("%s, %v", next.Encode(), err)
		}
	})
	t.Run("what a client read and sends back stays", func(t *testing.T) {
		next, err := newConnector().Preparer("samlp").Prepare(t.Context(), "corp", got, strictjson.ParseDocument(got.Encode()))
		if err != nil || string(next.Encode()) != string(want.Encode()) {
			t.Errorf("%s, %v", next.Encode(), err)
		}
	})
	t.Run("another certificate", func(t *testing.T) {
		for _, how := range []map[string]any{
			{"signingCert": base64.StdEncoding.EncodeToString([]byte(otherKey().certPEM()))},
			{"signingCert": base64.StdEncoding.EncodeToString(otherKey().cert.Raw)},
			{"signingCert": otherKey().certPEM(), "cert": pem},
			{"cert": otherKey().certPEM()},
			{"cert": otherKey().certPEM(), "signingCert": got.Text("signingCert")},
		} {
			next, err := prepare(t, "samlp", got, how)
			if err != nil || next.Text("cert") != otherKey().certPEM() || next.Texts("thumbprints")[0] != thumbprint(otherKey().cert) || next.Text("signInEndpoint") != "https://idp.example/sso" {
				t.Errorf("%v: %s, %v", how, next.Encode(), err)
			}
			if o, err := readDocument("samlp", next); err != nil || !o.Certificates[0].Equal(otherKey().cert) {
				t.Errorf("%v: %v", how, err)
			}
		}
	})
	t.Run("the certificate is shown as it was sent", func(t *testing.T) {
		for sent, want := range map[string]string{
			strings.TrimSpace(pem):                strings.TrimSpace(pem),
			strings.ReplaceAll(pem, "\n", "\r\n"): strings.ReplaceAll(pem, "\n", "\r\n"),
			"a comment\n" + pem:                   pem,
			base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(pem))): strings.TrimSpace(pem),
		} {
			next, err := prepare(t, "samlp", nil, map[string]any{"signingCert": sent})
			if err != nil || next.Text("cert") != want || next.Text("signingCert") != sent {
				t.Errorf("%q: %s, %v", sent, next.Encode(), err)
			}
		}
	})
	t.Run("another provider, by hand", func(t *testing.T) {
		pair := otherKey().certPEM()
		for _, how := range []map[string]any{
			{"signInEndpoint": "https://new.example/sso", "cert": pair},
			{"signInEndpoint": "https://new.example/sso", "cert": pair, "issuer": idpEntity},
		} {
			next, err := prepare(t, "samlp", got, how)
			if err != nil || next.Has("issuer") || next.Has("signOutEndpoint") || next.Has("bindingMethod") || next.Text("cert") != pair {
				t.Errorf("%s, %v", next.Encode(), err)
			}
		}
		next, err := prepare(t, "samlp", got, map[string]any{"signInEndpoint": "https://new.example/sso", "issuer": "urn:new"})
		if err != nil || next.Text("issuer") != "urn:new" || next.Text("cert") != pem {
			t.Errorf("%s, %v", next.Encode(), err)
		}
	})
	t.Run("posted requests", func(t *testing.T) {
		next, err := prepare(t, "samlp", nil, map[string]any{"metadataXml": xml, "protocolBinding": bindingPOST})
		if err != nil || next.Text("signInEndpoint") != "https://idp.example/sso/post" || next.Text("bindingMethod") != bindingPOST {
			t.Errorf("%s, %v", next.Encode(), err)
		}
	})
}

func TestPrepareMetadataURL(t *testing.T) {
	answer, status := idpMetadata(idpKey(), "https://idp.example/sso", ""), http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	next := map[string]any{"metadataUrl": server.URL + "/metadata"}
	first, err := prepare(t, "samlp", nil, next)
	if err != nil || first.Text("signInEndpoint") != "https://idp.example/sso" || first.Has("signOutEndpoint") || first.Text("metadataUrl") == "" {
		t.Fatalf("%s, %v", first.Encode(), err)
	}
	answer = idpMetadata(otherKey(), "https://idp.example/new", "")
	again, err := prepare(t, "samlp", first, next)
	if err != nil || again.Text("signInEndpoint") != "https://idp.example/new" || again.Text("cert") != otherKey().certPEM() {
		t.Errorf("%s, %v", again.Encode(), err)
	}
	status = http.StatusInternalServerError
	kept, err := prepare(t, "samlp", again, next)
	if err != nil || string(kept.Encode()) != string(again.Encode()) {
		t.Errorf("an address that fails for now: %s, %v", kept.Encode(), err)
	}
	if _, err = prepare(t, "samlp", nil, next); errs.KindOf(err) != errs.Invalid || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("%v", err)
	}
	status, answer = http.StatusOK, strings.Repeat("x", 5<<20)
	if _, err = prepare(t, "samlp", nil, next); errs.KindOf(err) != errs.Invalid || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	good := idpMetadata(idpKey(), "https://idp.example/sso", "")
	for _, row := range []struct {
		name string
		next map[string]any
		want string
	}{
		{"too long", map[string]any{"metadataXml": strings.Repeat(" ", maxMetadataXML+1)}, "options.metadataXml has more than 102400 characters"},
		{"no metadata", map[string]any{"metadataXml": "<x/>"}, "options.metadataXml is not usable: it does not describe exactly one identity provider"},
		{"a DOCTYPE", map[string]any{"metadataXml": "<!DOCTYPE x>" + good}, "DOCTYPE"},
		{"two providers", map[string]any{"metadataXml": `<x xmlns="urn:x">` + strings.Repeat(strings.TrimPrefix(good, `<?xml version="1.0"?>`), 2) + "</x>"}, "exactly one identity provider"},
		{"no entity id", map[string]any{"metadataXml": strings.Replace(good, "entityID=", "entity=", 1)}, "no entityID"},
		{"no endpoint", map[string]any{"metadataXml": strings.ReplaceAll(good, "https://idp.example/sso", "javascript:x")}, "no SingleSignOnService"},
		{"no certificate", map[string]any{"metadataXml": strings.Replace(good, `use="signing"`, `use="encryption"`, 1)}, "no signing certificate"},
		{"a broken certificate", map[string]any{"metadataXml": strings.Replace(good, `use="encryption"`, `use="signing"`, 1)}, "cannot be read"},
		{"an address of a file", map[string]any{"metadataUrl": "file:///etc/passwd"}, "options.metadataUrl cannot be read: not an http or https address"},
		{"an address from inside", map[string]any{"metadataUrl": "http://10.0.0.1/"}, "options.metadataUrl cannot be read: the server cannot be reached; an address inside your network has to be in --outbound-allow"},
		{"a certificate that is none", map[string]any{"signingCert": "x"}, "options.signingCert has to be one or several X.509 certificates"},
		{"an endpoint that is none", map[string]any{"signInEndpoint": "idp.example"}, "options.signInEndpoint has to be an http or https address"},
		{"a decryption key that is none", map[string]any{"decryptionKey": "x"}, "options.decryptionKey: not PEM"},
		{"a signing key with another's certificate", map[string]any{"signing_key": map[string]any{"key": spKey().keyPEM(), "cert": idpKey().certPEM()}}, "options.signing_key: the certificate is not the key's"},
		{"a template that is none", map[string]any{"requestTemplate": "<a>@@ID@@</a>"}, "options.requestTemplate has to be an AuthnRequest"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := prepare(t, "samlp", nil, row.next)
			var e *errs.Error
			if !errors.As(err, &e) || e.Kind != errs.Invalid || e.Code != "invalid_body" || !strings.Contains(e.Text, row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
	if got, err := prepare(t, "samlp", nil, map[string]any{"debug": true, "cert": nil}); err != nil || got.Has("cert") {
		t.Errorf("a connection that is set up later: %s, %v", got.Encode(), err)
	}
}

func TestPingFederate(t *testing.T) {
	first, err := prepare(t, "pingfederate", nil, map[string]any{"pingFederateBaseUrl": "https://ping.example:9031/", "signingCert": idpKey().certPEM(), "fieldsMap": map[string]any{"email": "x"}})
	if err != nil || first.Text("signInEndpoint") != "https://ping.example:9031/" || first.Has("signOutEndpoint") {
		t.Fatalf("%s, %v", first.Encode(), err)
	}
	at := func(d strictjson.Document) string {
		o, err := readDocument("pingfederate", d)
		if err != nil {
			t.Fatal(err)
		}
		return o.SignIn + " " + o.SignOut
	}
	if got := at(first); got != "https://ping.example:9031/idp/SSO.saml2 https://ping.example:9031/idp/SLO.saml2" {
		t.Error(got)
	}
	moved, err := prepare(t, "pingfederate", first, map[string]any{"pingFederateBaseUrl": "https://new.example"})
	if err != nil || moved.Text("signInEndpoint") != "https://new.example" || at(moved) != "https://new.example/idp/SSO.saml2 https://new.example/idp/SLO.saml2" {
		t.Errorf("%s, %v", moved.Encode(), err)
	}
	own, err := prepare(t, "pingfederate", first, map[string]any{"pingFederateBaseUrl": "https://new.example", "signInEndpoint": "https://own.example/sso"})
	if err != nil || at(own) != "https://own.example/sso https://new.example/idp/SLO.saml2" {
		t.Errorf("%s, %v", own.Encode(), err)
	}
	k := newConnector()
	c := made("pingfederate", nil)
	c.Options = first.Encode()
	got, err := k.Callback(context.Background(), c, upstream.Start{}, upstream.Pending{RequestID: requestID}, posted(said().signed(idpKey())))
	if err != nil || attribute(got, "email") != `"carol@corp.example"` { // fieldsMap counts for nothing here
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMetadata(t *testing.T) {
	read := func(options map[string]any) string {
		r := newRig(options)
		b, err := r.Metadata(t.Context(), r.c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseText(b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	got := read(nil)
	for _, want := range []string{
		`entityID="` + sp + `"`, `<KeyDescriptor use="signing">`, base64.StdEncoding.EncodeToString(spKey().cert.Raw),
		`<AssertionConsumerService Binding="` + bindingPOST + `" Location="` + acs + `" index="0" isDefault="true">`,
		`<SingleLogoutService Binding="` + bindingRedirect + `" Location="` + publicURL + `/logout">`, "<NameIDFormat>" + formatPersistent + "</NameIDFormat>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "encryption") || strings.Contains(got, "AuthnRequestsSigned") {
		t.Error(got)
	}
	pair := map[string]any{"key": otherKey().keyPEM(), "cert": otherKey().certPEM()}
	got = read(map[string]any{"decryptionKey": pair, "signing_key": pair, "signSAMLRequest": true, "entityId": "urn:me"})
	if !strings.Contains(got, `use="encryption"`) || strings.Count(got, base64.StdEncoding.EncodeToString(otherKey().cert.Raw)) != 2 ||
		!strings.Contains(got, `AuthnRequestsSigned="true"`) || !strings.Contains(got, `entityID="urn:me"`) || strings.Contains(got, "PRIVATE") {
		t.Error(got)
	}
}
