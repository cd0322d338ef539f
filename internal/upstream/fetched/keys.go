package fetched

import (
	"context"
	"crypto/rsa"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// KeysTTL is how long a key that its provider has withdrawn is still believed.
	KeysTTL = time.Hour
	// RefetchAfter is how often at most an unknown key makes us ask again.
	RefetchAfter = time.Minute

	minRSABits = 2048
	// maxRSABits: a signature by a key of a million bits takes minutes to check.
	maxRSABits = 16384
)

// Keys is the usable part of a key set (RFC 7517).
type Keys []jose.JSONWebKey

// errNotKeys is of a document that is no key set.
var errNotKeys = errors.New("jwks: not a key set")

// ParseKeys keeps the public signature keys that go-jose understands; a set may hold
// others beside them (RFC 7517 §5).
func ParseKeys(raw []byte) (Keys, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := jsonv2.Unmarshal(raw, &doc); err != nil {
		return nil, errNotKeys
	}
	var set Keys
	for _, j := range doc.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(j) != nil || !usable(key) {
			continue
		}
		set = append(set, key)
	}
	return set, nil
}

func usable(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || (key.Use != "" && key.Use != "sig") {
		return false
	}
	if k, ok := key.Key.(*rsa.PublicKey); ok {
		return k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	}
	return true
}

// Verify tries the keys that the token's header lets. What the header itself says of
// keys (jwk, jku, x5u) is not looked at.
func (ks Keys) Verify(jws *jose.JSONWebSignature) ([]byte, bool) {
	h := jws.Signatures[0].Header
	for _, key := range ks {
		if (h.KeyID != "" && key.KeyID != h.KeyID) || (key.Algorithm != "" && key.Algorithm != h.Algorithm) {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// KeySets keeps the key sets of addresses.
type KeySets struct{ cache Cache[Keys] }

// Verify returns the payload of a token that a key of the set at the address signed;
// false: none did. The set is asked for anew when no key fits, but a provider that
// does not answer is asked for an unknown key no more often than one that does: who
// sends tokens with such keys must not make everybody wait for it. The error is
// fetch's, or of ctx.
func (s *KeySets) Verify(ctx context.Context, address string, now time.Time, jws *jose.JSONWebSignature, fetch func(context.Context) (Keys, error)) ([]byte, bool, error) {
	for _, again := range []bool{false, true} {
		set, err := s.cache.Get(ctx, address, now, func(_ Keys, age Age) bool {
			return age.At.IsZero() || now.Sub(age.At) >= KeysTTL || again && now.Sub(age.Tried) >= RefetchAfter
		}, fetch)
		if err != nil {
			return nil, false, err
		}
		if payload, ok := set.Verify(jws); ok {
			return payload, true, nil
		}
	}
	return nil, false, nil
}
