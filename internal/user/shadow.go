package user

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// Shadow is the comparisons under way (options.migration.mode shadow). Sign-ins do not
// wait for them.
type Shadow struct {
	slots   chan struct{}
	running sync.WaitGroup
}

// NewShadow bounds comparisons to so many at a time; those beyond are left out.
func NewShadow(most int) *Shadow { return &Shadow{slots: make(chan struct{}, most)} }

// Wait returns when the comparisons that have begun are over.
func (s *Shadow) Wait() { s.running.Wait() }

// begin runs fn unless too many are running.
func (s *Shadow) begin(fn func()) {
	if s == nil {
		return
	}
	select {
	case s.slots <- struct{}{}:
		s.running.Go(func() {
			defer func() { <-s.slots }()
			fn()
		})
	default:
	}
}

// compare asks the old store what it would have said to a sign-in that was judged here
// (u nil: nobody is here; ok: the password was right), and notes whether the two agree.
// Nothing else changes. That both refuse says nothing: most of what is typed is wrong.
func (s *Service) compare(ctx context.Context, c *connection.Connection, identifier, password string, u *User, ok bool) {
	ctx = context.WithoutCancel(ctx)
	name := Fold(ByUsername, identifier)
	if names := Names(c.SignInKinds(), identifier); len(names) > 0 {
		name = names[0].Value
	}
	s.Shadow.begin(func() {
		p, err := s.signsIn(ctx, c, identifier, password)
		n := customdb.Note{ConnectionID: c.ID, Name: name, At: s.Now().UnixMicro()}
		n.Compared, n.State, n.Reason = s.difference(c, u, ok, p, err)
		if n.Compared || n.State != "" {
			_ = s.note(ctx, n) // there is nobody to tell
		}
	})
}

// difference is the rule of compare.
//
//	here            old store       what is noted
//	right           right           the attributes that differ, or that all is well
//	right           wrong           differing
//	wrong, nobody   right           differing
//	wrong, nobody   wrong           nothing
//	any             no answer       failing
func (s *Service) difference(c *connection.Connection, u *User, ok bool, p customdb.Person, err error) (compared bool, state customdb.State, reason string) {
	switch {
	case errors.Is(err, ErrWrongPassword) && !ok:
		return false, "", ""
	case errors.Is(err, ErrWrongPassword):
		return true, customdb.Differing, "the old store refuses the password that is right here"
	case err != nil:
		reason = errs.From(err).Text
		var f *customdb.Failure
		if errors.As(err, &f) && f.Message != "" {
			reason = f.Message
		}
		return false, customdb.Failing, reason
	case u == nil:
		return true, customdb.Differing, "the old store knows the person, who is not here"
	case !ok:
		return true, customdb.Differing, "the old store accepts a password that is wrong here"
	}
	out := profile.Adopt(c.Facts(), p.Claims, profile.Source{Origin: profile.FromScript}, s.Defaults)
	if out.Action == profile.Refused {
		return true, customdb.Failing, errs.From(out.Refusal).Text
	}
	i := u.identityIndex(c.ID, p.Claims.Subject)
	if i < 0 {
		return true, customdb.Differing, "the old store has another user_id"
	}
	if names := s.unlike(*u.profileOf(i), out.Profile); len(names) > 0 {
		return true, customdb.Differing, "these attributes differ: " + strings.Join(names, ", ")
	}
	return true, "", ""
}

// unlike are the attributes that a store says otherwise than we have them. What it does
// not say, and what was made up, is no difference; neither are metadata and blocked,
// which are ours.
func (s *Service) unlike(here, there profile.Profile) []string {
	return slices.DeleteFunc(profile.Diff(here, there), func(name string) bool {
		a, said := there.Get(name)
		return !said || a.Source.Origin == profile.FromDefault ||
			name == profile.UserMetadata || name == profile.AppMetadata || name == profile.Blocked
	})
}
