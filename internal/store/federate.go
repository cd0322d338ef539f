package store

import (
	"context"
	"errors"
	"fmt"

	"mangrove/internal/session"
	"mangrove/internal/user"
)

const (
	selectByIdentity = userColumns + `WHERE u.user_id =
		(SELECT i.user_id FROM identities i WHERE i.connection_id = ? AND i.subject = ?)`
	// A login moves what is shown as the last update, never back.
	countLogin = `UPDATE user_activity SET last_login = ?, last_ip = ?, logins_count = logins_count + ?,
		updated_at = CASE WHEN updated_at > ? THEN updated_at ELSE ? END
		WHERE num = (SELECT u.num FROM users u WHERE u.user_id = ?) RETURNING num, last_login, last_ip, logins_count`
	restoreUser = `UPDATE users SET version = version - 1 WHERE user_id = ?`
)

// federateTries bounds how often a login starts afresh. Each time somebody else
// wrote this very user or identity in between.
const federateTries = 20

// Federate is a login from upstream. Most logins change nothing in the profile:
// they read, and write the login record. So the user is read unlocked, and
// locked by its version only when there is something to save.
func (s *Store) Federate(ctx context.Context, connectionID, subject string, login user.Logins,
	fn func(*user.User) (*user.User, user.Effect, error)) (u *user.User, err error) {
	var num int64 // for somebody new
	lockFirst := false
	for range federateTries {
		err = s.write(ctx, func(t tx) error {
			u = nil
			u, err = s.federate(t, connectionID, subject, login, lockFirst, num, fn)
			return err
		})
		if errors.Is(err, errNumber) {
			list, err := s.take(ctx, 1)
			if err != nil {
				return nil, s.failure(err)
			}
			num = list[0]
			continue
		}
		if !errors.Is(err, errAgain) {
			break
		}
		// After a lost race the lock comes first, so that the second try is the last.
		lockFirst = true
	}
	if errors.Is(err, errAgain) {
		return nil, errDown.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// errNumber: somebody new needs a number, which cannot be reserved in here.
var errNumber = errors.New("a number for a new user is wanted")

func (s *Store) federate(t tx, connectionID, subject string, login user.Logins, lockFirst bool, num int64,
	fn func(*user.User) (*user.User, user.Effect, error)) (*user.User, error) {
	row := &userRow{}
	found, err := one(t, selectByIdentity, args(connectionID, subject), row.dest()...)
	if err != nil {
		return nil, err
	}
	if !found {
		return s.federateNew(t, login, num, fn)
	}
	locked := false
	if lockFirst {
		id := row.id
		row = &userRow{}
		if locked, err = one(t, lockUser, args(id), row.dest()...); err != nil {
			return nil, err
		}
		if !locked {
			return nil, errAgain // deleted in between
		}
		row.version--
	}
	u, err := s.decode(row)
	if err != nil {
		return nil, err
	}
	var current *user.Identity
	for i := range u.Identities {
		if id := &u.Identities[i]; id.ConnectionID == connectionID && id.Subject == subject {
			current = id
			if err := s.upstreamData(t, u, id); err != nil {
				return nil, err
			}
		}
	}
	if current == nil {
		return nil, fmt.Errorf("user %s: the identity of %s is not among its identities", row.id, connectionID)
	}
	old := remember(row, u)
	was := *current
	u, e, err := fn(u)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return nil, s.federateNothing(t, locked, row, e)
	case e.Unchanged:
		if err := s.federateNothing(t, locked, row, e); err != nil {
			return nil, err
		}
		for i := range u.Identities {
			if id := &u.Identities[i]; id.ConnectionID == connectionID && id.Subject == subject {
				if err := s.saveUpstream(t, u.ID, &was, id); err != nil {
					return nil, err
				}
			}
		}
		u.Version = row.version
	default:
		c, err := s.difference(old, u, e)
		if err != nil {
			return nil, err
		}
		version := row.version
		if locked {
			version++
		}
		if err := c.save(s, t, version, locked); err != nil {
			return nil, err
		}
	}
	return u, s.countLogin(t, u, login)
}

// federateNothing leaves the user's row as it is, and writes what is beside it.
func (s *Store) federateNothing(t tx, locked bool, row *userRow, e user.Effect) error {
	if locked {
		if err := t.send(nil, restoreUser, row.id); err != nil {
			return err
		}
	}
	return s.beside(t, e)
}

// federateNew is the first login of somebody. When another login of the same
// person is faster, the identity is taken, and the next try finds the user.
func (s *Store) federateNew(t tx, login user.Logins, num int64, fn func(*user.User) (*user.User, user.Effect, error)) (*user.User, error) {
	u, e, err := fn(nil)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, s.beside(t, e)
	}
	if num == 0 {
		return nil, errNumber
	}
	u.Logins = user.Logins{}
	insert, err := s.prepareCreate(u, num, errAgain)
	if err != nil {
		return nil, err
	}
	if err := insert(t); err != nil {
		return nil, err
	}
	if err := s.beside(t, e); err != nil {
		return nil, err
	}
	return u, s.countLogin(t, u, login)
}

// countLogin adds to the login record and shows it in u. The zero login is none.
func (s *Store) countLogin(t tx, u *user.User, login user.Logins) error {
	if login == (user.Logins{}) {
		return nil
	}
	var err error
	u.Logins, err = s.login(t, u.ID, login)
	return err
}

// login adds to the login record; ErrNotFound for a user who is gone.
func (s *Store) login(t tx, id user.ID, login user.Logins) (now user.Logins, err error) {
	var num int64
	found, err := one(t, countLogin, args(login.Last, login.IP, login.Count, login.Last, login.Last, string(id)),
		&num, &now.Last, &now.IP, &now.Count)
	switch {
	case err != nil:
		return now, err
	case !found:
		return now, user.ErrNotFound
	case now.Count == login.Count && now.Count > 0:
		return now, s.indexNew(t, num, loggedIn)
	}
	return now, nil
}

const (
	// The version stays: a rehash changes nothing that anybody can see.
	rehashPassword = `UPDATE users SET password_hash = ?, password_imported = ? WHERE user_id = ? AND password_hash = ?`
)

// RecordLogin adds to the login record, and replaces the old hash by rehash. A
// rehash that equals the old one only clears Password.Imported.
func (s *Store) RecordLogin(ctx context.Context, id user.ID, login user.Logins, old, rehash string, e user.Effect) error {
	return s.writePlain(ctx, func(t tx) error {
		if _, err := s.login(t, id, login); err != nil {
			return err
		}
		if rehash != "" {
			if err := t.send(nil, rehashPassword, rehash, false, string(id), old); err != nil {
				return err
			}
		}
		if e.EndSessions {
			if _, err := s.endAll(t, session.Revoked, leaveSessions, string(id)); err != nil {
				return err
			}
			if err := s.endAccess(t, string(id)); err != nil {
				return err
			}
		}
		return s.beside(t, e)
	})
}
