package oidc

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// keysTTL is how long a key that its provider has withdrawn is still believed.
	keysTTL = time.Hour
	// refetchAfter is how often at most an unknown key makes us ask again.
	refetchAfter = time.Minute
	minRSABits   = 2048
	// maxRSABits: a signature by a key of a million bits takes minutes to check.
	maxRSABits = 16384
)

// keys is the usable part of a key set.
type keys []jose.JSONWebKey

// algorithms that an ID token may be signed with: asymmetric ones only. None,
// and HMAC with a key that is public, can so not even be parsed.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

var errNoKey = errors.New("no key of the provider verifies the signature")

// remoteKeys verifies signatures by the keys at an address; it implements
// go-oidc's KeySet, for one token.
type remoteKeys struct {
	k   *Connector
	uri string
	// fetch is why the keys could not be had; the library keeps only its text.
	fetch error
}

// VerifySignature returns the payload of a token that a key of the set signed.
// Keys come from the configured address alone: jwk, jku and x5u in the token's
// header are not looked at.
func (r *remoteKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, errors.New("not a signed token")
	}
	for _, again := range []bool{false, true} {
		set, err := r.k.keySet(ctx, r.uri, again)
		if err != nil {
			r.fetch = err
			return nil, err
		}
		if payload, ok := set.verify(jws); ok {
			return payload, nil
		}
	}
	return nil, errNoKey
}

// verify tries the keys that the token's header lets.
func (ks keys) verify(jws *jose.JSONWebSignature) ([]byte, bool) {
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

// keySet is the set at an address. again: the one we had did not do. A provider that
// does not answer is asked for an unknown key no more often than one that does: who
// sends tokens with such keys must not make everybody wait for it.
func (k *Connector) keySet(ctx context.Context, uri string, again bool) (keys, error) {
	var set keys
	err := k.keySets.with(ctx, uri, func(e *entry[keys]) error {
		now := k.now()
		age := now.Sub(e.at)
		if e.at.IsZero() || age >= keysTTL || again && now.Sub(e.tried) >= refetchAfter {
			e.tried = now
			raw, err := k.get(ctx, uri, "")
			if err != nil {
				return errUnreachable.Because(fmt.Errorf("jwks: %w", err))
			}
			fetched, err := parseKeys(raw)
			if err != nil {
				return errRefused.Because(err)
			}
			e.value, e.at = fetched, now
		}
		set = e.value
		return nil
	})
	return set, err
}

// parseKeys keeps the public signature keys that go-jose understands; a set may
// hold others beside them (RFC 7517 §5).
func parseKeys(raw []byte) (keys, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := jsonv2.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("jwks: not a key set")
	}
	var set keys
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
