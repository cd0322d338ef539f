package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures that stay on a page of ours: there is no address that could be
// trusted with them.
var (
	errNoClient   = errs.New(errs.Invalid, "invalid_request", "Unknown client.")
	errNoCallback = errs.New(errs.Invalid, "invalid_request", "The client has no callback URL, and the request names none.")
	errCallback   = errs.New(errs.Forbidden, "Callback URL mismatch.", "The provided redirect_uri is not in the list of allowed callback URLs.")
	errOrigin     = errs.New(errs.Forbidden, "Origin mismatch.", "The origin of the redirect_uri is not in the list of allowed web origins.")
)

// authorize is GET and POST /authorize (reference/authentication.md §2.1–2.4).
func (e *Endpoints) authorize(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	p, err := readParameters(r)
	if err != nil {
		return err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	stays := func(err error) error {
		e.recordFailure(ctx, audit.LoginFailed, actorOf(r, p.get("client_id")), problemOf(err).text)
		return err
	}
	if p, err = e.unpack(ctx, p); err != nil {
		return stays(err)
	}
	c, redirect, err := e.recipient(ctx, p)
	if err != nil {
		return stays(err)
	}
	req, refusal := validate(p, c, redirect, t)
	if err := returnable(c.Settings(), req); err != nil {
		return stays(err)
	}
	if refusal == nil {
		refusal, err = e.resolve(r, c, p, t, &req)
		if err != nil {
			return err
		}
	}
	if refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	return e.next(w, r, c, req, p.get("id_token_hint"))
}

// recipient finds who gets the answer. Its failures are never redirected.
func (e *Endpoints) recipient(ctx context.Context, p parameters) (*client.Client, string, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if contains(p.doubled, name) {
			return nil, "", errs.New(errs.Invalid, "invalid_request", "Parameter sent more than once: %s", name)
		}
	}
	if p.get("client_id") == "" {
		return nil, "", errMissing("client_id")
	}
	c, err := e.loginClient(ctx, p.get("client_id"))
	if err != nil {
		return nil, "", err
	}
	redirect, err := callback(c.Settings().Callbacks, p.get("redirect_uri"))
	return c, redirect, err
}

// loginClient is a client that people may sign in to; the global one is none.
func (e *Endpoints) loginClient(ctx context.Context, id string) (*client.Client, error) {
	c, err := e.d.Clients.Client(ctx, id)
	if errors.Is(err, client.ErrNotFound) || err == nil && c.Global {
		return nil, errNoClient
	}
	return c, err
}

// callback is the address of the answer: the requested one if it is registered,
// the first registered one if none was requested.
func callback(registered []string, requested string) (string, error) {
	if requested != "" {
		if !addressable(requested) || !oauth.MatchRedirect(registered, requested) {
			return "", errCallback
		}
		return requested, nil
	}
	for _, uri := range registered {
		if !strings.Contains(uri, "*") && addressable(uri) {
			return uri, nil
		}
	}
	return "", errNoCallback
}

// addressable refuses what must not become a Location or a form's action,
// whatever is registered: relative addresses, schemes that run code or read
// files, fragments (RFC 6749 §3.1.2), and characters that browsers and parsers
// read differently.
func addressable(uri string) bool {
	for i := range len(uri) {
		if b := uri[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\\\"<>^`{|}#", b) >= 0 {
			return false
		}
	}
	u, err := url.Parse(uri)
	if err != nil || u.User != nil {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "":
		return false
	case "http", "https":
		return u.Host != "" && u.Hostname() != ""
	case "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem":
		return false
	}
	return true
}

// audienceOf is what the request asks a token for (reference/authentication.md
// §2.1). Empty: for /userinfo alone.
func audienceOf(p parameters, t *tenant.Settings) string {
	switch {
	case p.get("audience") != "":
		return p.get("audience")
	case t.ResourceParameter && p.get("resource") != "":
		return p.get("resource")
	}
	return t.DefaultAudience
}

