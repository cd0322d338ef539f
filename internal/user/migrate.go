package user

import (
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

// Refusals of people who come out of an old store. Nobody but the record is told: the
// person gets ErrWrongPassword.
var (
	errDeletedHere  = errs.New(errs.Forbidden, "access_denied", "The user was deleted here. Set options.migration.recreate_deleted to let the old store bring deleted users back.")
	errPasswordForm = errs.New(errs.Forbidden, "access_denied", "The password is longer than any that can be kept here, or has a NUL in it.")
	// errHere: whoever the old store means is a user of ours already, known here by
	// other identifiers. Ours is the password that counts.
	errHere = errors.New("the person has migrated")
)

// oldStore is how far an old store is asked about people who sign in here.
func oldStore(c *connection.Connection) customdb.Mode {
	o := customdb.OptionsOf(c)
	if c.Class() != profile.ImportDatabase || !o.Has(customdb.Login) {
		return customdb.Off
	}
	return o.Mode
}

// migrate is Authenticate for somebody who is not here, in import mode: the old store is
// asked, and whoever it knows by this password becomes a user of ours with the profile
// that it returned and this password (reference/connections.md §5.5). From then on it is
// not asked again.
//
// The password is hashed while the old store is asked: who migrates waits for the slower
// of the two, and a guess takes as long as it does with somebody who is here.
func (s *Service) migrate(ctx context.Context, c *connection.Connection, identifier, password string, a Actor) (*User, error) {
	now := s.Now()
	kinds := c.SignInKinds()
	names, name := Names(kinds, identifier), Called(kinds, identifier)
	try := Attempt{Connection: c, Typed: identifier, Identifier: name, By: a}
	admitted, err := s.guard().Admit(ctx, try)
	if err == nil {
		// The old store has limits of its own, which a guess beyond ours would fill.
		admitted, err = admitted.settled()
	}
	if err != nil {
		return nil, err
	}
	type hashing struct {
		stored string
		err    error
	}
	hashed := make(chan hashing, 1)
	go func() {
		stored, err := s.Hashing.HashAny(ctx, password)
		hashed <- hashing{stored, err}
	}()
	p, err := s.signsIn(ctx, c, identifier, password)
	h := <-hashed
	var u *User
	if err == nil {
		if err = h.err; errors.Is(err, passwd.ErrTooLong) || errors.Is(err, passwd.ErrNUL) {
			err = errPasswordForm.Because(err)
		}
	}
	if err == nil {
		u, err = s.adopt(ctx, c, p, Password{Hash: h.stored}, adoption{actor: a, name: name, login: true, forgives: admitted.Forgives})
	}
	if err == nil || errors.Is(err, ErrBlocked) {
		return u, err
	}
	// What follows is owed even to somebody who has gone.
	kept := context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, errHere):
		return s.instead(ctx, c, p, password, try, admitted, a)
	case errors.Is(err, ErrWrongPassword):
		wrong := wrongPassword(kinds, names)
		e := s.wrongGuess(a, c, err, errs.From(wrong).Text, now)
		if failed := s.guard().Wrong(kept, try, admitted, e); failed != nil {
			return nil, errors.Join(wrong, failed)
		}
		return nil, wrong
	}
	e := s.event(audit.LoginFailed, a, c, "", now)
	e.Description = errs.From(err).Text
	e = told(e, err)
	failed := errors.Join(s.guard().Return(kept, admitted), s.Audit.AppendEvents(kept, e))
	if kind := errs.KindOf(err); kind != errs.TooMany && kind != errs.Internal && !errors.Is(err, ErrBusy) && ctx.Err() == nil {
		failed = errors.Join(failed, s.straggles(kept, c, names, customdb.Note{Name: name, State: stateOf(err), Reason: e.Description}))
	}
	if slices.ContainsFunc([]error{errDeletedHere, errPasswordForm, ErrExists, ErrUsernameTaken}, func(is error) bool { return errors.Is(err, is) }) {
		err = wrongPassword(kinds, names)
	}
	return nil, errors.Join(err, failed)
}

// straggles notes somebody who came and could not be taken; unless they have come in the
// same moment, by another request.
func (s *Service) straggles(ctx context.Context, c *connection.Connection, names []Name, n customdb.Note) error {
	n.ConnectionID, n.At = c.ID, s.Now().UnixMicro()
	if err := s.note(ctx, n); err != nil {
		return err
	}
	_, _, err := s.Identified(ctx, c, names)
	switch {
	case err == nil:
		return s.settled(ctx, c, n.Name)
	case isNotFound(err):
		return nil
	}
	return err
}

