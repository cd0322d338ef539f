package key

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// shelf is a key store in memory that counts how often it is read.
type shelf struct {
	mu    sync.Mutex
	keys  []Key
	err   error
	reads int
}

func (s *shelf) Keys(context.Context) ([]Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return append([]Key(nil), s.keys...), s.err
}

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func generated(t testing.TB) Key {
	t.Helper()
	k, err := Generate("id.example.test", time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func loaded(t testing.TB, keys ...Key) (*Ring, *shelf, *clock) {
	t.Helper()
	s, c := &shelf{keys: keys}, &clock{time.Unix(1_700_000_000, 0)}
	r := NewRing(s, c.now)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, s, c
}

func split(t testing.TB, jws string) (input, signature []byte) {
	t.Helper()
	i := strings.LastIndexByte(jws, '.')
	signature, err := base64.RawURLEncoding.DecodeString(jws[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(jws[:i]), signature
}

func TestGenerate(t *testing.T) {
	k := generated(t)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(k.ID) || k.Alg != RS256 || k.State != Current {
		t.Fatalf("key = %q %q %q", k.ID, k.Alg, k.State)
	}
	cert, err := x509.ParseCertificate(k.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "id.example.test" || cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		t.Fatalf("certificate of %q is not signed by its own key", cert.Subject.CommonName)
	}
}

func TestJWKS(t *testing.T) {
	next, current, previous, revoked := generated(t), generated(t), generated(t), generated(t)
	next.State, previous.State, revoked.State = Next, Previous, Revoked
	r, _, _ := loaded(t, revoked, previous, next, current)
	doc := r.JWKS(t.Context())

	var shape struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(doc, &shape); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range shape.Keys {
		kids = append(kids, k["kid"].(string))
		if len(k) != 8 {
			t.Errorf("members of a key = %v", k)
		}
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if _, ok := k[secret]; ok {
				t.Errorf("the document has %s", secret)
			}
		}
	}
	if want := []string{current.ID, next.ID, previous.ID}; strings.Join(kids, " ") != strings.Join(want, " ") {
		t.Errorf("kids = %v, want %v", kids, want)
	}
	if !bytes.HasPrefix(doc, []byte(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"`+current.ID+`","n":"`)) {
		t.Errorf("document = %.120s", doc)
	}
	// What another library makes of it is the key that signs.
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(doc, &set); err != nil {
		t.Fatal(err)
	}
	text, err := r.Sign(t.Context(), "JWT", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set.Key(current.ID)[0])
	if err != nil || string(payload) != `{"a":1}` {
		t.Fatalf("payload = %q, %v", payload, err)
	}
	if h := jws.Signatures[0].Header; h.KeyID != current.ID || h.ExtraHeaders["typ"] != "JWT" {
		t.Errorf("header = %+v", h)
	}
}

func TestVerifyByState(t *testing.T) {
	for _, row := range []struct {
		state string
		want  error
	}{
		{Current, nil}, {Next, nil}, {Previous, nil}, {Revoked, ErrUnknown}, {"odd", ErrUnknown},
	} {
		t.Run(row.state, func(t *testing.T) {
			k := generated(t)
			signer, _, _ := loaded(t, k)
			text, err := signer.Sign(t.Context(), "JWT", []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			input, signature := split(t, text)
			k.State = row.state
			other := generated(t)
			if row.state == Current {
				other.State = Previous
			}
			r, _, _ := loaded(t, k, other)
			if err := r.Verify(t.Context(), k.ID, input, signature); !errors.Is(err, row.want) {
				t.Errorf("Verify = %v, want %v", err, row.want)
			}
			if err := r.Verify(t.Context(), other.ID, input, signature); !errors.Is(err, ErrSignature) {
				t.Errorf("Verify with the other key = %v", err)
			}
		})
	}
}

func TestRingFollowsTheStore(t *testing.T) {
	old, fresh := generated(t), generated(t)
	r, s, c := loaded(t, old)
	text, _ := r.Sign(t.Context(), "JWT", []byte("{}"))
	input, signature := split(t, text)
	first := r.Generation(t.Context(), c.now())

	old.State = Previous
	s.keys = []Key{old, fresh}
	c.at = c.at.Add(Refresh - 1)
	if g := r.Generation(t.Context(), c.now()); g != first || s.reads != 1 {
		t.Fatalf("the store was read %d times within Refresh", s.reads)
	}
	c.at = c.at.Add(1)
	if g := r.Generation(t.Context(), c.now()); g == first {
		t.Error("the rotation was not noticed")
	}
	after, _ := r.Sign(t.Context(), "JWT", []byte("{}"))
	if after == text {
		t.Error("the old key still signs")
	}
	if err := r.Verify(t.Context(), old.ID, input, signature); err != nil {
		t.Errorf("the previous key does not verify: %v", err)
	}

	old.State = Revoked
	s.keys = []Key{old, fresh}
	c.at = c.at.Add(Refresh)
	if err := r.Verify(t.Context(), old.ID, input, signature); !errors.Is(err, ErrUnknown) {
		t.Errorf("the revoked key verifies: %v", err)
	}
}

func TestUnknownKeysDoNotFloodTheStore(t *testing.T) {
	r, s, c := loaded(t, generated(t))
	for range 1000 {
		if err := r.Verify(t.Context(), "unknown", nil, nil); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
	}
	if s.reads != 1 {
		t.Errorf("reads = %d", s.reads)
	}
	c.at = c.at.Add(Refresh)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _ = r.Verify(context.Background(), "unknown", nil, nil) })
	}
	wg.Wait()
	if s.reads != 2 {
		t.Errorf("reads = %d after one more Refresh", s.reads)
	}
}

func TestFailingStoreKeepsTheKeys(t *testing.T) {
	k := generated(t)
	r, s, c := loaded(t, k)
	before := r.Generation(t.Context(), c.now())
	for _, row := range []struct {
		name string
		keys []Key
		err  error
	}{
		{"error", nil, errors.New("gone")},
		{"no current key", nil, nil},
		{"garbage", []Key{{ID: "x", Alg: RS256, State: Current, Private: []byte("x")}}, nil},
		{"other algorithm", []Key{{ID: "x", Alg: "HS256", State: Current}}, nil},
	} {
		s.keys, s.err = row.keys, row.err
		c.at = c.at.Add(Refresh)
		if r.Generation(t.Context(), c.now()) != before {
			t.Errorf("%s: the ring changed", row.name)
		}
		if err := r.Load(t.Context()); err == nil {
			t.Errorf("%s: Load says nothing", row.name)
		}
		if _, err := r.Sign(t.Context(), "JWT", []byte("{}")); err != nil {
			t.Errorf("%s: Sign = %v", row.name, err)
		}
	}
}

func TestCancelledCallerDoesNotStopTheRefresh(t *testing.T) {
	old, fresh := generated(t), generated(t)
	r, s, c := loaded(t, old)
	s.keys = []Key{fresh}
	c.at = c.at.Add(Refresh)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.JWKS(ctx)
	if !bytes.Contains(r.JWKS(t.Context()), []byte(fresh.ID)) {
		t.Error("the new key is not published")
	}
}

func TestEmptyRing(t *testing.T) {
	r := NewRing(&shelf{}, time.Now)
	if _, err := r.Sign(t.Context(), "JWT", []byte("{}")); !errors.Is(err, ErrNoKey) {
		t.Errorf("Sign = %v", err)
	}
	if got := string(r.JWKS(t.Context())); got != `{"keys":[]}` {
		t.Errorf("JWKS = %s", got)
	}
}

func BenchmarkSign(b *testing.B) {
	r, _, _ := loaded(b, generated(b))
	payload := bytes.Repeat([]byte("x"), 400)
	for b.Loop() {
		if _, err := r.Sign(b.Context(), "JWT", payload); err != nil {
			b.Fatal(err)
		}
	}
}
