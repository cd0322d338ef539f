package server_test

import (
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// TestConformanceConfig is the plan oidcc-config-certification-test-plan, with
// what RFC 8414 asks beside it.
func TestConformanceConfig(t *testing.T) {
	runPlan(t, storetest.SQLite, "", []module{
		{"oidcc-discovery-endpoint-verification", discovered},
		{"oauth-authorization-server", func(t *testing.T, p *party) {
			if other := p.getJSON(p.url + "/.well-known/oauth-authorization-server"); !reflect.DeepEqual(other, map[string]any(p.meta)) {
				t.Errorf("%v, and for OpenID Connect %v", other, p.meta)
			}
		}},
		{"keys", usableKeys},
		{"endpoints", func(t *testing.T, p *party) {
			for name, v := range p.meta {
				u, _ := v.(string)
				if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
					continue
				}
				method := "POST"
				switch name {
				case "authorization_endpoint", "userinfo_endpoint", "end_session_endpoint", "jwks_uri":
					method = "GET"
				}
				if res, b := p.send(method, u, nil); res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode >= 500 {
					t.Errorf("%s: %d %s", name, res.StatusCode, b)
				}
			}
		}},
		{"browsers", func(t *testing.T, p *party) {
			for _, u := range []string{p.url + "/.well-known/openid-configuration", p.meta.text("jwks_uri")} {
				res, _ := p.send("GET", u, nil, "Origin", "https://app.example")
				if h := res.Header; h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Vary") != "Origin" || !strings.Contains(h.Get("Cache-Control"), "max-age=") {
					t.Errorf("%s: %v", u, h)
				}
			}
		}},
		{"switches", func(t *testing.T, p *party) {
			p.set(`{"pushed_authorization_requests_supported":true,"authorization_response_iss_parameter_supported":true,"oidc_logout":{"rp_logout_end_session_endpoint_discovery":false}}`)
			p.refresh()
			if p.meta.text("pushed_authorization_request_endpoint") == "" || p.meta["authorization_response_iss_parameter_supported"] != true || p.meta["end_session_endpoint"] != nil {
				t.Errorf("%v", p.meta)
			}
			a, _ := p.flow(p.newBrowser())
			if a.Get("iss") != p.meta.text("issuer") {
				t.Errorf("%v (RFC 9207)", a.Values)
			}
			a = p.authorize(p.newBrowser(), p.request("prompt", "none"))
			if p.refused(a, "login_required"); a.Get("iss") != p.meta.text("issuer") {
				t.Errorf("%v (RFC 9207)", a.Values)
			}
		}},
	})
}

// set changes the tenant's settings.
func (w *world) set(settings string) {
	w.t.Helper()
	if status, body := w.call("PATCH", "/api/v2/tenants/settings", settings); status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", settings, status, body)
	}
}

// discovered is OpenID Connect Discovery §3 and §4.3.
func discovered(t *testing.T, p *party) {
	issuer := p.meta.text("issuer")
	if issuer != p.url+"/" || strings.ContainsAny(issuer, "?#") {
		t.Errorf("issuer %q", issuer)
	}
	for name, v := range p.meta {
		switch v := v.(type) {
		case nil:
			t.Errorf("%s is null", name)
		case []any:
			if len(v) == 0 {
				t.Errorf("%s is empty (RFC 8414 §3.2)", name)
			}
			once := map[any]bool{}
			for _, item := range v {
				if text, ok := item.(string); !ok || text == "" || once[item] {
					t.Errorf("%s has %v", name, item)
				}
				once[item] = true
			}
		case string:
			if u, err := url.Parse(v); err != nil || u.Scheme != "https" || u.Fragment != "" {
				t.Errorf("%s is %q", name, v)
			}
		case bool:
		default:
			t.Errorf("%s is %v", name, v)
		}
	}
	for _, name := range []string{
		"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "revocation_endpoint", "end_session_endpoint", "device_authorization_endpoint",
	} {
		if u := p.meta.text(name); !strings.HasPrefix(u, issuer) {
			t.Errorf("%s is %q", name, u)
		}
	}
	for name, values := range map[string]string{
		"scopes_supported":                                 "openid profile email address phone offline_access",
		"response_types_supported":                         "code id_token token",
		"response_modes_supported":                         "query fragment form_post",
		"grant_types_supported":                            "authorization_code implicit refresh_token client_credentials",
		"subject_types_supported":                          "public",
		"id_token_signing_alg_values_supported":            "RS256",
		"token_endpoint_auth_methods_supported":            "client_secret_basic client_secret_post private_key_jwt none",
		"token_endpoint_auth_signing_alg_values_supported": "RS256",
		"claims_supported":                                 "sub iss aud exp iat auth_time name email email_verified phone_number address",
		"code_challenge_methods_supported":                 "S256",
	} {
		for v := range strings.FieldsSeq(values) {
			if !p.meta.has(name, v) {
				t.Errorf("%s lacks %s: %v", name, v, p.meta[name])
			}
		}
	}
	if p.meta.has("id_token_signing_alg_values_supported", "none") || p.meta.has("token_endpoint_auth_signing_alg_values_supported", "none") {
		t.Error("none is announced")
	}
	for name, want := range map[string]any{
		"request_parameter_supported": false, "request_uri_parameter_supported": false,
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
	} {
		if got, there := p.meta[name]; !there || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	for _, name := range []string{"registration_endpoint", "check_session_iframe", "frontchannel_logout_supported", "introspection_endpoint", "claims_parameter_supported"} {
		if v, there := p.meta[name]; there {
			t.Errorf("%s is announced: %v", name, v)
		}
	}
}

// usableKeys is RFC 7517 for keys that verify, none of them private.
func usableKeys(t *testing.T, p *party) {
	check := func() map[string]bool {
		p.refresh()
		kids := map[string]bool{}
		for _, one := range p.jwks {
			k, _ := one.(map[string]any)
			kid, _ := k["kid"].(string)
			if kid == "" || kids[kid] || k["kty"] != "RSA" || k["use"] != "sig" || k["alg"] != "RS256" {
				t.Errorf("key %v", k)
			}
			kids[kid] = true
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if _, there := k[private]; there {
					t.Errorf("%s has the member %s", kid, private)
				}
			}
			chain, _ := k["x5c"].([]any)
			if len(chain) == 0 {
				t.Fatalf("%s has no certificate", kid)
			}
			first, _ := chain[0].(string)
			der, err := base64.StdEncoding.DecodeString(first)
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := x509.ParseCertificate(der)
			if err != nil || !p.keys[kid].Equal(certificate.PublicKey) {
				t.Errorf("the certificate of %s is of another key: %v", kid, err)
			}
			if bits := p.keys[kid].N.BitLen(); bits < 2048 {
				t.Errorf("%s has %d bits", kid, bits)
			}
		}
		return kids
	}
	before := check()
	_, old := p.flow(p.newBrowser())
	if status, body := p.call("POST", "/api/v2/keys/signing/rotate", ""); status != http.StatusCreated && status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	after := check()
	if maps.Equal(before, after) {
		t.Error("the rotation shows no new key")
	}
	// What was signed before stays good, and what is signed now has a key in the document.
	p.signed(old.ID)
	p.flow(p.newBrowser())
}
