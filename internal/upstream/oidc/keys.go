package oidc

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"mangrove/internal/upstream/fetched"
)

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
// Keys come from the configured address alone.
func (r *remoteKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, errors.New("not a signed token")
	}
	payload, ok, err := r.k.keySets.Verify(ctx, r.uri, r.k.now(), jws, func(ctx context.Context) (fetched.Keys, error) {
		raw, err := r.k.get(ctx, r.uri, "")
		if err != nil {
			return nil, errUnreachable.Because(fmt.Errorf("jwks: %w", err))
		}
		set, err := fetched.ParseKeys(raw)
		if err != nil {
			return nil, errRefused.Because(err)
		}
		return set, nil
	})
	switch {
	case err != nil:
		r.fetch = waited(err)
		return nil, err
	case !ok:
		return nil, errNoKey
	}
	return payload, nil
}

// waited makes a refusal of the error of a context: somebody gave up waiting.
func waited(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errUnreachable.Because(err)
	}
	return err
}
