package approval

import (
	"context"
	"crypto/rand"
	"net/url"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/token"
)

// State of a request.
type State string

// The states.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Denied   State = "denied"
	// Over: the application has its tokens.
	Over State = "over"
)

// Request as stored. Times in microseconds.
type Request struct {
	Hash     string // SHA-256 of the auth_req_id
	LinkHash string // SHA-256 of the secret in the mailed link
	ClientID string
	UserID   string // the one person who may decide
	Scope    []string
	Audience string
	Message  string // binding_message
	State    State
	// The sign-in, once Approved. Scope is then what the person was shown.
	SessionID, ConnectionID string
	AuthTime                int64
	Methods                 []string

	PolledAt  int64 // zero: never
	ExpiresAt int64
}

// Times (reference/authentication.md §3.11).
const (
	MaxLifetime = 300 * time.Second
	Interval    = 5 * time.Second
	// Stay is how long a request that expired is known as such.
	Stay = 24 * time.Hour
)

// Failures. All but ErrNone are answers to a poll.
var (
	ErrPending = errs.New(errs.Invalid, "authorization_pending", "The end-user authorization is pending")
	ErrDenied  = errs.New(errs.Invalid, "access_denied", "The end-user denied the authorization request or it has been expired")
	ErrUnknown = errs.New(errs.Invalid, "invalid_grant", "Invalid or expired auth_req_id.")
	// ErrNone: there is no such request, or nothing is left to decide.
	ErrNone = errs.New(errs.NotFound, "", "The request does not exist, or was decided.")
)

// Store keeps requests. Every method is one transaction, with its events in it.
type Store interface {
	// SaveApproval keeps a new request and brings its letters on their way.
	SaveApproval(ctx context.Context, r Request, letters []letter.Letter, events ...audit.Event) error
	// ChangeApproval runs fn on the locked request, perhaps more than once, and
	// saves what it made of it, with the events. Nothing is saved when fn fails.
	// ErrNone: there is none.
	ChangeApproval(ctx context.Context, hash string, fn func(*Request) ([]audit.Event, error)) error
	// Approval finds a request, whatever became of it; ErrNone.
	Approval(ctx context.Context, hash string) (Request, error)
	// ApprovalByLink finds a request by the hash of its link's secret; ErrNone.
	ApprovalByLink(ctx context.Context, linkHash string) (Request, error)
}

// Decidable reports whether the person may still decide.
func (r *Request) Decidable(now int64) bool { return r.State == Pending && now < r.ExpiresAt }

// Path is where the mailed link leads, with the secret in "ticket".
const Path = "/u/approval"

// Link makes the address for a letter and the hash by which it is found. It
// gives nothing to who follows it: only the person, signed in, decides.
func Link(publicURL string) (address, hash string) {
	secret := (rand.Text() + rand.Text())[:32] // letters and digits, which no mail program takes for the end of the link
	return publicURL + Path + "?" + url.Values{"ticket": {secret}}.Encode(), token.HashOf(secret)
}
