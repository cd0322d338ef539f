package upstream

import (
	"errors"

	"mangrove/internal/errs"
)

// ErrNobody is the cause of ErrWrongCredentials where the name means nobody: for
// records, never for an answer.
var ErrNobody = errors.New("the name means nobody")

// Refusals of connectors. The text may be shown to anybody; Because adds what was
// wrong, for the log.
var (
	ErrUnreachable = errs.New(errs.Unavailable, "access_denied", "The identity provider is unreachable.")
	ErrRefused     = errs.New(errs.Forbidden, "access_denied", "The identity provider's answer was not accepted.")
	ErrConfig      = errs.New(errs.Invalid, "invalid_request", "The connection to the identity provider is not set up correctly.")
	// ErrUnknownPlace is of a Place that does not know the address.
	ErrUnknownPlace = errs.New(errs.Forbidden, "access_denied", "This network address may not sign in here.")
)

// Refusals of a Directory. All but ErrWrongCredentials are given only after the
// password has proven right.
var (
	ErrWrongCredentials = errs.New(errs.Forbidden, "access_denied", "Wrong name or password.")
	ErrAccountDisabled  = errs.New(errs.Forbidden, "account_disabled", "The account is disabled.")
	ErrAccountExpired   = errs.New(errs.Forbidden, "account_expired", "The account has expired.")
	ErrPasswordExpired  = errs.New(errs.Forbidden, "password_expired", "The password has expired.")
	ErrPasswordChange   = errs.New(errs.Forbidden, "password_change_required", "The password must be changed.")
)
