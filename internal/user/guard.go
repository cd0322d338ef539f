package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
)

// Guard bounds how often passwords are guessed, and accounts made (package guard).
type Guard interface {
	// Admit counts an attempt before its password is looked at: of any number at
	// once no more are looked at than may be. Errors: *Locked, which it records.
	Admit(ctx context.Context, t Attempt) (Admission, error)
	// Wrong says that the password was wrong: the attempt stays counted. e is its record.
	Wrong(ctx context.Context, t Attempt, a Admission, e audit.Event) error
	// Return takes an attempt back whose password was not looked at.
	Return(ctx context.Context, a Admission) error
	// AdmitSignup counts a sign-up. Errors: *Locked.
	AdmitSignup(ctx context.Context, c *connection.Connection, by Actor) error
}

// Attempt is a password that somebody tries.
type Attempt struct {
	Connection *connection.Connection
	// User and Identity are whom the identifier means; nil: nobody, which is
	// counted and answered the same.
	User     *User
	Identity int
	// Identifier is folded; Typed is what it was made of.
	Identifier, Typed string
	By                Actor
}

// Admission is an attempt as it was counted.
type Admission struct {
	// Forgives is what a right password takes back.
	Forgives Forgiveness
	// Failures is how many there are in a row with this one; zero: not counted.
	Failures int64
	// Counting, when not nil, waits for a count that is still under way, and gives the
	// Admission or *Locked in its place. The password may be looked at meanwhile; what
	// came of it counts, and is told, only afterwards.
	Counting func() (Admission, error)
}

func (a Admission) settled() (Admission, error) {
	if a.Counting == nil {
		return a, nil
	}
	return a.Counting()
}

// Forgiveness is counted failures that count no more.
type Forgiveness struct {
	// Subject is whose they are: a user id, or the digest of a name that is nobody's.
	// Empty: none.
	Subject string
	// Names are further subjects, forgiven from anywhere.
	Names []string
	// Address is from where; EveryAddress: from anywhere.
	Address string
	// Refund gives the address the attempt back, microseconds of its bucket; zero: nothing.
	Refund int64
	// Network is the address of the bucket.
	Network string
}

// EveryAddress forgives failures wherever they came from.
const EveryAddress = "*"

// forgiven is what a new password takes back: whoever sets it starts anew.
func (u *User) forgiven() Forgiveness {
	f := Forgiveness{Subject: string(u.ID), Address: EveryAddress}
	for subject, name := range u.Subjects() {
		if name != "" {
			f.Names = append(f.Names, subject)
		}
	}
	return f
}

// Stranger is the Subject of a name, as Called gives it, of which only somebody else
// knows whose it is at the connection, or which is nobody's: people type passwords into
// the wrong field, so that the name itself is not kept. A user id has a bar in it and a
// digest none.
func Stranger(connectionID, name string) string {
	sum := sha256.Sum256([]byte(connectionID + "\x00" + alike(name)))
	return hex.EncodeToString(sum[:])
}

// Subjects are under whom wrong passwords of the user are counted, each with the name
// that it is of: the user id, with none, and the identifiers at external stores.
func (u *User) Subjects() iter.Seq2[string, string] {
	return func(yield func(subject, name string) bool) {
		if !yield(string(u.ID), "") {
			return
		}
		for i, id := range u.Identities {
			if !id.External {
				continue
			}
			for _, name := range u.Identifiers(i) {
				if !yield(Stranger(id.ConnectionID, name), name) {
					return
				}
			}
		}
	}
}

// Refusals of a Guard (reference/authentication.md §3.7, §4.1).
var (
	ErrAccountLocked = errs.New(errs.TooMany, "too_many_attempts", "Your account has been blocked after multiple consecutive login attempts. We've sent you a notification via your preferred contact method with instructions on how to unblock it.")
	ErrAddressLocked = errs.New(errs.TooMany, "too_many_attempts", "We have detected suspicious login behavior and further attempts will be blocked. Please contact the administrator.")
	ErrSignupLocked  = errs.New(errs.TooMany, "too_many_attempts", "We have detected suspicious sign up behavior and further attempts will be blocked. Please contact the administrator.")
	// ErrTooOften is of what is bounded without a word of the reference.
	ErrTooOften = errs.New(errs.TooMany, "too_many_requests", "Too many requests. Please try again later.")
)

// Locked is one of these refusals, and when it is over.
type Locked struct {
	Why  *errs.Error
	Wait time.Duration
}

func (l *Locked) Error() string { return l.Why.Error() }

func (l *Locked) Unwrap() error { return l.Why }

// RetryAfter is for the header of that name.
func (l *Locked) RetryAfter() time.Duration { return l.Wait }

// openDoor is the Guard of a Service that has none.
type openDoor struct{ audit.Sink }

func (openDoor) Admit(context.Context, Attempt) (Admission, error) { return Admission{}, nil }

func (o openDoor) Wrong(ctx context.Context, _ Attempt, _ Admission, e audit.Event) error {
	return o.AppendEvents(ctx, e)
}

func (openDoor) Return(context.Context, Admission) error { return nil }

func (openDoor) AdmitSignup(context.Context, *connection.Connection, Actor) error { return nil }

func (s *Service) guard() Guard {
	if s.Guard != nil {
		return s.Guard
	}
	return openDoor{s.Audit}
}
