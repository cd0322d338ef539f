package key

import (
	"context"
	"crypto"
)

// Signer is the key that signs now and its certificate, DER, for what is not a
// token: XML that goes to identity providers. Error: ErrNoKey.
func (r *Ring) Signer(ctx context.Context) (crypto.Signer, []byte, error) {
	s := r.fresh(ctx, r.now()).current
	if s == nil {
		return nil, nil, ErrNoKey
	}
	return s.private, s.key.Cert, nil
}
