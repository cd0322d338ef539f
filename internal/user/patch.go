package user

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// Failures of a PATCH (reference/users.md §1.8).
var (
	ErrConnectionUnsupported = errs.New(errs.Invalid, "operation_not_supported", "Connection is not supported for this operation.")
	ErrStale                 = errs.New(errs.Stale, "precondition_failed", "The user was changed since it was read.")
	// ErrEmailTaken and ErrTaken are ErrExists of a user that is edited: 400, where
	// a new user is 409 (§1.11). The latter's text is ours.
	ErrEmailTaken = errs.New(errs.Invalid, "auth0_idp_error", "The specified new email already exists")
	ErrTaken      = errs.New(errs.Invalid, "auth0_idp_error", "%s", ErrExists.Text)
)

// Patch edits a user. Errors as Create's, with ErrEmailTaken and ErrTaken for
// ErrExists.
//
// The rules run twice: once on what a read gives, so that a refusal costs no
// write and no hash, and once inside the write, on the user as it is then. Between
// the two an external store is told, whose refusal is one, too; what it has done is kept
// here even if the user has another version meanwhile.
func (s *Service) Patch(ctx context.Context, id ID, req PatchRequest, a Actor) (*User, error) {
	view, err := s.Users.View(ctx, id)
	if err != nil {
		return nil, err
	}
	e, err := s.prepare(ctx, view, req, a)
	if err == nil && len(e.calls) > 0 {
		if err = e.tell(ctx, s, a); err == nil {
			ctx, e.req.IfVersion = context.WithoutCancel(ctx), 0
		}
	}
	var u *User
	if err == nil {
		u, err = s.Users.UpdateUser(ctx, id, e.change)
		if err != nil && len(e.calls) > 0 {
			return nil, errDoneThere(err)
		}
	}
	if errors.Is(err, ErrExists) {
		return nil, taken(req.Changes).Because(err)
	}
	return u, err
}

// taken is how an edit says that one of its identifiers is somebody else's.
func taken(changes []profile.Change) *errs.Error {
	sets := func(name string) bool {
		return slices.ContainsFunc(changes, func(c profile.Change) bool { return c.Name == name })
	}
	if sets(profile.Email) && !sets(profile.PhoneNumber) {
		return ErrEmailTaken
	}
	return ErrTaken
}

// PreparePatch judges an edit of the user of a view, hashes the password, and
// returns what is to be done to the user inside the write. That may run more
// than once, and its errors are those of Patch. ErrOneByOne: an external store would
// have to be told.
func (s *Service) PreparePatch(ctx context.Context, view View, req PatchRequest, a Actor) (func(*User) (Effect, error), error) {
	e, err := s.prepare(ctx, view, req, a)
	if err == nil && len(e.calls) > 0 {
		err = ErrOneByOne
	}
	if err != nil {
		return nil, err
	}
	return e.change, nil
}

// prepare judges an edit, and gathers what it needs.
func (s *Service) prepare(ctx context.Context, view View, req PatchRequest, a Actor) (*edit, error) {
	id := view.ID
	now := s.Now()
	e := &edit{req: req, at: now.UnixMicro(), user: id}
	known, err := e.resolve(ctx, s, view)
	if err != nil {
		return nil, err
	}
	e.src = profile.Source{Origin: profile.FromManagement, Connection: e.target.ID, Actor: a.actor(), At: e.at}
	var before profile.Profile
	if i := known.identityOf(e.target.Name); i >= 0 {
		before = *known.profileOf(i)
	}
	if _, err := e.apply(known); err != nil {
		return nil, err
	}
	i := known.identityOf(e.target.Name)
	after := *known.profileOf(i)
	password, sets := req.Password.Get()
	switch {
	case e.facts.Class == profile.ExternalDatabase:
		if req.Password.IsNull() {
			return nil, ErrConnectionUnsupported
		}
		if sets {
			if err := checkPassword(e.target, password, known.profileAt(i)); err != nil {
				return nil, err
			}
		}
		e.before, e.after, e.subject = before, after, known.Identities[i].UserID
		e.calls = callsOf(customdb.OptionsOf(e.target), before, after, password)
	case sets:
		if !e.facts.Class.HasPasswords() {
			return nil, ErrConnectionUnsupported
		}
		if e.target.PasswordPolicy().History > 0 {
			// A view has no hashes.
			if known, err = s.Users.User(ctx, id); err != nil {
				return nil, err
			}
			if i = known.identityOf(e.target.Name); i < 0 {
				return nil, ErrConnectionUnsupported
			}
		}
		if e.password, err = s.nextPassword(ctx, e.target, known, i, password); err != nil {
			return nil, err
		}
	}
	if e.facts.Class == profile.ImportDatabase {
		names := renamed(before, after)
		if err := s.free(ctx, e.target, after, names, known.Identities[i].UserID); err != nil {
			return nil, s.notRenamed(ctx, s.event(renames[names[0]], a, e.target, id, now), err)
		}
	}
	op := s.operation("Update a User", a, e.target, id, now)
	e.change = func(u *User) (Effect, error) {
		effect, err := e.apply(u)
		effect.Events = []audit.Event{op}
		if e.setsPassword() {
			effect.Events = append(effect.Events, s.event(audit.PasswordChangedAPI, a, e.target, id, now))
		}
		if err == nil {
			effect.Verification = s.verification(false, req.VerifyEmail, e.facts.Class, req.ClientID, "", u, u.identityOf(e.target.Name))
			effect.Unchanged = effect.Unchanged && effect.Verification == nil
		}
		return effect, err
	}
	return e, nil
}

