package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"mangrove/internal/profile"
	"mangrove/internal/user"
)

var usersTable = &bulk{
	table: "users",
	cols: []column{
		{"user_id", text}, {"version", number}, {"attributes", blob}, {"sources", blob}, {"identities", blob}, {"identity_keys", blob},
		{"connection_id", text}, {"email", text}, {"password_hash", text}, {"password_set_at", number}, {"password_imported", flag},
		{"mfa_factors", blob}, {"import_job", text}, {"created_at", number}, {"updated_at", number},
	},
	key: []string{"user_id"},
}

var identitiesTable = &bulk{
	table: "identities",
	cols: []column{
		{"connection_id", text}, {"subject", text}, {"user_id", text}, {"claims", blob}, {"claims_at", number}, {"tokens", blob},
	},
	key: []string{"connection_id", "subject"},
}

var identifiersTable = &bulk{
	table: "user_identifiers",
	cols:  []column{{"scope", text}, {"kind", text}, {"value", text}, {"user_id", text}},
	key:   []string{"scope", "kind", "value"},
}

var (
	insertUser       = usersTable.insert()
	insertIdentity   = identitiesTable.insert()
	insertIdentifier = identifiersTable.insert()
)

// newUserRow is the arguments that insert u.
func (s *Store) newUserRow(u *user.User, importJob string) []any {
	id := string(u.ID)
	return []any{
		id, u.Version, user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile),
		user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities),
		u.Primary().ConnectionID, u.Profile.Text(profile.Email), u.Password.Hash, u.Password.SetAt, u.Password.Imported,
		s.seal(u.MFAFactors, "users.mfa", id), importJob, u.CreatedAt, u.UpdatedAt,
	}
}

func (s *Store) identityRow(u *user.User, id *user.Identity) []any {
	return []any{
		id.ConnectionID, id.Subject, string(u.ID), []byte(id.Claims), id.ClaimsAt,
		s.seal(id.Tokens, "identities", identityPlace(id.ConnectionID, id.Subject)),
	}
}

// identifier is a row of user_identifiers, without its user.
type identifier struct{ scope, kind, value string }

// identifiersOf lists what must be unique, e-mail first: of two clashes the
// first is reported.
func identifiersOf(u *user.User) []identifier {
	p := u.Primary()
	if !ours(p.Provider) {
		return nil
	}
	m := u.Identifiers()
	list := make([]identifier, 0, len(m))
	for _, kind := range []string{user.ByEmail, user.ByPhone, user.ByUsername} {
		if v, ok := m[kind]; ok {
			list = append(list, identifier{p.ConnectionID, kind, v})
		}
	}
	return list
}

func (i identifier) taken() error {
	if i.kind == user.ByUsername {
		return user.ErrUsernameTaken
	}
	return user.ErrExists
}

// CreateUser inserts the user and what hangs on it.
func (s *Store) CreateUser(ctx context.Context, u *user.User, e user.Effect) error {
	insert, err := s.prepareCreate(u, user.ErrExists)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t tx) error {
		if err := insert(t); err != nil {
			return err
		}
		return s.record(t, e.Events...)
	})
}

// prepareCreate encodes u outside the transaction and returns what inserts it.
// identityTaken is the error for an identity that exists.
func (s *Store) prepareCreate(u *user.User, identityTaken error) (func(tx) error, error) {
	if len(u.Identities) == 0 {
		return nil, errors.New("a user without an identity")
	}
	if u.Version == 0 {
		u.Version = 1
	}
	userRow := s.newUserRow(u, "")
	names := identifiersOf(u)
	identities := make([][]any, len(u.Identities))
	for i := range u.Identities {
		identities[i] = s.identityRow(u, &u.Identities[i])
	}
	id := string(u.ID)
	logins := u.Logins
	return func(t tx) error {
		for _, n := range names {
			if err := t.send(n.taken(), insertIdentifier, n.scope, n.kind, n.value, id); err != nil {
				return err
			}
		}
		for _, row := range identities {
			if err := t.send(identityTaken, insertIdentity, row...); err != nil {
				return err
			}
		}
		if err := t.send(user.ErrExists, insertUser, userRow...); err != nil {
			return err
		}
		if logins != (user.Logins{}) {
			return t.send(nil, addLogin, id, logins.Last, logins.IP, logins.Count)
		}
		return nil
	}, nil
}

