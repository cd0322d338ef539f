package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/session"
)

const (
	sessionColumns = `session_hash, session_id, user_id, connection_id, auth_time, methods, created_at, last_seen, expires_at, idle_until,
		persistent, initial_ip, initial_agent, last_ip, last_agent, metadata, upstream_session`
	insertSession = `INSERT INTO sessions (` + sessionColumns + `, upstream_name, upstream_index)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectSession = `SELECT ` + sessionColumns + ` FROM sessions WHERE session_hash = ? AND expires_at > ? AND idle_until > ?`
	touchSession  = `UPDATE sessions SET last_seen = ?, idle_until = ?, last_ip = ?, last_agent = ? WHERE session_hash = ?`
	deleteSession = `DELETE FROM sessions WHERE session_hash = ?`

	selectSessionByID  = `SELECT ` + sessionColumns + ` FROM sessions WHERE session_id = ? AND session_id <> ''`
	setSessionMetadata = `UPDATE sessions SET metadata = ? WHERE session_id = ? AND session_id <> '' AND expires_at > ? AND idle_until > ? RETURNING ` + sessionColumns
	// Those that are over stay in the page, so that it never steps over more rows
	// than it has.
	sessionsOf = `SELECT ` + sessionColumns + ` FROM sessions
		WHERE user_id = ? AND (created_at, session_id) < (?, ?) ORDER BY created_at DESC, session_id DESC LIMIT ?`
	endSession   = `DELETE FROM sessions WHERE session_id = ? AND session_id <> '' RETURNING session_id, user_id`
	endSessionOf = `DELETE FROM sessions WHERE session_id = ? AND session_id <> '' AND user_id = ? RETURNING session_id, user_id`

	addSessionClient = `INSERT INTO session_clients (session_id, client_id, created_at, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (session_id, client_id) DO NOTHING`
	sessionClients   = `SELECT client_id FROM session_clients WHERE session_id = ? ORDER BY created_at, client_id LIMIT 1000`

	transactionColumns = `browser, client_id, request, progress, created_at, expires_at`
	saveTransaction    = `INSERT INTO login_transactions (transaction_hash, ` + transactionColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (transaction_hash) DO UPDATE SET browser = excluded.browser, client_id = excluded.client_id,
		request = excluded.request, progress = excluded.progress, created_at = excluded.created_at, expires_at = excluded.expires_at`
	selectTransaction = `SELECT ` + transactionColumns + ` FROM login_transactions WHERE transaction_hash = ? AND expires_at > ?`
	takeTransaction   = `DELETE FROM login_transactions WHERE transaction_hash = ? AND expires_at > ? RETURNING ` + transactionColumns
)

// CreateSession keeps a session. Its Clients are added one by one.
func (s *Store) CreateSession(ctx context.Context, v session.Session) error {
	foreign, name, index, err := s.sealForeign(&v)
	if err != nil {
		return err
	}
	return s.writeLoose(ctx, func(t tx) error {
		return t.send(nil, insertSession, v.Hash, v.ID, v.UserID, v.ConnectionID, v.AuthTime, strings.Join(v.Methods, " "), v.CreatedAt, v.LastSeen,
			v.ExpiresAt, v.IdleUntil, v.Persistent, v.Device.InitialIP, v.Device.InitialUserAgent, v.Device.LastIP, v.Device.LastUserAgent, string(v.Metadata),
			foreign, name, index)
	})
}

// Session finds one that is not over.
func (s *Store) Session(ctx context.Context, hash string, now int64) (session.Session, error) {
	list, err := s.sessions(ctx, selectSession, hash, now, now)
	if err != nil {
		return session.Session{}, err
	}
	if len(list) == 0 {
		return session.Session{}, session.ErrNone
	}
	return list[0], nil
}

// TouchSession moves its idle end. A session that is gone stays gone.
func (s *Store) TouchSession(ctx context.Context, hash string, lastSeen, idleUntil int64, ip, userAgent string) error {
	return s.writeLoose(ctx, func(t tx) error { return t.send(nil, touchSession, lastSeen, idleUntil, ip, userAgent, hash) })
}

// AddSessionClient notes a client; noting it twice is no error.
func (s *Store) AddSessionClient(ctx context.Context, sessionID, clientID string, at, expires int64) error {
	return s.writeLoose(ctx, func(t tx) error { return t.send(nil, addSessionClient, sessionID, clientID, at, expires) })
}

// SessionClients lists them in the order in which they came.
func (s *Store) SessionClients(ctx context.Context, sessionID string) (list []string, err error) {
	err = s.read(ctx, func(r reader) error {
		list, err = clientsOf(r, sessionID)
		return err
	})
	return list, err
}

func clientsOf(r reader, sessionID string) (list []string, err error) {
	err = r.query(sessionClients, args(sessionID), func(r row) error {
		var id string
		err := r.Scan(&id)
		list = append(list, id)
		return err
	})
	return list, err
}

// DeleteSession ends it; ending none is no error.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, deleteSession, hash) })
}

func (s *Store) sessions(ctx context.Context, q string, a ...any) (list []session.Session, err error) {
	err = s.read(ctx, func(r reader) error {
		list, err = s.readSessions(r, q, a...)
		return err
	})
	return list, err
}

// readSessions reads sessions with their clients.
func (s *Store) readSessions(r reader, q string, a ...any) (list []session.Session, err error) {
	err = r.query(q, a, func(r row) error {
		var v session.Session
		var methods, metadata, foreign string
		err := r.Scan(&v.Hash, &v.ID, &v.UserID, &v.ConnectionID, &v.AuthTime, &methods, &v.CreatedAt, &v.LastSeen, &v.ExpiresAt, &v.IdleUntil,
			&v.Persistent, &v.Device.InitialIP, &v.Device.InitialUserAgent, &v.Device.LastIP, &v.Device.LastUserAgent, &metadata, &foreign)
		if err == nil {
			v.Foreign, err = s.openForeign(foreign, v.Hash)
		}
		if methods != "" {
			v.Methods = strings.Split(methods, " ")
		}
		if metadata != "" {
			v.Metadata = json.RawMessage(metadata)
		}
		list = append(list, v)
		return err
	})
	for i := range list {
		if err != nil {
			break
		}
		list[i].Clients, err = clientsOf(r, list[i].ID)
	}
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

// SetSessionMetadata replaces the metadata of one that is not over.
func (s *Store) SetSessionMetadata(ctx context.Context, id string, metadata json.RawMessage, now int64, e audit.Event) (v session.Session, err error) {
	err = s.write(ctx, func(t tx) error {
		list, err := s.readSessions(t, setSessionMetadata, string(metadata), id, now, now)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return session.ErrNone
		}
		v, e.UserID = list[0], list[0].UserID
		return s.record(t, e)
	})
	if err != nil {
		return session.Session{}, err
	}
	return v, nil
}

// EndSession ends it, with its event; ending none is no error.
func (s *Store) EndSession(ctx context.Context, id, userID string, e audit.Event) error {
	q, a := endSession, args(id)
	if userID != "" {
		q, a = endSessionOf, args(id, userID)
	}
	return s.write(ctx, func(t tx) error {
		var sid string
		found, err := one(t, q, a, &sid, &e.UserID)
		if err != nil || !found {
			return err
		}
		if err := s.tellClients(t, session.Revoked, sid, e.UserID); err != nil {
			return err
		}
		if err := endSessionTokens(t, id, e.UserID); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// EndSessions ends all sessions of a user, with an event if there were any.
func (s *Store) EndSessions(ctx context.Context, userID string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := s.endAll(t, session.Revoked, leaveSessions, userID)
		if err != nil || n == 0 {
			return err
		}
		if err := endAllSessionTokens(t, userID); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// SaveTransaction inserts or replaces.
func (s *Store) SaveTransaction(ctx context.Context, v session.Transaction) error {
	progress := s.seal(v.Progress, "login_transactions", v.Hash)
	return s.writeLoose(ctx, func(t tx) error {
		return t.send(nil, saveTransaction, v.Hash, v.Browser, v.ClientID, []byte(v.Request), progress, v.CreatedAt, v.ExpiresAt)
	})
}

// Transaction finds one that is not over.
func (s *Store) Transaction(ctx context.Context, hash string, now int64) (v session.Transaction, err error) {
	var sealed sealedTransaction
	err = s.read(ctx, func(r reader) error { return sealed.read(r, selectTransaction, hash, now) })
	if err != nil {
		return session.Transaction{}, err
	}
	return s.transaction(sealed)
}

// TakeTransaction gives it to one caller.
func (s *Store) TakeTransaction(ctx context.Context, hash string, now int64) (v session.Transaction, err error) {
	var sealed sealedTransaction
	err = s.writeLoose(ctx, func(t tx) error { return sealed.read(t, takeTransaction, hash, now) })
	if err != nil {
		return session.Transaction{}, err
	}
	return s.transaction(sealed)
}

// sealedTransaction is a row of login_transactions. It is opened outside the
// transaction of the store.
type sealedTransaction struct {
	session.Transaction
	progress []byte
}

func (v *sealedTransaction) read(r reader, q, hash string, now int64) error {
	*v = sealedTransaction{Transaction: session.Transaction{Hash: hash}}
	found, err := one(r, q, args(hash, now), &v.Browser, &v.ClientID, (*[]byte)(&v.Request), &v.progress, &v.CreatedAt, &v.ExpiresAt)
	if err == nil && !found {
		err = session.ErrNone
	}
	return err
}

func (s *Store) transaction(sealed sealedTransaction) (session.Transaction, error) {
	v := sealed.Transaction
	progress, err := s.open(sealed.progress, "login_transactions", v.Hash)
	if err != nil {
		return session.Transaction{}, fmt.Errorf("login transaction: %w", err)
	}
	v.Request, v.Progress = value(v.Request), value(progress)
	return v, nil
}
