package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// certified is openid-client, a relying party that the OpenID Foundation
// certified, in a process of its own; the steps are those of test/apps/openid-client.mjs.
type certified struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Reader
}

func startCertified(t *testing.T, w *world) *certified {
	t.Helper()
	// t.Context() would end before the clean-up.
	cmd := exec.CommandContext(context.Background(), "node", filepath.Join(apps(t), "openid-client.mjs"))
	cmd.Env = append(os.Environ(), "ISSUER="+w.url+"/", "NODE_EXTRA_CA_CERTS="+w.authority)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	return &certified{t, in, bufio.NewReader(out)}
}

// refusal is what the library makes of a failure.
type refusal struct{ Name, Code, Text string }

// try does a step; nil: it succeeded.
func (c *certified) try(name string, out any, with ...any) *refusal {
	c.t.Helper()
	line, err := json.Marshal(struct {
		Do   string `json:"do"`
		With []any  `json:"with,omitempty"`
	}{name, with})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("openid-client is gone: %v", err)
	}
	text, err := c.lines.ReadBytes('\n')
	if err != nil {
		c.t.Fatalf("%s: openid-client is gone: %v", name, err)
	}
	var a struct {
		Value json.RawMessage
		Error *refusal
	}
	if err := json.Unmarshal(text, &a); err != nil {
		c.t.Fatalf("%s: %q: %v", name, text, err)
	}
	if a.Error == nil && out != nil {
		if err := json.Unmarshal(a.Value, out); err != nil {
			c.t.Fatalf("%s answers %s: %v", name, a.Value, err)
		}
	}
	return a.Error
}

// do is try for what has to succeed.
func (c *certified) do(name string, out any, with ...any) {
	c.t.Helper()
	if r := c.try(name, out, with...); r != nil {
		c.t.Fatalf("%s: %+v", name, *r)
	}
}

type pairs = map[string]any

// issued is what the library tells of tokens that it took.
type issued struct {
	Claims    map[string]any
	Scope     string
	ExpiresIn int64
	Refreshes bool
}

// signIn takes a browser through a sign-in of the application.
func (c *certified) signIn(p *party, b *browser, app string, params pairs, pushed bool) (issued, *refusal) {
	c.t.Helper()
	params["redirect_uri"] = atApp
	var to struct{ URL, State string }
	c.do("begin", &to, app, params, pushed)
	a := p.walk(b, "GET", to.URL, nil, to.State)
	if a.Values == nil {
		c.t.Fatalf("ended at %+v", a.last())
	}
	var out issued
	if p.mode == "form_post" {
		form := map[string]string{}
		for name := range a.Values {
			form[name] = a.Get(name)
		}
		return out, c.try("finish", &out, app, a.to, form)
	}
	return out, c.try("finish", &out, app, a.to)
}

