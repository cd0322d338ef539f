package user

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// deleteTries bounds how often a deletion starts afresh because the user changed at the
// same moment.
const deleteTries = 8

// Delete removes a user; deleting nobody is no error (reference/users.md §3.6). Errors
// as DeleteIf's.
func (s *Service) Delete(ctx context.Context, id ID, a Actor) error { return s.DeleteIf(ctx, id, 0, a) }

// DeleteIf is Delete for a user of that version; zero: of any. Errors: ErrStale; 400 with
// the words of an external store that does not delete the user, who then stays.
//
// Each external store by which the user signs in is told first. Of people who came, or
// could come, out of an old store there remains what keeps it from bringing them back.
func (s *Service) DeleteIf(ctx context.Context, id ID, ifVersion int64, a Actor) error {
	gone := map[string]bool{} // there, by identity
	for try := 1; ; try++ {
		u, err := s.Users.User(ctx, id)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if ifVersion != 0 && len(gone) == 0 && u.Version != ifVersion {
			return ErrStale
		}
		graves, err := s.deleteElsewhere(ctx, u, a, gone)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			ctx = context.WithoutCancel(ctx) // what is gone there must not stay here
		}
		version := ifVersion
		if graves != nil || len(gone) > 0 { // of an identity that has just been added there are none yet
			version = u.Version
		}
		if try == deleteTries && ifVersion == 0 {
			version = 0
		}
		now := s.Now()
		err = s.Users.DeleteUser(ctx, id, version, Effect{Graves: graves, Events: []audit.Event{
			s.operation("Delete a User", a, nil, id, now), s.event(audit.UserDeleted, a, nil, id, now),
		}})
		switch {
		case isNotFound(err):
			return nil
		case errors.Is(err, ErrStale) && (ifVersion == 0 || len(gone) > 0) && try < deleteTries:
			continue
		case err != nil && len(gone) > 0:
			return errDoneThere(err)
		}
		return err
	}
}

// deleteElsewhere tells the external stores of the user's identities, but those in gone,
// to which it adds; and returns the graves of the others that are in import mode.
func (s *Service) deleteElsewhere(ctx context.Context, u *User, a Actor, gone map[string]bool) (map[string][]string, error) {
	var graves map[string][]string
	for i := range u.Identities {
		id := &u.Identities[i]
		c, err := s.Connections.Connection(ctx, id.ConnectionID)
		if errors.Is(err, connection.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		key := id.ConnectionID + "|" + id.Subject
		switch c.Class() {
		case profile.ImportDatabase:
			if graves == nil {
				graves = map[string][]string{}
			}
			graves[c.ID] = append(graves[c.ID], s.graves(u, i)...)
		case profile.ExternalDatabase:
			if gone[key] || !customdb.OptionsOf(c).Has(customdb.Delete) {
				continue
			}
			_, err := s.tell(ctx, c, customdb.Remove(id.Subject))
			if err != nil && !customdb.IsWrong(err) { // whom it does not know is as good as deleted
				return nil, s.notDeleted(ctx, s.event(audit.UserNotDeleted, a, c, u.ID, s.Now()), err)
			}
			gone[key] = true
		}
	}
	return graves, nil
}

// notDeleted records why an external store keeps somebody, and words it: an error that
// the store gave as such is for whoever manages users.
func (s *Service) notDeleted(ctx context.Context, e audit.Event, err error) error {
	if ctx.Err() != nil {
		return err
	}
	var f *customdb.Failure
	if errors.As(err, &f) && f.Kind == customdb.Failed && f.Message != "" {
		err = errs.New(errs.Invalid, ErrNotDone.Code, "%s", f.Message).Because(f)
	}
	return errors.Join(err, s.Audit.AppendEvents(context.WithoutCancel(ctx), told(refused(e, err), err)))
}
