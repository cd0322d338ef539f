package user

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// createElsewhere is Create for an external store: get_user, create, login
// (reference/connections.md §5.4). The user who is kept here is the one whom the store
// describes once it has them, with what was asked for and is ours to keep. The password
// goes there and nowhere else.
func (s *Service) createElsewhere(ctx context.Context, c *connection.Connection, facts profile.Connection, req CreateRequest, src profile.Source, a Actor) (*User, error) {
	asked, err := profile.Ask(facts, req.Changes, src)
	if err != nil {
		return nil, err
	}
	if facts.Disabled {
		return nil, ErrConnectionDisabled
	}
	if req.Password == "" || req.Save != nil { // an account there has nothing but its password
		return nil, missingPassword
	}
	if err := checkPassword(c, req.Password, asked); err != nil {
		return nil, err
	}
	o := customdb.OptionsOf(c)
	if !o.Has(customdb.Create) || !o.Has(customdb.Login) && !o.Has(customdb.GetUser) {
		return nil, ErrNoCreateScript
	}
	identifier := identifierOf(asked)
	if o.Has(customdb.GetUser) {
		switch _, err := s.found(ctx, c, identifier); {
		case err == nil:
			return nil, ErrExists
		case !errors.Is(err, customdb.ErrNobody):
			return nil, err
		}
	}
	if _, err := s.tell(ctx, c, customdb.NewUser(s.newUser(c, asked, req, a))); err != nil {
		return nil, err
	}
	// From here on there is an account, even if whoever asked for it has gone.
	ctx = context.WithoutCancel(ctx)
	var who customdb.Person
	if o.Has(customdb.Login) {
		who, err = s.signsIn(ctx, c, identifier, req.Password)
	} else {
		who, err = s.found(ctx, c, identifier)
	}
	var f *customdb.Failure
	if errors.As(err, &f) && f.Kind != customdb.Unauthorized {
		return nil, ErrUnconfirmed.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return s.keep(ctx, c, who, func(u *User) Effect {
		i := u.identityAt(c.ID, who.Claims.Subject)
		*u.profileOf(i) = profile.Granted(*u.profileOf(i), asked)
		e, application, language := s.operation("Create a User", a, c, u.ID, s.Now()), "", ""
		if req.Signup {
			e, application, language = s.event(audit.SignupOK, a, c, u.ID, s.Now()), a.ClientID, a.Language
		}
		return Effect{
			Events: []audit.Event{e}, Verification: s.verification(true, req.VerifyEmail, facts.Class, application, language, u, i),
		}
	})
}

// newUser is the user object that create gets (reference/connections.md §5.2): the
// members that it always has, then what else was given.
func (s *Service) newUser(c *connection.Connection, asked profile.Profile, req CreateRequest, a Actor) json.RawMessage {
	b := []byte{'{'}
	member := func(name string, v profile.Value) {
		if v == nil {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(appendText(b, name), ':'), v...)
	}
	always := []string{profile.Email, profile.Username, profile.PhoneNumber, profile.UserMetadata, profile.AppMetadata}
	member("client_id", profile.Text(a.ClientID))
	member("tenant", profile.Text(s.Tenant))
	member("connection", profile.Text(c.Name))
	if req.UserID != "" {
		member("user_id", profile.Text(req.UserID))
	}
	member("password", profile.Text(req.Password))
	for _, name := range always {
		v := asked.Value(name)
		if v == nil && (name == profile.UserMetadata || name == profile.AppMetadata) {
			v = profile.Value("{}") // scripts reach into it unasked
		}
		member(name, v)
	}
	for _, attr := range asked.All() {
		if !slices.Contains(always, attr.Name) {
			member(attr.Name, attr.Value)
		}
	}
	return append(b, '}')
}

// keep stores somebody whom an external store has described outside of a sign-in:
// somebody new, or whoever is here by the same identity. effect changes the user further
// and says what else belongs to the change; it may be called more than once.
func (s *Service) keep(ctx context.Context, c *connection.Connection, who customdb.Person, effect func(u *User) Effect) (*User, error) {
	now := s.Now()
	complete := func(u *User, dropped []profile.Dropped) Effect {
		f := federation{dropped: dropped, src: profile.Source{Origin: profile.FromScript}}
		e := effect(u)
		e.Events = append(f.warnings(s.event("", Actor{}, c, u.ID, now)), e.Events...)
		return e
	}
	u, dropped, err := s.cached(c, who, now)
	if err != nil {
		return nil, err
	}
	err = s.Users.CreateUser(ctx, u, complete(u, dropped))
	if !errors.Is(err, ErrExists) {
		return u, err
	}
	known, _, failed := s.identified(ctx, c, who.Claims.Subject)
	if isNotFound(failed) {
		return nil, errIDTaken.Because(err) // by somebody of another connection
	}
	if failed != nil {
		return nil, failed
	}
	f, err := s.federation(c, arrival(who), now)
	if err != nil {
		return nil, err
	}
	return s.Users.UpdateUser(ctx, known.ID, func(u *User) (Effect, error) {
		if u.identityIndex(c.ID, who.Claims.Subject) < 0 {
			return Effect{}, ErrNotFound
		}
		u, _, err := f.apply(u)
		if err != nil {
			return Effect{}, err
		}
		u.UpdatedAt = f.at
		return complete(u, f.dropped), nil
	})
}
