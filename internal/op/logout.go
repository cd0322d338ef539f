package op

import (
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// logout is GET /v2/logout (reference/authentication.md §4.4). The address is
// checked first: a refusal leaves the session as it was. federated is accepted
// and does nothing, since no upstream logout is offered.
func (e *Endpoints) logout(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	p, err := parseParameters(r.URL.RawQuery)
	if err != nil {
		return err
	}
	a := user.Actor{ClientID: clip(p.get("client_id")), IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	to, err := e.logoutTarget(r, p)
	if err != nil {
		event := e.event(audit.LogoutFailed, a)
		event.Description = problemOf(err).text
		_ = e.d.Audit.AppendEvents(ctx, event) // the refusal stands
		return err
	}
	s, err := e.Session(r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	signedIn := err == nil
	if err := e.EndSession(w, r); err != nil {
		return err
	}
	if signedIn {
		event := e.event(audit.LogoutOK, a)
		event.UserID, event.ConnectionID = s.UserID, s.ConnectionID
		if err := e.d.Audit.AppendEvents(ctx, event); err != nil {
			return err
		}
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

// logoutTarget is where the browser goes afterwards; empty: nowhere.
func (e *Endpoints) logoutTarget(r *http.Request, p parameters) (string, error) {
	for _, name := range []string{"client_id", "returnTo"} {
		if contains(p.doubled, name) {
			return "", errs.New(errs.Invalid, "invalid_request", "Parameter sent more than once: %s", name)
		}
	}
	registered := e.d.LogoutURLs
	if id := p.get("client_id"); id != "" {
		c, err := e.d.Clients.Client(r.Context(), id)
		if errors.Is(err, client.ErrNotFound) {
			return "", errNoClient
		}
		if err != nil {
			return "", err
		}
		registered = c.Settings().AllowedLogoutURLs
	}
	return returnTo(registered, p.get("returnTo"), p.get("client_id") != "")
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
