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

// before is what must be known of a user to save it by difference.
type before struct {
	row          *userRow
	identifiers  []identifier
	identities   []user.Identity
	connectionID string
	password     user.Password
	mfa          profile.Value
	email        string
	user         user.User // profiles are values: what fn does to the user leaves these alone
}

func remember(row *userRow, u *user.User) before {
	was := *u
	was.Identities = slices.Clone(u.Identities)
	return before{row, identifiersOf(u), was.Identities, u.Primary().ConnectionID, u.Password, u.MFAFactors, u.Profile.Text(profile.Email), was}
}

// UpdateUser runs fn on the user as it is and saves the result.
//
// On PostgreSQL the row is locked first, by the update that begins the
// transaction. On SQLite there is one writer, and its time is dear: there fn
// runs on what a reader saw, beside the writer, and the save asks for that
// version. Only when somebody was faster fn runs again, in the writer, where
// what was read stays as it is.
func (s *Store) UpdateUser(ctx context.Context, id user.ID, fn func(*user.User) (user.Effect, error)) (u *user.User, err error) {
	d := s.eng.dialect()
	if d.oneWriter {
		u, err = s.updateRead(ctx, id, fn)
		if !errors.Is(err, errAgain) {
			return u, err
		}
	}
	lock, bump := lockUser, int64(1)
	if d.oneWriter {
		lock, bump = selectUser, 0
	}
	err = s.write(ctx, func(t tx) error {
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
		return c.save(s, t, row.version+bump, true)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, err
	}
	return u, nil
}

// updateRead is UpdateUser without a lock; errAgain when it lost a race.
func (s *Store) updateRead(ctx context.Context, id user.ID, fn func(*user.User) (user.Effect, error)) (*user.User, error) {
	row := &userRow{}
	err := s.read(ctx, func(r reader) error {
		found, err := one(r, selectUser, args(string(id)), row.dest()...)
		if err == nil && !found {
			return user.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := s.change(row, fn)
	switch {
	case errors.Is(err, errUnchanged):
		return c.user, nil
	case err != nil:
		return nil, err
	}
	write := s.write
	if c.plain() {
		write = s.writePlain
	}
	if err := write(ctx, func(t tx) error { return c.save(s, t, row.version, false) }); err != nil {
		return nil, err
	}
	return c.user, nil
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
	num              int64
	moved            bool // updated_at
	postings         postings
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
		email = ?, password_hash = ?, password_set_at = ?, password_imported = ?, mfa_factors = ? WHERE user_id = ? AND version = ?`

	deleteIdentifier = `DELETE FROM user_identifiers WHERE scope = ? AND kind = ? AND value = ? AND user_id = ?`
	deleteIdentity   = `DELETE FROM identities WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateClaims     = `UPDATE identities SET claims = ?, claims_at = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	updateTokens     = `UPDATE identities SET tokens = ? WHERE connection_id = ? AND subject = ? AND user_id = ?`
	// A login may have been shown as the last update already.
	updateActivity = `UPDATE user_activity SET updated_at = CASE WHEN last_login > ? THEN last_login ELSE ? END WHERE num = ?`
	endSessions    = `DELETE FROM sessions WHERE user_id = ?`
)

// difference finds and encodes what u changed.
func (s *Store) difference(old before, u *user.User, e user.Effect) (*change, error) {
	if string(u.ID) != old.row.id || len(u.Identities) == 0 {
		return nil, fmt.Errorf("user %s: an update may not change the id or drop the last identity", old.row.id)
	}
	u.Settle()
	c := &change{user: u, id: old.row.id, effect: e, query: updateProfile, num: old.row.num}
	gone, come := user.TermChanges(&old.user, u)
	c.moved = u.UpdatedAt != old.row.updatedAt
	c.postings.remove(c.num, gone)
	c.postings.add(c.num, come)
	u.Version = old.row.version + 1
	c.columns = append(make([]any, 0, 15), u.Version, u.UpdatedAt, user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile))
	email := u.Profile.Text(profile.Email)
	if email != old.email || u.Password != old.password || !bytes.Equal(old.mfa, u.MFAFactors) ||
		!slices.EqualFunc(old.identities, u.Identities, sameShown) {
		c.query = updateUser
		c.columns = append(c.columns, user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities), u.Primary().ConnectionID,
			email, u.Password.Hash, u.Password.SetAt, u.Password.Imported, s.seal(u.MFAFactors, "users.mfa", c.id))
	}
	c.columns = append(c.columns, c.id)

	now := identifiersOf(u)
	if i, ok := doubled(now); ok {
		return nil, i.taken()
	}
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
		a.Subject == b.Subject && a.IsSocial == b.IsSocial && a.Password == b.Password && a.External == b.External && a.Kept == b.Kept && a.ProfileData.Equal(b.ProfileData)
}

func sameIdentity(id *user.Identity) func(user.Identity) bool {
	return func(o user.Identity) bool { return o.ConnectionID == id.ConnectionID && o.Subject == id.Subject }
}

// plain reports whether save can only fail before it has written anything.
func (c *change) plain() bool {
	return len(c.new) == 0 && len(c.linked) == 0 && c.effect.Redeems.Ticket == ""
}

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
	if err := c.saveIdentities(s, t); err != nil {
		return err
	}
	if err := c.saveEnds(s, t); err != nil {
		return err
	}
	if c.moved {
		if err := t.send(nil, updateActivity, c.user.UpdatedAt, c.user.UpdatedAt, c.num); err != nil {
			return err
		}
	}
	if err := s.index(t, &c.postings); err != nil {
		return err
	}
	if err := retired(t, c.id, c.effect.Retires); err != nil {
		return err
	}
	return s.beside(t, c.effect)
}

// beside writes what an effect has beside the user: in each transaction that takes one.
func (s *Store) beside(t tx, e user.Effect) error {
	if err := takeTicket(t, e.Redeems); err != nil {
		return err
	}
	if err := forgiven(t, e.Forgives); err != nil {
		return err
	}
	if err := queueMail(t, e.Verification); err != nil {
		return err
	}
	if err := s.queueLetters(t, e.Letters); err != nil {
		return err
	}
	if err := noted(t, e.Migration); err != nil {
		return err
	}
	return s.record(t, e.Events...)
}

// saveIdentities stores names and identities that came, went or changed.
func (c *change) saveIdentities(s *Store, t tx) error {
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
	return nil
}

// saveEnds ends sessions and factors with the change that ends them.
func (c *change) saveEnds(s *Store, t tx) error {
	if c.effect.EndSessions {
		if _, err := s.endAll(t, endedBy(c.user), leaveSessions, c.id); err != nil {
			return err
		}
		if err := s.endAccess(t, c.id); err != nil {
			return err
		}
		if err := t.send(nil, forgetBrowsers, c.id); err != nil {
			return err
		}
	}
	if c.effect.Unenrolls != nil {
		if _, err := s.removeFactors(t, c.id, c.effect.Unenrolls, c.user.MFAFactors != nil); err != nil {
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
