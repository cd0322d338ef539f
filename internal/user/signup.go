package user

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// SignUp creates a user and signs them in: whoever has just chosen a password
// need not type it again. Errors as Create's, and ErrBlocked for somebody whom an
// external store has blocked.
func (s *Service) SignUp(ctx context.Context, c *connection.Connection, req CreateRequest, a Actor) (*User, error) {
	req.Connection, req.Signup = c.Name, true
	u, err := s.Create(ctx, req, a)
	if err != nil {
		return nil, err
	}
	if u.Profile.True(profile.Blocked) {
		return nil, ErrBlocked
	}
	now := s.Now()
	login := Logins{Last: now.UnixMicro(), IP: a.IP, Count: 1}
	e := s.event(audit.LoginOK, a, c, u.ID, now)
	if err := s.Users.RecordLogin(ctx, u.ID, login, u.Password.Hash, "", Effect{Events: []audit.Event{e}}); err != nil {
		return nil, err
	}
	u.Logins = login
	return u, nil
}