// before is what must be known of a user to save it by difference.
type before struct {
	row          *userRow
	identifiers  []identifier
	identities   []user.Identity
	connectionID string
	mfa          profile.Value
}

func remember(row *userRow, u *user.User) before {
	return before{row, identifiersOf(u), slices.Clone(u.Identities), u.Primary().ConnectionID, u.MFAFactors}
}

// UpdateUser runs fn on the locked user and saves the result.
func (s *Store) UpdateUser(ctx context.Context, id user.ID, fn func(*user.User) (user.Effect, error)) (u *user.User, err error) {
	err = s.write(ctx, func(t tx) error {
		row := &userRow{}
		found, err := one(t, lockUser, args(string(id)), row.dest()...)
		if err != nil {
			return err
		}
		if !found {
			return user.ErrNotFound
		}
		if u, err = s.decode(row); err != nil {
			return err
		}
		u.Version-- // fn sees the version that its caller saw
		old := remember(row, u)
		e, err := fn(u)
		if err != nil {
			return err
		}
		if e.Unchanged {
			return errUnchanged
		}
		return s.saveUser(t, old, u, e)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, err
	}
	return u, nil
}

const (
	// saveUser leaves indexed columns alone: to SQLite an update of one rewrites
	// the index even when the value stays.
	saveUserColumns = `UPDATE users SET attributes = ?, sources = ?, identities = ?, identity_keys = ?,
		password_hash = ?, password_set_at = ?, password_imported = ?, mfa_factors = ?, import_job = ?, updated_at = ?`
	updateUser        = saveUserColumns + ` WHERE user_id = ?`
	updateUserIndexed = saveUserColumns + `, email = ?, connection_id = ? WHERE user_id = ?`

	deleteIdentifier = `DELETE FROM user_identifiers WHERE scope = ? AND kind = ? AND value = ? AND user_id = ?`
	deleteIdentity   = `DELETE FROM identities WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateClaims     = `UPDATE identities SET claims = ?, claims_at = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateTokens     = `UPDATE identities SET tokens = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	endSessions      = `DELETE FROM sessions WHERE user_id = ?`
)

// saveUser writes u, whose row is locked with the next version. It sets u.Version.
func (s *Store) saveUser(t tx, old before, u *user.User, e user.Effect) error {
	if string(u.ID) != old.row.id || len(u.Identities) == 0 {
		return fmt.Errorf("user %s: an update may not change the id or drop the last identity", old.row.id)
	}
	mfa := old.row.mfa
	if !bytes.Equal(old.mfa, u.MFAFactors) {
		mfa = s.seal(u.MFAFactors, "users.mfa", old.row.id)
	}
	a := make([]any, 0, 13)
	a = append(a, user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile),
		user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities),
		u.Password.Hash, u.Password.SetAt, u.Password.Imported, mfa, old.row.importJob, u.UpdatedAt)
	q := updateUser
	if email, con := u.Profile.Text(profile.Email), u.Primary().ConnectionID; email != old.row.email || con != old.connectionID {
		q = updateUserIndexed
		a = append(a, email, con)
	}
	if err := t.send(nil, q, append(a, old.row.id)...); err != nil {
		return err
	}
	if err := saveIdentifiers(t, old, u); err != nil {
		return err
	}
	if err := s.saveIdentities(t, old, u); err != nil {
		return err
	}
	if e.EndSessions {
		if err := t.send(nil, endSessions, old.row.id); err != nil {
			return err
		}
	}
	u.Version = old.row.version
	return s.record(t, e.Events...)
}

func saveIdentifiers(t tx, old before, u *user.User) error {
	now := identifiersOf(u)
	for _, i := range old.identifiers {
		if slices.Contains(now, i) {
			continue
		}
		if err := t.send(nil, deleteIdentifier, i.scope, i.kind, i.value, old.row.id); err != nil {
			return err
		}
	}
	for _, i := range now {
		if slices.Contains(old.identifiers, i) {
			continue
		}
		if err := t.send(i.taken(), insertIdentifier, i.scope, i.kind, i.value, old.row.id); err != nil {
			return err
		}
	}
	return nil
}

func sameIdentity(id *user.Identity) func(user.Identity) bool {
	return func(o user.Identity) bool { return o.ConnectionID == id.ConnectionID && o.Subject == id.Subject }
}

// saveIdentities writes which identities there are, and claims and tokens that
// are not nil.
func (s *Store) saveIdentities(t tx, old before, u *user.User) error {
	for i := range old.identities {
		id := &old.identities[i]
		if slices.ContainsFunc(u.Identities, sameIdentity(id)) {
			continue
		}
		if err := t.send(nil, deleteIdentity, id.ConnectionID, id.Subject, old.row.id); err != nil {
			return err
		}
	}
	for i := range u.Identities {
		id := &u.Identities[i]
		at := slices.IndexFunc(old.identities, sameIdentity(id))
		if at < 0 {
			if err := t.send(user.ErrExists, insertIdentity, s.identityRow(u, id)...); err != nil {
				return err
			}
			continue
		}
		if err := s.saveUpstream(t, u.ID, &old.identities[at], id); err != nil {
			return err
		}
	}
	return nil
}

// saveUpstream writes claims and tokens of an existing identity where they are
// given and differ.
func (s *Store) saveUpstream(t tx, userID user.ID, old, id *user.Identity) error {
	if id.Claims != nil && !bytes.Equal(old.Claims, id.Claims) {
		err := t.send(nil, updateClaims, []byte(id.Claims), id.ClaimsAt, id.ConnectionID, id.Subject, string(userID))
		if err != nil {
			return err
		}
	}
	if id.Tokens != nil && !bytes.Equal(old.Tokens, id.Tokens) {
		sealed := s.seal(id.Tokens, "identities", identityPlace(id.ConnectionID, id.Subject))
		return t.send(nil, updateTokens, sealed, id.ConnectionID, id.Subject, string(userID))
	}
	return nil
}

// DeleteUser removes the user and all that hangs on it.
func (s *Store) DeleteUser(ctx context.Context, id user.ID, e user.Effect) error {
	return s.write(ctx, func(t tx) error {
		n, err := s.deleteUsers(t, []string{string(id)})
		if err != nil {
			return err
		}
		if n == 0 {
			return user.ErrNotFound
		}
		return s.record(t, e.Events...)
	})
}

// deleteUsers removes users by id and reports how many there were. Logs stay.
func (s *Store) deleteUsers(t tx, ids []string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list, values := in(ids)
	type pieces struct {
		id               string
		identities, keys []byte
	}
	var gone []pieces
	err := t.query(`DELETE FROM users WHERE user_id IN `+list+` RETURNING user_id, identities, identity_keys`, values, func(r row) error {
		var p pieces
		gone = append(gone, p)
		last := &gone[len(gone)-1]
		return r.Scan(&last.id, &last.identities, &last.keys)
	})
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	for _, p := range gone {
		identities, err := user.DecodeIdentities(p.identities, p.keys)
		if err != nil {
			return 0, fmt.Errorf("user %s: %w", p.id, err)
		}
		for i := range identities {
			if err := t.send(nil, deleteIdentity, identities[i].ConnectionID, identities[i].Subject, p.id); err != nil {
				return 0, err
			}
		}
	}
	for _, table := range []string{"user_identifiers", "user_logins", "sessions", "opaque_tokens"} {
		if err := t.send(nil, `DELETE FROM `+table+` WHERE user_id IN `+list, slices.Clone(values)...); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}
