package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/letter"
)

const (
	factorColumns  = `SELECT user_id, device, kind, fingerprint, detail, confirmed, created_at, last_auth, expires_at FROM factors `
	selectFactors  = factorColumns + `WHERE user_id = ? AND (confirmed = TRUE OR expires_at > ?) ORDER BY created_at, device LIMIT 200`
	selectByPrint  = factorColumns + `WHERE fingerprint = ? AND fingerprint <> '' AND confirmed = TRUE`
	selectByDevice = factorColumns + `WHERE device = ? AND confirmed = TRUE LIMIT 1`
	insertFactor   = `INSERT INTO factors (user_id, device, kind, fingerprint, detail, confirmed, created_at, last_auth, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateFactor   = `UPDATE factors SET detail = ?, last_auth = ? WHERE user_id = ? AND device = ? AND confirmed = TRUE`
	usedFactor     = `UPDATE factors SET last_auth = ? WHERE user_id = ? AND device = ?`
	confirmFactor  = `UPDATE factors SET confirmed = TRUE, expires_at = 0 WHERE user_id = ? AND device = ? AND confirmed = FALSE AND expires_at > ?`
	confirmWaiting = `UPDATE factors SET confirmed = TRUE, expires_at = 0 WHERE user_id = ? AND kind = ? AND confirmed = FALSE AND expires_at > ?`
	dropWaiting    = `DELETE FROM factors WHERE user_id = ? AND confirmed = FALSE`
	dropKind       = `DELETE FROM factors WHERE user_id = ? AND kind = ? AND confirmed = TRUE`
	redeemRecovery = `DELETE FROM factors WHERE user_id = ? AND kind = ? AND fingerprint = ? AND confirmed = TRUE`
	dropFactor     = `DELETE FROM factors WHERE user_id = ? AND device = ?`
	hasSecond      = `SELECT device FROM factors WHERE user_id = ? AND confirmed = TRUE AND kind NOT IN (?, ?) LIMIT 1`
	// A step counts once, and none counts after a later one.
	useStep = `INSERT INTO factor_steps (user_id, device, step) VALUES (?, ?, ?)
		ON CONFLICT (user_id, device) DO UPDATE SET step = excluded.step WHERE factor_steps.step < excluded.step`
	dropSteps = `DELETE FROM factor_steps WHERE user_id = ? AND device = ?`
)

// factorTables hold what dies with a user.
var factorTables = []string{
	"factors", "factor_steps", "factor_guesses", "factor_challenges", "factor_handles", "factor_browsers", "mfa_tokens", "enrollment_tickets",
}

// factorSweeps delete what is over.
var factorSweeps = []string{
	`DELETE FROM factors WHERE (user_id, device) IN
		(SELECT f.user_id, f.device FROM factors f WHERE f.expires_at <> 0 AND f.expires_at <= ? ORDER BY f.expires_at LIMIT ?)`,
	`DELETE FROM factor_guesses WHERE (user_id, kind) IN
		(SELECT g.user_id, g.kind FROM factor_guesses g WHERE g.full_at <= ? ORDER BY g.full_at LIMIT ?)`,
	`DELETE FROM factor_challenges WHERE challenge_hash IN
		(SELECT c.challenge_hash FROM factor_challenges c WHERE c.expires_at <= ? ORDER BY c.expires_at LIMIT ?)`,
	`DELETE FROM factor_browsers WHERE browser_hash IN
		(SELECT b.browser_hash FROM factor_browsers b WHERE b.expires_at <= ? ORDER BY b.expires_at LIMIT ?)`,
	`DELETE FROM mfa_tokens WHERE token_hash IN (SELECT m.token_hash FROM mfa_tokens m WHERE m.kept_until <= ? ORDER BY m.kept_until LIMIT ?)`,
	`DELETE FROM passkey_sessions WHERE session_hash IN
		(SELECT p.session_hash FROM passkey_sessions p WHERE p.expires_at <= ? ORDER BY p.expires_at LIMIT ?)`,
	`DELETE FROM enrollment_tickets WHERE ticket_hash IN
		(SELECT e.ticket_hash FROM enrollment_tickets e WHERE e.expires_at <= ? ORDER BY e.expires_at LIMIT ?)`,
}

func factorPlace(userID, device string) string { return userID + "/" + device }

func (s *Store) factors(ctx context.Context, q string, a ...any) (list []factor.Factor, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, a, func(r row) error {
			var f factor.Factor
			var sealed []byte
			err := r.Scan(&f.UserID, &f.Device, (*string)(&f.Kind), &f.Fingerprint, &sealed, &f.Confirmed, &f.CreatedAt, &f.LastAuth, &f.ExpiresAt)
			if err != nil {
				return err
			}
			detail, err := s.open(sealed, "factors", factorPlace(f.UserID, f.Device))
			if err != nil {
				return fmt.Errorf("factor: %w", err)
			}
			if err := json.Unmarshal(detail, &f.Detail); err != nil {
				return fmt.Errorf("stored factor: %w", err)
			}
			list = append(list, f)
			return nil
		})
	})
	return list, err
}

// Factors of a user, oldest first.
func (s *Store) Factors(ctx context.Context, userID string, now int64) ([]factor.Factor, error) {
	return s.factors(ctx, selectFactors, userID, now)
}

// FactorByFingerprint finds a confirmed one.
func (s *Store) FactorByFingerprint(ctx context.Context, fingerprint string) (factor.Factor, error) {
	list, err := s.factors(ctx, selectByPrint, fingerprint)
	if err == nil && len(list) == 0 {
		err = factor.ErrNone
	}
	if err != nil {
		return factor.Factor{}, err
	}
	return list[0], nil
}

// FactorByDevice finds a confirmed one.
func (s *Store) FactorByDevice(ctx context.Context, device string) (factor.Factor, error) {
	list, err := s.factors(ctx, selectByDevice, device)
	if err == nil && len(list) == 0 {
		err = factor.ErrNone
	}
	if err != nil {
		return factor.Factor{}, err
	}
	return list[0], nil
}

// ChangeFactors does one thing to the factors of a user, with its letters and events.
func (s *Store) ChangeFactors(ctx context.Context, c factor.Change) error {
	now := s.micros()
	rows := make([][]any, 0, len(c.Add))
	for i := range c.Add {
		f := &c.Add[i]
		sealed, err := s.sealDetail(f)
		if err != nil {
			return err
		}
		rows = append(rows, args(c.UserID, f.Device, string(f.Kind), f.Fingerprint, sealed, f.Confirmed, f.CreatedAt, f.LastAuth, f.ExpiresAt))
	}
	return s.write(ctx, func(t tx) error {
		if c.Redeem != "" {
			if err := some(t, factor.ErrNone, redeemRecovery, c.UserID, string(factor.Recovery), c.Redeem); err != nil {
				return err
			}
		}
		if c.Step != 0 {
			if err := some(t, factor.ErrReplayed, useStep, c.UserID, c.Device, c.Step); err != nil {
				return err
			}
		}
		if c.Confirm != "" {
			if err := some(t, factor.ErrNone, confirmFactor, c.UserID, c.Confirm, now); err != nil {
				return err
			}
			if err := t.send(nil, confirmWaiting, c.UserID, string(factor.Recovery), now); err != nil {
				return err
			}
		}
		if err := s.updateFactor(t, &c, now); err != nil {
			return err
		}
		for _, d := range c.Remove {
			if err := dropDevice(t, c.UserID, d); err != nil {
				return err
			}
		}
		if err := addFactors(t, c.UserID, c.Add, rows); err != nil {
			return err
		}
		if len(c.Remove) > 0 && !c.Imported {
			if err := lastFactorGone(t, c.UserID); err != nil {
				return err
			}
		}
		if c.Forgive {
			if err := t.send(nil, forgiveGuesses, c.UserID, string(factor.Guessing)); err != nil {
				return err
			}
		}
		if err := s.queueLetters(t, c.Letters); err != nil {
			return err
		}
		return s.record(t, c.Events...)
	})
}

func (s *Store) updateFactor(t tx, c *factor.Change, now int64) error {
	if c.Update == nil {
		if c.Device == "" {
			return nil
		}
		return t.send(nil, usedFactor, now, c.UserID, c.Device)
	}
	sealed, err := s.sealDetail(c.Update)
	if err != nil {
		return err
	}
	return some(t, factor.ErrNone, updateFactor, sealed, c.Update.LastAuth, c.UserID, c.Update.Device)
}

// addFactors inserts factors; what they replace goes first.
func addFactors(t tx, userID string, add []factor.Factor, rows [][]any) error {
	waiting := false
	for i := range add {
		switch {
		case !add[i].Confirmed && !waiting:
			waiting = true
			if err := t.send(nil, dropWaiting, userID); err != nil {
				return err
			}
		case add[i].Confirmed && add[i].Kind == factor.Recovery:
			if err := t.send(nil, dropKind, userID, string(factor.Recovery)); err != nil {
				return err
			}
		}
	}
	for _, row := range rows {
		if err := t.send(factor.ErrExists, insertFactor, row...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sealDetail(f *factor.Factor) ([]byte, error) {
	b, err := json.Marshal(f.Detail)
	if err != nil {
		return nil, err
	}
	return s.seal(b, "factors", factorPlace(f.UserID, f.Device)), nil
}

// some is exec for a statement that has to touch a row.
func some(t tx, none error, q string, a ...any) error {
	n, err := t.exec(q, a...)
	if err == nil && n == 0 {
		return none
	}
	return err
}

// RemoveFactors removes devices, and what is worth nothing without them.
func (s *Store) RemoveFactors(ctx context.Context, userID string, devices []string, imported bool, letters []letter.Letter, events ...audit.Event) (removed int, err error) {
	err = s.write(ctx, func(t tx) (err error) {
		removed, err = s.removeFactors(t, userID, devices, imported)
		if err != nil || removed == 0 {
			return err
		}
		if err := s.queueLetters(t, letters); err != nil {
			return err
		}
		return s.record(t, events...)
	})
	return removed, err
}

func (s *Store) removeFactors(t tx, userID string, devices []string, imported bool) (removed int, err error) {
	for _, d := range devices {
		n, err := t.exec(dropFactor, userID, d)
		if err != nil {
			return 0, err
		}
		removed += int(n)
		if err := t.send(nil, dropSteps, userID, d); err != nil {
			return 0, err
		}
	}
	if imported {
		return removed, nil
	}
	return removed, lastFactorGone(t, userID)
}

func dropDevice(t tx, userID, device string) error {
	if err := t.send(nil, dropFactor, userID, device); err != nil {
		return err
	}
	return t.send(nil, dropSteps, userID, device)
}

// lastFactorGone removes recovery codes and trusted browsers of a user without a
// second factor.
func lastFactorGone(t tx, userID string) error {
	var left string
	found, err := one(t, hasSecond, args(userID, string(factor.Recovery), string(factor.Passkey)), &left)
	if err != nil || found {
		return err
	}
	if err := t.send(nil, dropKind, userID, string(factor.Recovery)); err != nil {
		return err
	}
	return t.send(nil, forgetBrowsers, userID)
}
