package store

import (
	"context"
	"fmt"
	"slices"

	"mangrove/internal/user"
)

// What a read of the Management API needs, login record included.
const viewColumns = `SELECT u.user_id, u.version, u.attributes, u.identities, u.password_set_at, u.created_at, u.updated_at,
	u.num, a.last_login, a.last_ip, a.logins_count
	FROM users u JOIN user_activity a ON a.num = u.num `

const (
	selectView   = viewColumns + `WHERE u.user_id = ?`
	viewsOf      = viewColumns + `WHERE u.user_id IN `
	viewsByEmail = viewColumns + `WHERE u.email = ? AND u.email <> '' ORDER BY u.created_at, u.user_id`
	viewsAfter   = viewColumns + `WHERE u.user_id > ? ORDER BY u.user_id LIMIT ?`
)

func scanView(r row, v *user.View) error {
	return r.Scan((*string)(&v.ID), &v.Version, &v.Attributes, &v.Identities, &v.LastPasswordReset, &v.CreatedAt, &v.UpdatedAt,
		&v.Position, &v.Logins.Last, &v.Logins.IP, &v.Logins.Count)
}

// View reads one user for the wire.
func (s *Store) View(ctx context.Context, id user.ID) (v user.View, err error) {
	err = s.read(ctx, func(r reader) error {
		found, err := one(r, selectView, args(string(id)), (*string)(&v.ID), &v.Version, &v.Attributes, &v.Identities,
			&v.LastPasswordReset, &v.CreatedAt, &v.UpdatedAt, &v.Position, &v.Logins.Last, &v.Logins.IP, &v.Logins.Count)
		if err == nil && !found {
			return user.ErrNotFound
		}
		return err
	})
	return v, err
}

// Views reads several users for the wire.
func (s *Store) Views(ctx context.Context, ids []user.ID) (out []user.View, err error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	for part := range slices.Chunk(texts, 128) {
		marks, values := in(part)
		list, err := s.views(ctx, viewsOf+marks, values...)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// ViewsByEmail finds the users whose profile has exactly this e-mail, oldest first.
func (s *Store) ViewsByEmail(ctx context.Context, email string) ([]user.View, error) {
	if email == "" {
		return nil, nil
	}
	return s.views(ctx, viewsByEmail, email)
}

// Users is the page after that id.
func (s *Store) Users(ctx context.Context, after user.ID, limit int) ([]user.View, error) {
	return s.views(ctx, viewsAfter, string(after), int64(limit))
}

func (s *Store) views(ctx context.Context, q string, a ...any) (list []user.View, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, a, func(r row) error {
			var v user.View
			if err := scanView(r, &v); err != nil {
				return err
			}
			list = append(list, v)
			return nil
		})
	})
	return list, err
}

// A whole user with the login record.
const userColumns = `SELECT u.user_id, u.version, u.attributes, u.sources, u.identities, u.identity_keys,
	u.password_hash, u.password_set_at, u.password_imported, u.mfa_factors, u.created_at, u.updated_at,
	u.num, a.last_login, a.last_ip, a.logins_count
	FROM users u JOIN user_activity a ON a.num = u.num `

// The same after a write: RETURNING cannot join.
const returningUser = ` RETURNING user_id, version, attributes, sources, identities, identity_keys,
	password_hash, password_set_at, password_imported, mfa_factors, created_at, updated_at,
	num, COALESCE((SELECT last_login FROM user_activity a WHERE a.num = users.num), 0),
	COALESCE((SELECT last_ip FROM user_activity a WHERE a.num = users.num), ''),
	COALESCE((SELECT logins_count FROM user_activity a WHERE a.num = users.num), 0)`

const (
	selectUser         = userColumns + `WHERE u.user_id = ?`
	selectByIdentifier = userColumns + `WHERE u.user_id =
		(SELECT i.user_id FROM user_identifiers i WHERE i.scope = ? AND i.kind = ? AND i.value = ?)`
	// lockUser is how every change of a user begins: it locks the row on
	// PostgreSQL and opens the write on SQLite.
	lockUser = `UPDATE users SET version = version + 1 WHERE user_id = ?` + returningUser
)

