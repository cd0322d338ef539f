package store

import (
	"context"
	"fmt"
	"math"

	"mangrove/internal/audit"
	"mangrove/internal/session"
)

const (
	insertSession = `INSERT INTO sessions (session_hash, session_id, user_id, connection_id, auth_time, created_at, last_seen, expires_at, idle_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectSession = `SELECT session_id, user_id, connection_id, auth_time, created_at, last_seen, expires_at, idle_until
		FROM sessions WHERE session_hash = ? AND expires_at > ? AND idle_until > ?`
	touchSession  = `UPDATE sessions SET last_seen = ?, idle_until = ? WHERE session_hash = ?`
	deleteSession = `DELETE FROM sessions WHERE session_hash = ?`

	sessionColumns    = `SELECT session_hash, session_id, user_id, connection_id, auth_time, created_at, last_seen, expires_at, idle_until FROM sessions `
	selectSessionByID = sessionColumns + `WHERE session_id = ? AND session_id <> ''`
	// Those that are over stay in the page, so that it never steps over more rows
	// than it has.
	sessionsOf   = sessionColumns + `WHERE user_id = ? AND (created_at, session_id) < (?, ?) ORDER BY created_at DESC, session_id DESC LIMIT ?`
	endSession   = `DELETE FROM sessions WHERE session_id = ? AND session_id <> '' RETURNING user_id`
	endSessionOf = `DELETE FROM sessions WHERE session_id = ? AND session_id <> '' AND user_id = ? RETURNING user_id`

	transactionColumns = `browser, client_id, request, upstream, created_at, expires_at`
	saveTransaction    = `INSERT INTO login_transactions (transaction_hash, ` + transactionColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (transaction_hash) DO UPDATE SET browser = excluded.browser, client_id = excluded.client_id,
		request = excluded.request, upstream = excluded.upstream, created_at = excluded.created_at, expires_at = excluded.expires_at`
	selectTransaction = `SELECT ` + transactionColumns + ` FROM login_transactions WHERE transaction_hash = ? AND expires_at > ?`
	takeTransaction   = `DELETE FROM login_transactions WHERE transaction_hash = ? AND expires_at > ? RETURNING ` + transactionColumns
)

// CreateSession keeps a session.
func (s *Store) CreateSession(ctx context.Context, v session.Session) error {
	return s.writePlain(ctx, func(t tx) error {
		return t.send(nil, insertSession, v.Hash, v.ID, v.UserID, v.ConnectionID, v.AuthTime, v.CreatedAt, v.LastSeen, v.ExpiresAt, v.IdleUntil)
	})
}

// Session finds one that is not over.
func (s *Store) Session(ctx context.Context, hash string, now int64) (v session.Session, err error) {
	v.Hash = hash
	err = s.read(ctx, func(r reader) error {
		found, err := one(r, selectSession, args(hash, now, now),
			&v.ID, &v.UserID, &v.ConnectionID, &v.AuthTime, &v.CreatedAt, &v.LastSeen, &v.ExpiresAt, &v.IdleUntil)
		if err == nil && !found {
			return session.ErrNone
		}
		return err
	})
	if err != nil {
		return session.Session{}, err
	}
	return v, nil
}

// TouchSession moves its idle end. A session that is gone stays gone.
func (s *Store) TouchSession(ctx context.Context, hash string, lastSeen, idleUntil int64) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, touchSession, lastSeen, idleUntil, hash) })
}

// DeleteSession ends it; ending none is no error.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, deleteSession, hash) })
}

func (s *Store) sessions(ctx context.Context, q string, a ...any) (list []session.Session, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, a, func(r row) error {
			var v session.Session
			err := r.Scan(&v.Hash, &v.ID, &v.UserID, &v.ConnectionID, &v.AuthTime, &v.CreatedAt, &v.LastSeen, &v.ExpiresAt, &v.IdleUntil)
			list = append(list, v)
			return err
		})
	})
	return list, err
}

// SessionsOf is a page of the sessions of a user, newest first.
func (s *Store) SessionsOf(ctx context.Context, userID string, behind session.Mark, limit int) ([]session.Session, error) {
	if behind == (session.Mark{}) {
		behind.CreatedAt = math.MaxInt64
	}
	return s.sessions(ctx, sessionsOf, userID, behind.CreatedAt, behind.ID, int64(max(0, min(limit, session.Step))))
}

// SessionByID finds one that is not over.
func (s *Store) SessionByID(ctx context.Context, id string, now int64) (session.Session, error) {
	list, err := s.sessions(ctx, selectSessionByID, id)
	if err != nil {
		return session.Session{}, err
	}
	for i := range list {
		if list[i].Live(now) {
			return list[i], nil
		}
	}
	return session.Session{}, session.ErrNone
}

// EndSession ends it, with its event; ending none is no error.
func (s *Store) EndSession(ctx context.Context, id, userID string, e audit.Event) error {
	q, a := endSession, args(id)
	if userID != "" {
		q, a = endSessionOf, args(id, userID)
	}
	return s.write(ctx, func(t tx) error {
		found, err := one(t, q, a, &e.UserID)
		if err != nil || !found {
			return err
		}
		return s.record(t, e)
	})
}

// EndSessions ends all sessions of a user, with an event if there were any.
func (s *Store) EndSessions(ctx context.Context, userID string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(endSessions, userID)
		if err != nil || n == 0 {
			return err
		}
		return s.record(t, e)
	})
}

// SaveTransaction inserts or replaces.
func (s *Store) SaveTransaction(ctx context.Context, v session.Transaction) error {
	upstream := s.seal(v.Upstream, "login_transactions", v.Hash)
	return s.writePlain(ctx, func(t tx) error {
		return t.send(nil, saveTransaction, v.Hash, v.Browser, v.ClientID, []byte(v.Request), upstream, v.CreatedAt, v.ExpiresAt)
	})
}

// Transaction finds one that is not over.
func (s *Store) Transaction(ctx context.Context, hash string, now int64) (v session.Transaction, err error) {
	err = s.read(ctx, func(r reader) error {
		v, err = s.transaction(r, selectTransaction, hash, now)
		return err
	})
	return v, err
}

// TakeTransaction gives it to one caller.
func (s *Store) TakeTransaction(ctx context.Context, hash string, now int64) (v session.Transaction, err error) {
	err = s.write(ctx, func(t tx) error {
		v, err = s.transaction(t, takeTransaction, hash, now)
		return err
	})
	if err != nil {
		return session.Transaction{}, err
	}
	return v, nil
}

func (s *Store) transaction(r reader, q, hash string, now int64) (session.Transaction, error) {
	v := session.Transaction{Hash: hash}
	var sealed []byte
	found, err := one(r, q, args(hash, now), &v.Browser, &v.ClientID, (*[]byte)(&v.Request), &sealed, &v.CreatedAt, &v.ExpiresAt)
	if err != nil {
		return session.Transaction{}, err
	}
	if !found {
		return session.Transaction{}, session.ErrNone
	}
	upstream, err := s.open(sealed, "login_transactions", hash)
	if err != nil {
		return session.Transaction{}, fmt.Errorf("login transaction: %w", err)
	}
	v.Request, v.Upstream = value(v.Request), value(upstream)
	return v, nil
}
