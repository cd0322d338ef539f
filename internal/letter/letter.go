package letter

import (
	"context"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// The templates, by the names of GET /email-templates/{name}; Passwordless has
// its template in the options of its connection, and the last three are ours alone.
const (
	VerifyEmail       = "verify_email"
	VerifyEmailByCode = "verify_email_by_code"
	SignInByCode      = "auth_email_by_code"
	ResetEmail        = "reset_email"
	ResetEmailByCode  = "reset_email_by_code"
	WelcomeEmail      = "welcome_email"
	BlockedAccount    = "blocked_account"
	StolenCredentials = "stolen_credentials"
	EnrollmentEmail   = "enrollment_email"
	MFACode           = "mfa_oob_code"
	UserInvitation    = "user_invitation"
	AsyncApproval     = "async_approval"
	Passwordless      = "passwordless"
	// PasswordChanged tells the owner of an account that its password was changed.
	PasswordChanged = "password_changed"
	// FactorAdded tells the owner that a passkey or a second factor was added.
	FactorAdded = "factor_added"
	// FactorRemoved tells the owner that a passkey or a second factor was removed.
	FactorRemoved = "factor_removed"
)

// Letter is one mail to one person. It is stored sealed: URL and Code are secrets.
type Letter struct {
	Template     string `json:"template"`
	To           string `json:"to"` // an address
	UserID       string `json:"user_id,omitzero"`
	ConnectionID string `json:"connection_id,omitzero"`
	ClientID     string `json:"client_id,omitzero"` // the application; empty: none
	// Language is the request's language tag, best first; empty: the tenant's.
	Language string `json:"language,omitzero"`
	URL      string `json:"url,omitzero"`
	Code     string `json:"code,omitzero"`
	// Lifetime of URL and Code, seconds.
	Lifetime int64 `json:"lifetime,omitzero"`
	// Vars are further variables of the template, such as "operation", "send" and "city".
	Vars map[string]string `json:"vars,omitzero"`
	// ExpiresAt ends the tries to send it, microseconds; zero: six hours.
	ExpiresAt int64 `json:"expires_at,omitzero"`
}

// Queue takes letters that belong to no change of a user, with their events, in
// one transaction. user.Effect.Letters is for those that do.
type Queue interface {
	SendLetters(ctx context.Context, letters []Letter, events ...audit.Event) error
}

// Why a letter is not sent; the texts are for the tenant log.
var (
	// ErrDisabled: the tenant wants no such letters. It is no failure.
	ErrDisabled = errs.New(errs.Conflict, "", "The template is disabled.")
	ErrNoServer = errs.New(errs.Invalid, "", "No mail server is configured.")
	// ErrTaken: somebody else sends it by now.
	ErrTaken = errs.New(errs.Conflict, "", "Another runner has this letter now.")
)

// Terms are what a tenant wants of the link in a letter; zero members: as ours.
type Terms struct {
	Lifetime     time.Duration
	ResultURL    string // absolute, http or https
	IncludeEmail bool
}

// Queued is a letter on its way. Fence grows with each claim, so that a sender
// that took too long cannot end what is another's.
type Queued struct {
	ID        string
	Fence     int64
	CreatedAt int64 // microseconds
	Letter
}

// Outbox is the queue from the other side.
type Outbox interface {
	// ClaimLetter leases the letter that is due for the longest time; nil: none is.
	// Behind until it is due again.
	ClaimLetter(ctx context.Context, now, until int64) (*Queued, error)
	// PostponeLetter makes a claimed letter due later; one that is another's stays.
	PostponeLetter(ctx context.Context, q *Queued, until int64) error
	// FinishLetter removes a claimed letter; ErrTaken when it is another's.
	FinishLetter(ctx context.Context, q *Queued, events ...audit.Event) error
}
