package social_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social/socialtest"
)

// The name comes once: a later login says nothing of it, and it stays under every mode.
func TestAppleNameStays(t *testing.T) {
	d := socialtest.Start(t, "apple")
	c := d.Connection(nil)
	_, known := firstLogin(t, c, mustLogin(t, d, c))
	d.Use(2)
	out := signIn(c, profile.EachLogin, &known, mustLogin(t, d, c))
	if got := out.Profile.Text(profile.Name); got != "Ola Berg" {
		t.Errorf("name %q", got)
	}
	if out.Profile.Has("is_private_email") {
		t.Error("what is not sent only once, and not sent again, is there")
	}
}

// What the browser posts beside the code is nobody's word but the browser's: a name
// at most, never an address.
func TestApplePostedAddressCountsForNothing(t *testing.T) {
	d := socialtest.Start(t, "apple")
	c := d.Connection(nil)
	s := upstream.Start{State: "s", Nonce: "n", CallbackURL: socialtest.CallbackURL}
	k := redirect(t, d)
	for _, posted := range []string{
		`{"email":"victim@x.example","email_verified":true,"sub":"000.victim","name":{"firstName":"Eve","lastName":"X"}}`,
		`{"name":"Eve"}`, `[1]`, `{`, `{"name":{"firstName":["x"],"lastName":{}}}`, strings.Repeat("x", 1<<20),
	} {
		away, err := k.Depart(t.Context(), c, s)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Visit(t, away.URL)
		got.Set("user", posted)
		r, err := k.Callback(t.Context(), c, s, away.Pending, got)
		if err != nil {
			t.Fatalf("%.40s: %v", posted, err)
		}
		if r.Claims.Subject != "001822.6d3c0f1e2a4b4c5d8e9f0a1b2c3d4e5f.0911" {
			t.Errorf("%.40s: subject %q", posted, r.Claims.Subject)
		}
		for _, ch := range r.Claims.Attributes {
			if bytes.Contains(ch.Value, []byte("victim")) {
				t.Errorf("%.40s: %s is %s", posted, ch.Name, ch.Value)
			}
		}
		if bytes.Contains(r.Claims.Raw, []byte("victim")) {
			t.Errorf("%.40s: raw %s", posted, r.Claims.Raw)
		}
	}
}

// The ID token is the only source: each of its claims is checked, and its signature.
func TestAppleIDToken(t *testing.T) {
	claims := func(change map[string]any) []byte {
		m := map[string]any{
			"iss": "https://appleid.apple.com", "aud": socialtest.ClientID, "sub": "1", "nonce": "nonce-1",
			"iat": time.Now().Unix(), "exp": time.Now().Unix() + 3600, "email": "a@x.example", "email_verified": true,
		}
		for name, v := range change {
			if m[name] = v; v == nil {
				delete(m, name)
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rows := []struct {
		name   string
		claims []byte
		forge  func(token string) string
		ok     bool
	}{
		{"good", claims(nil), nil, true},
		{"audiences, azp", claims(map[string]any{"aud": []string{"other", socialtest.ClientID}, "azp": socialtest.ClientID}), nil, true},
		{"audiences, no azp", claims(map[string]any{"aud": []string{"other", socialtest.ClientID}}), nil, false},
		{"another issuer", claims(map[string]any{"iss": "https://evil.example"}), nil, false},
		{"no issuer", claims(map[string]any{"iss": nil}), nil, false},
		{"another client", claims(map[string]any{"aud": "other"}), nil, false},
		{"expired", claims(map[string]any{"exp": time.Now().Unix() - 3600}), nil, false},
		{"no end", claims(map[string]any{"exp": nil}), nil, false},
		{"end is text", claims(map[string]any{"exp": "9999999999"}), nil, false},
		{"another nonce", claims(map[string]any{"nonce": "nonce-2"}), nil, false},
		{"no nonce", claims(map[string]any{"nonce": nil}), nil, false},
		{"no subject", claims(map[string]any{"sub": nil}), nil, false},
		{"subject is a list", claims(map[string]any{"sub": []string{"1"}}), nil, false},
		{"two subjects", []byte(strings.Replace(string(claims(nil)), `"sub":"1"`, `"sub":"1","sub":"2"`, 1)), nil, false},
		{"no signature", claims(nil), func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }, false},
		{"alg none", claims(nil), func(s string) string {
			return "eyJhbGciOiJub25lIn0" + s[strings.IndexByte(s, '.'):strings.LastIndexByte(s, '.')+1]
		}, false},
		{"changed payload", claims(nil), func(s string) string {
			parts := strings.Split(s, ".")
			return parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2]
		}, false},
		{"no token", claims(nil), func(string) string { return "x" }, false},
	}
	for _, row := range rows {
		d := socialtest.Start(t, "apple")
		d.SayIDToken(row.claims, row.forge)
		r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
		if row.ok && err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if !row.ok {
			refused(t, row.name, r, err)
		}
	}
}

func TestAppleSecretThatCannotBeMade(t *testing.T) {
	d := socialtest.Start(t, "apple")
	for _, further := range []string{
		`{"app_secret":""}`, `{"app_secret":"not a key"}`, `{"team_id":""}`, `{"kid":null}`,
		`{"app_secret":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}`,
	} {
		r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(options(t, further)), upstream.Start{})
		var e *errs.Error
		if !errors.Is(err, upstream.ErrConfig) || !errors.As(err, &e) || r.Claims.Subject != "" {
			t.Errorf("%s: %v", further, err)
		}
	}
}

// A secret is made once and again near its end.
func TestAppleSecretIsKept(t *testing.T) {
	d := socialtest.Start(t, "apple")
	now := time.Now()
	k := socialtest.ConnectorAt(connectorClient(), func() time.Time { return now })
	d.Clock(func() time.Time { return now })
	c := d.Connection(nil)
	secret := func() string {
		t.Helper()
		if _, err := d.Login(t.Context(), t, k, c, upstream.Start{}); err != nil {
			t.Fatal(err, d.Complaints())
		}
		return d.Sent("token").Get("client_secret")
	}
	first := secret()
	if again := secret(); again != first {
		t.Error("made twice")
	}
	now = now.Add(56 * time.Minute)
	if later := secret(); later == first {
		t.Error("the old one is still used near its end")
	}
	other := d.Connection(options(t, `{"kid":"KEY7654321"}`))
	if _, err := d.Login(t.Context(), t, k, other, upstream.Start{}); err == nil {
		t.Error("a secret with another kid was the same")
	}
}
