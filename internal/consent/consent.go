package consent

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Consent is what a user allowed a client for one API: on the wire, a grant.
type Consent struct {
	ID       string // 24 lower-case hex
	UserID   string
	ClientID string
	// API is the id of the resource server; empty: the profile alone.
	API string
	// Audience is the API's identifier, or that of /userinfo.
	Audience  string
	Scope     []string // in the order in which they were allowed
	CreatedAt int64    // microseconds
}

// NewID is 24 random lower-case hex digits.
func NewID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// ErrNotFound says that there is no such consent.
var ErrNotFound = errs.New(errs.NotFound, "inexistent_grant", "The grant does not exist.")

// Filter narrows a list; empty members do not narrow.
type Filter struct{ UserID, ClientID, Audience string }

// Page by offset.
type Page struct{ Offset, Limit int }

// MaxCount is where counting ends: a total above it is told as this.
const MaxCount = 1000

// Store keeps consents, one for each user, client and API. They go with any of
// the three.
type Store interface {
	// Consent finds what the user allowed the client for the API (its id; empty:
	// none); ErrNotFound.
	Consent(ctx context.Context, userID, clientID, api string) (Consent, error)
	// Consents is a page by id. total stops at MaxCount.
	Consents(ctx context.Context, f Filter, p Page) (list []Consent, total int, err error)
	// SaveConsent adds c's scopes to what is there already.
	SaveConsent(ctx context.Context, c Consent, e audit.Event) error
	// RevokeConsent also ends the refresh tokens that the client has of the user;
	// ErrNotFound.
	RevokeConsent(ctx context.Context, id string, e audit.Event) error
	// RevokeConsents is RevokeConsent for all of a user's; none is no error.
	RevokeConsents(ctx context.Context, userID string, e audit.Event) error
}
