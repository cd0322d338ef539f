package audit

import (
	"context"
	"encoding/json"
)

// Type codes in use.
const (
	APIOperation       = "sapi"
	SignupOK           = "ss"
	SignupFailed       = "fs"
	LoginOK            = "s"
	LoginFailed        = "f"
	WrongPassword      = "fp"
	UnknownUser        = "fu"
	PasswordGrantOK    = "sepft"
	PasswordGrantNo    = "fepft"
	ClientGrantOK      = "seccft"
	ClientGrantNo      = "feccft"
	CodeExchangeOK     = "seacft"
	CodeExchangeNo     = "feacft"
	LogoutOK           = "slo"
	LogoutFailed       = "flo"
	UserImported       = "sui"
	UserImportFailed   = "fui"
	UserDeleted        = "sdu"
	PasswordChangedAPI = "scp"
	PasswordNotChanged = "fcp"
	EmailVerified      = "sv"
	EmailNotVerified   = "fv"
	VerificationSent   = "svr"
	VerificationFailed = "fvr"
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

// Sink takes events that have no transaction of their own (a failed login).
type Sink interface {
	AppendEvents(ctx context.Context, events ...Event) error
}
