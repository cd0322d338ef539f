package upstream

import (
	"context"
	"net/netip"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/session"
)

// Start is what is known when the browser is sent away, and again when it comes back.
type Start struct {
	// State goes to the provider and comes back: as state, as RelayState (at most 80
	// bytes, SAML bindings §3.4.3) or as wctx.
	State       string
	Nonce       string
	CallbackURL string // <public URL>/login/callback
	LoginHint   string
	// Scopes are what the application asks for beside the connection's own
	// (connection_scope).
	Scopes []string
	// Params are the parameters of our own authorization request, for upstream_params.
	Params url.Values
}

// Departure is how the browser is sent to a provider.
type Departure struct {
	URL string
	// Form, when not nil, is posted to URL by a page of ours; otherwise URL is
	// redirected to.
	Form url.Values
	// Pending is empty for a sign-out.
	Pending Pending
}

// Pending is what has to be kept until the browser comes back (JSON, sealed).
type Pending struct {
	Nonce    string `json:"nonce,omitzero"`
	Verifier string `json:"verifier,omitzero"`
	// RequestID is the ID of a SAML AuthnRequest.
	RequestID string `json:"request_id,omitzero"`
	// Token and TokenSecret are a temporary credential (RFC 5849 §2.1).
	Token       string `json:"token,omitzero"`
	TokenSecret string `json:"token_secret,omitzero"`
}

// Result of a login at the provider.
type Result struct {
	Claims profile.Claims
	Tokens profile.Value // JSON object (access_token, refresh_token, …), or nil
	// Foreign is what is needed to end the session at the provider with ours.
	Foreign session.Foreign
}

// Connector speaks one strategy. It implements Redirect, Directory or Place, and
// may implement Unsolicited and Leaver. Failures of all of them are *errs.Error
// with Code access_denied or invalid_request (refusals.go); their text may be
// shown, their cause goes to the log and holds no secret and no personal datum.
type Connector any

// Redirect is a provider to which the browser goes and from which it comes back.
type Redirect interface {
	Depart(ctx context.Context, c *connection.Connection, s Start) (Departure, error)
	// Callback makes of what came back (query or form) the claims of a person. That
	// the answer belongs to this browser and this trip has been checked by State.
	Callback(ctx context.Context, c *connection.Connection, s Start, p Pending, got url.Values) (Result, error)
}

// Unsolicited is a provider that may begin a login itself (SAML profiles §4.1.5).
// Whether the connection allows it has been checked.
type Unsolicited interface {
	Unsolicited(ctx context.Context, c *connection.Connection, s Start, got url.Values) (Result, error)
}

// Leaver is a provider with a session that ends by a visit of the browser.
// ok is false when the connection has no address for it. s.State comes back, or
// s.CallbackURL is where the browser should be sent.
type Leaver interface {
	Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s Start) (d Departure, ok bool, err error)
}

// Heir takes over logins of a social strategy whose people belong to one of its
// own connections (reference/connections.md §4.6).
type Heir interface {
	// Inherits names the social strategy.
	Inherits() string
	// Inherit makes of the claims of a social login those of the connection; ok is
	// false when the person is none of its.
	Inherit(ctx context.Context, c *connection.Connection, social profile.Claims) (cl profile.Claims, ok bool, err error)
}

// Directory is a provider that checks names and passwords itself.
// Errors: ErrWrongCredentials and its neighbours in refusals.go.
type Directory interface {
	// SignIn calls count, unless it is nil, before anybody looks at the password: who is
	// the same text for all names of one person, and for all spellings of one unknown
	// name. An error of count ends the sign-in, and is returned.
	SignIn(ctx context.Context, c *connection.Connection, name, password string, count func(who string) error) (Result, error)
	// Status is nil when at least one server answers.
	Status(ctx context.Context, c *connection.Connection) error
}

// Place is a provider that knows people by where they are.
type Place interface {
	Recognize(ctx context.Context, c *connection.Connection, from netip.Addr) (Result, error)
}
