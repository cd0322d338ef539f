package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/refresh"
	"mangrove/internal/session"
)

const (
	refreshColumns = `token_hash, token_id, user_id, client_id, session_id, code_hash, audience, doc, leaves, metadata,
		initial_ip, initial_agent, last_ip, last_agent, created_at, exchanged_at, expires_at, idle_until, ended_at`
	insertRefresh = `INSERT INTO refresh_tokens (` + refreshColumns + `, kept_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectRefresh     = `SELECT ` + refreshColumns + ` FROM refresh_tokens WHERE token_hash = ?`
	selectRefreshByID = `SELECT ` + refreshColumns + ` FROM refresh_tokens WHERE token_id = ?`
	// Those that are over stay in the page, so that it never steps over more rows
	// than it has.
	refreshOf = `SELECT ` + refreshColumns + ` FROM refresh_tokens
		WHERE user_id = ? AND (created_at, token_id) < (?, ?) ORDER BY created_at DESC, token_id DESC LIMIT ?`
	refreshOfClient = `SELECT ` + refreshColumns + ` FROM refresh_tokens
		WHERE user_id = ? AND client_id = ? AND (created_at, token_id) < (?, ?) ORDER BY created_at DESC, token_id DESC LIMIT ?`

	// Those that are over go first.
	crowdOut = `DELETE FROM refresh_tokens WHERE token_hash IN (SELECT r.token_hash FROM refresh_tokens r WHERE r.user_id = ? AND r.client_id = ?
		ORDER BY CASE WHEN r.ended_at = 0 AND (r.expires_at = 0 OR r.expires_at > ?) AND (r.idle_until = 0 OR r.idle_until > ?) THEN 0 ELSE 1 END,
		r.created_at DESC, r.token_id DESC LIMIT 100 OFFSET ?)`

	// The leaves say whether somebody else rotated it in the meantime.
	rotateRefresh = `UPDATE refresh_tokens SET leaves = ?, exchanged_at = ?, idle_until = ?, last_ip = ?, last_agent = ?
		WHERE token_hash = ? AND ended_at = 0 AND leaves = ?`
	touchRefresh = `UPDATE refresh_tokens SET exchanged_at = ?, idle_until = ?, last_ip = ?, last_agent = ?
		WHERE token_hash = ? AND ended_at = 0`
	// Apart from the others because to SQLite an update of an indexed column
	// rewrites the index even when the value stays.
	keepRefresh = `UPDATE refresh_tokens SET kept_until = ? WHERE token_hash = ?`

	setRefreshMetadata = `UPDATE refresh_tokens SET metadata = ? WHERE token_id = ? AND ended_at = 0
		AND (expires_at = 0 OR expires_at > ?) AND (idle_until = 0 OR idle_until > ?) RETURNING ` + refreshColumns

	dropRefresh   = `DELETE FROM refresh_tokens WHERE token_hash = ?`
	dropRefreshOf = `DELETE FROM refresh_tokens WHERE user_id = ? AND client_id = ?`
	killRefresh   = `DELETE FROM refresh_tokens WHERE code_hash = ? AND code_hash <> ''`
	// What is left of a token that its user lost says nothing about the user.
	endRefresh = `UPDATE refresh_tokens SET ended_at = ?, kept_until = ?, initial_ip = '', initial_agent = '', last_ip = '', last_agent = '',
		metadata = ? WHERE ended_at = 0 AND user_id IN `

	endCodesOf    = `DELETE FROM codes WHERE user_id <> '' AND user_id IN `
	endOpaqueOf   = `DELETE FROM opaque_tokens WHERE user_id IN `
	endDevicesOf  = `DELETE FROM device_codes WHERE user_id <> '' AND user_id IN `
	endOpaqueIn   = `DELETE FROM opaque_tokens WHERE session_id = ? AND session_id <> ''`
	endCodesIn    = `DELETE FROM codes WHERE user_id = ? AND user_id <> '' AND session_id = ?`
	endRefreshIn  = `DELETE FROM refresh_tokens WHERE session_id = ? AND session_id <> ''`
	endDevicesIn  = `DELETE FROM device_codes WHERE user_id = ? AND user_id <> '' AND session_id = ?`
	endSessionTok = `DELETE FROM opaque_tokens WHERE user_id = ? AND session_id <> ''`
)

// endedStay is how long an application can be told why its token is over.
const endedStay = int64(30 * 24 * time.Hour / time.Microsecond)

// storedRefresh is what never changes and no query asks for.
type storedRefresh struct {
	Scope         []string `json:"scope,omitzero"`
	AuthTime      int64    `json:"auth_time,omitzero"`
	WantsAuthTime bool     `json:"wants_auth_time,omitzero"`
	Methods       []string `json:"methods,omitzero"`
}

func refreshRow(v *refresh.Token) ([]any, error) {
	doc, err := json.Marshal(storedRefresh{v.Scope, v.AuthTime, v.WantsAuthTime, v.Methods})
	if err != nil {
		return nil, err
	}
	leaves, err := json.Marshal(v.Leaves)
	if err != nil {
		return nil, err
	}
	return []any{
		v.Hash, v.ID, v.UserID, v.ClientID, v.SessionID, v.CodeHash, v.Audience, doc, leaves, []byte(v.Metadata),
		v.Device.InitialIP, v.Device.InitialUserAgent, v.Device.LastIP, v.Device.LastUserAgent,
		v.CreatedAt, v.LastExchangedAt, v.ExpiresAt, v.IdleUntil, v.EndedAt, refresh.KeptUntil(v.ExpiresAt, v.IdleUntil),
	}, nil
}

func scanRefresh(r row) (*refresh.Token, error) {
	v := &refresh.Token{}
	var doc, leaves, metadata []byte
	err := r.Scan(&v.Hash, &v.ID, &v.UserID, &v.ClientID, &v.SessionID, &v.CodeHash, &v.Audience, &doc, &leaves, &metadata,
		&v.Device.InitialIP, &v.Device.InitialUserAgent, &v.Device.LastIP, &v.Device.LastUserAgent,
		&v.CreatedAt, &v.LastExchangedAt, &v.ExpiresAt, &v.IdleUntil, &v.EndedAt)
	if err != nil {
		return nil, err
	}
	var d storedRefresh
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("stored refresh token: %w", err)
	}
	if err := json.Unmarshal(leaves, &v.Leaves); err != nil {
		return nil, fmt.Errorf("stored refresh token: %w", err)
	}
	v.Scope, v.AuthTime, v.WantsAuthTime, v.Methods = d.Scope, d.AuthTime, d.WantsAuthTime, d.Methods
	if len(metadata) > 0 {
		v.Metadata = metadata
	}
	return v, nil
}

func readRefresh(r reader, q string, a ...any) (list []*refresh.Token, err error) {
	err = r.query(q, a, func(r row) error {
		v, err := scanRefresh(r)
		list = append(list, v)
		return err
	})
	return list, err
}

// StartRefresh keeps a new token. The code that it came of is held, so that a
// second redemption comes wholly before or wholly after.
func (s *Store) StartRefresh(ctx context.Context, v *refresh.Token, by audit.Event) error {
	values, err := refreshRow(v)
	if err != nil {
		return err
	}
	err = s.writePlain(ctx, func(t tx) error {
		if dead, err := spoiled(t, v.CodeHash); err != nil || dead {
			if err == nil {
				err = errUnchanged
			}
			return err
		}
		if err := t.send(nil, insertRefresh, slices.Clone(values)...); err != nil {
			return err
		}
		n, err := t.exec(crowdOut, v.UserID, v.ClientID, v.CreatedAt, v.CreatedAt, int64(refresh.MaxPerClient))
		if err != nil || n == 0 {
			return err
		}
		by.Description = strconv.FormatInt(n, 10) + " refresh tokens beyond " + strconv.Itoa(refresh.MaxPerClient) + " of the user and client were revoked"
		return s.record(t, by)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// spoiled reports whether the code was redeemed twice, and holds it.
func spoiled(t tx, codeHash string) (bool, error) {
	if codeHash == "" {
		return false, nil
	}
	var uses int64
	_, err := one(t, holdCode, args(codeHash), &uses)
	return uses > 1, err
}

// RefreshToken finds a family, whatever became of it.
func (s *Store) RefreshToken(ctx context.Context, hash string) (*refresh.Token, error) {
	return s.oneRefresh(ctx, refresh.ErrUnknown, selectRefresh, hash)
}

func (s *Store) oneRefresh(ctx context.Context, none error, q string, a ...any) (*refresh.Token, error) {
	var list []*refresh.Token
	err := s.read(ctx, func(r reader) (err error) {
		list, err = readRefresh(r, q, a...)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, none
	}
	return list[0], nil
}

// ExchangeRefresh writes what an exchange changed.
func (s *Store) ExchangeRefresh(ctx context.Context, x refresh.Exchange) error {
	q, values := touchRefresh, args(x.At, x.IdleUntil, x.IP, x.UserAgent, x.Hash)
	if x.Rotated {
		before, err := json.Marshal(x.Before)
		if err != nil {
			return err
		}
		after, err := json.Marshal(x.After)
		if err != nil {
			return err
		}
		q, values = rotateRefresh, args(after, x.At, x.IdleUntil, x.IP, x.UserAgent, x.Hash, before)
	}
	return s.writePlain(ctx, func(t tx) error {
		n, err := t.exec(q, slices.Clone(values)...)
		if err != nil {
			return err
		}
		if n == 0 {
			return refresh.ErrChanged
		}
		if x.KeptUntil != 0 {
			if err := t.send(nil, keepRefresh, x.KeptUntil, x.Hash); err != nil {
				return err
			}
		}
		if o := x.Opaque; o != nil {
			if err := t.send(nil, insertOpaque, opaqueRow(o)...); err != nil {
				return err
			}
		}
		return s.record(t, x.Event)
	})
}

// RevokeRefresh ends the family.
func (s *Store) RevokeRefresh(ctx context.Context, hash string, e audit.Event) (bool, error) {
	return s.dropTokens(ctx, e, dropRefresh, hash)
}

// RevokeRefreshOf ends all tokens of the user and client.
func (s *Store) RevokeRefreshOf(ctx context.Context, userID, clientID string, e audit.Event) (bool, error) {
	return s.dropTokens(ctx, e, dropRefreshOf, userID, clientID)
}

// dropTokens runs a delete, with its event if it found something.
func (s *Store) dropTokens(ctx context.Context, e audit.Event, q string, a ...any) (bool, error) {
	var n int64
	err := s.writePlain(ctx, func(t tx) (err error) {
		if n, err = t.exec(q, slices.Clone(a)...); err != nil || n == 0 {
			return err
		}
		return s.record(t, e)
	})
	return n > 0, err
}

// RefreshTokens is a page of the tokens of a user, newest first.
func (s *Store) RefreshTokens(ctx context.Context, f refresh.Filter, behind session.Mark, limit int) (list []*refresh.Token, err error) {
	if behind == (session.Mark{}) {
		behind.CreatedAt = math.MaxInt64
	}
	q, a := refreshOf, args(f.UserID)
	if f.ClientID != "" {
		q, a = refreshOfClient, args(f.UserID, f.ClientID)
	}
	a = append(a, behind.CreatedAt, behind.ID, int64(max(0, min(limit, refresh.Step))))
	err = s.read(ctx, func(r reader) error {
		list, err = readRefresh(r, q, a...)
		return err
	})
	return list, err
}

// RefreshTokenByID finds one that is not over.
func (s *Store) RefreshTokenByID(ctx context.Context, id string, now int64) (*refresh.Token, error) {
	v, err := s.oneRefresh(ctx, refresh.ErrNone, selectRefreshByID, id)
	if err == nil && !v.Live(now) {
		return nil, refresh.ErrNone
	}
	return v, err
}

// SetRefreshMetadata replaces the metadata of one that is not over.
func (s *Store) SetRefreshMetadata(ctx context.Context, id string, metadata json.RawMessage, now int64, e audit.Event) (v *refresh.Token, err error) {
	err = s.writePlain(ctx, func(t tx) error {
		list, err := readRefresh(t, setRefreshMetadata, []byte(metadata), id, now, now)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return refresh.ErrNone
		}
		v = list[0]
		e.UserID = v.UserID
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// RevokeRefreshIDs ends the families with these ids.
func (s *Store) RevokeRefreshIDs(ctx context.Context, ids []string, e audit.Event) error {
	if len(ids) == 0 {
		return nil
	}
	list, values := in(ids)
	_, err := s.dropTokens(ctx, e, `DELETE FROM refresh_tokens WHERE token_id IN `+list, values...)
	return err
}

// RevokeRefreshTokens ends those of the user, of one client and API where they are
// not empty.
func (s *Store) RevokeRefreshTokens(ctx context.Context, userID, clientID, audience string, e audit.Event) error {
	q, a := `DELETE FROM refresh_tokens WHERE user_id = ?`, args(userID)
	if clientID != "" {
		q, a = q+` AND client_id = ?`, append(a, clientID)
	}
	if audience != "" {
		q, a = q+` AND audience = ?`, append(a, audience)
	}
	_, err := s.dropTokens(ctx, e, q, a...)
	return err
}

// RevokeSession ends a session and what was issued in it.
func (s *Store) RevokeSession(ctx context.Context, id, userID string, keep bool, e audit.Event) error {
	q, a := endSession, args(id)
	if userID != "" {
		q, a = endSessionOf, args(id, userID)
	}
	return s.write(ctx, func(t tx) error {
		var sid string
		found, err := one(t, q, slices.Clone(a), &sid, &e.UserID)
		if err != nil || !found {
			return err
		}
		if err := s.tellClients(t, session.Revoked, sid, e.UserID); err != nil {
			return err
		}
		if err := endSessionTokens(t, id, e.UserID); err != nil {
			return err
		}
		if !keep {
			if err := t.send(nil, endRefreshIn, id); err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
}

// RevokeAccess ends the sessions of the user and what was issued.
func (s *Store) RevokeAccess(ctx context.Context, userID string, keep bool, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		ended, err := s.endAll(t, session.Revoked, leaveSessions, userID)
		if err != nil {
			return err
		}
		n := int64(ended)
		for _, q := range []string{endCodesOf, endOpaqueOf, endDevicesOf, endApprovalsOf} {
			m, err := t.exec(q+`(?)`, userID)
			if err != nil {
				return err
			}
			n += m
		}
		if !keep {
			m, err := t.exec(`DELETE FROM refresh_tokens WHERE user_id = ?`, userID)
			if err != nil {
				return err
			}
			n += m
		}
		if n == 0 {
			return nil
		}
		return s.record(t, e)
	})
}

// endSessionTokens ends the codes and opaque tokens of a session that is ended
// from outside the browser. Refresh tokens outlive their session.
func endSessionTokens(t tx, id, userID string) error {
	if err := t.send(nil, endOpaqueIn, id); err != nil {
		return err
	}
	for _, q := range []string{endCodesIn, endDevicesIn, endApprovalsIn} {
		if err := t.send(nil, q, userID, id); err != nil {
			return err
		}
	}
	return nil
}

// endAllSessionTokens is endSessionTokens for all sessions of a user.
func endAllSessionTokens(t tx, userID string) error {
	if err := t.send(nil, endSessionTok, userID); err != nil {
		return err
	}
	for _, q := range []string{endCodesOf, endDevicesOf, endApprovalsOf} {
		if err := t.send(nil, q+`(?)`, userID); err != nil {
			return err
		}
	}
	return nil
}

// endAccess ends whatever the users have been given: sessions, codes, access and
// refresh tokens.
func (s *Store) endAccess(t tx, users ...string) error {
	list, values := in(users)
	for _, q := range []string{`DELETE FROM sessions WHERE user_id IN `, endCodesOf, endOpaqueOf, endDevicesOf, endApprovalsOf} {
		if err := t.send(nil, q+list, slices.Clone(values)...); err != nil {
			return err
		}
	}
	now := s.micros()
	return t.send(nil, endRefresh+list, append(args(now, now+endedStay, []byte{}), values...)...)
}