// TestOpenIDClient lets a certified relying party judge the whole: it refuses
// what OpenID Connect does not allow, in documents, answers and tokens.
func TestOpenIDClient(t *testing.T) {
	all := newParty(t, storetest.SQLite, "")
	all.set(`{"pushed_authorization_requests_supported":true,"authorization_response_iss_parameter_supported":true}`)
	rp := startCertified(t, all.world)
	web := pairs{"callbacks": []string{atApp}, "allowed_logout_urls": []string{byeApp}, "grant_types": []string{"authorization_code", "refresh_token", "client_credentials", "implicit"}}
	with := func(more pairs) pairs {
		m := pairs{}
		for _, from := range []pairs{web, more} {
			for name, v := range from {
				m[name] = v
			}
		}
		return m
	}
	// app registers an application here and there.
	app := func(t *testing.T, p *party, name string, settings, config pairs) string {
		t.Helper()
		rp.t = t
		made := p.application(settings)
		config["id"], config["secret"] = made[0], made[1]
		var issuer string
		if rp.do("discover", &issuer, name, config); issuer != p.url+"/" {
			t.Errorf("issuer %q", issuer)
		}
		return made[0]
	}
	want := func(t *testing.T, out issued, refused *refusal, sub string) {
		t.Helper()
		if refused != nil || out.Claims["sub"] != sub {
			t.Fatalf("%+v %+v", out, refused)
		}
	}

	runModules(t, all, []module{
		{"client_secret_basic", func(t *testing.T, p *party) {
			app(t, p, "web", with(pairs{"token_endpoint_auth_method": "client_secret_basic"}), pairs{"how": "basic"})
			b := p.newBrowser()
			out, refused := rp.signIn(p, b, "web", pairs{"scope": "openid profile email offline_access", "max_age": "600"}, false)
			want(t, out, refused, p.subject)
			if out.Claims["email"] != personal || out.Claims["name"] != "Cora Conform" || !out.Refreshes || out.Claims["auth_time"] == nil {
				t.Errorf("%+v", out)
			}
			var info map[string]any
			if rp.do("userinfo", &info, "web"); info["email"] != personal || info["email_verified"] != true {
				t.Errorf("%v", info)
			}
			var next issued
			if rp.do("refresh", &next, "web", pairs{"scope": "openid"}); next.Claims["sub"] != p.subject || next.Claims["email"] != nil || next.Scope != "openid" {
				t.Errorf("%+v", next)
			}
			var to string
			rp.do("leave", &to, "web", pairs{"post_logout_redirect_uri": byeApp, "state": "goodbye"})
			if a := p.walk(b, "GET", to, nil, "goodbye"); !strings.HasPrefix(a.to, byeApp) {
				t.Errorf("%+v", a)
			}
			if _, refused := rp.signIn(p, b, "web", pairs{"scope": "openid", "prompt": "none"}, false); refused == nil || refused.Code != "login_required" {
				t.Errorf("after the logout: %+v", refused)
			}
		}},
		{"client_secret_post, revocation", func(t *testing.T, p *party) {
			app(t, p, "posting", with(pairs{"token_endpoint_auth_method": "client_secret_post"}), pairs{"how": "post", "algorithm": "oauth2"})
			out, refused := rp.signIn(p, p.home, "posting", pairs{"scope": "openid offline_access"}, false)
			want(t, out, refused, p.subject)
			rp.do("revoke", nil, "posting")
			if refused := rp.try("refresh", nil, "posting", pairs{}); refused == nil || refused.Code != "invalid_grant" {
				t.Errorf("revoked, and yet: %+v", refused)
			}
		}},
		{"private_key_jwt", func(t *testing.T, p *party) {
			for name, alg := range map[string]string{"RSASSA-PKCS1-v1_5": "RS256", "RSA-PSS": "PS256"} {
				rp.t = t
				var pem string
				rp.do("key", &pem, name)
				app(t, p, alg, with(pairs{"client_authentication_methods": pairs{
					"private_key_jwt": pairs{"credentials": []pairs{{"credential_type": "public_key", "pem": pem, "alg": alg}}},
				}}), pairs{"how": "key"})
				out, refused := rp.signIn(p, p.home, alg, pairs{"scope": "openid offline_access"}, false)
				want(t, out, refused, p.subject)
				rp.do("refresh", nil, alg, pairs{})
				out, refused = rp.signIn(p, p.home, alg, pairs{"scope": "openid"}, true)
				want(t, out, refused, p.subject)
			}
		}},
		{"a public client", func(t *testing.T, p *party) {
			app(t, p, "spa", with(pairs{
				"app_type": "spa", "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"},
				"refresh_token": pairs{"rotation_type": "rotating", "expiration_type": "expiring"},
			}), pairs{"how": "none"})
			out, refused := rp.signIn(p, p.home, "spa", pairs{"scope": "openid offline_access"}, false)
			want(t, out, refused, p.subject)
			var next issued
			for range 2 {
				if rp.do("refresh", &next, "spa", pairs{}); next.Claims["sub"] != p.subject || !next.Refreshes {
					t.Errorf("%+v", next)
				}
			}
		}},
		{"pushed", func(t *testing.T, p *party) {
			app(t, p, "pushing", with(pairs{"require_pushed_authorization_requests": true}), pairs{"how": "basic"})
			out, refused := rp.signIn(p, p.home, "pushing", pairs{"scope": "openid"}, true)
			want(t, out, refused, p.subject)
			if _, refused := rp.signIn(p, p.home, "pushing", pairs{"scope": "openid"}, false); refused == nil || refused.Code != "invalid_request" {
				t.Errorf("not pushed: %+v", refused)
			}
		}},
		{"form_post", func(t *testing.T, p *party) {
			app(t, p, "formed", with(nil), pairs{"how": "basic"})
			p.mode = "form_post"
			out, refused := rp.signIn(p, p.home, "formed", pairs{"scope": "openid", "response_mode": "form_post"}, false)
			want(t, out, refused, p.subject)
		}},
		{"hybrid", func(t *testing.T, p *party) {
			app(t, p, "hybrid", with(nil), pairs{"how": "basic", "kind": "hybrid"})
			out, refused := rp.signIn(p, p.home, "hybrid", pairs{"scope": "openid email"}, false)
			want(t, out, refused, p.subject)
		}},
		{"implicit", func(t *testing.T, p *party) {
			app(t, p, "implicit", with(nil), pairs{"how": "basic", "kind": "implicit"})
			out, refused := rp.signIn(p, p.home, "implicit", pairs{"scope": "openid email"}, false)
			want(t, out, refused, p.subject)
		}},
		{"HS256", func(t *testing.T, p *party) {
			app(t, p, "symmetric", with(pairs{"jwt_configuration": pairs{"alg": "HS256"}}), pairs{"how": "basic", "kind": "HS256"})
			b := p.newBrowser()
			out, refused := rp.signIn(p, b, "symmetric", pairs{"scope": "openid offline_access"}, false)
			want(t, out, refused, p.subject)
			rp.do("refresh", nil, "symmetric", pairs{})
			var to string
			rp.do("leave", &to, "symmetric", pairs{"post_logout_redirect_uri": byeApp, "state": "goodbye"})
			if a := p.walk(b, "GET", to, nil, "goodbye"); !strings.HasPrefix(a.to, byeApp) {
				t.Errorf("%+v", a)
			}
		}},
		{"client_credentials", func(t *testing.T, p *party) {
			const api = "https://tides.example/"
			if status, body := p.call("POST", "/api/v2/resource-servers", `{"identifier":"`+api+`","name":"Tides","scopes":[{"value":"read:tides"},{"value":"move:tides"}]}`); status != http.StatusCreated {
				t.Fatalf("%d %s", status, body)
			}
			id := app(t, p, "machine", pairs{"app_type": "non_interactive", "grant_types": []string{"client_credentials"}}, pairs{"how": "basic"})
			if refused := rp.try("machine", nil, "machine", pairs{"audience": api}); refused == nil || refused.Code != "access_denied" {
				t.Errorf("without a grant: %+v", refused)
			}
			if status, body := p.call("POST", "/api/v2/client-grants", `{"client_id":"`+id+`","audience":"`+api+`","scope":["read:tides"]}`); status != http.StatusCreated {
				t.Fatalf("%d %s", status, body)
			}
			var out issued
			if rp.do("machine", &out, "machine", pairs{"audience": api}); out.Scope != "read:tides" || out.ExpiresIn != 86400 || out.Claims != nil {
				t.Errorf("%+v", out)
			}
		}},
		{"device", func(t *testing.T, p *party) {
			app(t, p, "television", pairs{
				"app_type": "native", "token_endpoint_auth_method": "none", "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"},
			}, pairs{"how": "none"})
			var shown struct{ URL, Code string }
			rp.do("device", &shown, "television", pairs{"scope": "openid email offline_access"})
			b := p.newBrowser()
			if a := p.walk(b, "GET", shown.URL, nil, ""); a.last().path != "/activate" || !strings.Contains(a.last().text, strings.ReplaceAll(shown.Code, "-", "")) {
				t.Fatalf("%+v", a.last())
			}
			a := p.walk(b, "POST", p.url+"/activate", url.Values{"user_code": {shown.Code}}, "")
			m := formAction.FindStringSubmatch(a.last().text)
			if a.last().path != "/u/device/confirmation" || m == nil || !strings.Contains(a.last().text, shown.Code) {
				t.Fatalf("%+v", a.last())
			}
			if a = p.walk(b, "POST", p.url+m[1], url.Values{"decision": {"accept"}}, ""); a.last().path != "/device/success" {
				t.Fatalf("%+v", a.last())
			}
			var out issued
			if rp.do("poll", &out, "television"); out.Claims["sub"] != p.subject || out.Claims["email"] != personal || !out.Refreshes {
				t.Errorf("%+v", out)
			}
			rp.do("refresh", nil, "television", pairs{})
		}},
	})
}
