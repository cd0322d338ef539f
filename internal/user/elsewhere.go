package user

import (
	"context"
	"errors"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// Refusals of changes that a custom database has a part in. The texts are ours, but for
// the beginning of the second, which follows "change_email script does not exist".
var (
	ErrNotDone        = errs.New(errs.Invalid, "auth0_idp_error", "The database of this connection has not made the change.")
	ErrNoCreateScript = errs.New(errs.Invalid, "operation_not_supported", "create script does not exist, or neither login nor get_user does")
	// ErrUnconfirmed: the account is there, and the store did not show it afterwards.
	ErrUnconfirmed = errs.New(errs.Invalid, "auth0_idp_error", "The account was created in the database of this connection, which has not confirmed it. Please try to sign in.")
	ErrNotThere    = errs.New(errs.Invalid, "auth0_idp_error", "The database of this connection does not know the user.")
	// ErrOneByOne is of changes in bulk: each asks the network, and none can be undone.
	ErrOneByOne = errs.New(errs.Invalid, "operation_not_supported", "The connection keeps this in its own database: users are changed one by one.")
)

// errDoneThere says of a change that a custom database has made why it is not here.
func errDoneThere(err error) error {
	why := errs.From(err)
	return errs.New(why.Kind, why.Code, "The database of this connection has made the change, which could not be kept here: %s", why.Text).Because(err)
}

// tell has a custom database change something. Errors: those of ask; ErrNotDone when it
// says no, or knows nobody by the identifier.
func (s *Service) tell(ctx context.Context, c *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	answer, err := s.ask(ctx, c, call)
	if errors.Is(err, ErrWrongPassword) {
		return customdb.Answer{}, ErrNotDone.Because(err)
	}
	if err != nil {
		return customdb.Answer{}, err
	}
	var f *customdb.Failure
	if errors.As(customdb.Done(call.Action, answer.Value), &f) {
		said := *f
		said.Console = answer.Console
		if said.Kind == customdb.Failed {
			return customdb.Answer{}, ErrNotDone.Because(&said)
		}
		return customdb.Answer{}, storeError(&said)
	}
	return answer, nil
}

// finds reports whether get_user of the connection says who is known elsewhere: of an
// external store, and of an old one that people still come from.
func finds(c *connection.Connection) bool {
	o := customdb.OptionsOf(c)
	if !o.Has(customdb.GetUser) {
		return false
	}
	return c.Class() == profile.ExternalDatabase || c.Class() == profile.ImportDatabase && o.Mode == customdb.On
}

// identifierOf is by what a custom database is told whom is meant: the e-mail address,
// or else the username, or else the phone number.
func identifierOf(p profile.Profile) string {
	for _, name := range []string{profile.Email, profile.Username} {
		if v := p.Text(name); v != "" {
			return v
		}
	}
	return p.Text(profile.PhoneNumber)
}

// free refuses identifiers by which a custom database knows somebody. In import mode
// both would be here one day, by one name. self is the id of who may have them; empty:
// nobody. names are those of the profile's identifiers that are asked for. Errors:
// ErrExists, ErrUsernameTaken, and those of found: what cannot be asked is not done.
func (s *Service) free(ctx context.Context, c *connection.Connection, p profile.Profile, names []string, self string) error {
	if !finds(c) {
		return nil
	}
	for _, name := range names {
		v := p.Text(name)
		if v == "" {
			continue
		}
		who, err := s.found(ctx, c, v)
		if errors.Is(err, customdb.ErrNobody) {
			continue
		}
		if err != nil {
			return err
		}
		if self != "" && who.Claims.Subject == self {
			continue
		}
		if c.Class() == profile.ImportDatabase {
			comes, err := s.comes(ctx, c, who.Claims.Subject)
			if err != nil {
				return err
			}
			if !comes {
				continue
			}
			if err := s.seen(ctx, c, v); err != nil {
				return err
			}
		}
		if name == profile.Username {
			return ErrUsernameTaken
		}
		return ErrExists
	}
	return nil
}

// comes reports whether somebody in an old store can still come from there. Whoever has
// come already, or was deleted here, is in nobody's way, by whatever name the old store
// knows them. Who is here from a time without import mode has yet to bring the password,
// and the names with it.
func (s *Service) comes(ctx context.Context, c *connection.Connection, subject string) (bool, error) {
	u, i, err := s.identified(ctx, c, subject)
	if err == nil {
		return u.Identities[i].External, nil
	}
	if !isNotFound(err) {
		return false, err
	}
	err = s.unburied(ctx, c, subject, profile.Profile{})
	if errors.Is(err, errDeletedHere) {
		return false, nil
	}
	return err == nil, err
}

// there refuses an identity that the custom database does not know (any more) by the
// identifier of the profile. Without get_user nobody can tell.
func (s *Service) there(ctx context.Context, c *connection.Connection, p profile.Profile, subject string) error {
	if !finds(c) {
		return nil
	}
	who, err := s.found(ctx, c, identifierOf(p))
	switch {
	case errors.Is(err, customdb.ErrNobody), err == nil && who.Claims.Subject != subject:
		return ErrNotThere
	}
	return err
}

// Newcomer is whom a custom database knows by an identifier, as typed, and which of the
// identities is meant: somebody who is here and whose password the store has; otherwise
// how they would be here, not saved, so that their Version is zero. ErrNotFound: nobody,
// nobody who could come, or nobody is asked. Other errors are those of found.
func (s *Service) Newcomer(ctx context.Context, c *connection.Connection, identifier string) (*User, int, error) {
	if !finds(c) {
		return nil, 0, ErrNotFound
	}
	who, err := s.found(ctx, c, identifier)
	if errors.Is(err, customdb.ErrNobody) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	known, i, err := s.identified(ctx, c, who.Claims.Subject)
	external := c.Class() == profile.ExternalDatabase
	switch {
	case err == nil && external:
		// Where they can be reached, the store knows best.
		if email := statedEmail(who); email != "" {
			known.profileOf(i).Set(profile.Email, profile.Text(email), profile.Source{})
		}
		return known, i, nil
	case err == nil && known.Identities[i].External && Fold(ByEmail, known.EmailOf(i)) == Fold(ByEmail, statedEmail(who)):
		return known, i, nil // from a time without import mode: they have no names here
	case err == nil: // they are here, by other identifiers than this one
		return nil, 0, ErrNotFound
	case !isNotFound(err):
		return nil, 0, err
	}
	if external {
		u, _, err := s.cached(c, who, s.Now())
		if err != nil {
			return nil, 0, ErrNotFound // nobody whom the store describes so can come
		}
		u.Version = 0
		return u, 0, nil
	}
	out := profile.AdoptBare(c.Facts(), who.Claims, profile.Source{Origin: profile.FromScript, Connection: c.ID}, s.Defaults)
	if out.Action == profile.Refused {
		return nil, 0, ErrNotFound
	}
	if err := s.unburied(ctx, c, who.Claims.Subject, out.Profile); err != nil {
		if errors.Is(err, errDeletedHere) {
			err = ErrNotFound
		}
		return nil, 0, err
	}
	u := &User{Profile: out.Profile}
	u.SetPrimary(c, who.Claims.Subject)
	return u, 0, s.seen(ctx, c, identifier)
}

// seen notes that the old store knows somebody by an identifier who has not come yet.
func (s *Service) seen(ctx context.Context, c *connection.Connection, identifier string) error {
	name := Called(c.SignInKinds(), identifier)
	return s.note(ctx, customdb.Note{ConnectionID: c.ID, Name: name, State: customdb.Known, At: s.Now().UnixMicro()})
}

// statedEmail is the address that a custom database says; empty: none.
func statedEmail(p customdb.Person) string { return stated(p).Text(profile.Email) }

// stated is what a custom database says of somebody, as it says it: for policies of
// passwords and comparisons, never to be stored.
func stated(p customdb.Person) profile.Profile {
	var all profile.Profile
	for _, list := range [][]profile.Change{p.Claims.Attributes, p.Claims.Local} {
		for _, ch := range list {
			all.Set(ch.Name, ch.Value, profile.Source{})
		}
	}
	return all
}
