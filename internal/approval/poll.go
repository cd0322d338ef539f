package approval

import (
	"errors"
	"time"

	"mangrove/internal/errs"
)

// errSlowDown asks for twice the interval, which an application can keep
// without knowing when we counted.
const errSlowDown = slowDown(2 * Interval)

// slowDown is how long to wait before the next poll.
type slowDown time.Duration

func (s slowDown) Error() string { return s.Unwrap().Error() }

// Unwrap is the answer (reference/authentication.md §3.11).
func (s slowDown) Unwrap() error {
	return errs.New(errs.TooMany, "slow_down", "You are polling faster than allowed. Try again in %d seconds.", int(time.Duration(s)/time.Second))
}

// RetryAfter is what Retry-After says.
func (s slowDown) RetryAfter() time.Duration { return time.Duration(s) }

// Poll decides what an application is told, and changes the request accordingly:
// nil for an approved one, which is used up by it. The change stands also with
// a failure.
func (r *Request) Poll(clientID string, now int64) error {
	switch {
	case r.ClientID != clientID, r.State == Over:
		return ErrUnknown
	case r.State == Denied, now >= r.ExpiresAt:
		return ErrDenied
	case r.PolledAt != 0 && now-r.PolledAt < Interval.Microseconds():
		return errSlowDown
	}
	r.PolledAt = now
	if r.State != Approved {
		return ErrPending
	}
	r.State = Over
	return nil
}

// Waiting reports an answer that tells only that nothing has happened yet.
func Waiting(err error) bool { return errors.Is(err, ErrPending) || errors.Is(err, errSlowDown) }
