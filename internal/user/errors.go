package user

import (
	"errors"

	"mangrove/internal/errs"
)

// The failures that the store and the use cases share (reference/users.md §3).
var (
	ErrNotFound = errs.New(errs.NotFound, "inexistent_user", "The user does not exist.")
	ErrExists   = errs.New(errs.Conflict, "auth0_idp_error", "The user already exists.")
	// ErrSearchTimeout has the reference's text; the page it names is the reference's.
	ErrSearchTimeout = errs.New(errs.Unavailable, "query_timeout", "The query exceeded the timeout. Please try refining your search criteria. See https://auth0.com/docs/best-practices/search-best-practices.")
	ErrUsernameTaken = errs.New(errs.Invalid, "auth0_idp_error", "The username provided is in use already.")
)

// Failures of signing in (reference/authentication.md §3.7).
var (
	ErrWrongPassword = errs.New(errs.Forbidden, "invalid_grant", "Wrong email or password.")
	ErrBlocked       = errs.New(errs.Forbidden, "unauthorized", "user is blocked")
	errIDTaken       = errs.New(errs.Forbidden, "access_denied", "A user of another connection has this user_id already.")
	ErrBusy          = errs.New(errs.TooMany, "too_many_requests", "Too many sign-ins at once. Please try again in a moment.")
	// ErrNobody is the cause of ErrWrongPassword where the name means nobody: for
	// records, never for an answer.
	ErrNobody = errors.New("the name means nobody")
)
