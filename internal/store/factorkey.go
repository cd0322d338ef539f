package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/factor"
	"mangrove/internal/user"
)

const (
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
)

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
