package oidc

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"testing"

	"mangrove/internal/fakeidp"
	"mangrove/internal/outbound"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
)

func values(list []profile.Change) map[string]string {
	m := map[string]string{}
	for _, c := range list {
		m[c.Name] = string(c.Value)
	}
	return m
}

func TestPoliteLogin(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "PS256"} {
		for _, kind := range []string{"back_channel", "front_channel"} {
			t.Run(alg+" "+kind, func(t *testing.T) {
				r := newRig(t, fakeidp.Options{Alg: alg})
				r.options["type"] = kind
				result := r.mustLogin()
				if result.Claims.Subject != "u-77" {
					t.Errorf("subject %q", result.Claims.Subject)
				}
				got := values(result.Claims.Attributes)
				want := map[string]string{
					"email": `"p@x.example"`, "email_verified": "true", "name": `"Pia Lind"`,
					"preferred_username": `"pia"`, "dept": `"R&D"`,
				}
				if len(got) != len(want) {
					t.Errorf("attributes %v", got)
				}
				for name, v := range want {
					if got[name] != v {
						t.Errorf("%s: %s, want %s", name, got[name], v)
					}
				}
				var raw map[string]any
				if err := json.Unmarshal(result.Claims.Raw, &raw); err != nil || raw["sub"] != "u-77" || raw["groups"] == nil {
					t.Errorf("raw %s: %v", result.Claims.Raw, err)
				}
				checkTokens(t, result.Tokens, kind == "back_channel")
				if n := r.idp.Count(fakeidp.Userinfo); n != 0 {
					t.Errorf("userinfo was asked %d times without need", n)
				}
			})
		}
	}
}

func checkTokens(t *testing.T, tokens profile.Value, wanted bool) {
	t.Helper()
	if !wanted {
		if tokens != nil {
			t.Errorf("tokens %s", tokens)
		}
		return
	}
	var m map[string]any
	if err := json.Unmarshal(tokens, &m); err != nil {
		t.Fatal(err)
	}
	if m["access_token"] == "" || m["refresh_token"] == "" || m["expires_in"] != 3600.0 || len(m) != 3 {
		t.Errorf("tokens %v", m)
	}
}

func TestCodeGoesNowhereWithoutTheRightIssuer(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	iss := tr.got.Get("iss")
	for _, wrong := range []string{"", "https://someone-else.example", iss + "/"} {
		tr.got.Set("iss", wrong)
		if _, err := r.comeBack(tr); err == nil {
			t.Errorf("iss %q was accepted", wrong)
		}
	}
	if n := r.idp.Count(fakeidp.Token); n != 0 {
		t.Fatalf("%d token requests", n)
	}
	tr.got.Set("iss", iss)
	if _, err := r.comeBack(tr); err != nil {
		t.Error(err)
	}
	if _, err := r.comeBack(tr); err == nil {
		t.Error("a code was redeemed twice")
	}
}

