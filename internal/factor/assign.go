package factor

import (
	"context"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/user"
)

// Add enrolls factors on an administrator's word. Errors: ErrExists, ErrMany.
func (s *Service) Add(ctx context.Context, u *user.User, fs []Factor, e audit.Event) ([]Factor, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := s.fit(u, all, fs); err != nil {
		return nil, err
	}
	return fs, s.Store.ChangeFactors(ctx, Change{UserID: string(u.ID), Add: fs, Events: []audit.Event{e}})
}

// Replace puts factors in the place of all phones, addresses and authenticator
// applications of a user, who is told of kinds that are gone. Errors: ErrExists, ErrMany.
func (s *Service) Replace(ctx context.Context, u *user.User, fs []Factor, e audit.Event) ([]Factor, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return nil, err
	}
	var kept, old, gone []Factor
	var remove []string
	for _, f := range all {
		if f.Kind != TOTP && !f.Kind.OutOfBand() {
			kept = append(kept, f)
			continue
		}
		if f.Imported {
			old = append(old, f)
		} else {
			remove = append(remove, f.Device)
		}
		if !slices.ContainsFunc(fs, func(next Factor) bool { return next.Kind == f.Kind }) {
			gone = append(gone, f)
		}
	}
	if err := s.fit(u, kept, fs); err != nil {
		return nil, err
	}
	// The new ones first: at no time is the user without a factor.
	err = s.Store.ChangeFactors(ctx, Change{
		UserID: string(u.ID), Remove: remove, Imported: len(old) > 0, Add: fs, Events: []audit.Event{e}, Letters: toldGone(u, Actor{}, gone),
	})
	if err == nil && len(old) > 0 {
		err = s.unenroll(ctx, u, old, nil)
	}
	return fs, err
}

// fit completes factors that are to be added beside those that are there.
func (s *Service) fit(u *user.User, all, fs []Factor) error {
	now := s.Now().UnixMicro()
	for i := range fs {
		f := &fs[i]
		f.UserID, f.Device, f.Confirmed, f.CreatedAt = string(u.ID), NewDevice(), true, now
		if slices.ContainsFunc(all, f.same) {
			return ErrExists
		}
		if all = append(all, *f); len(all) > MaxFactors {
			return ErrMany
		}
	}
	return nil
}

// same reports a factor that stands for the same thing.
func (f *Factor) same(o Factor) bool {
	return f.Kind == o.Kind && f.Detail.Address == o.Detail.Address && f.Detail.Secret == o.Detail.Secret && f.Fingerprint == o.Fingerprint
}

// Unenroll removes factors of a user, imported or not, in one transaction, and
// tells their owner. The zero Actor: an administrator's word.
func (s *Service) Unenroll(ctx context.Context, u *user.User, fs []Factor, a Actor, e ...audit.Event) error {
	return s.unenroll(ctx, u, fs, toldGone(u, a, fs), e...)
}

func (s *Service) unenroll(ctx context.Context, u *user.User, fs []Factor, letters []letter.Letter, e ...audit.Event) error {
	devices, fromImport := []string{}, false
	for i := range fs {
		devices = append(devices, fs[i].Device)
		fromImport = fromImport || fs[i].Imported
	}
	if !fromImport {
		_, err := s.Store.RemoveFactors(ctx, string(u.ID), devices, len(imported(u, s.DeviceKey)) > 0, letters, e...)
		return err
	}
	_, err := s.Users.UpdateUser(ctx, u.ID, func(u *user.User) (user.Effect, error) {
		u.DropFactors(s.DeviceKey, devices)
		return user.Effect{Events: e, Letters: letters, Unenrolls: devices}, nil
	})
	return err
}

// Rename changes what is shown of an enrolled factor. Errors: ErrNone.
func (s *Service) Rename(ctx context.Context, f Factor, d Detail, e audit.Event) (Factor, error) {
	f.Detail.Name, f.Detail.Preferred = d.Name, d.Preferred
	return f, s.Store.ChangeFactors(ctx, Change{UserID: f.UserID, Update: &f, Events: []audit.Event{e}})
}
