package client

import (
	"context"
	"errors"
)

// HintSecret tells what the ID tokens of a client are keyed with where they are
// signed with HS256; empty: they are not (see token.Verifier).
func HintSecret(s Store) func(ctx context.Context, id string) (string, error) {
	return func(ctx context.Context, id string) (string, error) {
		c, err := s.Client(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if settings := c.Settings(); settings.Public() || settings.IDTokenAlg != "HS256" {
			return "", nil
		}
		return c.Secret, nil
	}
}
