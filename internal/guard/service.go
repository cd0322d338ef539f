package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Service is the use cases. All fields are required but Mail.
type Service struct {
	Store       Store
	Settings    tenant.Reader
	Audit       audit.Sink
	Users       user.Store
	Connections connection.Store
	Now         func() time.Time
	// Mail sends the owner of an identity a link that releases the account, with the
	// record of its being blocked in the same transaction; nil: there is no mail.
	Mail func(ctx context.Context, u *user.User, identity int, by user.Actor, e audit.Event) error

	mu       sync.Mutex
	counting map[string]struct{} // accounts whose first attempt is being counted
}

var _ user.Guard = (*Service)(nil)

// Admit counts an attempt. Errors: *user.Locked.
//
// Nearly all attempts are the first of their account and have the right password.
// Of these the count goes beside the hash instead of before it, one of an account
// at a time; the next ones wait for theirs, so that guesses at once gain nothing.
func (s *Service) Admit(ctx context.Context, t user.Attempt) (user.Admission, error) {
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return user.Admission{}, err
	}
	c := countOf(settings, t, s.Now().UnixMicro())
	if c.MaxAttempts == 0 && c.Limit.Burst == 0 {
		return user.Admission{}, nil
	}
	beside, err := s.begin(ctx, c)
	if err != nil {
		return user.Admission{}, err
	}
	if !beside {
		return s.count(ctx, t, c)
	}
	var a user.Admission
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.end(c.Subject)
		a, err = s.count(context.WithoutCancel(ctx), t, c)
	}()
	return user.Admission{Counting: func() (user.Admission, error) {
		<-done
		return a, err
	}}, nil
}

// begin reports whether the attempt may be counted beside its hash.
func (s *Service) begin(ctx context.Context, c Count) (bool, error) {
	if c.Subject == "" {
		return false, nil
	}
	s.mu.Lock()
	_, busy := s.counting[c.Subject]
	if !busy {
		if s.counting == nil {
			s.counting = map[string]struct{}{}
		}
		s.counting[c.Subject] = struct{}{}
	}
	s.mu.Unlock()
	if busy {
		return false, nil
	}
	untouched, err := s.Store.Untouched(ctx, c)
	if err != nil || !untouched {
		s.end(c.Subject)
	}
	return untouched, err
}

func (s *Service) end(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counting, subject)
}

// count counts an attempt and judges what came of it.
func (s *Service) count(ctx context.Context, t user.Attempt, c Count) (user.Admission, error) {
	got, err := s.Store.CountAttempt(ctx, c)
	if err != nil {
		return user.Admission{}, err
	}
	switch {
	case got.Empty && c.RefuseAddress:
		wait := c.Limit.wait(got.FullAt, c.At)
		return user.Admission{}, s.refuse(ctx, s.attempted(audit.AddressBlocked, t), user.ErrAddressLocked, wait)
	case got.Failures == 0 && c.RefuseAccount:
		wait := time.Duration(got.LastAt-c.At)*time.Microsecond + Memory
		return user.Admission{}, s.refuse(ctx, s.attempted(audit.AccountBlocked, t), user.ErrAccountLocked, wait)
	}
	a := user.Admission{Failures: got.Failures}
	a.Forgives.Subject, a.Forgives.Address = c.Subject, c.Address
	if !got.Empty && c.Limit.Burst > 0 {
		a.Forgives.Network, a.Forgives.Refund = c.Network, c.Limit.Every.Microseconds()
	}
	return a, nil
}

// refuse records a refusal and is its error.
func (s *Service) refuse(ctx context.Context, e audit.Event, why *errs.Error, wait time.Duration) error {
	e.Description = why.Text
	refusal := &user.Locked{Why: why, Wait: max(wait, time.Second)}
	if err := s.Audit.AppendEvents(ctx, e); err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// attempted starts the record of an attempt.
func (s *Service) attempted(kind string, t user.Attempt) audit.Event {
	e := s.event(kind, t.Connection, t.By)
	if t.User != nil {
		e.UserID = string(t.User.ID)
	}
	return e
}

func (s *Service) event(kind string, c *connection.Connection, by user.Actor) audit.Event {
	return audit.Event{
		Type: kind, At: s.Now().UnixMicro(), ClientID: by.ClientID, IP: by.IP, UserAgent: by.UserAgent,
		Connection: c.Name, ConnectionID: c.ID,
	}
}

// Wrong records a wrong password. The one that fills the measure blocks the
// account, which its owner is told.
func (s *Service) Wrong(ctx context.Context, t user.Attempt, a user.Admission, e audit.Event) error {
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return err
	}
	b := settings.BruteForce
	if a.Failures == 0 || a.Failures != max(b.MaxAttempts, 1) {
		return s.Audit.AppendEvents(ctx, e)
	}
	blocked := s.attempted(audit.AccountBlocked, t)
	blocked.Description = user.ErrAccountLocked.Text
	if !b.Notify || s.Mail == nil || t.User == nil || t.User.EmailOf(t.Identity) == "" {
		return s.Audit.AppendEvents(ctx, e, blocked)
	}
	if err := s.Audit.AppendEvents(ctx, e); err != nil {
		return err
	}
	return s.Mail(ctx, t.User, t.Identity, t.By, blocked)
}

// Return takes an attempt back.
func (s *Service) Return(ctx context.Context, a user.Admission) error {
	if f := a.Forgives; f.Subject == "" && f.Refund == 0 {
		return nil
	}
	return s.Store.Forgive(ctx, a.Forgives)
}

// AdmitSignup counts a sign-up, whatever becomes of it. Errors: *user.Locked.
func (s *Service) AdmitSignup(ctx context.Context, c *connection.Connection, by user.Actor) error {
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return err
	}
	a := settings.SuspiciousIP
	if !a.Enabled || allowed(a.Allowlist, by.IP) {
		return nil
	}
	l, now := limitOf(a.Signup), s.Now().UnixMicro()
	fullAt, ok, err := s.Store.Draw(ctx, signupBucket, Network(by.IP), l, now)
	if err != nil || ok || !a.Block {
		return err
	}
	return s.refuse(ctx, s.event(audit.AddressBlocked, c, by), user.ErrSignupLocked, l.wait(fullAt, now))
}

// Throttle takes a token from a bucket that is nobody's business but the
// caller's. who are the parts by which it is known. Errors: *user.Locked.
func (s *Service) Throttle(ctx context.Context, bucket string, l Limit, who ...string) error {
	now := s.Now().UnixMicro()
	fullAt, ok, err := s.Store.Draw(ctx, bucket, digest(who...), l, now)
	if err != nil || ok {
		return err
	}
	return &user.Locked{Why: user.ErrTooOften, Wait: max(l.wait(fullAt, now), time.Second)}
}

// resetLimit is how often one address asks for one name's new password
// (reference/authentication.md §4.10).
var resetLimit = Limit{Burst: 10, Every: time.Minute}

// ResetRequest counts a request for a link that sets a new password. Errors: *user.Locked.
func (s *Service) ResetRequest(ctx context.Context, address, connectionID, identifier string) error {
	return s.Throttle(ctx, "reset", resetLimit, Network(address), connectionID, identifier)
}
