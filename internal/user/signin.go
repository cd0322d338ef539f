package user

import (
	"context"
	"errors"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// Authenticate checks identifier and password on a database connection and
// records the login. Wrong pairs: ErrWrongPassword, whatever was wrong, in the
// same time; blocked users with the right password: ErrBlocked, counted.
func (s *Service) Authenticate(ctx context.Context, c *connection.Connection, identifier, password string, a Actor) (*User, error) {
	now := s.Now()
	u, i, err := s.find(ctx, c, identifier)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	stored := ""
	if u != nil {
		stored = u.passwordAt(i).Hash
	}
	ok, rehash, err := s.Hashing.Verify(ctx, stored, password)
	if err != nil {
		return nil, err
	}
	if !ok {
		e := s.event(audit.UnknownUser, a, c, "", now)
		if u != nil {
			e = s.event(audit.WrongPassword, a, c, u.ID, now)
		}
		e.Description = ErrWrongPassword.Text
		return nil, errors.Join(ErrWrongPassword, s.Audit.AppendEvents(ctx, e))
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
	if err := s.Users.RecordLogin(ctx, u.ID, login, stored, rehash, Effect{Events: []audit.Event{e}}); err != nil {
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

// find looks the identifier up by each kind that it can be, in the default
// order of precedence (reference/connections.md §2.1). It also says to which of
// the user's identities it belongs.
func (s *Service) find(ctx context.Context, c *connection.Connection, identifier string) (*User, int, error) {
	for _, kind := range identifierKinds(identifier) {
		value := identifier
		if kind != ByPhone {
			value = strings.ToLower(identifier)
		}
		u, err := s.Users.UserByIdentifier(ctx, c.ID, kind, value)
		if err == nil {
			if i := u.identifiedBy(c.ID, kind, value); i >= 0 {
				return u, i, nil
			}
			continue
		}
		if !isNotFound(err) {
			return nil, 0, err
		}
	}
	return nil, 0, ErrNotFound
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

// identifierKinds are the kinds that a typed identifier can be, first choice first.
func identifierKinds(identifier string) []string {
	switch {
	case identifier == "":
		return nil
	case strings.Contains(identifier, "@"):
		return []string{ByEmail, ByUsername} // a username may be e-mail shaped where the connection allows it
	case identifier[0] == '+':
		return []string{ByPhone, ByUsername}
	default:
		return []string{ByUsername}
	}
}