// settled ends what is noted of somebody.
func (s *Service) settled(ctx context.Context, c *connection.Connection, name string) error {
	return s.note(ctx, customdb.Note{ConnectionID: c.ID, Name: name, At: s.Now().UnixMicro()})
}

// stateOf is what a failure means to the migration of a person: a refusal by the old
// store itself (UnauthorizedError) is in order.
func stateOf(err error) customdb.State {
	var f *customdb.Failure
	if errors.As(err, &f) && f.Kind == customdb.Unauthorized {
		return customdb.Known
	}
	return customdb.Failing
}

// instead goes on with the user of ours whom the old store meant: the password that it
// accepts need not be the one that we have. try was admitted already.
func (s *Service) instead(ctx context.Context, c *connection.Connection, p customdb.Person, password string, try Attempt, admitted Admission, a Actor) (*User, error) {
	if err := s.guard().Return(ctx, admitted); err != nil {
		return nil, err
	}
	u, i, err := s.identified(ctx, c, p.Claims.Subject)
	if err != nil && !isNotFound(err) { // who was deleted this moment is nobody
		return nil, err
	}
	try.User, try.Identity = u, i
	return s.checked(ctx, c, password, try, a, func(bool) {})
}

// identified is the user who has the identity of a connection of ours, and which it is.
func (s *Service) identified(ctx context.Context, c *connection.Connection, subject string) (*User, int, error) {
	u, err := s.Users.UserByIdentity(ctx, c.ID, subject)
	if err != nil {
		return nil, 0, err
	}
	return u, u.identityAt(c.ID, subject), nil
}

// adoption is how somebody comes out of an old store.
type adoption struct {
	actor Actor
	// name is the identifier by which they came, folded; empty: the first that the
	// profile has.
	name     string
	login    bool // they sign in
	forgives Forgiveness
	// redeems is the ticket by which they came, and proved the address that they have
	// proved by it; empty: none.
	redeems Redemption
	proved  string
	// events and letters belong to the change; a login has its own event.
	events  []audit.Event
	letters []letter.Letter
}

// adopt makes a user of ours of somebody in the old store of an import-mode connection,
// in one transaction: profile, metadata, second factors, password and the note that they
// have migrated. Somebody who is here from a time without import mode keeps the profile
// and gets the password.
//
// Errors: errHere; errDeletedHere; ErrBlocked for whoever signs in and is blocked;
// ErrExists and ErrUsernameTaken when another user has the id or an identifier;
// profile.Adopt's.
func (s *Service) adopt(ctx context.Context, c *connection.Connection, p customdb.Person, password Password, o adoption) (*User, error) {
	src := profile.Source{Origin: profile.FromScript, Connection: c.ID, Actor: o.actor.actor(), At: s.Now().UnixMicro()}
	u, foreign, err := s.adoptAs(ctx, c, p, src, password, o, profile.Adopt)
	if foreign && (errors.Is(err, ErrExists) || errors.Is(err, ErrUsernameTaken)) {
		// A name by which nobody signs in keeps nobody out.
		u, _, err = s.adoptAs(ctx, c, p, src, password, o, profile.AdoptBare)
	}
	return u, err
}

// decision is profile.Adopt or profile.AdoptBare.
type decision func(profile.Connection, profile.Claims, profile.Source, profile.Defaults) profile.Outcome

