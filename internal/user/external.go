package user

import (
	"context"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// authenticateExternal is Authenticate where an external store keeps the passwords: it
// is asked each time, and what it says is synced as a login from upstream is
// (reference/connections.md §5.4). Guesses are counted as everywhere, before it is asked.
func (s *Service) authenticateExternal(ctx context.Context, c *connection.Connection, identifier, password string, a Actor) (*User, error) {
	return s.AuthenticateDirectory(ctx, c, identifier, func(ctx context.Context, count func(string) error) (Arrival, error) {
		if err := count(Called(c.SignInKinds(), identifier)); err != nil {
			return Arrival{}, err
		}
		p, err := s.signsIn(ctx, c, identifier, password)
		if err != nil {
			return Arrival{}, err
		}
		return arrival(p), nil
	}, a)
}

// cached is the user that we keep of somebody in an external store, who was made on
// request and has not signed in: not saved yet, and whatever the connection's sync says
// about people whom nobody asked for.
func (s *Service) cached(c *connection.Connection, p customdb.Person, now time.Time) (*User, []profile.Dropped, error) {
	f, err := s.federation(c, arrival(p), now)
	if err != nil {
		return nil, nil, err
	}
	if f.facts.Sync == profile.NeverLogin {
		f.facts.Sync = profile.FirstLogin
	}
	u, _, err := f.apply(nil)
	return u, f.dropped, err
}
