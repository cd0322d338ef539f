package login

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/web"
)

// callbackPath is the one redirect URI that providers know.
const callbackPath = "/login/callback"

// comeBack is GET and POST /login/callback: the browser returns from a provider.
//
// Until the state is known to be this browser's, this trip's and unused,
// nothing is asked of any provider and nobody is redirected.
func (f *Flow) comeBack(w http.ResponseWriter, r *http.Request) error {
	got, err := answer(w, r)
	if err != nil {
		return err
	}
	state := stateOf(got)
	id, tag, ok := splitState(state)
	if !ok {
		switch {
		case r.Method == http.MethodPost && got.Get("wa") == wrapped:
			return f.comeBackClassic(w, r, got)
		case r.Method == http.MethodPost && got.Get("SAMLResponse") != "":
			return f.comeUnasked(w, r, got)
		case got.Get("wa") == "wsignoutcleanup1.0": // providers of WS-Federation know this address alone
			web.NoStore(w)
			return f.endedByProvider(w, r, got)
		}
		return errExpired
	}
	p, err := f.open(r, id)
	if err != nil {
		f.strayed(r, id, err)
		return err
	}
	ctx := r.Context()
	if p.prog.Tag == "" || subtle.ConstantTimeCompare([]byte(p.prog.Tag), []byte(hash(tag))) != 1 {
		f.refused(r, p.req.ClientID, nil, "An answer came for another trip to an identity provider.")
		return errExpired
	}
	if err := f.take(ctx, p); err != nil {
		return err
	}
	c, why, err := f.stillAllowed(ctx, p)
	if err != nil {
		return err
	}
	if why == nil && !addressed(r, c) {
		why = errOtherConnection
	}
	if why == nil && got.Has("error") {
		why = providerError(got)
	}
	if why != nil {
		f.refused(r, p.req.ClientID, c, why.Description)
		return f.d.RespondError(w, r, p.req, why)
	}
	return f.federate(w, r, p, c, upstream.Start{State: state, Nonce: p.prog.Pending.Nonce, CallbackURL: f.callback}, got)
}

// strayed records an answer that came for no login: whoever repeats one finds it over.
// That of another browser is on record already.
func (f *Flow) strayed(r *http.Request, id string, err error) {
	if !errors.Is(err, errExpired) {
		return
	}
	_, err = f.d.Sessions.Transaction(r.Context(), hash(id), f.now())
	if errors.Is(err, session.ErrNone) || cookieValue(r, f.browserCookie()) == "" {
		f.refused(r, "", nil, "An answer of an identity provider came for a sign-in that is over, or of another browser.")
	}
}

// stateOf is the state in an answer: OAuth and OpenID Connect call it state, SAML
// RelayState, WS-Federation wctx.
func stateOf(got url.Values) string {
	return cmp.Or(got.Get("state"), got.Get("RelayState"), got.Get("wctx"))
}

// addressed reports whether the answer came to the address of the connection, where
// that names one: an answer of X at the address of Y is Y's in no way.
func addressed(r *http.Request, c *connection.Connection) bool {
	q, err := query(r)
	return err == nil && (!q.Has("connection") || q.Get("connection") == c.Name)
}

// federate proves the person and goes on. Network and cryptography come first,
// the transaction of the user afterwards.
func (f *Flow) federate(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, s upstream.Start, got url.Values) error {
	ctx := r.Context()
	result, err := f.redirector(c.Strategy).Callback(ctx, c, s, p.prog.Pending, got)
	if err != nil {
		return f.deny(w, r, p, c, err)
	}
	return f.verified(w, r, p, result)
}

// verified goes on after a connector, which may have taken seconds: the connection is
// read again.
func (f *Flow) verified(w http.ResponseWriter, r *http.Request, p *pass, result upstream.Result) error {
	c, why, err := f.stillAllowed(r.Context(), p)
	if err != nil {
		return err
	}
	if why == nil && p.unasked && !c.Upstream().IDPInitiated.Enabled {
		why = errNotBegun
	}
	if why != nil {
		f.refused(r, p.req.ClientID, c, why.Description)
		return f.d.RespondError(w, r, p.req, why)
	}
	return f.arrive(w, r, p, c, result)
}

// arrive is the one end of every trip: what the provider said becomes a user.
func (f *Flow) arrive(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, result upstream.Result) error {
	c, result, err := f.heir(r.Context(), c, p.req.ClientID, result)
	if err != nil {
		return f.deny(w, r, p, c, err)
	}
	p.prog.ConnectionID = c.ID
	u, err := f.d.Users.Federate(r.Context(), c, result.Claims, result.Tokens, f.actor(r, p))
	if err != nil {
		return f.deny(w, r, p, c, err)
	}
	p.prog.Foreign = result.Foreign
	return f.proven(w, r, p, u, c, session.Upstream)
}

// deny tells the application what was refused after the transaction was taken.
func (f *Flow) deny(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, err error) error {
	why, ok := refusal(err)
	if !ok {
		return err
	}
	if why != errBlocked { // the login of a blocked user is in the log already
		f.refused(r, p.req.ClientID, c, why.Description)
	}
	noteCause(r, c, err)
	return f.d.RespondError(w, r, p.req, why)
}

// stillAllowed reads the connection of the trip as it is now.
func (f *Flow) stillAllowed(ctx context.Context, p *pass) (*connection.Connection, *oauth.AuthorizeError, error) {
	c, err := f.connection(ctx, p.prog.ConnectionID)
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return nil, errNoConnection, nil
	}
	if w, ok := wayOf(c, p.req.ClientID, f.spoken); !ok || w.kind < provider {
		return c, errDisabled, nil
	}
	return c, nil, nil
}

// providerError passes on why the provider refused (reference/authentication.md §2.9).
func providerError(got url.Values) *oauth.AuthorizeError {
	text := cmp.Or(web.Printable(got.Get("error_description"), 200), web.Printable(got.Get("error"), 100), "The identity provider refused.")
	return &oauth.AuthorizeError{Code: "access_denied", Description: text}
}
