package guard

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Count is what one attempt counts, in one transaction before the password is
// looked at. A part whose limit is zero is not counted.
type Count struct {
	At int64 // microseconds

	// The account.
	Subject, Address         string
	Identifier, ConnectionID string
	MaxAttempts              int64
	// Forgotten is when failures are too old to count.
	Forgotten int64
	// RefuseAccount: at MaxAttempts the attempt is refused and not counted.
	RefuseAccount bool

	// The address.
	Network       string
	Limit         Limit
	RefuseAddress bool
}

// Counted is the outcome.
type Counted struct {
	// Failures are those in a row, this attempt among them; zero: not counted, since
	// there were MaxAttempts already.
	Failures int64
	// LastAt is when the last failure of a refused account was.
	LastAt int64
	// Empty: the address's bucket had no token. FullAt is when it will be full.
	Empty  bool
	FullAt int64
}

// Block is an account that is refused.
type Block struct {
	Identifier   string
	Address      string // empty: whatever the address
	ConnectionID string
}

// Store keeps the counters.
type Store interface {
	// CountAttempt counts all or, when it refuses, nothing.
	CountAttempt(ctx context.Context, c Count) (Counted, error)
	// Untouched reports whether the count would be the first of its account, and its
	// address is far from being refused.
	Untouched(ctx context.Context, c Count) (bool, error)
	// Forgive takes back what a right password would.
	Forgive(ctx context.Context, f user.Forgiveness) error
	// Draw takes a token from a bucket; ok: there was one. fullAt is when it is full
	// again.
	Draw(ctx context.Context, bucket, who string, l Limit, at int64) (fullAt int64, ok bool, err error)
	// Bucket is when a bucket will be full; zero: it is.
	Bucket(ctx context.Context, bucket, who string) (fullAt int64, err error)
	// Refill fills the buckets of that name.
	Refill(ctx context.Context, buckets []string, who string, e audit.Event) error
	// Blocks are the subject's counters with at least that many failures, the last
	// of them after since.
	Blocks(ctx context.Context, subject string, failures, since int64) ([]Block, error)
	// ReleaseLogins forgives the subjects everywhere, and uses up a ticket: user.ErrTicketUsed,
	// user.ErrTicketOver.
	ReleaseLogins(ctx context.Context, subjects []string, r user.Redemption, e audit.Event) error
}

// countOf says what an attempt counts under these settings.
func countOf(s *tenant.Settings, t user.Attempt, at int64) Count {
	c := Count{At: at}
	if b := s.BruteForce; b.Enabled && t.Connection.Guarded() && !allowed(b.Allowlist, t.By.IP) {
		c.MaxAttempts, c.RefuseAccount, c.Forgotten = max(b.MaxAttempts, 1), b.Block, at-Memory.Microseconds()
		c.Subject, c.ConnectionID = nobody(t.Connection.ID, t.Identifier), t.Connection.ID
		if t.User != nil {
			c.Subject, c.Identifier = string(t.User.ID), t.Identifier
		}
		if !b.PerIdentifier {
			c.Address = Network(t.By.IP)
		}
	}
	if a := s.SuspiciousIP; a.Enabled && !allowed(a.Allowlist, t.By.IP) {
		c.Network, c.Limit, c.RefuseAddress = Network(t.By.IP), limitOf(a.Login), a.Block
	}
	return c
}
