package key

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mangrove/internal/errs"
)

// The algorithms that an RSA key of the ring signs with and verifies. Keys are
// made and published as RS256 keys; the two others are for applications and APIs
// that ask for them (reference/authentication.md §3.12).
const (
	RS256 = "RS256"
	RS512 = "RS512"
	PS256 = "PS256"
)

// Refresh is how old the ring's view of the store may be when it is used: a key
// that another node rotated in or revoked is known after this time at the
// latest, and a flood of unknown key ids costs one read of the store per Refresh.
const Refresh = 2 * time.Second

// loadTimeout bounds a refresh: callers wait for the first one only.
const loadTimeout = 5 * time.Second

// Failures of Verify.
var (
	ErrUnknown   = errs.New(errs.Unauthenticated, "", "No key has this id.")
	ErrSignature = errs.New(errs.Unauthenticated, "", "The signature is not by this key.")
)

// ErrAlgorithm refuses to sign with an algorithm that the ring does not have.
var ErrAlgorithm = errors.New("key: no key of the ring signs with this algorithm")

// ErrNoKey says that the store has no current key to sign with.
var ErrNoKey = errors.New("key: there is no current signing key")

// Ring is the keys in use. It is safe for many goroutines.
type Ring struct {
	store   Store
	now     func() time.Time
	loading sync.Mutex
	state   atomic.Pointer[state]
	checked atomic.Int64 // unix nanoseconds of the last look at the store
}

// signer is a parsed key.
type signer struct {
	key     Key
	private *rsa.PrivateKey
}

// state never changes once it is published.
type state struct {
	generation uint64
	keys       []*signer // all that verify: current, next, previous
	byID       map[string]*signer
	current    *signer
	jwks       []byte
	bare       []byte // jwks without alg
}

// NewRing makes an empty ring: Load fills it before first use.
func NewRing(store Store, now func() time.Time) *Ring {
	r := &Ring{store: store, now: now}
	r.state.Store(&state{byID: map[string]*signer{}, jwks: []byte(`{"keys":[]}`), bare: []byte(`{"keys":[]}`)})
	return r
}

// Load reads the store. It fails when there is no current key, and then the
// ring stays as it was.
func (r *Ring) Load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.load(ctx, r.now())
}

// load needs the lock.
func (r *Ring) load(ctx context.Context, now time.Time) error {
	r.checked.Store(now.UnixNano())
	stored, err := r.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	old := r.state.Load()
	next := &state{generation: old.generation + 1, byID: map[string]*signer{}}
	for _, k := range stored {
		if !verifies(k, now) {
			continue
		}
		s, err := parse(k, old)
		if err != nil {
			return err
		}
		next.keys = append(next.keys, s)
		next.byID[k.ID] = s
		// Should two be current, the newer signs.
		if k.State == Current && (next.current == nil || next.current.key.CreatedAt < k.CreatedAt) {
			next.current = s
		}
	}
	if next.current == nil {
		return ErrNoKey
	}
	slices.SortStableFunc(next.keys, func(a, b *signer) int { return rank(a.key.State) - rank(b.key.State) })
	if slices.Equal(old.keys, next.keys) && old.current == next.current {
		return nil
	}
	if next.jwks, err = jwks(next.keys, RS256); err != nil {
		return err
	}
	if next.bare, err = jwks(next.keys, ""); err != nil {
		return err
	}
	r.state.Store(next)
	return nil
}

// rank puts the key that signs first in the document.
func rank(state string) int { return slices.Index([]string{Current, Next, Previous}, state) }

// parse reuses what the ring has already parsed: checking an RSA key is slow.
func parse(k Key, old *state) (*signer, error) {
	if s := old.byID[k.ID]; s != nil && s.key.State == k.State && bytes.Equal(s.key.Private, k.Private) && bytes.Equal(s.key.Cert, k.Cert) {
		return s, nil
	}
	if k.Alg != RS256 {
		return nil, fmt.Errorf("signing key %s: algorithm %q is not supported", k.ID, k.Alg)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s is not an RSA key", k.ID)
	}
	if private.N.BitLen() < Bits {
		return nil, fmt.Errorf("signing key %s has %d bits, %d are needed", k.ID, private.N.BitLen(), Bits)
	}
	return &signer{key: k, private: private}, nil
}

