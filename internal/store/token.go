package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mangrove/internal/token"
)

const (
	insertCode = `INSERT INTO codes (code_hash, doc, uses, expires_at, user_id, session_id) VALUES (?, ?, 0, ?, ?, ?)`
	// Of any number of calls one finds the code fresh.
	redeemCode = `UPDATE codes SET uses = 1 WHERE code_hash = ? AND uses = 0 AND expires_at > ? RETURNING doc, expires_at`
	spoilCode  = `UPDATE codes SET uses = 2 WHERE code_hash = ? AND uses > 0`
	// holdCode locks the code while a token of it is saved, so that a second
	// redemption comes wholly before or wholly after.
	holdCode   = `UPDATE codes SET uses = uses WHERE code_hash = ? RETURNING uses`
	killTokens = `DELETE FROM opaque_tokens WHERE code_hash = ? AND code_hash <> ''`

	insertOpaque = `INSERT INTO opaque_tokens (token_hash, user_id, client_id, scope, code_hash, session_id, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`
	selectOpaque = `SELECT user_id, client_id, scope, code_hash, session_id, expires_at FROM opaque_tokens WHERE token_hash = ? AND expires_at > ?`
)

// storedCode is the code without its hash and end, which are columns.
type storedCode struct {
	ClientID      string `json:"client_id"`
	UserID        string `json:"user_id"`
	SessionID     string `json:"sid,omitzero"`
	ConnectionID  string `json:"connection_id,omitzero"`
	RedirectURI   string `json:"redirect_uri,omitzero"`
	Scope         string `json:"scope,omitzero"`
	Requested     string `json:"requested,omitzero"`
	Audience      string `json:"audience,omitzero"`
	Nonce         string `json:"nonce,omitzero"`
	Challenge     string `json:"challenge,omitzero"`
	Method        string `json:"method,omitzero"`
	AuthTime      int64  `json:"auth_time,omitzero"`
	WantsAuthTime bool   `json:"wants_auth_time,omitzero"`
	Methods       string `json:"methods,omitzero"`
}

// SaveCode keeps a code until it expires.
func (s *Store) SaveCode(ctx context.Context, c token.Code) error {
	doc, err := json.Marshal(storedCode{
		c.ClientID, c.UserID, c.SessionID, c.ConnectionID, c.RedirectURI, c.Scope, c.Requested, c.Audience, c.Nonce,
		c.Challenge, c.Method, c.AuthTime, c.WantsAuthTime, c.Methods,
	})
	if err != nil {
		return err
	}
	return s.writePlain(ctx, func(t tx) error {
		if c.NoteUntil > 0 {
			if err := t.send(nil, addSessionClient, c.SessionID, c.ClientID, s.micros(), c.NoteUntil); err != nil {
				return err
			}
		}
		return t.send(nil, insertCode, c.Hash, doc, c.ExpiresAt, c.UserID, c.SessionID)
	})
}

// RedeemCode gives the code to one caller. A later call kills the opaque tokens
// and the refresh token that came of it.
func (s *Store) RedeemCode(ctx context.Context, hash string, now int64) (c token.Code, err error) {
	var doc []byte
	var end int64
	spoiled := false
	err = s.writePlain(ctx, func(t tx) error {
		found, err := one(t, redeemCode, args(hash, now), &doc, &end)
		if err != nil || found {
			return err
		}
		n, err := t.exec(spoilCode, hash)
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged // unknown or expired: nothing to write
		}
		spoiled = true
		if err := t.send(nil, killTokens, hash); err != nil {
			return err
		}
		return t.send(nil, killRefresh, hash)
	})
	switch {
	case errors.Is(err, errUnchanged), err == nil && spoiled:
		return token.Code{}, token.ErrCode
	case err != nil:
		return token.Code{}, err
	}
	var d storedCode
	if err := json.Unmarshal(doc, &d); err != nil {
		return token.Code{}, fmt.Errorf("stored code: %w", err)
	}
	return token.Code{
		Hash: hash, ClientID: d.ClientID, UserID: d.UserID, SessionID: d.SessionID, ConnectionID: d.ConnectionID, RedirectURI: d.RedirectURI,
		Scope: d.Scope, Requested: d.Requested, Audience: d.Audience, Nonce: d.Nonce, Challenge: d.Challenge,
		Method: d.Method, AuthTime: d.AuthTime, WantsAuthTime: d.WantsAuthTime, Methods: d.Methods, ExpiresAt: end,
	}, nil
}

// SaveOpaque keeps a token until it expires. One whose code was redeemed again
// in the meantime is dead from the start: it is not kept, and that is no error.
func (s *Store) SaveOpaque(ctx context.Context, o token.Opaque) error {
	err := s.writePlain(ctx, func(t tx) error {
		if dead, err := spoiled(t, o.CodeHash); err != nil || dead {
			if err == nil {
				err = errUnchanged
			}
			return err
		}
		return t.send(nil, insertOpaque, opaqueRow(&o)...)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

func opaqueRow(o *token.Opaque) []any {
	return args(o.Hash, o.UserID, o.ClientID, o.Scope, o.CodeHash, o.SessionID, o.ExpiresAt)
}

// Opaque finds a token that has not expired.
func (s *Store) Opaque(ctx context.Context, hash string, now int64) (o token.Opaque, err error) {
	o.Hash = hash
	err = s.read(ctx, func(r reader) error {
		found, err := one(r, selectOpaque, args(hash, now), &o.UserID, &o.ClientID, &o.Scope, &o.CodeHash, &o.SessionID, &o.ExpiresAt)
		if err == nil && !found {
			return token.ErrToken
		}
		return err
	})
	if err != nil {
		return token.Opaque{}, err
	}
	return o, nil
}
