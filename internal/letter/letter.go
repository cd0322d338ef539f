package letter

import (
	"context"

	"mangrove/internal/audit"
)

// The templates, by the names of GET /email-templates/{name}; Passwordless has
// its template in the options of its connection, and the last two are ours alone.
const (
	VerifyEmail       = "verify_email"
	VerifyEmailByCode = "verify_email_by_code"
	ResetEmail        = "reset_email"
	ResetEmailByCode  = "reset_email_by_code"
	WelcomeEmail      = "welcome_email"
	BlockedAccount    = "blocked_account"
	StolenCredentials = "stolen_credentials"
	EnrollmentEmail   = "enrollment_email"
	MFACode           = "mfa_oob_code"
	UserInvitation    = "user_invitation"
	Passwordless      = "passwordless"
	// PasswordChanged tells the owner of an account that its password was changed.
	PasswordChanged = "password_changed"
	// FactorAdded tells the owner that a passkey or a second factor was added.
	FactorAdded = "factor_added"
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
