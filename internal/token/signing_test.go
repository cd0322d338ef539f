package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mangrove/internal/key"
)

func TestSigningKnown(t *testing.T) {
	for _, row := range []struct {
		s    Signing
		want bool
	}{
		{Signing{}, true}, {Signing{Alg: "RS256"}, true}, {Signing{Alg: "RS512"}, true}, {Signing{Alg: "PS256"}, true},
		{Signing{Alg: "HS256", Secret: "s"}, true}, {Signing{Alg: "HS256"}, false}, {Signing{Alg: "none"}, false}, {Signing{Alg: "ES256", Secret: "s"}, false},
	} {
		if got := row.s.Known(); got != row.want {
			t.Errorf("%+v: %v", row.s, got)
		}
	}
}

// Another library, with the published keys or the shared secret alone, reads
// whatever algorithm was asked for (security.md 61).
func TestAlgorithms(t *testing.T) {
	b := newBench(t)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b.ring.JWKS(t.Context()), &set); err != nil {
		t.Fatal(err)
	}
	const secret = "a secret of the application's own that is long enough"
	for _, alg := range []string{"", key.RS256, key.RS512, key.PS256, HS256} {
		t.Run("alg "+alg, func(t *testing.T) {
			s := Signing{Alg: alg, Secret: secret}
			access, err := b.issuer.AccessToken(t.Context(), Access{Subject: "u", ClientID: "c1", Audience: []string{api}, Lifetime: time.Hour, Signing: s})
			if err != nil {
				t.Fatal(err)
			}
			id, err := b.issuer.IDToken(t.Context(), Identity{
				Subject: "u", ClientID: "c1", Lifetime: time.Hour, AccessToken: access, Code: "code", Multifactor: true, Signing: s,
			})
			if err != nil {
				t.Fatal(err)
			}
			name, key := alg, set.Keys[0].Key
			if alg == "" {
				name = "RS256"
			}
			if alg == HS256 {
				key = []byte(secret)
			}
			for _, text := range []string{access, id} {
				jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(name)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := jws.Verify(key); err != nil {
					t.Error(err)
				}
				if kid := jws.Signatures[0].Header.KeyID; (kid == set.Keys[0].KeyID) == (alg == HS256) {
					t.Errorf("kid = %q", kid)
				}
			}
			var claims struct {
				AtHash string   `json:"at_hash"`
				CHash  string   `json:"c_hash"`
				ACR    string   `json:"acr"`
				AMR    []string `json:"amr"`
			}
			if err := json.Unmarshal([]byte(payload(t, id)), &claims); err != nil {
				t.Fatal(err)
			}
			half := func(text string) string {
				if alg == "RS512" {
					sum := sha512.Sum512([]byte(text))
					return base64.RawURLEncoding.EncodeToString(sum[:32])
				}
				sum := sha256.Sum256([]byte(text))
				return base64.RawURLEncoding.EncodeToString(sum[:16])
			}
			if claims.AtHash != half(access) || claims.CHash != half("code") {
				t.Errorf("hashes: %+v", claims)
			}
			if claims.ACR != MultifactorACR || len(claims.AMR) != 1 || claims.AMR[0] != "mfa" {
				t.Errorf("proofs: %+v", claims)
			}
		})
	}
	for _, s := range []Signing{{Alg: HS256}, {Alg: "none"}, {Alg: "ES256"}} {
		if text, err := b.issuer.AccessToken(t.Context(), Access{Subject: "u", Signing: s}); err == nil || text != "" {
			t.Errorf("%+v: %q", s, text)
		}
	}
}

// RS512 and PS256 are taken where an API of the audience signs so, and HS256 nowhere.
func TestAlgorithmsOfAudiences(t *testing.T) {
	b := newBench(t)
	const strong, userinfo = "https://strong.example.test/", issuer + "userinfo"
	b.verifier.SigningAlg = func(_ context.Context, audience string) (string, error) {
		switch audience {
		case strong:
			return key.PS256, nil
		case "broken":
			return "", errors.New("the store is down")
		}
		return "", nil
	}
	for _, row := range []struct {
		name     string
		audience []string
		signing  Signing
		want     error
	}{
		{"RS256 of any", []string{api}, Signing{Alg: key.RS256}, nil},
		{"RS256 of one that changed its mind", []string{strong}, Signing{}, nil},
		{"PS256 of the API", []string{strong}, Signing{Alg: key.PS256}, nil},
		{"PS256 of the API, for userinfo too", []string{strong, userinfo}, Signing{Alg: key.PS256}, nil},
		{"RS512 where it is PS256", []string{strong}, Signing{Alg: key.RS512}, ErrMalformed},
		{"PS256 of another", []string{api}, Signing{Alg: key.PS256}, ErrMalformed},
		{"PS256 for userinfo alone", []string{userinfo}, Signing{Alg: key.PS256}, ErrMalformed},
		{"HS256", []string{strong}, Signing{Alg: HS256, Secret: "s"}, ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, err := b.issuer.AccessToken(t.Context(), Access{Subject: "u", ClientID: "c1", Audience: row.audience, Lifetime: time.Hour, Signing: row.signing})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.verifier.Verify(t.Context(), text); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
	text, err := b.issuer.AccessToken(t.Context(), Access{Subject: "u", ClientID: "c1", Audience: []string{"broken"}, Lifetime: time.Hour, Signing: Signing{Alg: key.PS256}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.verifier.Verify(t.Context(), text); err == nil {
		t.Error("taken, though nobody could say for whom it is")
	}
	// A public key is no secret: nobody's token is signed with it (algorithm confusion).
	pub := b.ring.JWKS(t.Context())
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT","kid":"` + b.store.list[0].ID + `"}`))
	body := strings.Split(b.access(t), ".")[1]
	mac := hmac.New(sha256.New, pub)
	mac.Write([]byte(head + "." + body))
	if _, err := b.verifier.Verify(t.Context(), head+"."+body+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil))); !errors.Is(err, ErrMalformed) {
		t.Errorf("signed with the public key: %v", err)
	}
}
