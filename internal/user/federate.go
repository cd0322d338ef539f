package user

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// Federate finds or makes the user of an upstream login and records it. tokens
// is a JSON object or nil. A login that the connection's sync refuses is an
// *errs.Error with Code access_denied; a blocked user's is ErrBlocked.
//
// What the login does to the profile is decided by profile.Login, inside the
// transaction, on the user as it is then. A login through a secondary identity
// refreshes that identity's own profile; the root stays the primary's.
func (s *Service) Federate(ctx context.Context, c *connection.Connection, cl profile.Claims, tokens profile.Value, a Actor) (*User, error) {
	return s.federate(ctx, c, Arrival{Claims: cl, Tokens: tokens}, Forgiveness{}, a)
}

// Arrival is somebody whom somebody else vouches for.
type Arrival struct {
	Claims  profile.Claims
	Tokens  profile.Value // a JSON object, or nil
	Factors profile.Value // as User.MFAFactors, for somebody new
}

// federate is Federate, after a password that forgives wrong ones before it.
func (s *Service) federate(ctx context.Context, c *connection.Connection, who Arrival, forgives Forgiveness, a Actor) (*User, error) {
	now := s.Now()
	f, err := s.federation(c, who, now)
	if err != nil {
		return nil, err
	}
	var blocked bool
	u, err := s.Users.Federate(ctx, c.ID, f.claims.Subject, Logins{Last: f.at, IP: a.IP, Count: 1}, func(u *User) (*User, Effect, error) {
		u, unchanged, err := f.apply(u)
		if err != nil {
			return nil, Effect{}, err
		}
		e := s.event(a.success(), a, c, u.ID, now)
		if blocked = u.Profile.True(profile.Blocked); blocked {
			e.Type, e.Description = audit.LoginFailed, ErrBlocked.Text
		}
		return u, Effect{Events: append(f.warnings(e), e), Unchanged: unchanged, Forgives: forgives}, nil
	})
	if errors.Is(err, ErrExists) { // ids of many strategies do not name the connection
		return nil, errIDTaken.Because(err)
	}
	if err != nil {
		return nil, err
	}
	if blocked {
		return nil, ErrBlocked
	}
	return u, nil
}

// federation checks who comes, and gathers what a login of theirs needs.
func (s *Service) federation(c *connection.Connection, who Arrival, now time.Time) (*federation, error) {
	if err := who.Claims.Check(); err != nil {
		return nil, err
	}
	if err := c.CheckAssurance(who.Claims.Raw); err != nil {
		return nil, err
	}
	f := &federation{
		c: c, facts: c.Facts(), claims: who.Claims, tokens: who.Tokens, factors: who.Factors, at: now.UnixMicro(), defaults: s.Defaults,
		src: profile.Source{Origin: profile.FromUpstream, Connection: c.ID, At: now.UnixMicro()},
	}
	if f.facts.Class == profile.ExternalDatabase {
		f.src.Origin = profile.FromScript
	}
	f.claims.Raw = profile.Kept(f.claims.Raw, f.facts.NonPersistent)
	return f, nil
}

// federation is one upstream login with everything it needs gathered.
type federation struct {
	c        *connection.Connection
	facts    profile.Connection
	claims   profile.Claims
	tokens   profile.Value
	factors  profile.Value
	src      profile.Source
	at       int64
	defaults profile.Defaults
	dropped  []profile.Dropped // of the claims, once applied
}

// warnings is the record of what was dropped of the claims of a login; it names
// attributes and reasons, not values. login is that of the login itself.
func (f *federation) warnings(login audit.Event) []audit.Event {
	if len(f.dropped) == 0 {
		return nil
	}
	e := login
	e.Type, e.Description = audit.Warning, "Some of what the identity provider said cannot be kept."
	if f.src.Origin == profile.FromScript {
		e.Description = "Some of what the custom database said cannot be kept."
	}
	e.Details, _ = json.Marshal(map[string]any{"dropped": f.dropped}) // of texts: cannot fail
	return []audit.Event{e}
}

// apply returns the user after the login and whether its profile stays as it is.
func (f *federation) apply(u *User) (_ *User, unchanged bool, _ error) {
	if u == nil {
		out := profile.Login(f.facts, nil, f.claims, f.src, f.defaults)
		f.dropped = out.Dropped
		if out.Action == profile.Refused {
			return nil, false, out.Refusal
		}
		return f.create(out.Profile), false, nil
	}
	i := u.identityAt(f.c.ID, f.claims.Subject)
	data := &u.Profile
	if i > 0 {
		data = &u.Identities[i].ProfileData
	}
	out := profile.Login(f.facts, data, f.claims, f.src, f.defaults)
	f.dropped = out.Dropped
	switch out.Action {
	case profile.Refused:
		return nil, false, out.Refusal
	case profile.Updated:
		*data = out.Profile
		u.UpdatedAt = f.at
	}
	id := &u.Identities[i]
	if !bytes.Equal(id.Claims, f.claims.Raw) {
		id.Claims, id.ClaimsAt = f.claims.Raw, f.at
	}
	if f.tokens != nil {
		id.Tokens = f.tokens
	}
	unchanged = out.Action == profile.Unchanged
	if external := f.facts.Class == profile.ExternalDatabase; id.External != external { // import mode was switched off
		id.External, unchanged = external, false
	}
	return u, unchanged, nil
}

// create makes the user of a first login.
func (f *federation) create(p profile.Profile) *User {
	local := connection.IdentityUserID(f.c.Strategy, f.c.Name, f.claims.Subject)
	return &User{
		ID: ID(f.c.Strategy + "|" + local), Version: 1, Profile: p, CreatedAt: f.at, UpdatedAt: f.at,
		MFAFactors: f.factors,
		Identities: []Identity{{
			Provider: f.c.Strategy, Connection: f.c.Name, ConnectionID: f.c.ID,
			UserID: local, Subject: f.claims.Subject, IsSocial: f.facts.Class == profile.Social,
			External: f.facts.Class == profile.ExternalDatabase,
			Claims:   f.claims.Raw, ClaimsAt: f.at, Tokens: f.tokens,
		}},
	}
}

// identityAt is the index of the identity; the store found the user by it, so
// it is there.
func (u *User) identityAt(connectionID, subject string) int {
	return max(0, u.identityIndex(connectionID, subject))
}