// resolve checks what the request names: the connection and the API, whose
// identifier replaces the alias that was asked for.
func (e *Endpoints) resolve(r *http.Request, c *client.Client, p parameters, t *tenant.Settings, req *oauth.AuthorizeRequest) (*oauth.AuthorizeError, error) {
	ctx := r.Context()
	var known []string
	if audience := audienceOf(p, t); audience != "" && audience != e.userinfoAudience() {
		rs, err := e.api(r, audience)
		if errors.Is(err, resourceserver.ErrNotFound) {
			return authorizeError("access_denied", "Service not found: "+audience), nil
		}
		if err != nil {
			return nil, err
		}
		req.Audience = rs.Identifier
		if _, refusal, err := e.apiScopesFor(ctx, c, rs); refusal != nil || err != nil {
			return refusal, err
		}
		known = rs.Settings().ScopeValues()
	}
	if unknown := oauth.Without(req.Scope, slices.Concat(userScopes, known)); c.Settings().Strict && len(unknown) > 0 {
		return authorizeError("invalid_scope", "Unknown scope: "+clip(unknown[0])), nil
	}
	if req.Connection != "" {
		conn, err := e.d.Connections.ConnectionByName(ctx, req.Connection)
		if errors.Is(err, connection.ErrNotFound) {
			return authorizeError("invalid_request", "the connection was not found"), nil
		}
		if err != nil {
			return nil, err
		}
		if !usable(conn, c.ID) {
			return authorizeError("invalid_request", errDisabled.Text), nil
		}
	}
	return nil, nil
}

// apiScopesFor is userAPI in the words of the authorization endpoint.
func (e *Endpoints) apiScopesFor(ctx context.Context, c *client.Client, rs *resourceserver.ResourceServer) ([]string, *oauth.AuthorizeError, error) {
	scopes, refused, err := e.userAPI(ctx, c, rs)
	if f := errs.From(err); err != nil && f.Code == "access_denied" {
		return nil, authorizeError(f.Code, f.Text), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if refused {
		return nil, authorizeError("access_denied", `Client is not authorized to access "`+rs.Identifier+`".`), nil
	}
	return scopes, nil, nil
}

// next looks at the browser's session and takes the step that decide names.
func (e *Endpoints) next(w http.ResponseWriter, r *http.Request, c *client.Client, req oauth.AuthorizeRequest, hint string) error {
	ctx := r.Context()
	facts := circumstances{prompt: req.Prompt, maxAge: e.maxAge(req), now: e.d.Now().UnixMicro(), ticket: req.LoginTicket != ""}
	s, err := e.Session(r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	var u *user.User
	if err == nil {
		u, err = e.active(ctx, s.UserID, session.ErrNone)
		switch {
		case errors.Is(err, user.ErrBlocked):
			return e.RespondError(w, r, req, authorizeError(user.ErrBlocked.Code, user.ErrBlocked.Text))
		case err == nil:
			facts.signedIn, facts.authTime = true, s.AuthTime
		case !errors.Is(err, session.ErrNone):
			return err
		}
	}
	if facts.signedIn {
		if facts.other, err = e.otherSession(ctx, c, req, s, hint); err != nil {
			return err
		}
	}
	if facts.signedIn && !facts.other {
		if facts.factor, err = e.MFADue(ctx, u, c, req, s); err != nil {
			return err
		}
		q, err := e.question(ctx, c, req, u)
		var refusal *oauth.AuthorizeError
		if errors.As(err, &refusal) {
			return e.RespondError(w, r, req, refusal)
		}
		if err != nil {
			return err
		}
		facts.consent = q.Needed
	}
	step, refusal := decide(facts)
	switch step {
	case refuse:
		return e.RespondError(w, r, req, refusal)
	case proceed:
		return e.Respond(w, r, req, s)
	case interact:
		err = e.Interact(w, r, req, s)
	default:
		err = e.StartLogin(w, r, req)
	}
	if errors.As(err, &refusal) {
		return e.RespondError(w, r, req, refusal)
	}
	return err
}

// freshFor is how old a sign-in may be, in seconds, whose session is to change
// what keeps others out of the account: whoever found the browser open has not
// signed in.
const freshFor = 600

// maxAge is that of the request, and no more than freshFor for the MFA endpoints.
func (e *Endpoints) maxAge(req oauth.AuthorizeRequest) *int64 {
	if req.Audience != e.mfaAPI.Identifier || req.MaxAge != nil && *req.MaxAge < freshFor {
		return req.MaxAge
	}
	age := int64(freshFor)
	return &age
}

// otherSession reports whether the session is another than the request wants.
func (e *Endpoints) otherSession(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, s session.Session, hint string) (bool, error) {
	conn, err := e.d.Connections.Connection(ctx, s.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !usable(conn, c.ID) || req.Connection != "" && req.Connection != conn.Name {
		return true, nil
	}
	if hint == "" {
		return false, nil
	}
	if subject, _, err := e.verifier.Hint(ctx, hint, c.ID); err != nil || subject != s.UserID {
		return true, nil //nolint:nilerr // a hint that cannot be read is a hint at somebody else
	}
	return false, nil
}
