package token

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/key"
)

const (
	issuer = "https://id.example.test/"
	api    = "https://api.example.test/"
)

var start = time.Unix(1_700_000_000, 0)

// keys is a key store in memory.
type keys struct {
	mu   sync.Mutex
	list []key.Key
}

func (k *keys) Keys(context.Context) ([]key.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]key.Key(nil), k.list...), nil
}

// bench is an issuer and a verifier over one key, with a clock that stands.
type bench struct {
	store    *keys
	ring     *key.Ring
	issuer   *Issuer
	verifier *Verifier
	at       time.Time
	private  *rsa.PrivateKey
}

func generate(t testing.TB) key.Key {
	t.Helper()
	k, err := key.Generate("id.example.test", start)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newBench(t testing.TB) *bench {
	t.Helper()
	k := generate(t)
	b := &bench{store: &keys{list: []key.Key{k}}, at: start}
	now := func() time.Time { return b.at }
	b.ring = key.NewRing(b.store, now)
	if err := b.ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.issuer = &Issuer{Keys: b.ring, URL: issuer, Now: now}
	b.verifier = NewVerifier(b.ring, issuer, now)
	parsed, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		t.Fatal(err)
	}
	b.private = parsed.(*rsa.PrivateKey)
	return b
}

// access is a good access token.
func (b *bench) access(t testing.TB) string {
	t.Helper()
	text, err := b.issuer.AccessToken(t.Context(), Access{
		Subject: "c1@clients", ClientID: "c1", Audience: []string{api},
		Scopes: []string{"read:users", "update:users"}, Lifetime: time.Hour, GrantType: GrantClientCredentials,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// forge signs any header and payload with our own key.
func (b *bench) forge(header, payload string) string {
	enc := base64.RawURLEncoding
	input := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, b.private, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + enc.EncodeToString(signature)
}

func TestVerify(t *testing.T) {
	b := newBench(t)
	kid := b.store.list[0].ID
	head := fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":%q}`, kid)
	body := func(change string) string {
		m := map[string]any{"iss": issuer, "sub": "auth0|1", "aud": api, "iat": start.Unix(), "exp": start.Unix() + 60, "azp": "c1", "scope": "a b"}
		var c map[string]any
		if err := json.Unmarshal([]byte(change), &c); err != nil {
			t.Fatal(err)
		}
		for k, v := range c {
			m[k] = v
			if v == nil {
				delete(m, k)
			}
		}
		text, _ := json.Marshal(m)
		return string(text)
	}
	good := b.forge(head, body(`{}`))
	part := strings.Split(good, ".")
	enc := base64.RawURLEncoding.EncodeToString
	public, _ := x509.MarshalPKIXPublicKey(&b.private.PublicKey)
	mac := func(secret []byte) string {
		input := enc([]byte(fmt.Sprintf(`{"alg":"HS256","typ":"JWT","kid":%q}`, kid))) + "." + part[1]
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(input))
		return input + "." + enc(h.Sum(nil))
	}
	// A stranger's token whose header brings the stranger's own key.
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger := func(header string) string {
		input := enc([]byte(header)) + "." + part[1]
		sum := sha256.Sum256([]byte(input))
		s, _ := rsa.SignPKCS1v15(rand.Reader, own, crypto.SHA256, sum[:])
		return input + "." + enc(s)
	}
	jwk := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, enc(own.N.Bytes()))

	for _, row := range []struct {
		name string
		raw  string
		want error
	}{
		{"good", good, nil},
		{"good, list of audiences", b.forge(head, body(`{"aud":["x","`+api+`"]}`)), nil},
		{"good, RFC 9068", b.forge(`{"alg":"RS256","typ":"at+jwt","kid":"`+kid+`"}`, body(`{"azp":null,"client_id":"c1"}`)), nil},
		{"header names other keys, signature is ours", b.forge(`{"alg":"RS256","kid":"`+kid+`","jwk":`+jwk+`,"jku":"https://evil.test/k","x5u":"https://evil.test/c"}`, body(`{}`)), nil},

		{"empty", "", ErrMalformed},
		{"opaque", NewSecret(), ErrMalformed},
		{"x.y.z", "x.y.z", ErrMalformed},
		{"two parts", part[0] + "." + part[1], ErrMalformed},
		{"four parts", good + ".x", ErrMalformed},
		{"no signature", part[0] + "." + part[1] + ".", ErrSignature},
		{"huge", strings.Repeat("a", MaxLength+1), ErrMalformed},
		{"line break", part[0] + "." + part[1] + "." + part[2][:8] + "\n" + part[2][8:], ErrMalformed},
		{"padding", good + "=", ErrMalformed},
		{"blank before", " " + good, ErrMalformed},
		{"alg none", enc([]byte(`{"alg":"none","kid":"`+kid+`"}`)) + "." + part[1] + ".", ErrMalformed},
		{"alg none, signed", b.forge(`{"alg":"none","kid":"`+kid+`"}`, body(`{}`)), ErrMalformed},
		{"alg RS512", b.forge(`{"alg":"RS512","kid":"`+kid+`"}`, body(`{}`)), ErrMalformed},
		{"alg PS256", b.forge(`{"alg":"PS256","kid":"`+kid+`"}`, body(`{}`)), ErrMalformed},
		{"alg rs256", b.forge(`{"alg":"rs256","kid":"`+kid+`"}`, body(`{}`)), ErrMalformed},
		{"HS256 with the public key", mac(public), ErrMalformed},
		{"HS256 with the modulus", mac(b.private.N.Bytes()), ErrMalformed},
		{"crit", b.forge(`{"alg":"RS256","kid":"`+kid+`","crit":["b64"],"b64":false}`, body(`{}`)), ErrMalformed},
		{"header is no object", b.forge(`[]`, body(`{}`)), ErrMalformed},
		{"no kid", b.forge(`{"alg":"RS256"}`, body(`{}`)), ErrSignature},
		{"unknown kid", b.forge(`{"alg":"RS256","kid":"x"}`, body(`{}`)), ErrSignature},
		{"stranger's jwk", stranger(`{"alg":"RS256","kid":"` + kid + `","jwk":` + jwk + `}`), ErrSignature},
		{"stranger's jwk, no kid", stranger(`{"alg":"RS256","jwk":` + jwk + `}`), ErrSignature},
		{"payload edited", part[0] + "." + enc([]byte(body(`{"scope":"admin"}`))) + "." + part[2], ErrSignature},
		{"header edited", enc([]byte(head+" ")) + "." + part[1] + "." + part[2], ErrSignature},
		{"signature of another", part[0] + "." + part[1] + "." + strings.Split(b.access(t), ".")[2], ErrSignature},

		{"expired", b.forge(head, body(`{"exp":1700000000}`)), ErrExpired},
		{"no exp", b.forge(head, body(`{"exp":null}`)), ErrExpired},
		{"exp is a text", b.forge(head, body(`{"exp":"1800000000"}`)), ErrMalformed},
		{"issuer without slash", b.forge(head, body(`{"iss":"https://id.example.test"}`)), ErrMalformed},
		{"no issuer", b.forge(head, body(`{"iss":null}`)), ErrMalformed},
		{"no azp", b.forge(head, body(`{"azp":null}`)), ErrMalformed},
		{"no sub", b.forge(head, body(`{"sub":null}`)), ErrMalformed},
		{"no aud", b.forge(head, body(`{"aud":null}`)), ErrMalformed},
		{"ID token by at_hash", b.forge(head, body(`{"at_hash":"x"}`)), ErrMalformed},
		{"ID token by sid", b.forge(head, body(`{"sid":"x"}`)), ErrMalformed},
		{"payload is no object", b.forge(head, `[]`), ErrMalformed},
		{"audience of numbers", b.forge(head, body(`{"aud":[1]}`)), ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // the second time from the cache, if it got there
				got, err := b.verifier.Verify(t.Context(), row.raw)
				if !errors.Is(err, row.want) {
					t.Fatalf("err = %v, want %v", err, row.want)
				}
				if (got != nil) != (row.want == nil) {
					t.Fatalf("bearer = %+v", got)
				}
			}
		})
	}
}

