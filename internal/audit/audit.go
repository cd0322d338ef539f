package audit

import (
	"context"
	"encoding/json"
)

// Type codes (reference/authentication.md §7.7).
const (
	APIOperation       = "sapi"
	SignupOK           = "ss"
	SignupFailed       = "fs"
	LoginOK            = "s"
	LoginFailed        = "f"
	WrongPassword      = "fp"
	UnknownUser        = "fu"
	SilentOK           = "ssa"
	SilentFailed       = "fsa"
	CrossOriginOK      = "scoa"
	CrossOriginFailed  = "fcoa"
	OriginRefused      = "fco"
	PasswordGrantOK    = "sepft"
	PasswordGrantNo    = "fepft"
	ClientGrantOK      = "seccft"
	ClientGrantNo      = "feccft"
	CodeExchangeOK     = "seacft"
	CodeExchangeNo     = "feacft"
	RefreshOK          = "sertft"
	RefreshNo          = "fertft"
	RefreshReused      = "ferrt"
	RefreshRevoked     = "srrt"
	DeviceExchangeOK   = "sede"
	DeviceExchangeNo   = "fede"
	DeviceNotAsked     = "fdeaz" // device authorization request failed
	DeviceNotActivated = "fdeac"
	DeviceCancelled    = "fdecc"
	ApprovalExchangeOK = "ciba_exchange_succeeded"
	ApprovalExchangeNo = "ciba_exchange_failed"
	ApprovalAsked      = "ciba_start_succeeded"
	ApprovalNotAsked   = "ciba_start_failed"
	OTPExchangeOK      = "sepotpft"
	OTPExchangeNo      = "fepotpft"
	MFAOOBExchangeOK   = "seoobft"
	MFAOOBExchangeNo   = "feoobft"
	MFAOTPExchangeOK   = "seotpft"
	MFAOTPExchangeNo   = "feotpft"
	RecoveryExchangeOK = "sercft"
	RecoveryExchangeNo = "fercft"
	PushedRequestNo    = "fpar"
	LogoutOK           = "slo"
	LogoutFailed       = "flo"
	UserImported       = "sui"
	UserImportFailed   = "fui"
	UserDeleted        = "sdu"
	UserNotDeleted     = "fdu"
	PasswordChangedAPI = "scp"
	PasswordNotChanged = "fcp"
	EmailNotChanged    = "fce"
	UsernameNotChanged = "fcu"
	PhoneNotChanged    = "fcpn"
	ResetRequested     = "scpr"
	ResetNotRequested  = "fcpr"
	EmailVerified      = "sv"
	EmailNotVerified   = "fv"
	VerificationSent   = "svr"
	VerificationFailed = "fvr"
	LetterFailed       = "fn"
	LetterWarning      = "wn"
	LinkSent           = "cls"
	CodeSent           = "cs"
	CodeValidated      = "scv"
	AccountBlocked     = "limit_wc"
	AddressBlocked     = "limit_mu"
	UserLimited        = "limit_sul"
	Unblocked          = "ublkdu"
	MFARequired        = "mfar"
	EnrollStarted      = "gd_start_enroll"
	EnrollCompleted    = "gd_enrollment_complete"
	Unenrolled         = "gd_unenroll"
	FactorStarted      = "gd_start_auth"
	FactorOK           = "gd_auth_succeed"
	FactorFailed       = "gd_auth_failed"
	FactorRejected     = "gd_auth_rejected"
	FactorSMSSent      = "gd_send_sms"
	FactorSMSFailed    = "gd_send_sms_failure"
	FactorEmailSent    = "gd_send_email"
	FactorLimited      = "gd_otp_rate_limit_exceed"
	RecoveryOK         = "gd_recovery_succeed"
	RecoveryFailed     = "gd_recovery_failed"
	FactorsChanged     = "gd_tenant_update"
	ResourceCleanup    = "resource_cleanup"
	BackchannelOK      = "oidc_backchannel_logout_succeeded"
	BackchannelFailed  = "oidc_backchannel_logout_failed"
	Warning            = "w"
	ConsentGiven       = "sconsent" // ours
)

// Event is one record. It may name the user; process logs may not.
type Event struct {
	ID           string // ordered by time; the store fills an empty one
	Type         string
	At           int64 // microseconds
	Description  string
	ClientID     string
	UserID       string
	Connection   string // name
	ConnectionID string
	IP           string
	UserAgent    string
	Details      json.RawMessage // an object, or nil; never a secret
}

// Operation is e, which says who is calling, as the record of a call to the
// Management API; at in microseconds.
func (e Event) Operation(at int64, description string) Event {
	e.Type, e.At, e.Description = APIOperation, at, description
	return e
}

// Sink takes events that have no transaction of their own (a failed login).
type Sink interface {
	AppendEvents(ctx context.Context, events ...Event) error
}
