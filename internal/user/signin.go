package user

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// Authenticate checks identifier and password on a database connection and
// records the login. Wrong pairs: ErrWrongPassword, whatever was wrong, in the
// same time; blocked users with the right password: ErrBlocked, counted; *Locked
// when there were too many wrong ones, whatever this one is.
//
// An external store is asked about everybody, and what came of import mode about those
// who are not here: see authenticateExternal and migrate, and storeError for what these
// add to the errors.
func (s *Service) Authenticate(ctx context.Context, c *connection.Connection, identifier, password string, a Actor) (*User, error) {
	if c.Class() == profile.ExternalDatabase {
		return s.authenticateExternal(ctx, c, identifier, password, a)
	}
	kinds := c.SignInKinds()
	names := Names(kinds, identifier)
	u, i, err := s.Identified(ctx, c, names)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	old := oldStore(c)
	if u == nil && old == customdb.On {
		return s.migrate(ctx, c, identifier, password, a)
	}
	try := Attempt{Connection: c, User: u, Identity: i, Typed: identifier, Identifier: Called(kinds, identifier), By: a}
	return s.checked(ctx, c, password, try, a, func(ok bool) {
		if old == customdb.Shadow {
			s.compare(ctx, c, identifier, password, u, ok)
		}
	})
}

// checked is the rest of Authenticate, once it is known whom the identifier means. seen
// is told what came of the password.
func (s *Service) checked(ctx context.Context, c *connection.Connection, password string, try Attempt, a Actor, seen func(ok bool)) (*User, error) {
	now := s.Now()
	u, i := try.User, try.Identity
	admitted, err := s.guard().Admit(ctx, try)
	if err != nil {
		return nil, err
	}
	stored := ""
	if u != nil {
		stored = u.passwordAt(i).Hash
	}
	ok, rehash, err := s.Hashing.Verify(ctx, stored, password)
	// What came of the password counts only where the attempt does.
	admitted, refused := admitted.settled()
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		// Whoever gives up, or finds the queue full, has guessed nothing.
		return nil, errors.Join(err, s.guard().Return(context.WithoutCancel(ctx), admitted))
	}
	seen(ok)
	if !ok {
		kinds := c.SignInKinds()
		wrong := wrongPassword(kinds, Names(kinds, try.Typed))
		e := s.event(audit.UnknownUser, a, c, "", now)
		if u != nil {
			e = s.event(audit.WrongPassword, a, c, u.ID, now)
		}
		e.Description = errs.From(wrong).Text
		if failed := s.guard().Wrong(ctx, try, admitted, e); failed != nil {
			return nil, errors.Join(wrong, failed)
		}
		return nil, wrong
	}
	e := s.event(a.success(), a, c, u.ID, now)
	blocked := u.Profile.True(profile.Blocked)
	if blocked {
		e.Type, e.Description = audit.LoginFailed, ErrBlocked.Text
	}
	login := Logins{Last: now.UnixMicro(), IP: a.IP, Count: 1}
	if i > 0 && rehash != "" {
		if err := s.rehashLinked(ctx, u, i, rehash); err != nil {
			return nil, err
		}
		rehash = ""
	}
	effect := Effect{Events: []audit.Event{e}, Forgives: admitted.Forgives}
	if err := s.Users.RecordLogin(ctx, u.ID, login, stored, rehash, effect); err != nil {
		return nil, err
	}
	if blocked {
		return nil, ErrBlocked
	}
	u.Logins = Logins{Last: login.Last, IP: login.IP, Count: u.Logins.Count + 1}
	return u, nil
}

func (a Actor) success() string {
	if a.LoginEvent != "" {
		return a.LoginEvent
	}
	return audit.LoginOK
}

// rehashLinked renews the hash of a secondary identity, unless it has changed.
func (s *Service) rehashLinked(ctx context.Context, u *User, i int, rehash string) error {
	id, old := u.Identities[i], u.Identities[i].Password.Hash
	_, err := s.Users.UpdateUser(ctx, u.ID, func(u *User) (Effect, error) {
		at := u.identityIndex(id.ConnectionID, id.Subject)
		if at < 1 || u.Identities[at].Password.Hash != old {
			return Effect{Unchanged: true}, nil
		}
		p := &u.Identities[at].Password
		p.Hash, p.Imported = rehash, false
		return Effect{}, nil
	})
	return err
}
