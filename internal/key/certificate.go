package key

import "context"

// Certificate is the X.509 certificate of the key that signs now, DER. Error: ErrNoKey.
func (r *Ring) Certificate(ctx context.Context) ([]byte, error) {
	s := r.fresh(ctx, r.now()).current
	if s == nil {
		return nil, ErrNoKey
	}
	return s.key.Cert, nil
}
