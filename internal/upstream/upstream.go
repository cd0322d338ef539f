package upstream

import (
	"context"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// Start is what is known when the browser is sent away.
type Start struct {
	State       string // goes to the provider and comes back
	Nonce       string
	CallbackURL string // <public URL>/login/callback
	LoginHint   string
	// Params are the parameters of our own authorization request, for upstream_params.
	Params url.Values
}

// Pending is what has to be kept until the browser comes back (JSON).
type Pending struct {
	Nonce    string `json:"nonce,omitzero"`
	Verifier string `json:"verifier,omitzero"`
}

// Result of a login at the provider.
type Result struct {
	Claims profile.Claims
	Tokens profile.Value // JSON object, or nil
}

// Connector speaks one strategy. Failures are *errs.Error with Code
// access_denied or invalid_request; their text may be shown, their cause goes to the log.
type Connector interface {
	// AuthorizeURL is where the browser goes.
	AuthorizeURL(ctx context.Context, c *connection.Connection, s Start) (string, Pending, error)
	// Callback makes of what came back (query or form) the claims of a person.
	Callback(ctx context.Context, c *connection.Connection, s Start, p Pending, got url.Values) (Result, error)
}
