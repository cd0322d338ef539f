package op

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

// logout is GET /v2/logout (reference/authentication.md §4.4). The address is
// checked first: a refusal leaves the session as it was. With federated the
// browser then goes on to the provider, which sends it back to the address.
func (e *Endpoints) logout(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	p, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		return err
	}
	to, err := e.logoutTarget(ctx, p)
	if err == nil && !navigated(r) {
		err = errNotNavigated
	}
	if err != nil {
		return e.staysSignedIn(r, p, err)
	}
	s, err := e.signOut(w, r, p.get("client_id"))
	if err != nil {
		return err
	}
	if gone, err := e.leaves(w, r, p, s, to); gone || err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	if to != "" {
		location(w, r, to)
		return nil
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write([]byte("OK"))
	return err
}

var errNotNavigated = errs.New(errs.Forbidden, "invalid_request", "Signing out takes a visit to this address.")

// navigated refuses what a page embeds without the person's doing: an image, a
// script, a request of a script. Browsers say which it is; a frame is how
// applications sign out silently.
func navigated(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame":
		return true
	}
	return false
}

// staysSignedIn keeps a record of a refused logout.
func (e *Endpoints) staysSignedIn(r *http.Request, p parameters, err error) error {
	e.recordFailure(r.Context(), audit.LogoutFailed, actorOf(r, p.get("client_id")), problemOf(err).text)
	return err
}

// leaves sends the browser to the provider of the session that has ended, where
// the request wants that (federated, whatever its value) and there is one.
func (e *Endpoints) leaves(w http.ResponseWriter, r *http.Request, p parameters, s session.Session, to string) (bool, error) {
	if !p.has("federated") || s.ConnectionID == "" {
		return false, nil
	}
	return e.LeaveUpstream(w, r, s, to)
}

// signOut ends the browser's session on the server, with its record, tells the
// clients that want to know, and takes the cookies back. It returns the session,
// or the zero one when there was none.
func (e *Endpoints) signOut(w http.ResponseWriter, r *http.Request, clientID string) (session.Session, error) {
	ctx := r.Context()
	s, err := e.Session(r)
	switch {
	case err == nil:
		event := e.event(audit.LogoutOK, actorOf(r, clientID))
		event.UserID, event.ConnectionID = s.UserID, s.ConnectionID
		if err := e.SignedOut(ctx, s, event); err != nil {
			return session.Session{}, err
		}
	case !errors.Is(err, session.ErrNone):
		return session.Session{}, err
	}
	return s, e.EndSession(w, r)
}

// logoutTarget is where the browser goes afterwards; empty: nowhere.
func (e *Endpoints) logoutTarget(ctx context.Context, p parameters) (string, error) {
	for _, name := range []string{"client_id", "returnTo"} {
		if contains(p.doubled, name) {
			return "", errs.New(errs.Invalid, "invalid_request", "Parameter sent more than once: %s", name)
		}
	}
	registered, err := e.logoutURLs(ctx, p.get("client_id"))
	if err != nil {
		return "", err
	}
	return returnTo(registered, p.get("returnTo"), p.get("client_id") != "")
}

// logoutURLs are where the client, or without one the tenant, lets people go.
func (e *Endpoints) logoutURLs(ctx context.Context, clientID string) ([]string, error) {
	if clientID == "" {
		t, err := e.d.Tenant.Settings(ctx)
		if err != nil {
			return nil, err
		}
		return t.AllowedLogoutURLs, nil
	}
	c, err := e.d.Clients.Client(ctx, clientID)
	if errors.Is(err, client.ErrNotFound) {
		return nil, errNoClient
	}
	if err != nil {
		return nil, err
	}
	if c.Settings().Strict {
		return nil, errs.New(errs.Forbidden, "unauthorized_client", "The client signs people out by OpenID Connect only.")
	}
	return c.Settings().AllowedLogoutURLs, nil
}

// returnTo is the rule: what was asked for if it is registered; without a wish
// the client's first address.
func returnTo(registered []string, wish string, first bool) (string, error) {
	if wish != "" {
		if !addressable(wish) || !oauth.MatchLogout(registered, wish) {
			return "", errs.New(errs.Invalid, "invalid_request",
				`The "returnTo" querystring parameter "%s" is not defined as a valid URL in "Allowed Logout URLs".`, clip(wish))
		}
		return wish, nil
	}
	if first {
		for _, uri := range registered {
			if !strings.Contains(uri, "*") && addressable(uri) {
				return uri, nil
			}
		}
	}
	return "", nil
}