// adoptAs is adopt with or without the identifiers that users of the connection do not
// have (profile.Adopt); foreign: the person has such.
func (s *Service) adoptAs(ctx context.Context, c *connection.Connection, p customdb.Person, src profile.Source, password Password, o adoption, decide decision) (_ *User, foreign bool, _ error) {
	now := time.UnixMicro(src.At)
	out := decide(c.Facts(), p.Claims, src, s.Defaults)
	if out.Action == profile.Refused {
		return nil, false, out.Refusal
	}
	foreign = profile.HasForeign(c.Facts(), out.Profile)
	var login Logins
	if o.login {
		login = Logins{Last: now.UnixMicro(), IP: o.actor.IP, Count: 1}
	}
	f := federation{src: src, dropped: out.Dropped}
	var blocked bool
	u, err := s.Users.Federate(ctx, c.ID, p.Claims.Subject, login, func(u *User) (*User, Effect, error) {
		switch {
		case u == nil:
			u = &User{Version: 1, Profile: out.Profile, MFAFactors: validFactors(p.Factors), CreatedAt: src.At, UpdatedAt: src.At}
			u.SetPrimary(c, p.Claims.Subject)
			u.Identities[0].Tokens, u.Identities[0].Kept = p.Tokens, p.Tokens != nil
			u.Password = password
		case !u.takeOver(c.ID, p.Claims.Subject, password, src.At):
			return nil, Effect{}, errHere
		}
		if o.proved != "" {
			verify(u, u.identityAt(c.ID, p.Claims.Subject), o.proved, src)
		}
		e := o.effect(u, s.arrived(c, u, p.Claims.Subject, o.name, src.At))
		base := s.event(o.actor.success(), o.actor, c, u.ID, now)
		e.Events = append(e.Events, f.warnings(base)...)
		if blocked = o.login && u.Profile.True(profile.Blocked); blocked {
			base.Type, base.Description = audit.LoginFailed, ErrBlocked.Text
		}
		if o.login {
			e.Events = append(e.Events, base)
		}
		return u, e, nil
	})
	if errors.Is(err, customdb.ErrBuried) {
		return nil, foreign, errDeletedHere
	}
	if err != nil {
		return nil, foreign, err
	}
	if blocked {
		return nil, foreign, ErrBlocked
	}
	return u, foreign, nil
}

// effect is what belongs to the adoption of u, beside the record of a login.
func (o *adoption) effect(u *User, note *customdb.Note) Effect {
	e := Effect{Forgives: o.forgives, Redeems: o.redeems, Letters: o.letters, Migration: note}
	for _, event := range o.events {
		event.UserID = string(u.ID)
		e.Events = append(e.Events, event)
	}
	return e
}

// arrived is the note that u has come, which fails where u was deleted here.
func (s *Service) arrived(c *connection.Connection, u *User, subject, name string, at int64) *customdb.Note {
	n := &customdb.Note{ConnectionID: c.ID, Name: name, Aliases: aliases(u, subject), Migrated: true, At: at}
	if !customdb.OptionsOf(c).RecreatesDeleted {
		n.Graves = s.graves(u, u.identityAt(c.ID, subject))
	}
	return n
}

// takeOver gives the identity a password, where so far an external store had it, and
// reports whether that was so.
func (u *User) takeOver(connectionID, subject string, password Password, at int64) bool {
	i := u.identityAt(connectionID, subject)
	if !u.Identities[i].External {
		return false
	}
	u.setPassword(i, password, profile.ImportDatabase)
	u.UpdatedAt = at
	return true
}

// setPassword gives the identity a password at a connection of that class. One that is
// kept here makes its identifiers names of ours (SignInNames), where so far an external
// store had it.
func (u *User) setPassword(i int, p Password, class profile.Class) {
	id := &u.Identities[i]
	id.Kept = id.Kept || id.External
	*u.passwordAt(i), id.External = p, class == profile.ExternalDatabase
}

// aliases are the names by which an earlier try of the person may have been noted.
func aliases(u *User, subject string) []string {
	names := []string{Fold(ByUsername, subject)}
	for i := range u.Identities {
		for _, n := range u.SignInNames(i) {
			names = append(names, n.Value)
		}
	}
	return names
}

// unburied refuses people who were deleted here, by their id or by an identifier.
func (s *Service) unburied(ctx context.Context, c *connection.Connection, subject string, p profile.Profile) error {
	if s.Migrations == nil || customdb.OptionsOf(c).RecreatesDeleted {
		return nil
	}
	u := &User{Profile: p}
	u.SetPrimary(c, subject)
	buried, err := s.Migrations.Buried(ctx, c.ID, s.graves(u, 0))
	if err == nil && buried {
		return errDeletedHere
	}
	return err
}

// graves are those of an identity: by its id, and by each of its identifiers.
func (s *Service) graves(u *User, identity int) []string {
	id := &u.Identities[identity]
	list := []string{customdb.Grave(s.GraveKey, id.ConnectionID, "user_id", id.Subject)}
	for _, n := range u.SignInNames(identity) {
		list = append(list, customdb.Grave(s.GraveKey, id.ConnectionID, n.Kind, n.Value))
	}
	return list
}

// note keeps what was learnt of a migration.
func (s *Service) note(ctx context.Context, n customdb.Note) error {
	if s.Migrations == nil {
		return nil
	}
	return s.Migrations.Note(ctx, n)
}
