package oidc

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
)

// shelf has one key.
type shelf struct {
	key connection.Key
	err error
}

func (s *shelf) Signing(context.Context, *connection.Connection) (connection.Key, error) {
	return s.key, s.err
}

func TestPrivateKeyJWT(t *testing.T) {
	for _, row := range []struct{ made, wanted, audience string }{
		{"RS256", "", ""}, {"RS256", "RS256", "token_endpoint"}, {"RS256", "PS384", "issuer"}, {"RS256", "ES256", ""},
		{"ES256", "ES256", "issuer"}, {"ES384", "", ""}, {"ES256", "RS512", ""},
	} {
		t.Run(row.made+" "+row.wanted+" "+row.audience, func(t *testing.T) {
			own := &shelf{}
			var err error
			clients := []fakeidp.Client{{ID: "by-key", RedirectURIs: []string{callbackURL}, Keys: func() []byte {
				doc, err := connection.KeySet([]connection.Key{own.key})
				if err != nil {
					t.Fatal(err)
				}
				return doc
			}}}
			r := newRig(t, fakeidp.Options{Clients: clients, AuthMethods: []string{"private_key_jwt"}})
			if own.key, err = connection.GenerateKey(row.made, "acme", r.now()); err != nil {
				t.Fatal(err)
			}
			r.keys = own
			r.fresh()
			r.options["client_id"], r.options["token_endpoint_auth_method"] = "by-key", "private_key_jwt"
			if row.wanted != "" {
				r.options["token_endpoint_auth_signing_alg"] = row.wanted
			}
			if row.audience != "" {
				r.options["token_endpoint_jwtca_aud_format"] = row.audience
			}
			r.mustLogin()
			r.mustLogin() // with an assertion of its own

			before := own.key
			if own.key, err = connection.GenerateKey(row.made, "acme", r.now()); err != nil {
				t.Fatal(err)
			}
			r.mustLogin() // after a rotation
			published := own.key
			r.keys = &shelf{key: before}
			r.fresh()
			if result, err := r.login(); err == nil || published.ID == before.ID {
				t.Errorf("a key that is not published was accepted: %v", result)
			}
		})
	}
}

func TestPrivateKeyJWTWithoutKeys(t *testing.T) {
	for name, keys := range map[string]Signer{"no service": nil, "no keys": &shelf{err: connection.ErrNoKeys}, "store fails": &shelf{err: errors.New("disk")}} {
		r := newRig(t, plainOptions())
		r.keys = keys
		r.fresh()
		r.options["token_endpoint_auth_method"] = "private_key_jwt"
		if _, err := r.leave(upstream.Start{}); err == nil || name != "store fails" && !errors.Is(err, errConfig.Because(nil)) {
			t.Errorf("%s: %v", name, err)
		}
		if n := r.idp.Count(fakeidp.Token); n != 0 {
			t.Errorf("%s: %d token requests", name, n)
		}
	}
}

func TestLeave(t *testing.T) {
	r := newRig(t, plainOptions())
	r.idp.SetPerson("u-77", map[string]any{"sid": "s-9"})
	f := r.mustLogin().Foreign
	if f.Name != "u-77" || f.Index != "s-9" || f.IDToken == "" || f.Until != 0 {
		t.Fatalf("%+v", f)
	}
	for _, row := range []struct {
		f     session.Foreign
		state string
		want  url.Values
	}{
		{f, "st", url.Values{"client_id": {"mangrove"}, "id_token_hint": {f.IDToken}, "post_logout_redirect_uri": {"https://id.example/back"}, "state": {"st"}}},
		{session.Foreign{Name: "u-77"}, "", url.Values{"client_id": {"mangrove"}, "post_logout_redirect_uri": {"https://id.example/back"}}},
	} {
		d, ok, err := r.connector.Leave(t.Context(), r.connection(), row.f, upstream.Start{State: row.state, CallbackURL: "https://id.example/back"})
		if err != nil || !ok {
			t.Fatalf("%v %v", ok, err)
		}
		u, err := url.Parse(d.URL)
		if err != nil || u.Path != "/logout" || u.Query().Encode() != row.want.Encode() {
			t.Errorf("%s, %v", d.URL, err)
		}
	}
	iss := r.idp.Issuer()
	r.options = map[string]any{
		"type": "back_channel", "client_id": "mangrove", "client_secret": "x", "issuer": iss,
		"authorization_endpoint": iss + "/authorize", "token_endpoint": iss + "/token", "jwks_uri": iss + "/jwks",
	}
	if _, ok, err := r.connector.Leave(t.Context(), r.connection(), f, upstream.Start{}); ok || err != nil {
		t.Errorf("without an address: %v %v", ok, err)
	}
}

func TestSessionExpiry(t *testing.T) {
	r := newRig(t, plainOptions())
	r.options["id_token_session_expiry_supported"] = true
	now := r.now().Unix()
	for _, row := range []struct {
		claim any
		until int64
		ok    bool
	}{
		{nil, 0, true}, {now + 600, (now + 600) * 1_000_000, true}, {float64(now) + 600.5, (now + 600) * 1_000_000, true},
		{now, 0, false}, {-1, 0, false}, {"soon", 0, false}, {1e300, 0, false},
	} {
		r.idp.SetPerson("u-77", map[string]any{"session_expiry": row.claim})
		result, err := r.login()
		if (err == nil) != row.ok || result.Foreign.Until != row.until {
			t.Errorf("%v: %d, %v", row.claim, result.Foreign.Until, err)
		}
	}
	delete(r.options, "id_token_session_expiry_supported")
	if f := r.mustLogin().Foreign; f.Until != 0 {
		t.Errorf("nobody asked: %d", f.Until)
	}
}

func TestScopesOfTheApplication(t *testing.T) {
	r := newRig(t, plainOptions())
	tr, err := r.leave(upstream.Start{Scopes: []string{"email", "calendar"}})
	if err != nil || tr.sent.Get("scope") != "openid profile email calendar" {
		t.Errorf("%v, %v", tr.sent, err)
	}
}

// What no profile can hold is not for the connector to judge: it passes it on.
func TestWhatNoProfileCanHold(t *testing.T) {
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = 'x'
	}
	r := newRig(t, plainOptions())
	r.idp.SetPerson("u-77", map[string]any{"name": string(long), "nickname": "a\u0000b\u202e", "email": "p@x.example"})
	if _, err := r.login(); err == nil {
		t.Error("NUL was accepted")
	}
	r.idp.SetPerson("u-77", map[string]any{"name": string(long), "nickname": "a\u0007b\u202e", "email": "p@x.example"})
	got := values(r.mustLogin().Claims.Attributes)
	if len(got["name"]) != len(long)+2 || got["nickname"] == "" || got["email"] != `"p@x.example"` {
		t.Errorf("got %d bytes, %s, %s", len(got["name"]), got["nickname"], got["email"])
	}
}
