package store

import (
	"context"

	"mangrove/internal/factor"
)

const (
	// The same rule as factor.Admit.
	takeGuess = `INSERT INTO factor_guesses (user_id, kind, full_at) VALUES (?, ?, ?)
		ON CONFLICT (user_id, kind) DO UPDATE
		SET full_at = CASE WHEN factor_guesses.full_at > ? THEN factor_guesses.full_at ELSE ? END + ?
		WHERE factor_guesses.full_at <= ?`
	forgiveGuesses = `DELETE FROM factor_guesses WHERE user_id = ? AND kind = ?`

	saveChallenge = `INSERT INTO factor_challenges (user_id, device, challenge_hash, code_hash, tries, expires_at) VALUES (?, ?, ?, ?, 0, ?)
		ON CONFLICT (user_id, device) DO UPDATE SET challenge_hash = excluded.challenge_hash, code_hash = excluded.code_hash,
		tries = 0, expires_at = excluded.expires_at`
	tryChallenge = `UPDATE factor_challenges SET tries = tries + 1 WHERE challenge_hash = ? AND tries < ? AND expires_at > ?
		RETURNING user_id, device, code_hash, expires_at`
	takeChallenge = `DELETE FROM factor_challenges WHERE challenge_hash = ?`
)

// TakeGuess takes one of a bucket.
func (s *Store) TakeGuess(ctx context.Context, userID string, kind factor.GuessKind, now int64) (ok bool, err error) {
	err = s.write(ctx, func(t tx) error {
		n, err := t.exec(takeGuess, userID, string(kind), now+factor.Interval, now, now, int64(factor.Interval), now+factor.Slack)
		ok = n > 0
		return err
	})
	return ok, err
}

// SaveChallenge replaces the challenge of the same user and device.
func (s *Store) SaveChallenge(ctx context.Context, c factor.Challenge) error {
	return s.writePlain(ctx, func(t tx) error {
		return t.send(nil, saveChallenge, c.UserID, c.Device, c.Hash, c.CodeHash, c.ExpiresAt)
	})
}

// TryChallenge counts a try before its caller compares anything.
func (s *Store) TryChallenge(ctx context.Context, hash string, now int64) (c factor.Challenge, err error) {
	c.Hash = hash
	err = s.write(ctx, func(t tx) error {
		found, err := one(t, tryChallenge, args(hash, int64(factor.CodeTries), now), &c.UserID, &c.Device, &c.CodeHash, &c.ExpiresAt)
		if err == nil && !found {
			return factor.ErrNone
		}
		return err
	})
	if err != nil {
		return factor.Challenge{}, err
	}
	return c, nil
}

// took reports whether a delete found its row.
func (s *Store) took(ctx context.Context, q string, a ...any) (ok bool, err error) {
	err = s.write(ctx, func(t tx) error {
		n, err := t.exec(q, a...)
		ok = n > 0
		return err
	})
	return ok, err
}

// TakeChallenge deletes it for one caller.
func (s *Store) TakeChallenge(ctx context.Context, hash string) (bool, error) {
	return s.took(ctx, takeChallenge, hash)
}
