package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/letter"
	"mangrove/internal/user"
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

	setHandle = `INSERT INTO factor_handles (user_id, handle, offered_at) VALUES (?, ?, 0)
		ON CONFLICT (user_id) DO UPDATE SET handle = CASE WHEN factor_handles.handle = '' THEN excluded.handle ELSE factor_handles.handle END
		RETURNING handle`
	selectHandle = `SELECT handle FROM factor_handles WHERE user_id = ? AND handle <> ''`
	userOfHandle = `SELECT user_id FROM factor_handles WHERE handle = ? AND handle <> ''`
	offeredAt    = `SELECT offered_at FROM factor_handles WHERE user_id = ?`
	setOfferedAt = `INSERT INTO factor_handles (user_id, handle, offered_at) VALUES (?, '', ?)
		ON CONFLICT (user_id) DO UPDATE SET offered_at = excluded.offered_at`

	newHandle            = `INSERT INTO factor_handles (user_id, handle, offered_at) VALUES (?, ?, 0)`
	insertPasskeySession = `INSERT INTO passkey_sessions (session_hash, client_id, doc, expires_at) VALUES (?, ?, ?, ?)`
	takePasskeySession   = `DELETE FROM passkey_sessions WHERE session_hash = ? AND client_id = ? AND expires_at > ? RETURNING doc, expires_at`

	trustBrowser   = `INSERT INTO factor_browsers (browser_hash, user_id, expires_at) VALUES (?, ?, ?)`
	browserTrusted = `SELECT user_id FROM factor_browsers WHERE browser_hash = ? AND user_id = ? AND expires_at > ?`
	forgetBrowsers = `DELETE FROM factor_browsers WHERE user_id = ?`

	insertMFAToken = `INSERT INTO mfa_tokens (token_hash, user_id, client_id, grant_doc, expires_at, kept_until) VALUES (?, ?, ?, ?, ?, ?)`
	selectMFAToken = `SELECT user_id, client_id, grant_doc, expires_at, kept_until FROM mfa_tokens WHERE token_hash = ?`
	takeMFAToken   = `DELETE FROM mfa_tokens WHERE token_hash = ? AND expires_at > ?`

	insertEnrollment = `INSERT INTO enrollment_tickets (ticket_hash, user_id, doc, expires_at) VALUES (?, ?, ?, ?)`
	selectEnrollment = `SELECT user_id, doc, expires_at FROM enrollment_tickets WHERE ticket_hash = ? AND expires_at > ?`
	updateEnrollment = `UPDATE enrollment_tickets SET doc = ? WHERE ticket_hash = ? AND expires_at > ?`
	takeEnrollment   = `DELETE FROM enrollment_tickets WHERE ticket_hash = ? AND expires_at > ?`
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
func (s *Store) RemoveFactors(ctx context.Context, userID string, devices []string, imported bool, events ...audit.Event) (removed int, err error) {
	err = s.write(ctx, func(t tx) (err error) {
		removed, err = s.removeFactors(t, userID, devices, imported)
		if err != nil || removed == 0 {
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

// UserHandle is what authenticators call the user.
func (s *Store) UserHandle(ctx context.Context, userID, fresh string) (handle string, err error) {
	found := false
	err = s.read(ctx, func(r reader) (err error) {
		found, err = one(r, selectHandle, args(userID), &handle)
		return err
	})
	if err != nil || found {
		return handle, err
	}
	err = s.write(ctx, func(t tx) error {
		_, err := one(t, setHandle, args(userID, fresh), &handle)
		return err
	})
	return handle, err
}

// UserOfHandle finds whom authenticators call that.
func (s *Store) UserOfHandle(ctx context.Context, handle string) (userID string, err error) {
	err = s.read(ctx, func(r reader) error {
		found, err := one(r, userOfHandle, args(handle), &userID)
		if err == nil && !found {
			return factor.ErrNone
		}
		return err
	})
	return userID, err
}

// OfferedAt is when the user was last offered a passkey.
func (s *Store) OfferedAt(ctx context.Context, userID string) (at int64, err error) {
	err = s.read(ctx, func(r reader) error {
		_, err := one(r, offeredAt, args(userID), &at)
		return err
	})
	return at, err
}

// SetOfferedAt remembers that.
func (s *Store) SetOfferedAt(ctx context.Context, userID string, at int64) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, setOfferedAt, userID, at) })
}

// CreateUserWithKey creates a user and their passkey in one transaction.
func (s *Store) CreateUserWithKey(ctx context.Context, u *user.User, e user.Effect, f factor.Factor, handle string) error {
	f.UserID = string(u.ID)
	sealed, err := s.sealDetail(&f)
	if err != nil {
		return err
	}
	return s.createUser(ctx, u, e, func(t tx) error {
		if err := t.send(nil, newHandle, f.UserID, handle); err != nil {
			return err
		}
		return t.send(factor.ErrExists, insertFactor, f.UserID, f.Device, string(f.Kind), f.Fingerprint, sealed, f.Confirmed, f.CreatedAt, f.LastAuth, f.ExpiresAt)
	})
}