func TestPKCE(t *testing.T) {
	rows := []struct {
		setting   string
		supported []string
		want      string
	}{
		{"", nil, "S256"},
		{"auto", nil, "S256"},
		{"auto", []string{"plain", "S256"}, "S256"},
		{"auto", []string{"plain"}, "plain"},
		{"auto", []string{"S512"}, ""},
		{"S256", []string{"plain"}, "S256"},
		{"plain", nil, "plain"},
		{"disabled", []string{"S256"}, ""},
	}
	for _, row := range rows {
		r := newRig(t, fakeidp.Options{PKCEMethods: row.supported})
		if row.setting != "" {
			r.options["connection_settings"] = map[string]any{"pkce": row.setting}
		}
		tr, err := r.leave(upstream.Start{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.sent.Get("code_challenge_method"); got != row.want || (tr.sent.Get("code_challenge") == "") != (row.want == "") {
			t.Errorf("%v: method %q", row, got)
		}
		if (tr.pending.Verifier == "") != (row.want == "") || row.want == "S256" && tr.sent.Get("code_challenge") == tr.pending.Verifier {
			t.Errorf("%v: verifier %q", row, tr.pending.Verifier)
		}
		if _, err := r.comeBack(tr); err != nil {
			t.Errorf("%v: %v", row, err)
		}
	}
}

func TestClientAuthentication(t *testing.T) {
	rows := []struct {
		method    string
		supported []string
		leaves    bool
	}{
		{"", []string{"client_secret_post"}, true},
		{"", []string{"client_secret_basic"}, true},
		{"", nil, true},
		{"client_secret_post", []string{"client_secret_post", "client_secret_basic"}, true},
		{"client_secret_basic", []string{"client_secret_basic"}, true},
		{"private_key_jwt", nil, false},
	}
	for _, row := range rows {
		r := newRig(t, fakeidp.Options{AuthMethods: row.supported})
		if row.method != "" {
			r.options["token_endpoint_auth_method"] = row.method
		}
		_, err := r.login()
		if (err == nil) != row.leaves {
			t.Errorf("%v: %v", row, err)
		}
		if want := map[bool]int{true: 1, false: 0}[row.leaves]; r.idp.Count(fakeidp.Token) != want {
			t.Errorf("%v: %d token requests", row, r.idp.Count(fakeidp.Token))
		}
	}
}

func TestFlowWithoutType(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	delete(r.options, "type")
	tr, err := r.leave(upstream.Start{})
	if err != nil || tr.sent.Get("response_type") != "code" {
		t.Errorf("with a secret: %v %v", tr.sent, err)
	}
	delete(r.options, "client_secret")
	tr, err = r.leave(upstream.Start{})
	if err != nil || tr.sent.Get("response_type") != "id_token" || tr.sent.Get("response_mode") != "form_post" {
		t.Errorf("without: %v %v", tr.sent, err)
	}
}

func TestAuthorizationRequest(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["scope"] = "openid email"
	r.options["upstream_params"] = map[string]any{
		"screen_name":  map[string]any{"alias": "login_hint"},
		"hd":           map[string]any{"value": "x.example"},
		"acr_values":   map[string]any{"alias": "acr_values"},
		"state":        map[string]any{"value": "fixed"},
		"redirect_uri": map[string]any{"value": "https://evil.example"},
		"nonce":        map[string]any{"alias": "login_hint"},
		"scope":        map[string]any{"value": "everything"},
		"client_id":    map[string]any{"alias": "client_id"},
	}
	tr, err := r.leave(upstream.Start{
		State: "st", LoginHint: "pia@x.example",
		Params: url.Values{"login_hint": {"pia@x.example"}, "prompt": {"select_account"}, "client_id": {"our-client"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"client_id": "mangrove", "redirect_uri": callbackURL, "scope": "openid email", "state": "st", "nonce": "nonce-1",
		"response_type": "code", "login_hint": "pia@x.example", "screen_name": "pia@x.example", "hd": "x.example",
		"prompt": "select_account", "code_challenge_method": "S256", "code_challenge": tr.sent.Get("code_challenge"),
	}
	for name, v := range want {
		if got := tr.sent[name]; !slices.Equal(got, []string{v}) {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
	if len(tr.sent) != len(want) {
		t.Errorf("sent %v", tr.sent)
	}
	tr, err = r.leave(upstream.Start{Params: url.Values{"prompt": {"consent"}}})
	if err != nil || tr.sent.Has("prompt") || tr.sent.Has("screen_name") || tr.sent.Has("login_hint") {
		t.Errorf("sent %v, %v", tr.sent, err)
	}
}

func TestAlgorithmsOfTheConnection(t *testing.T) {
	r := newRig(t, fakeidp.Options{Alg: "RS256"})
	for _, row := range []struct {
		algs []string
		ok   bool
	}{{[]string{"RS256"}, true}, {[]string{"ES256", "RS256"}, true}, {[]string{"ES256"}, false}, {[]string{"none", "HS256"}, false}} {
		r.options["id_token_signed_response_algs"] = row.algs
		if _, err := r.login(); (err == nil) != row.ok {
			t.Errorf("%v: %v", row.algs, err)
		}
	}
}

func TestTokenWithoutKeyID(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.idp.Rude(fakeidp.NoKeyID)
	r.mustLogin()
}

// An address inside is not asked, whatever the options say.
func TestInternalAddressesAreNotAsked(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.connector = New(outbound.New(nil), r.now, rand.Reader)
	if _, err := r.leave(upstream.Start{}); !errors.Is(err, outbound.ErrInternalAddress) || !errors.Is(err, errUnreachable.Because(nil)) {
		t.Errorf("got %v", err)
	}
	if n := r.idp.Count(fakeidp.Discovery); n != 0 {
		t.Errorf("%d requests", n)
	}
}
