package store

import (
	"context"
	"slices"

	"mangrove/internal/session"
	"mangrove/internal/user"
)

const (
	// holdUser locks a row without changing it.
	holdUser        = `UPDATE users SET version = version WHERE user_id = ? RETURNING version`
	selectIdentity  = `SELECT user_id FROM identities WHERE connection_id = ? AND subject = ?`
	endSessionsFrom = `DELETE FROM sessions WHERE user_id = ? AND connection_id = ? RETURNING session_id, user_id`
)

// LinkUsers deletes the second user and saves the first as fn left it.
func (s *Store) LinkUsers(ctx context.Context, id, other user.ID, fn func(u, other *user.User) (user.Effect, error)) (u *user.User, err error) {
	err = s.write(ctx, func(t tx) error {
		// In one order for everybody: two links of the same two users wait for each
		// other instead of both failing.
		held := map[user.ID]*locked{}
		for _, one := range slices.Sorted(slices.Values([]user.ID{id, other})) {
			l, err := s.lock(t, one)
			if err != nil {
				return err
			}
			held[one] = l
		}
		first, second := held[id], held[other]
		if first == nil {
			return user.ErrNotFound
		}
		var gone *user.User
		if second != nil {
			gone = second.user
		}
		u = first.user
		e, err := fn(u, gone)
		if err != nil {
			return err
		}
		c, err := s.difference(first.before, u, e)
		if err != nil {
			return err
		}
		if second != nil {
			// First, so that what it has is free for the other.
			if _, err := s.deleteUsers(t, []string{second.before.row.id}); err != nil {
				return err
			}
		}
		return c.save(s, t, first.version, true)
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// UnlinkUser saves the user as fn left it, and the one that fn made of a part of it.
func (s *Store) UnlinkUser(ctx context.Context, id user.ID, fn func(*user.User) (*user.User, user.Effect, error)) (u *user.User, err error) {
	num, err := s.take(ctx, 1)
	if err != nil {
		return nil, s.failure(err)
	}
	err = s.write(ctx, func(t tx) error {
		l, err := s.lock(t, id)
		if err != nil {
			return err
		}
		if l == nil {
			return user.ErrNotFound
		}
		u = l.user
		alone, e, err := fn(u)
		if err != nil {
			return err
		}
		c, err := s.difference(l.before, u, e)
		if err != nil {
			return err
		}
		if err := c.save(s, t, l.version, true); err != nil {
			return err
		}
		for i := range c.unlinked {
			if _, err := s.endAll(t, session.Revoked, endSessionsFrom, c.id, c.unlinked[i].ConnectionID); err != nil {
				return err
			}
		}
		if alone == nil {
			return nil
		}
		insert, err := s.prepareCreate(alone, num[0], user.ErrExists)
		if err != nil {
			return err
		}
		return insert(t)
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// locked is a user whose row nobody else can change until the transaction ends.
type locked struct {
	user    *user.User // with claims and tokens
	before  before
	version int64 // as stored now; user has the one that readers saw
}

// lock reads and locks a user; nil when there is none.
func (s *Store) lock(t tx, id user.ID) (*locked, error) {
	q, bump := lockUser, int64(1)
	if s.eng.dialect().oneWriter {
		q, bump = selectUser, 0
	}
	row := &userRow{}
	if found, err := one(t, q, args(string(id)), row.dest()...); err != nil || !found {
		return nil, err
	}
	l := &locked{version: row.version}
	row.version -= bump
	var err error
	if l.user, err = s.decode(row); err != nil {
		return nil, err
	}
	for i := range l.user.Identities {
		if err := s.upstreamData(t, l.user, &l.user.Identities[i]); err != nil {
			return nil, err
		}
	}
	l.before = remember(row, l.user)
	return l, nil
}

// HasIdentity reports whether somebody has the identity.
func (s *Store) HasIdentity(ctx context.Context, connectionID, subject string) (has bool, err error) {
	err = s.read(ctx, func(r reader) error {
		var id string
		has, err = one(r, selectIdentity, args(connectionID, subject), &id)
		return err
	})
	return has, err
}

// doubled finds an identifier that is in the list twice: two identities of one
// user in one connection may not share a sign-in name either.
func doubled(list []identifier) (identifier, bool) {
	for i := range list {
		if slices.Contains(list[:i], list[i]) {
			return list[i], true
		}
	}
	return identifier{}, false
}
