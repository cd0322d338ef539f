package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"mangrove/internal/errs"
)

func TestKeyedHint(t *testing.T) {
	b := newBench(t)
	secrets := map[string]string{"c1": "the secret of the first", "c2": "the secret of the second", "public": ""}
	hint := func(client, secret string) string {
		text, err := b.issuer.IDToken(t.Context(), Identity{
			Subject: "auth0|1", ClientID: client, SessionID: "sid-1", Lifetime: -time.Hour, Signing: Signing{Alg: HS256, Secret: secret},
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	mine := hint("c1", secrets["c1"])
	if _, _, err := b.verifier.EndHint(t.Context(), mine); !errors.Is(err, ErrMalformed) {
		t.Errorf("nobody's tokens are keyed: %v", err)
	}
	broken := errors.New("the store is away")
	b.verifier.HintSecret = func(_ context.Context, id string) (string, error) {
		if id == "broken" {
			return "", broken
		}
		return secrets[id], nil
	}
	access, err := b.issuer.AccessToken(t.Context(), Access{
		Subject: "auth0|1", ClientID: "c1", Audience: []string{"c1"}, Lifetime: time.Hour, Signing: Signing{Alg: HS256, Secret: secrets["c1"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign := Issuer{Keys: b.ring, URL: "https://other.example.test/", Now: b.issuer.Now}
	other, err := foreign.IDToken(t.Context(), Identity{Subject: "auth0|1", ClientID: "c1", Lifetime: time.Hour, Signing: Signing{Alg: HS256, Secret: secrets["c1"]}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, raw string
		want      error
	}{
		{"its own secret", mine, nil},
		{"the secret of another", hint("c1", secrets["c2"]), ErrSignature},
		{"no secret", hint("public", "x"), ErrSignature},
		{"an unknown client", hint("nobody", "x"), ErrSignature},
		{"a name with NUL", hint("c1\x00", "x"), ErrMalformed},
		{"a changed signature", mine[:len(mine)-4] + "AAAA", ErrSignature},
		{"an access token", access, ErrMalformed},
		{"another issuer", other, ErrMalformed},
		{"a failure that is ours", hint("broken", "x"), broken},
	} {
		client, sid, err := b.verifier.EndHint(t.Context(), row.raw)
		if !errors.Is(err, row.want) || row.want == nil && (client != "c1" || sid != "sid-1") {
			t.Errorf("%s: %q, %q, %v", row.name, client, sid, err)
		}
	}
	if sub, _, err := b.verifier.Hint(t.Context(), mine, "c1"); err != nil || sub != "auth0|1" {
		t.Errorf("%q, %v", sub, err)
	}
	if _, _, err := b.verifier.Hint(t.Context(), mine, "c2"); !errors.Is(err, ErrMalformed) {
		t.Errorf("of another client: %v", err)
	}
	// A hint is no bearer token, whatever it is keyed with.
	for _, raw := range []string{mine, access} {
		if _, err := b.verifier.Verify(t.Context(), raw); errs.KindOf(err) != errs.Unauthenticated {
			t.Errorf("as a bearer token: %v", err)
		}
	}
}
