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
	over    context.Context // ends those that are under way
	cut     context.CancelFunc
}

// NewShadow bounds comparisons to so many at a time; those beyond are left out.
func NewShadow(most int) *Shadow {
	s := &Shadow{slots: make(chan struct{}, most)}
	s.over, s.cut = context.WithCancel(context.Background())
	return s
}

// Finish returns when the comparisons that have begun are over; what is not when limit
// ends is cut off, and leaves no note.
func (s *Shadow) Finish(limit context.Context) {
	defer context.AfterFunc(limit, s.cut)()
	s.running.Wait()
}

// begin runs fn unless too many are running. It does not end with ctx.
func (s *Shadow) begin(ctx context.Context, fn func(ctx context.Context)) {
	if s == nil {
		return
	}
	select {
	case s.slots <- struct{}{}:
		s.running.Go(func() {
			defer func() { <-s.slots }()
			ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
			defer stop()
			defer context.AfterFunc(s.over, stop)()
			fn(ctx)
		})
	default:
	}
}

// compare asks the old store what it would have said to a sign-in that was judged here
// (u nil: nobody is here; ok: the password was right), and notes whether the two agree.
// Nothing else changes. That both refuse says nothing: most of what is typed is wrong.
func (s *Service) compare(ctx context.Context, c *connection.Connection, identifier, password string, u *User, ok bool) {
	name := Called(c.SignInKinds(), identifier)
	s.Shadow.begin(ctx, func(ctx context.Context) {
		p, err := s.signsIn(ctx, c, identifier, password)
		if ctx.Err() != nil {
			return
		}
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
	out := profile.AdoptBare(c.Facts(), p.Claims, profile.Source{Origin: profile.FromScript}, s.Defaults)
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