// SavePasskeySession keeps a ceremony that an application began.
func (s *Store) SavePasskeySession(ctx context.Context, p factor.PasskeySession) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sealed := s.seal(doc, "passkey_sessions", p.Hash)
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, insertPasskeySession, p.Hash, p.ClientID, sealed, p.ExpiresAt) })
}

// TakePasskeySession gives it to one caller.
func (s *Store) TakePasskeySession(ctx context.Context, hash, clientID string, now int64) (p factor.PasskeySession, err error) {
	var sealed []byte
	var end int64
	err = s.write(ctx, func(t tx) error {
		found, err := one(t, takePasskeySession, args(hash, clientID, now), &sealed, &end)
		if err == nil && !found {
			return factor.ErrNone
		}
		return err
	})
	if err != nil {
		return factor.PasskeySession{}, err
	}
	doc, err := s.open(sealed, "passkey_sessions", hash)
	if err == nil {
		err = json.Unmarshal(doc, &p)
	}
	if err != nil {
		return factor.PasskeySession{}, fmt.Errorf("passkey session: %w", err)
	}
	p.Hash, p.ClientID, p.ExpiresAt = hash, clientID, end
	return p, nil
}

// TrustBrowser keeps the hash of a browser's secret.
func (s *Store) TrustBrowser(ctx context.Context, hash, userID string, expiresAt int64) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, trustBrowser, hash, userID, expiresAt) })
}

// BrowserTrusted reports whether it is trusted for the user.
func (s *Store) BrowserTrusted(ctx context.Context, hash, userID string, now int64) (ok bool, err error) {
	err = s.read(ctx, func(r reader) error {
		var id string
		ok, err = one(r, browserTrusted, args(hash, userID, now), &id)
		return err
	})
	return ok, err
}

// ForgetBrowsers ends the trust in all browsers of a user.
func (s *Store) ForgetBrowsers(ctx context.Context, userID string, events ...audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := t.send(nil, forgetBrowsers, userID); err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// SaveMFAToken keeps an interrupted grant.
func (s *Store) SaveMFAToken(ctx context.Context, m factor.Token, events ...audit.Event) error {
	doc, err := json.Marshal(m.Grant)
	if err != nil {
		return err
	}
	return s.writePlain(ctx, func(t tx) error {
		if err := t.send(nil, insertMFAToken, m.Hash, m.UserID, m.ClientID, doc, m.ExpiresAt, m.KeptUntil); err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// MFAToken finds one, expired or not.
func (s *Store) MFAToken(ctx context.Context, hash string) (factor.Token, error) {
	m := factor.Token{Hash: hash}
	var doc []byte
	err := s.read(ctx, func(r reader) error {
		found, err := one(r, selectMFAToken, args(hash), &m.UserID, &m.ClientID, &doc, &m.ExpiresAt, &m.KeptUntil)
		if err == nil && !found {
			return factor.ErrMalformed
		}
		return err
	})
	if err == nil {
		err = json.Unmarshal(doc, &m.Grant)
	}
	if err != nil {
		return factor.Token{}, err
	}
	return m, nil
}

// TakeMFAToken gives it to one caller.
func (s *Store) TakeMFAToken(ctx context.Context, hash string, now int64) (bool, error) {
	return s.took(ctx, takeMFAToken, hash, now)
}

// SaveEnrollmentTicket keeps a ticket, with the letter that carries it.
func (s *Store) SaveEnrollmentTicket(ctx context.Context, k factor.Ticket, letters []letter.Letter, e audit.Event) error {
	doc, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t tx) error {
		if err := t.send(nil, insertEnrollment, k.Hash, k.UserID, s.seal(doc, "enrollment_tickets", k.Hash), k.ExpiresAt); err != nil {
			return err
		}
		if err := s.queueLetters(t, letters); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// EnrollmentTicket finds one that has not ended.
func (s *Store) EnrollmentTicket(ctx context.Context, hash string, now int64) (k factor.Ticket, err error) {
	var doc []byte
	var userID string
	var end int64
	err = s.read(ctx, func(r reader) error {
		found, err := one(r, selectEnrollment, args(hash, now), &userID, &doc, &end)
		if err == nil && !found {
			return factor.ErrTicket
		}
		return err
	})
	if err == nil {
		doc, err = s.open(doc, "enrollment_tickets", hash)
	}
	if err == nil {
		err = json.Unmarshal(doc, &k)
	}
	if err != nil {
		return factor.Ticket{}, err
	}
	k.Hash, k.UserID, k.ExpiresAt = hash, userID, end
	return k, nil
}

// UpdateEnrollmentTicket keeps what a ticket's page has come to; ErrTicket when it is over.
func (s *Store) UpdateEnrollmentTicket(ctx context.Context, k factor.Ticket, now int64) error {
	doc, err := json.Marshal(k)
	if err != nil {
		return err
	}
	sealed := s.seal(doc, "enrollment_tickets", k.Hash)
	return s.write(ctx, func(t tx) error { return some(t, factor.ErrTicket, updateEnrollment, sealed, k.Hash, now) })
}

// TakeEnrollmentTicket gives it to one caller.
func (s *Store) TakeEnrollmentTicket(ctx context.Context, hash string, now int64) (bool, error) {
	return s.took(ctx, takeEnrollment, hash, now)
}