// fresh is the state, after a look at the store if the last was too long ago.
// One caller looks while the others go on with what is known; a store that
// does not answer changes nothing.
func (r *Ring) fresh(ctx context.Context, now time.Time) *state {
	if age := now.UnixNano() - r.checked.Load(); age >= 0 && age < int64(Refresh) {
		return r.state.Load()
	}
	if r.loading.TryLock() {
		defer r.loading.Unlock()
		// A request that is called off must not call off what all need.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		_ = r.load(ctx, now)
	}
	return r.state.Load()
}

// Generation changes whenever the set of keys does: what was verified under
// another generation has to be verified again.
func (r *Ring) Generation(ctx context.Context, now time.Time) uint64 {
	return r.fresh(ctx, now).generation
}

// JWKS is the public document of reference/authentication.md §1.2.
func (r *Ring) JWKS(ctx context.Context) []byte { return r.fresh(ctx, r.now()).jwks }

// BareJWKS is the same without alg, for the tenant flag remove_alg_from_jwks.
func (r *Ring) BareJWKS(ctx context.Context) []byte { return r.fresh(ctx, r.now()).bare }

// Sign is SignWith RS256.
func (r *Ring) Sign(ctx context.Context, typ string, payload []byte) (string, error) {
	return r.SignWith(ctx, RS256, typ, payload)
}

// SignWith makes a compact JWS over payload with the current key and one of the
// algorithms above; typ is the header's typ (JWT, at+jwt). Errors: ErrNoKey, ErrAlgorithm.
func (r *Ring) SignWith(ctx context.Context, alg, typ string, payload []byte) (string, error) {
	s := r.fresh(ctx, r.now()).current
	if s == nil {
		return "", ErrNoKey
	}
	header := `{"alg":"` + alg + `","typ":"` + typ + `","kid":"` + s.key.ID + `"}`
	enc := base64.RawURLEncoding
	size := s.private.Size()
	b := make([]byte, 0, enc.EncodedLen(len(header))+enc.EncodedLen(len(payload))+enc.EncodedLen(size)+2)
	b = enc.AppendEncode(b, []byte(header))
	b = append(b, '.')
	b = enc.AppendEncode(b, payload)
	signature, err := s.sign(alg, b)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	b = append(b, '.')
	return string(enc.AppendEncode(b, signature)), nil
}

// Verify is VerifyWith RS256.
func (r *Ring) Verify(ctx context.Context, kid string, input, signature []byte) error {
	return r.VerifyWith(ctx, RS256, kid, input, signature)
}

// VerifyWith checks a signature over the signing input of a JWS by the key of
// that id. Errors: ErrUnknown, and ErrSignature, also for any algorithm but those above.
func (r *Ring) VerifyWith(ctx context.Context, alg, kid string, input, signature []byte) error {
	s := r.fresh(ctx, r.now()).byID[kid]
	if s == nil {
		return ErrUnknown
	}
	if s.verify(alg, input, signature) != nil {
		return ErrSignature
	}
	return nil
}

// pss is as RFC 7518 §3.5 has it: the salt is as long as the hash.
var pss = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

func (s *signer) sign(alg string, input []byte) ([]byte, error) {
	switch alg {
	case RS256:
		sum := sha256.Sum256(input)
		return rsa.SignPKCS1v15(rand.Reader, s.private, crypto.SHA256, sum[:])
	case RS512:
		sum := sha512.Sum512(input)
		return rsa.SignPKCS1v15(rand.Reader, s.private, crypto.SHA512, sum[:])
	case PS256:
		sum := sha256.Sum256(input)
		return rsa.SignPSS(rand.Reader, s.private, crypto.SHA256, sum[:], pss)
	}
	return nil, ErrAlgorithm
}

func (s *signer) verify(alg string, input, signature []byte) error {
	public := &s.private.PublicKey
	switch alg {
	case RS256:
		sum := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature)
	case RS512:
		sum := sha512.Sum512(input)
		return rsa.VerifyPKCS1v15(public, crypto.SHA512, sum[:], signature)
	case PS256:
		sum := sha256.Sum256(input)
		return rsa.VerifyPSS(public, crypto.SHA256, sum[:], signature, pss)
	}
	return ErrAlgorithm
}
