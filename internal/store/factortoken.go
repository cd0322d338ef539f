package store

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/letter"
)

const (
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