// userRow is a user as stored.
type userRow struct {
	id                                                 string
	version                                            int64
	attributes, sources, identities, identityKeys, mfa []byte
	hash                                               string
	setAt, createdAt, updatedAt                        int64
	imported                                           bool
	num                                                int64
	logins                                             user.Logins
}

func (u *userRow) dest() []any {
	return []any{&u.id, &u.version, &u.attributes, &u.sources, &u.identities, &u.identityKeys,
		&u.hash, &u.setAt, &u.imported, &u.mfa, &u.createdAt, &u.updatedAt,
		&u.num, &u.logins.Last, &u.logins.IP, &u.logins.Count}
}

func (s *Store) decode(u *userRow) (*user.User, error) {
	p, err := user.DecodeProfile(u.attributes, u.sources)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.id, err)
	}
	ids, err := user.DecodeIdentities(u.identities, u.identityKeys)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.id, err)
	}
	mfa, err := s.open(u.mfa, "users.mfa", u.id)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.id, err)
	}
	return &user.User{
		ID: user.ID(u.id), Version: u.version, Profile: p, Identities: ids,
		Password:   user.Password{Hash: u.hash, SetAt: u.setAt, Imported: u.imported},
		MFAFactors: mfa, Logins: u.logins, CreatedAt: u.createdAt, UpdatedAt: u.updatedAt,
	}, nil
}

// User reads the whole aggregate, upstream claims and tokens included.
func (s *Store) User(ctx context.Context, id user.ID) (*user.User, error) {
	return s.whole(ctx, selectUser, string(id))
}

// UserByIdentifier finds by a sign-in name of a connection of ours.
func (s *Store) UserByIdentifier(ctx context.Context, connectionID, kind, value string) (*user.User, error) {
	return s.whole(ctx, selectByIdentifier, connectionID, kind, value)
}

// UserByIdentity finds whoever has the identity, primary or linked.
func (s *Store) UserByIdentity(ctx context.Context, connectionID, subject string) (*user.User, error) {
	return s.whole(ctx, selectByIdentity, connectionID, subject)
}

func (s *Store) whole(ctx context.Context, q string, a ...any) (u *user.User, err error) {
	err = s.read(ctx, func(r reader) error {
		var row userRow
		switch found, err := one(r, q, a, row.dest()...); {
		case err != nil:
			return err
		case !found:
			return user.ErrNotFound
		}
		if u, err = s.decode(&row); err != nil {
			return err
		}
		// Claims and tokens change without the user's row: a statement of their own
		// may see newer ones, never torn ones.
		for i := range u.Identities {
			if err := s.upstreamData(r, u, &u.Identities[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

const selectUpstream = `SELECT claims, claims_at, tokens FROM identities WHERE connection_id = ? AND subject = ? AND user_id = ?`

// upstreamData fills in claims and tokens. Users of ours have none to look for, unless a
// custom database told them.
func (s *Store) upstreamData(r reader, u *user.User, id *user.Identity) error {
	if ours(id.Provider) && !id.External && !id.Kept {
		return nil
	}
	var claims, sealed []byte
	_, err := one(r, selectUpstream, args(id.ConnectionID, id.Subject, string(u.ID)), &claims, &id.ClaimsAt, &sealed)
	if err != nil {
		return err
	}
	tokens, err := s.open(sealed, "identities", identityPlace(id.ConnectionID, id.Subject))
	if err != nil {
		return fmt.Errorf("tokens of user %s: %w", u.ID, err)
	}
	id.Claims, id.Tokens = value(claims), value(tokens)
	return nil
}

// value is nil for what is empty.
func value(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func identityPlace(connectionID, subject string) string { return connectionID + "/" + subject }

// ours reports whether users of that provider are of a connection of ours, so
// that their identifiers are unique there.
func ours(provider string) bool {
	return provider == "auth0" || provider == "email" || provider == "sms"
}
