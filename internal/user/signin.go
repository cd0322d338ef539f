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
	u, err := s.find(ctx, c, identifier)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	stored := ""
	if u != nil {
		stored = u.Password.Hash
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
// order of precedence (reference/connections.md §2.1).
func (s *Service) find(ctx context.Context, c *connection.Connection, identifier string) (*User, error) {
	for _, kind := range identifierKinds(identifier) {
		value := identifier
		if kind != ByPhone {
			value = strings.ToLower(identifier)
		}
		u, err := s.Users.UserByIdentifier(ctx, c.ID, kind, value)
		if err == nil || !isNotFound(err) {
			return u, err
		}
	}
	return nil, ErrNotFound
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
