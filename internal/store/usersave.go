package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	password     user.Password
	mfa          profile.Value
	importJob    string
}

func remember(row *userRow, u *user.User) before {
	return before{row, identifiersOf(u), slices.Clone(u.Identities), u.Primary().ConnectionID, u.Password, u.MFAFactors, row.importJob}
}

// UpdateUser runs fn on the locked user and saves the result.
//
// PostgreSQL locks by the update that begins the transaction. On SQLite the
// writer is alone, so that a read locks as well and costs less.
func (s *Store) UpdateUser(ctx context.Context, id user.ID, fn func(*user.User) (user.Effect, error)) (u *user.User, err error) {
	lock, bump := lockUser, int64(1)
	if s.eng.dialect().readLocks {
		lock, bump = selectUser, 0
	}
	update := func(plain bool) func(tx) error {
		return func(t tx) error {
			row := &userRow{}
			found, err := one(t, lock, args(string(id)), row.dest()...)
			if err != nil {
				return err
			}
			if !found {
				return user.ErrNotFound
			}
			row.version -= bump // fn sees the version that its caller saw
			c, err := s.change(row, fn)
			if c != nil {
				u = c.user
			}
			if err != nil {
				return err
			}
			if plain && !c.plain() {
				return errAgain
			}
			return c.save(s, t, row.version+bump, true)
		}
	}
	if s.eng.dialect().readLocks {
		err = s.writePlain(ctx, update(true))
	}
	if !s.eng.dialect().readLocks || errors.Is(err, errAgain) {
		err = s.write(ctx, update(false))
	}
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, err
	}
	return u, nil
}

// change is what a function made of a user, encoded: ready to be saved.
type change struct {
	user   *user.User
	id     string
	effect user.Effect

	query            string
	columns          []any
	gone, new        []identifier
	unlinked, linked []user.Identity
	upstream         [][2]user.Identity // before and after
}

// change runs fn; errUnchanged comes with the user that fn left alone.
func (s *Store) change(row *userRow, fn func(*user.User) (user.Effect, error)) (_ *change, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, debug.Stack(), true}
		}
	}()
	u, err := s.decode(row)
	if err != nil {
		return nil, err
	}
	old := remember(row, u)
	e, err := fn(u)
	if err != nil {
		return nil, err
	}
	if e.Unchanged {
		return &change{user: u}, errUnchanged
	}
	return s.difference(old, u, e)
}

const (
	// What most changes touch.
	updateProfile = `UPDATE users SET version = ?, updated_at = ?, attributes = ?, sources = ? WHERE user_id = ? AND version = ?`
	// Apart from it because to SQLite an update of an indexed column rewrites the
	// index even when the value stays.
	updateUser = `UPDATE users SET version = ?, updated_at = ?, attributes = ?, sources = ?, identities = ?, identity_keys = ?, connection_id = ?,
		email = ?, password_hash = ?, password_set_at = ?, password_imported = ?, mfa_factors = ?, import_job = ? WHERE user_id = ? AND version = ?`

	deleteIdentifier = `DELETE FROM user_identifiers WHERE scope = ? AND kind = ? AND value = ? AND user_id = ?`
	deleteIdentity   = `DELETE FROM identities WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateClaims     = `UPDATE identities SET claims = ?, claims_at = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateTokens     = `UPDATE identities SET tokens = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	endSessions      = `DELETE FROM sessions WHERE user_id = ?`
)

// difference finds and encodes what u changed.
func (s *Store) difference(old before, u *user.User, e user.Effect) (*change, error) {
	if string(u.ID) != old.row.id || len(u.Identities) == 0 {
		return nil, fmt.Errorf("user %s: an update may not change the id or drop the last identity", old.row.id)
	}
	c := &change{user: u, id: old.row.id, effect: e, query: updateProfile}
	u.Version = old.row.version + 1
	c.columns = append(make([]any, 0, 15), u.Version, u.UpdatedAt, user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile))
	email := u.Profile.Text(profile.Email)
	if email != old.row.email || old.importJob != old.row.importJob || u.Password != old.password || !bytes.Equal(old.mfa, u.MFAFactors) ||
		!slices.EqualFunc(old.identities, u.Identities, sameShown) {
		c.query = updateUser
		c.columns = append(c.columns, user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities), u.Primary().ConnectionID,
			email, u.Password.Hash, u.Password.SetAt, u.Password.Imported, s.seal(u.MFAFactors, "users.mfa", c.id), old.row.importJob)
	}
	c.columns = append(c.columns, c.id)

	now := identifiersOf(u)
	for _, i := range old.identifiers {
		if !slices.Contains(now, i) {
			c.gone = append(c.gone, i)
		}
	}
	for _, i := range now {
		if !slices.Contains(old.identifiers, i) {
			c.new = append(c.new, i)
		}
	}
	for i := range old.identities {
		if !slices.ContainsFunc(u.Identities, sameIdentity(&old.identities[i])) {
			c.unlinked = append(c.unlinked, old.identities[i])
		}
	}
	for _, id := range u.Identities {
		switch at := slices.IndexFunc(old.identities, sameIdentity(&id)); {
		case at < 0:
			c.linked = append(c.linked, id)
		case id.Claims != nil || id.Tokens != nil:
			c.upstream = append(c.upstream, [2]user.Identity{old.identities[at], id})
		}
	}
	return c, nil
}

// sameShown reports whether what the users row keeps of an identity is the same.
func sameShown(a, b user.Identity) bool {
	return a.Provider == b.Provider && a.Connection == b.Connection && a.ConnectionID == b.ConnectionID && a.UserID == b.UserID &&
		a.Subject == b.Subject && a.IsSocial == b.IsSocial && a.ProfileData.Equal(b.ProfileData)
}

func sameIdentity(id *user.Identity) func(user.Identity) bool {
	return func(o user.Identity) bool { return o.ConnectionID == id.ConnectionID && o.Subject == id.Subject }
}

// plain reports whether save can only fail before it has written anything.
func (c *change) plain() bool { return len(c.new) == 0 && len(c.linked) == 0 }

// save writes the change if the stored version is still that one; errAgain if
// not. Of a locked row that is known, which spares PostgreSQL a round trip.
func (c *change) save(s *Store, t tx, version int64, locked bool) error {
	columns := append(slices.Clip(c.columns), version)
	if locked {
		if err := t.send(nil, c.query, columns...); err != nil {
			return err
		}
	} else {
		n, err := t.exec(c.query, columns...)
		if err != nil {
			return err
		}
		if n == 0 {
			return errAgain
		}
	}
	for _, i := range c.gone {
		if err := t.send(nil, deleteIdentifier, i.scope, i.kind, i.value, c.id); err != nil {
			return err
		}
	}
	for _, i := range c.new {
		if err := t.send(i.taken(), insertIdentifier, i.scope, i.kind, i.value, c.id); err != nil {
			return err
		}
	}
	for i := range c.unlinked {
		if err := t.send(nil, deleteIdentity, c.unlinked[i].ConnectionID, c.unlinked[i].Subject, c.id); err != nil {
			return err
		}
	}
	for i := range c.linked {
		if err := t.send(user.ErrExists, insertIdentity, s.identityRow(c.user, &c.linked[i])...); err != nil {
			return err
		}
	}
	for i := range c.upstream {
		if err := s.saveUpstream(t, c.user.ID, &c.upstream[i][0], &c.upstream[i][1]); err != nil {
			return err
		}
	}
	if c.effect.EndSessions {
		if err := t.send(nil, endSessions, c.id); err != nil {
			return err
		}
	}
	return s.record(t, c.effect.Events...)
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