func TestVerifyFor(t *testing.T) {
	b := newBench(t)
	raw := b.access(t)
	got, err := b.verifier.VerifyFor(t.Context(), raw, "x", api)
	if err != nil {
		t.Fatal(err)
	}
	want := &Bearer{
		Subject: "c1@clients", ClientID: "c1", Audience: []string{api}, Scopes: []string{"read:users", "update:users"},
		GrantType: "client-credentials", IssuedAt: start.Unix(), ExpiresAt: start.Unix() + 3600,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("bearer = %+v", got)
	}
	if !got.Has("read:users") || got.Has("read") || got.Has("") || !got.Machine() {
		t.Error("Has or Machine is wrong")
	}
	for _, audiences := range [][]string{nil, {""}, {strings.TrimSuffix(api, "/")}, {strings.ToUpper(api)}} {
		_, err = b.verifier.VerifyFor(t.Context(), raw, audiences...)
		var e *errs.Error
		if !errors.As(err, &e) || e.Kind != errs.Unauthenticated || e.Text != "Bad audience: "+api {
			t.Errorf("for %q: %v", audiences, err)
		}
	}
}

func TestTokensOfOneKindDoNotPassForAnother(t *testing.T) {
	b := newBench(t)
	id, err := b.issuer.IDToken(t.Context(), Identity{Subject: "auth0|1", ClientID: "c1", Lifetime: time.Hour, AccessToken: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.verifier.VerifyFor(t.Context(), id, "c1"); !errors.Is(err, ErrMalformed) {
		t.Errorf("an ID token as bearer: %v", err)
	}
	if _, _, err := b.verifier.Hint(t.Context(), b.access(t), "c1"); !errors.Is(err, ErrMalformed) {
		t.Errorf("an access token as hint: %v", err)
	}
	if _, _, err := b.verifier.Hint(t.Context(), id, "c2"); !errors.Is(err, ErrMalformed) {
		t.Errorf("another client's hint: %v", err)
	}
	b.at = b.at.Add(48 * time.Hour)
	if sub, _, err := b.verifier.Hint(t.Context(), id, "c1"); err != nil || sub != "auth0|1" {
		t.Errorf("an expired hint: %q, %v", sub, err)
	}
}

func TestCacheEndsWithExpiryAndKeys(t *testing.T) {
	b := newBench(t)
	raw := b.access(t)
	first, err := b.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := b.verifier.Verify(t.Context(), raw); again != first {
		t.Error("the second check was not answered from the cache")
	}
	revoked, fresh := b.store.list[0], generate(t)
	revoked.State = key.Revoked
	b.store.list = []key.Key{revoked, fresh}
	b.at = b.at.Add(key.Refresh)
	if _, err := b.verifier.Verify(t.Context(), raw); !errors.Is(err, ErrSignature) {
		t.Errorf("revoked key: %v", err)
	}
	raw = b.access(t)
	if _, err := b.verifier.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	b.at = b.at.Add(time.Hour - time.Second)
	if _, err := b.verifier.Verify(t.Context(), raw); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	b.at = b.at.Add(time.Second)
	if _, err := b.verifier.Verify(t.Context(), raw); !errors.Is(err, ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	b := &Bearer{ExpiresAt: 10}
	for i := range 3 * CacheSize {
		c.put(hash(fmt.Sprint(i)), 1, b)
	}
	total := 0
	for i := range c.shards {
		total += len(c.shards[i].m)
	}
	if total > CacheSize || total < CacheSize/2 {
		t.Errorf("entries = %d of %d", total, CacheSize)
	}
	if last := hash(fmt.Sprint(3*CacheSize - 1)); c.get(last, 1, 9) != b || c.get(last, 1, 10) != nil || c.get(last, 2, 9) != nil {
		t.Error("the last entry, at its end, or of another generation")
	}
	c.put(hash("late"), 0, b)
	if c.get(hash("late"), 0, 9) != nil || c.get(hash("late"), 1, 9) != nil {
		t.Error("a token verified by old keys was kept")
	}
}

// FuzzVerify: nothing that our key did not sign verifies, and what verifies is
// one of the texts that were signed, byte for byte.
func FuzzVerify(f *testing.F) {
	b := newBench(f)
	good := b.access(f)
	part := strings.Split(good, ".")
	for _, seed := range []string{
		good, "", ".", "..", "...", part[0] + "." + part[1] + ".", good + "=", good + "\n", good[:len(good)-1] + "A",
		strings.ToUpper(good), part[0] + ".." + part[2], part[0] + "." + part[1] + "." + part[2][:10] + "\r\n" + part[2][10:],
		"eyJhbGciOiJub25lIn0." + part[1] + ".",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := b.verifier.Verify(t.Context(), raw)
		if (err == nil) != (raw == good) || (got != nil) != (err == nil) {
			t.Fatalf("%q: %+v, %v", raw, got, err)
		}
		if err != nil && errs.KindOf(err) != errs.Unauthenticated {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

func BenchmarkVerifyWarm(b *testing.B) {
	x := newBench(b)
	x.verifier.now = time.Now
	x.issuer.Now = time.Now
	raw := x.access(b)
	if _, err := x.verifier.VerifyFor(b.Context(), raw, api); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	ctx := b.Context()
	for b.Loop() {
		if _, err := x.verifier.VerifyFor(ctx, raw, api); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCold(b *testing.B) {
	x := newBench(b)
	raw := x.access(b)
	for b.Loop() {
		if _, err := x.verifier.signed(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMintAccessToken(b *testing.B) {
	x := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		x.access(b)
	}
}
