package op

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

// errHint is for every id_token_hint that proves nothing.
var (
	errHint      = errs.New(errs.Invalid, "invalid_request", "The id_token_hint is not a token that this server issued to the client.")
	errEndClient = errs.New(errs.Invalid, "invalid_request", "The id_token_hint was issued to another client.")
	errLogoutURL = errs.New(errs.Invalid, "invalid_request", "The post_logout_redirect_uri is not in the list of allowed logout URLs.")
)

// logoutParams are what the confirmation page has to bring back.
var logoutParams = []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "federated"}

// oidcLogout is GET and POST /oidc/logout (reference/authentication.md §4.5;
// OpenID Connect RP-Initiated Logout 1.0). Refusals leave the session as it was.
func (e *Endpoints) oidcLogout(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := readParameters(r)
	if err != nil {
		return err
	}
	return e.endAsked(w, r, p, false)
}

// ConfirmedLogout goes on where the person pressed the button of the
// confirmation page. fields are what that page had been given.
func (e *Endpoints) ConfirmedLogout(w http.ResponseWriter, r *http.Request, fields map[string]string) error {
	return e.endAsked(w, r, parameters{values: fields}, true)
}

func (e *Endpoints) endAsked(w http.ResponseWriter, r *http.Request, p parameters, confirmed bool) error {
	ctx := r.Context()
	l, err := e.asked(ctx, p)
	if err != nil {
		return e.staysSignedIn(r, p, err)
	}
	s, err := e.Session(r)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	signedIn := err == nil
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	if !confirmed && needsPress(signedIn, l.sid, s.ID, t.LogoutPrompt, navigated(r)) {
		return e.ConfirmLogout(w, r, l.fields)
	}
	s, err = e.signOut(w, r, l.clientID)
	if err != nil {
		return err
	}
	to := l.to
	if state := p.get("state"); state != "" && to != "" {
		to = appended(to, []Parameter{{"state", state}})
	}
	if gone, err := e.leaves(w, r, p, s, to); gone || err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	if to == "" {
		return e.SignedOutPage(w, r)
	}
	location(w, r, to)
	return nil
}

// needsPress decides whether a person has to confirm: nothing proves that the
// request is about this browser's session, and the tenant has not said that it
// does not matter. What a page merely embeds needs a press in any case. Without a
// session there is nothing to confirm.
func needsPress(signedIn bool, hinted, current string, prompt, navigated bool) bool {
	return signedIn && hinted != current && (prompt || !navigated)
}

// ending is a logout that was asked for and may take place.
type ending struct {
	clientID string // empty: none is known
	sid      string // the session that the hints name; empty: none
	to       string // where the browser goes afterwards; empty: nowhere
	fields   []Parameter
}

// asked checks the parameters.
func (e *Endpoints) asked(ctx context.Context, p parameters) (ending, error) {
	if len(p.doubled) > 0 {
		return ending{}, errs.New(errs.Invalid, "invalid_request", "Parameter sent more than once: %s", clip(p.doubled[0]))
	}
	l := ending{clientID: p.get("client_id"), sid: p.get("logout_hint")}
	if hint := p.get("id_token_hint"); hint != "" {
		clientID, sid, err := e.endHint(ctx, hint, l.clientID)
		if err != nil {
			return ending{}, err
		}
		if l.sid != "" && l.sid != sid {
			// Two hints at different sessions prove neither.
			sid = ""
		}
		l.clientID, l.sid = clientID, sid
	}
	registered, err := e.endURLs(ctx, l.clientID)
	if err != nil {
		return ending{}, err
	}
	if to := p.get("post_logout_redirect_uri"); to != "" {
		if !addressable(to) || !oauth.MatchLogout(registered, to) {
			return ending{}, errLogoutURL
		}
		l.to = to
	}
	for _, name := range logoutParams {
		if v := p.get(name); v != "" || name == "federated" && p.has(name) {
			l.fields = append(l.fields, Parameter{name, v})
		}
	}
	return l, nil
}

// endHint reads the hint, which may have expired. The client that it was issued
// to is the one that asks.
func (e *Endpoints) endHint(ctx context.Context, hint, clientID string) (asks, sid string, err error) {
	asks, sid, err = e.verifier.EndHint(ctx, hint)
	if errs.KindOf(err) == errs.Unauthenticated {
		return "", "", errHint.Because(err)
	}
	if err != nil {
		return "", "", err
	}
	if clientID != "" && clientID != asks {
		return "", "", errEndClient
	}
	return asks, sid, nil
}

// endURLs are the client's addresses; without a client the tenant's.
func (e *Endpoints) endURLs(ctx context.Context, clientID string) ([]string, error) {
	if clientID == "" {
		return e.logoutURLs(ctx, "")
	}
	c, err := e.d.Clients.Client(ctx, clientID)
	if errors.Is(err, client.ErrNotFound) {
		return nil, errNoClient
	}
	if err != nil {
		return nil, err
	}
	return c.Settings().AllowedLogoutURLs, nil
}
