package session

import (
	"context"
	"encoding/json"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Session of a signed-in browser. The cookie holds a secret of which only the
// SHA-256 is stored; ID is the public sid of ID tokens. Times in microseconds.
type Session struct {
	Hash         string
	ID           string
	UserID       string
	ConnectionID string
	AuthTime     int64
	// Methods are the proofs that it began with, in their order (RFC 8176 where
	// there is a name): pwd, otp, sms, email, hwk, fed, mfa.
	Methods   []string
	CreatedAt int64
	LastSeen  int64
	ExpiresAt int64 // absolute end
	IdleUntil int64 // moves with use
	// Persistent: the cookie outlives the browser.
	Persistent bool
	Device     Device
	// Metadata is a JSON object of texts that applications keep with it; nil: none.
	Metadata json.RawMessage
	// Clients are the ids of those that were answered with it, in their order.
	Clients []string
	// Foreign is the session at the provider that this one came from. The store seals it.
	Foreign Foreign
}

// Device is the browser of a session, when it began and when it was seen last.
type Device struct {
	InitialIP, InitialUserAgent string
	LastIP, LastUserAgent       string
}

// Multifactor reports whether a second factor was shown.
func (s *Session) Multifactor() bool { return slices.Contains(s.Methods, MFA) }

// Methods of a session.
const (
	Password  = "pwd"
	OTP       = "otp" // an authenticator application
	SMSCode   = "sms"
	EmailCode = "email"
	Key       = "hwk" // a passkey or a security key
	Upstream  = "fed"
	Recovery  = "rec"
	MFA       = "mfa" // a second factor was among them
)

// Transaction is one login under way, from /authorize to the answer. The id is
// the state of the login page and upstream; the browser that started it holds a
// cookie whose SHA-256 is Browser.
type Transaction struct {
	Hash     string // hex SHA-256 of the id
	Browser  string // hex SHA-256 of the browser's cookie
	ClientID string
	// Request is the validated authorization request as JSON (owned by login).
	Request json.RawMessage
	// Progress is how far the login has come: what was chosen, typed, proven, and
	// what a provider's answer has to fit (owned by login). The store seals it.
	Progress  json.RawMessage
	CreatedAt int64
	ExpiresAt int64
}

// TransactionLifetime is how long a login may take, in microseconds
// (reference/authentication.md §0.4).
const TransactionLifetime = 3600 * 1_000_000

// ErrNone says that there is no such session or transaction, or it is over.
var ErrNone = errs.New(errs.NotFound, "", "There is no such session.")

// Store keeps sessions and transactions.
type Store interface {
	CreateSession(ctx context.Context, s Session) error
	// Session finds a session that has not ended by now.
	Session(ctx context.Context, hash string, now int64) (Session, error)
	// TouchSession moves LastSeen and IdleUntil, and where the browser was seen.
	TouchSession(ctx context.Context, hash string, lastSeen, idleUntil int64, ip, userAgent string) error
	// AddSessionClient notes that the client was answered with the session, until expires.
	AddSessionClient(ctx context.Context, sessionID, clientID string, at, expires int64) error
	// SessionClients are the clients that were answered with the session, even when it
	// has ended early.
	SessionClients(ctx context.Context, sessionID string) ([]string, error)
	DeleteSession(ctx context.Context, hash string) error
	// EndByProvider ends the sessions, tells their clients, and records e for each,
	// with the user in it. It returns how many there were; none is no error.
	EndByProvider(ctx context.Context, w Whose, e audit.Event) (int, error)

	SaveTransaction(ctx context.Context, t Transaction) error // insert or replace
	Transaction(ctx context.Context, hash string, now int64) (Transaction, error)
	// TakeTransaction returns it and deletes it: of any number of calls one succeeds.
	TakeTransaction(ctx context.Context, hash string, now int64) (Transaction, error)
}
