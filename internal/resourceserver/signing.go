package resourceserver

import (
	"context"
	"errors"
)

// SigningAlg tells how the API with an identifier has its access tokens signed;
// empty: there is none (see token.Verifier).
func SigningAlg(s Store) func(ctx context.Context, identifier string) (string, error) {
	return func(ctx context.Context, identifier string) (string, error) {
		rs, err := s.ResourceServerByIdentifier(ctx, identifier)
		if errors.Is(err, ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return rs.Settings().SigningAlg, nil
	}
}
