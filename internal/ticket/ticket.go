package ticket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/user"
)

// Purpose is the one thing that a ticket is good for.
type Purpose string

// The purposes.
const (
	VerifyEmail    Purpose = "verify_email"
	ChangePassword Purpose = "change_password"
	// Unblock releases an account after too many wrong passwords.
	Unblock Purpose = "unblock"
)

// path is where a ticket of the purpose is redeemed (reference/users.md §3.11).
func (p Purpose) path() string {
	switch p {
	case ChangePassword:
		return "/u/reset-password"
	case Unblock:
		return "/u/unblock"
	}
	return "/u/email-verification"
}

// Lifetimes. Nobody needs a link for a century; the bound keeps arithmetic safe.
const (
	DefaultLifetime = 432000 * time.Second // five days, the reference's default
	maxLifetime     = 100 * 365 * 24 * time.Hour
	// remembered is how long a ticket is kept behind its end, to tell a late
	// visitor what happened.
	remembered = 30 * 24 * time.Hour
)

// Ticket as stored. Times are microseconds.
type Ticket struct {
	Hash    string // of the secret; the secret itself is kept nowhere
	Purpose Purpose
	UserID  user.ID
	// ConnectionID and Subject name the identity. A new ticket replaces the one of
	// the same purpose, user and identity.
	ConnectionID, Subject string
	// Email and PasswordSetAt are the identity's address and user.Password.SetAt as
	// they were: a change of either ends the ticket.
	Email         string
	PasswordSetAt int64
	// ResultURL is where the browser goes afterwards; empty: to a page of ours.
	ResultURL    string
	IncludeEmail bool
	// MarksVerified: a new password also proves the address.
	MarksVerified bool
	UsedAt        int64 // zero: not yet
	ExpiresAt     int64
	KeptUntil     int64
}

// state is why the ticket cannot be redeemed; nil: it can, as far as it knows.
func (t *Ticket) state(now int64) error {
	switch {
	case t.UsedAt != 0:
		return user.ErrTicketUsed
	case now >= t.ExpiresAt:
		return user.ErrTicketOver
	}
	return nil
}

func (t *Ticket) proof() user.Proof {
	return user.Proof{Ticket: t.Hash, ConnectionID: t.ConnectionID, Subject: t.Subject, Email: t.Email, PasswordSetAt: t.PasswordSetAt}
}

// Store keeps tickets. What uses them up is user.Effect.Ticket.
type Store interface {
	// CreateTicket replaces the ticket of the same purpose, user and identity.
	CreateTicket(ctx context.Context, t *Ticket, e audit.Event) error
	// SendTicket is CreateTicket with the letters that carry it; a nil ticket leaves
	// the events.
	SendTicket(ctx context.Context, t *Ticket, letters []letter.Letter, events ...audit.Event) error
	// Ticket finds any that is still kept, used and expired ones included;
	// user.ErrTicketOver when there is none.
	Ticket(ctx context.Context, hash string) (*Ticket, error)
}

// secretLength is the recorded one: 32 letters and digits, 190 bits.
const secretLength = 32

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newSecret draws each character evenly.
func newSecret() string {
	out := make([]byte, 0, secretLength)
	for {
		var random [64]byte
		_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
		for _, b := range random {
			if b &= 63; int(b) < len(alphabet) {
				if out = append(out, alphabet[b]); len(out) == secretLength {
					return string(out)
				}
			}
		}
	}
}

// hashOf is what is stored of a secret; a fast hash will do, since the secret
// cannot be guessed. ok is false for what can be no secret of ours.
func hashOf(secret string) (hash string, ok bool) {
	if len(secret) != secretLength {
		return "", false
	}
	for i := range len(secret) {
		c := secret[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			return "", false
		}
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:]), true
}