// edit is a PATCH with everything it needs gathered.
type edit struct {
	req         PatchRequest
	src         profile.Source
	at          int64
	primary     *connection.Connection
	target      *connection.Connection // of the identity that is edited
	facts       profile.Connection     // of target
	password    Password               // the new one, hashed, or when an external store took it; zero: unchanged
	primaryName string
	change      func(*User) (Effect, error) // the edit inside the write

	// calls are what an external store has to be told, with the profile of its identity
	// before and after them.
	calls         []customdb.Call
	before, after profile.Profile
	subject       string // of the identity
	user          ID
}

// setsPassword reports whether the edit replaces or removes the password.
func (e *edit) setsPassword() bool { return e.req.Password.IsNull() || e.password != Password{} }

// resolve finds the connections of the edit and decodes the user of a view.
func (e *edit) resolve(ctx context.Context, s *Service, v View) (*User, error) {
	p, ids, err := v.decode()
	if err != nil {
		return nil, err
	}
	u := &User{ID: v.ID, Version: v.Version, Profile: p, Identities: ids, Logins: v.Logins}
	e.primaryName = u.Primary().Connection
	if e.primary, err = s.Connections.ConnectionByName(ctx, e.primaryName); err != nil {
		return nil, noConnection(err)
	}
	e.target = e.primary
	if name := e.req.Connection; name != "" && name != e.primaryName {
		if e.target, err = s.Connections.ConnectionByName(ctx, name); err != nil {
			return nil, noConnection(err)
		}
	}
	e.facts = e.target.Facts()
	return u, nil
}

func noConnection(err error) error {
	if errors.Is(err, connection.ErrNotFound) {
		return ErrNoConnection
	}
	return err
}

// apply edits u in place.
func (e *edit) apply(u *User) (Effect, error) {
	if e.req.IfVersion != 0 && e.req.IfVersion != u.Version {
		return Effect{}, ErrStale
	}
	i := u.identityOf(e.target.Name)
	if i < 0 {
		return Effect{}, ErrConnectionUnsupported
	}
	_, hasPassword := e.req.Password.Get()
	o := profile.EditOptions{Password: hasPassword, Secondary: i > 0}
	changed, err := e.edit(u, i, o)
	if err != nil {
		return Effect{}, err
	}
	effect := Effect{EndSessions: profile.EndsSessions(u.Profile, changed)}
	switch {
	case e.setsPassword():
		effect.Retires, effect.Forgives = u.retired(i, e.target), u.forgiven()
		u.setPassword(i, Password{Hash: e.password.Hash, SetAt: cmp.Or(e.password.SetAt, e.at)}, e.facts.Class)
		effect.EndSessions = true
	default:
		effect.Unchanged = len(changed) == 0 && !hasPassword
	}
	if !effect.Unchanged {
		u.UpdatedAt = e.at
	}
	return effect, nil
}

// edit runs the engine. Members that belong to the user as a whole (metadata,
// blocked) go to the root even when a secondary identity is named.
func (e *edit) edit(u *User, i int, o profile.EditOptions) ([]string, error) {
	if i == 0 {
		p, changed, err := profile.Edit(e.facts, u.Profile, e.req.Changes, o, e.src)
		if err == nil {
			u.Profile = p
		}
		return changed, err
	}
	var whole, own []profile.Change
	for _, ch := range e.req.Changes {
		switch ch.Name {
		case profile.UserMetadata, profile.AppMetadata, profile.Blocked:
			whole = append(whole, ch)
		default:
			own = append(own, ch)
		}
	}
	data, changed, err := profile.Edit(e.facts, u.Identities[i].ProfileData, own, o, e.src)
	if err != nil {
		return nil, err
	}
	p, more, err := profile.Edit(e.primary.Facts(), u.Profile, whole, profile.EditOptions{}, e.src)
	if err != nil {
		return nil, err
	}
	u.Identities[i].ProfileData, u.Profile = data, p
	return append(changed, more...), nil
}

// identityOf is the index of the identity of a connection; -1: none.
func (u *User) identityOf(connectionName string) int {
	for i := range u.Identities {
		if u.Identities[i].Connection == connectionName {
			return i
		}
	}
	return -1
}
