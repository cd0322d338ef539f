package refresh

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/token"
)

// Token is a refresh token with all that it was rotated from: a family. Times in
// microseconds; zero: never, or not yet.
type Token struct {
	Hash      string // of the part that every text of the family begins with
	ID        string // rft_ and 16 alphanumerics: what administrators call it
	UserID    string
	ClientID  string
	SessionID string // of the session that it came of; empty: none
	CodeHash  string // of the authorization code that it came of; empty: none
	Audience  string // empty: a token for /userinfo
	Scope     []string
	AuthTime  int64
	// WantsAuthTime: the ID token carries auth_time, as the first one did.
	WantsAuthTime bool
	Methods       []string // proofs of the sign-in (session.Password, …)
	// Leaves are the secrets that are good, or were until just now, in the order of
	// their issue. Nobody else has them: a text of the family with another secret
	// was good once.
	Leaves          []Leaf
	Metadata        json.RawMessage // an object, or nil
	Device          Device
	CreatedAt       int64
	LastExchangedAt int64
	ExpiresAt       int64 // absolute end
	IdleUntil       int64 // moves with use
	// EndedAt: the user lost it (blocked, deleted, a new password). It stays for a
	// while, so that the application can be told why.
	EndedAt int64
}

// Leaf is one secret.
type Leaf struct {
	Hash    string `json:"h"`
	Parent  string `json:"p,omitzero"` // of which it was rotated
	SpentAt int64  `json:"s,omitzero"` // zero: it is good
}

// Device is who asked for the token, and who used it last.
type Device struct {
	InitialIP, InitialUserAgent string
	LastIP, LastUserAgent       string
}

// MaxPerClient is how many tokens of one client a user can have: one more, and the
// oldest is revoked.
const MaxPerClient = 200

// Failures (reference/authentication.md §3.8; clients compare the texts).
var (
	// ErrUnknown is for tokens that are unknown, over, revoked, used before, or
	// another client's.
	ErrUnknown = errs.New(errs.Forbidden, "invalid_grant", "Unknown or invalid refresh token.")
	// ErrUserGone: the user was deleted.
	ErrUserGone = errs.New(errs.Forbidden, "invalid_grant", "The refresh_token was generated for a user who doesn't exist anymore.")
	// ErrChanged: somebody else changed the token between reading and writing.
	ErrChanged = errs.New(errs.Conflict, "invalid_grant", "The refresh token was used at the same moment.")
)

// Store is what the token endpoint needs. Every method is one transaction, with
// its events in it.
type Store interface {
	// StartRefresh keeps a new token and takes the oldest beyond MaxPerClient from
	// the user, which by records. One whose code was redeemed again in the meantime
	// is not kept, and that is no error.
	StartRefresh(ctx context.Context, t *Token, by audit.Event) error
	// RefreshToken finds a family, whatever became of it; ErrUnknown.
	RefreshToken(ctx context.Context, hash string) (*Token, error)
	// ExchangeRefresh writes what an exchange changed. ErrChanged when the token
	// ended, or was rotated by somebody else.
	ExchangeRefresh(ctx context.Context, x Exchange) error
	// RevokeRefresh ends the family. e is recorded if it was there; it was.
	RevokeRefresh(ctx context.Context, hash string, e audit.Event) (bool, error)
	// RevokeRefreshOf ends all tokens of the user and client; it was as above.
	RevokeRefreshOf(ctx context.Context, userID, clientID string, e audit.Event) (bool, error)
}

// Exchange is what using a token changes.
type Exchange struct {
	Hash string
	// Rotated: the leaves were Before and become After.
	Rotated       bool
	Before, After []Leaf
	At, IdleUntil int64
	// KeptUntil moves with the end of the token; zero: it does not.
	KeptUntil     int64
	IP, UserAgent string
	// Opaque is an access token for /userinfo that was issued; nil: none.
	Opaque *token.Opaque
	Event  audit.Event
}

// NewID makes an id.
func NewID() string { return "rft_" + rand.Text()[:16] }

// Begin sets the times of a new token, and its first leaf.
func (t *Token) Begin(secret Secret, p client.RefreshToken, now int64) {
	t.ID, t.Hash, t.Leaves = NewID(), secret.Family, []Leaf{{Hash: secret.Leaf}}
	t.CreatedAt, t.LastExchangedAt = now, 0
	t.ExpiresAt, t.IdleUntil = 0, idleUntil(p, now)
	if p.Expiring && !p.InfiniteLifetime {
		t.ExpiresAt = now + micros(p.Lifetime)
	}
}

func idleUntil(p client.RefreshToken, now int64) int64 {
	if !p.Expiring || p.InfiniteIdleLifetime {
		return 0
	}
	return now + micros(p.IdleLifetime)
}

func micros(seconds int64) int64 { return seconds * int64(time.Second/time.Microsecond) }

// Live reports whether the token may be exchanged by now.
func (t *Token) Live(now int64) bool {
	return t.EndedAt == 0 && (t.ExpiresAt == 0 || now < t.ExpiresAt) && (t.IdleUntil == 0 || now < t.IdleUntil)
}

// Rotating reports whether the token was rotated, or will be.
func (t *Token) Rotating(p client.RefreshToken) bool { return p.Rotating || t.Leaves[0].Parent != "" }

const keptDay = int64(24 * time.Hour / time.Microsecond)

// KeptUntil is from when on nobody needs the row: the end of the token, put off to
// the end of a day, so that it moves once a day and not with each use. Zero: never.
func KeptUntil(expiresAt, idleUntil int64) int64 {
	end := expiresAt
	if end == 0 || idleUntil != 0 && idleUntil < end {
		end = idleUntil
	}
	if end == 0 {
		return 0
	}
	return (end/keptDay + 1) * keptDay
}
