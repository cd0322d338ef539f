package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

func TestAccept(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const head = `"iss":"https://a.example","nonce":"n"`
	rows := []struct {
		payload string
		ok      bool
	}{
		{`{` + head + `,"aud":"me","iat":1800000000}`, true},
		{`{` + head + `,"aud":["me"],"iat":1800000000}`, true},
		{`{` + head + `,"aud":["me","you"],"azp":"me","iat":1800000000}`, true},
		{`{` + head + `,"aud":["me","you"],"iat":1800000000}`, false},
		{`{` + head + `,"aud":"me","azp":"you","iat":1800000000}`, false},
		{`{` + head + `,"aud":"me","azp":"me","iat":1800000000.5}`, true},
		{`{` + head + `,"aud":"me","iat":1800000060}`, true},
		{`{` + head + `,"aud":"me","iat":1800000061}`, false},
		{`{` + head + `,"aud":"me","iat":1799996340}`, true},
		{`{` + head + `,"aud":"me","iat":1799996339}`, false},
		{`{` + head + `,"aud":"me","iat":-1e300}`, false},
		{`{` + head + `,"aud":"me","iat":1e300}`, false},
		{`{` + head + `,"aud":"me","iat":"1800000000"}`, false},
		{`{` + head + `,"aud":"me"}`, false},
		{`{"iss":"https://a.example/","nonce":"n","aud":"me","iat":1800000000}`, false},
		{`{"iss":"https://a.example","nonce":"N","aud":"me","iat":1800000000}`, false},
		{`{"iss":"https://a.example","nonce":1,"aud":"me","iat":1800000000}`, false},
		{`{"iss":"https://a.example","aud":"me","iat":1800000000}`, false},
		{`{"iss":"https://a.example","nonce":"n","nonce":"n","aud":"me","iat":1800000000}`, false},
	}
	for _, row := range rows {
		if err := accept([]byte(row.payload), "https://a.example", "me", "n", now); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.payload, err)
		}
	}
	if accept([]byte(`{"iss":"https://a.example","nonce":"","aud":"me","iat":1800000000}`), "https://a.example", "me", "", now) == nil {
		t.Error("an empty nonce equals an empty nonce")
	}
}

func TestValidSubject(t *testing.T) {
	long := make([]byte, maxSubject)
	for i := range long {
		long[i] = 'x'
	}
	rows := []struct {
		subject string
		ok      bool
	}{
		{"u-77", true}, {"1", true}, {"1 ", true}, {"01", true}, {"a|b", true}, {"ø", true}, {string(long), true},
		{"", false}, {string(long) + "x", false}, {"a\x00", false}, {"a\nb", false}, {"\xff", false},
	}
	for _, row := range rows {
		if validSubject(row.subject) != row.ok {
			t.Errorf("%q", row.subject)
		}
	}
}

// The law: of all texts only those are accepted that carry what the key signed.
func FuzzIDToken(f *testing.F) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil)
	if err != nil {
		f.Fatal(err)
	}
	payload := fmt.Sprintf(`{"iss":"https://a.example","aud":"me","sub":"u-1","nonce":"n","iat":%d,"exp":%d}`, now.Unix(), now.Unix()+60)
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		f.Fatal(err)
	}
	good, err := jws.CompactSerialize()
	if err != nil {
		f.Fatal(err)
	}
	k := New(http.DefaultClient, func() time.Time { return now }, rand.Reader)
	p := provider{Issuer: "https://a.example", JWKSURI: "https://a.example/jwks"}
	k.client = &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey}}})
		if err != nil {
			f.Error(err)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(set))}
	})}
	o := &connection.OIDCOptions{ClientID: "me"}
	if _, err := k.verify(f.Context(), o, p, good, "n"); err != nil {
		f.Fatalf("the twin is refused: %v", err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Add(jws.FullSerialize())
	f.Fuzz(func(t *testing.T, token string) {
		id, err := k.verify(t.Context(), o, p, token, "n")
		if err == nil && string(strictjson.Join(id.claims)) != payload {
			t.Fatalf("accepted %s", strictjson.Join(id.claims))
		}
	})
}

type roundTrip func(*http.Request) *http.Response

func (r roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return r(q), nil }
