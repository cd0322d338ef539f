package device

import (
	"context"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// State of a code.
type State string

// The states.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Denied   State = "denied"
	// Over: the device was told what became of it, and is not told again.
	Over State = "over"
)

// Code as stored. Times in microseconds.
type Code struct {
	Hash     string // SHA-256 of the device code
	UserCode string // as it is shown to the person
	ClientID string
	Scope    []string // as requested
	Audience string
	State    State
	// The sign-in, once Approved.
	UserID, SessionID, ConnectionID string
	AuthTime                        int64
	Methods                         []string

	PolledAt  int64 // zero: never
	ExpiresAt int64
}

// Times (reference/authentication.md §3.11).
const (
	Lifetime = 15 * time.Minute
	Interval = 5 * time.Second
	// Stay is how long a code that expired is known as such.
	Stay = 24 * time.Hour
)

// Failures. All but ErrTaken are answers to a poll.
var (
	ErrPending  = errs.New(errs.Forbidden, "authorization_pending", "User has yet to authorize device code.")
	ErrSlowDown = errs.New(errs.TooMany, "slow_down", "You are polling faster than the specified interval of %d seconds.", int(Interval/time.Second))
	ErrExpired  = errs.New(errs.Forbidden, "expired_token", "The device code has expired.")
	ErrDenied   = errs.New(errs.Forbidden, "access_denied", "User cancelled the confirmation prompt.")
	ErrUnknown  = errs.New(errs.Forbidden, "invalid_grant", "Invalid or expired device code.")
	// ErrTaken: another device shows that code right now.
	ErrTaken = errs.New(errs.Conflict, "", "The code is in use.")
)

// Store keeps codes. Every method is one transaction, with its events in it.
type Store interface {
	// SaveDevice keeps a new code; ErrTaken when its UserCode is in use.
	SaveDevice(ctx context.Context, c Code) error
	// ChangeDevice runs fn on the locked code, perhaps more than once, and saves
	// what it made of it, with the events. Nothing is saved when fn fails.
	// ErrUnknown: there is none.
	ChangeDevice(ctx context.Context, hash string, fn func(*Code) ([]audit.Event, error)) error
	// Device finds a code, whatever became of it; ErrUnknown.
	Device(ctx context.Context, hash string) (Code, error)
	// DeviceByUserCode finds the code that a device shows under that text, as
	// Normalize leaves it; ErrUnknown.
	DeviceByUserCode(ctx context.Context, userCode string) (Code, error)
	// CountGuess adds n to the guesses of the origin and returns how many there
	// are since it began to guess; they are forgotten until microseconds later.
	CountGuess(ctx context.Context, origin string, n, now, until int64) (int64, error)
}

// Usable reports whether a person may still decide about the code.
func (c *Code) Usable(now int64) bool { return c.State == Pending && now < c.ExpiresAt }
