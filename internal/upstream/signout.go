package upstream

import (
	"context"
	"net/url"

	"mangrove/internal/connection"
)

// SignOutMessage is what came to the sign-out address. Nothing of it is proven.
type SignOutMessage struct {
	Params url.Values // of the query or the form; every name once
	// RawQuery is the query as it came, over which the redirect binding signs; empty
	// for a form.
	RawQuery string
	// Address is <public URL>/logout, which a Destination has to be.
	Address string
}

// SignOut is what a verified message asks for.
type SignOut struct {
	// Name is whose sessions at the connection end, as in session.Foreign.
	Name string
	// Indexes are those of the sessions that end; none: all of Name.
	Indexes []string
	// Here ends the session of the browser that brought the message, if it came from
	// the connection, and no other (wsignoutcleanup1.0, which nobody can sign).
	Here bool
	// ID is what the answer refers to.
	ID string
}

// Ender is a provider that ends sessions of ours (SAML profiles §4.4,
// WS-Federation §13.2.4).
type Ender interface {
	// Speaks reads whom the message says that it is of, and tells which connections
	// that can be; nil: it is no request in this protocol. Nothing is verified yet:
	// no network, no cryptography.
	Speaks(m SignOutMessage) func(c *connection.Connection) bool
	// ReadSignOut verifies the request. Errors are those of refusals.go; an unsigned
	// request is ErrRefused.
	ReadSignOut(ctx context.Context, c *connection.Connection, m SignOutMessage) (SignOut, error)
	// AnswerSignOut is how the provider learns that the sessions have ended; ok is
	// false when it waits for no answer.
	AnswerSignOut(ctx context.Context, c *connection.Connection, m SignOutMessage, s SignOut) (d Departure, ok bool, err error)
}
