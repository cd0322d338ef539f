package idptest

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

const home = "http://127.0.0.1:9/login/callback"

func TestWSFedProviders(t *testing.T) {
	check := func(t *testing.T, endpoint string, set func(string, map[string][]string)) {
		t.Helper()
		const email = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
		for _, address := range []string{"carol@a.example", "carol@b.example"} {
			set("carol", map[string][]string{email: {address}})
			to := endpoint + "?" + url.Values{"wa": {"wsignin1.0"}, "wtrealm": {"urn:rp"}, "wctx": {"st<ate"}, "wreply": {home}}.Encode()
			got := NewBrowser(t).Visit(to, nil, "carol", home)
			if got.Form.Get("wctx") != "st<ate" || !strings.Contains(got.Form.Get("wresult"), address) {
				t.Errorf("got %v", got)
			}
		}
	}
	t.Run("SimpleSAMLphp", func(t *testing.T) {
		s := StartSimpleSAML(t)
		s.TrustRealm("urn:rp", home)
		check(t, s.WSFedEndpoint(), s.SetPerson)
	})
	t.Run("wsfed", func(t *testing.T) {
		s := StartSAMLP(t)
		check(t, s.WSFedEndpoint(), s.SetPerson)
	})
}

func TestSAMLProviders(t *testing.T) {
	const request = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ` +
		`ID="_1" Version="2.0" IssueInstant="2026-01-01T00:00:00Z" AssertionConsumerServiceURL="` + home + `"><saml:Issuer>urn:sp</saml:Issuer></samlp:AuthnRequest>`
	login := func(t *testing.T, endpoint string) string {
		t.Helper()
		form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(request))}, "RelayState": {"rs"}}
		got := NewBrowser(t).Visit(endpoint, form, "carol", home)
		response, err := base64.StdEncoding.DecodeString(got.Form.Get("SAMLResponse"))
		if err != nil || got.Form.Get("RelayState") != "rs" {
			t.Errorf("got %v, %v", got, err)
		}
		return string(response)
	}
	t.Run("SimpleSAMLphp", func(t *testing.T) {
		s := StartSimpleSAML(t)
		s.Trust("urn:sp", Provider{ACS: home})
		if r := login(t, s.SAMLEndpoint()); !strings.Contains(r, "carol@ex.example") || strings.Count(r, "SignatureValue>") != 4 {
			t.Error(r)
		}
		s.Trust("urn:sp", Provider{ACS: home, Encrypt: true, CertPEM: NewKeyPair(t, "sp").CertPEM})
		if r := login(t, s.SAMLEndpoint()); strings.Contains(r, "carol@") || !strings.Contains(r, "EncryptedAssertion") {
			t.Error(r)
		}
	})
	t.Run("samlp", func(t *testing.T) {
		s := StartSAMLP(t)
		s.SetPerson("carol", map[string][]string{"email": {"carol@ex.example"}})
		if r := login(t, s.SAMLEndpoint()); !strings.Contains(r, "carol@ex.example") || !strings.Contains(r, `InResponseTo="_1"`) {
			t.Error(r)
		}
		got := NewBrowser(t).Visit(s.Begin("urn:sp", home, "rs"), nil, "carol", home)
		if r, err := base64.StdEncoding.DecodeString(got.Form.Get("SAMLResponse")); err != nil || strings.Contains(string(r), "InResponseTo") {
			t.Errorf("%s %v", r, err)
		}
	})
}
