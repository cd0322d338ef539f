package user

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// callsOf are what an external store has to be told of an edit, which changed the profile
// of its identity from one into the other; password is the new one, or empty
// (reference/connections.md §5.4). A proof alone goes by verify where there is that, and
// otherwise by change_email from the address to itself.
func callsOf(o *customdb.Options, before, after profile.Profile, password string) []customdb.Call {
	id := identifierOf(before)
	var calls []customdb.Call
	if password != "" {
		calls = append(calls, customdb.NewPassword(id, password))
	}
	email, verified := after.Text(profile.Email), after.True(profile.EmailVerified)
	switch {
	case before.Text(profile.Email) != email:
		calls = append(calls, customdb.NewEmail(cmp.Or(before.Text(profile.Email), id), email, verified))
	case email == "", before.True(profile.EmailVerified) == verified:
	case verified && o.Has(customdb.Verify):
		calls = append(calls, customdb.Proved(email))
	default:
		calls = append(calls, customdb.NewEmail(email, email, verified))
	}
	if name := after.Text(profile.Username); name != before.Text(profile.Username) {
		calls = append(calls, customdb.NewUsername(id, name))
	}
	if number := after.Text(profile.PhoneNumber); number != before.Text(profile.PhoneNumber) {
		calls = append(calls, customdb.NewPhoneNumber(id, number))
	}
	return calls
}

// renamed are the identifiers that an edit has changed.
func renamed(before, after profile.Profile) []string {
	return slices.DeleteFunc(slices.Clone(identifiers), func(name string) bool { return before.Text(name) == after.Text(name) })
}

// tell asks the external store for what the edit changes there, after get_user: whether
// the user is still there, and nobody else has the new identifier. Whatever is refused
// is recorded in the store's own words.
func (e *edit) tell(ctx context.Context, s *Service, a Actor) error {
	for _, call := range e.calls {
		if err := e.tellOne(ctx, s, call); err != nil {
			return s.notChanged(ctx, s.event(refusedChange[call.Action], a, e.target, e.user, s.Now()), err)
		}
	}
	return nil
}

// refusedChange is how the record of a refused change is called.
var refusedChange = map[customdb.Action]string{
	customdb.ChangePassword: audit.PasswordNotChanged, customdb.ChangeEmail: audit.EmailNotChanged, customdb.Verify: audit.EmailNotVerified,
	customdb.ChangeUsername: audit.UsernameNotChanged, customdb.ChangePhoneNumber: audit.PhoneNotChanged,
}

// renames is the record of a new identifier that is refused.
var renames = map[string]string{
	profile.Email: audit.EmailNotChanged, profile.Username: audit.UsernameNotChanged, profile.PhoneNumber: audit.PhoneNotChanged,
}

// notChanged records why nothing changes, unless that is a failure of ours.
func (s *Service) notChanged(ctx context.Context, e audit.Event, err error) error {
	if ctx.Err() != nil || errs.KindOf(err) == errs.Internal {
		return err
	}
	return errors.Join(err, s.Audit.AppendEvents(ctx, told(refused(e, err), err)))
}

// notRenamed is notChanged for what an old store has failed to say.
func (s *Service) notRenamed(ctx context.Context, e audit.Event, err error) error {
	var there *customdb.Failure
	if !errors.As(err, &there) {
		return err
	}
	return s.notChanged(ctx, e, err)
}

func (e *edit) tellOne(ctx context.Context, s *Service, call customdb.Call) error {
	if identifierOf(e.before) == "" { // there is no word for whom is meant
		return ErrNotThere
	}
	var err error
	if call.Action == customdb.ChangePassword {
		err = s.there(ctx, e.target, e.before, e.subject)
	} else {
		err = s.free(ctx, e.target, e.after, renamed(e.before, e.after), e.subject)
	}
	if err != nil {
		return err
	}
	answer, err := s.tell(ctx, e.target, call)
	if err == nil && call.Action == customdb.ChangePassword {
		e.password.SetAt = cmp.Or(customdb.PasswordResetAt(answer.Value), e.at)
	}
	return err
}
