package login

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/web"
)

// Start begins a login for a request that op has validated: it answers with a
// redirect to the first page, or to the provider when there is no choice.
func (f *Flow) Start(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest) error {
	ctx := r.Context()
	c, err := f.d.Clients.Client(ctx, req.ClientID)
	if err != nil {
		return err
	}
	ws, err := f.waysFor(ctx, req)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		named, _ := f.d.Connections.ConnectionByName(ctx, req.Connection) // for the record; nil where there is none
		f.refused(r, req.ClientID, named, refused.Description)
		return f.d.RespondError(w, r, req, refused)
	}
	if err != nil {
		return err
	}
	p := &pass{req: req, client: c, prog: progress{Passed: req.Passed}}
	if err := f.create(w, r, p); err != nil {
		return err
	}
	if req.LoginTicket != "" {
		if done, err := f.redeemTicket(w, r, p); done || err != nil {
			return err
		}
		p.prog = progress{Passed: req.Passed}
	}
	if len(ws) == 1 && (ws[0].kind == provider || ws[0].kind == place) {
		return f.follow(w, r, p, ws[0])
	}
	if err := f.save(ctx, p); err != nil {
		return err
	}
	o := offered(ws, "")
	first := f.firstPath(r, o)
	if req.ScreenHint == "signup" && f.signupURL(p, o) != "" {
		first = signupPath
	}
	redirect(w, r, at(first, p.id))
	return nil
}

// Interact goes on with a session that is there: the person has to agree to
// something, or to show another factor.
func (f *Flow) Interact(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	c, err := f.d.Clients.Client(r.Context(), req.ClientID)
	if err != nil {
		return err
	}
	p := &pass{req: req, client: c}
	if err := f.create(w, r, p); err != nil {
		return err
	}
	p.prog.ConnectionID, p.prog.UserID = s.ConnectionID, s.UserID
	p.prog.Methods, p.prog.AuthTime, p.prog.SessionID, p.prog.Foreign = s.Methods, s.AuthTime, s.ID, s.Foreign
	u, err := f.person(r.Context(), p)
	if err != nil {
		return err
	}
	return f.goOn(w, r, p, u)
}

// firstPath is the page that a login begins with.
func (f *Flow) firstPath(r *http.Request, o offer) string {
	if o.password() == nil {
		return identifierPath
	}
	settings, err := f.d.Tenant.Settings(r.Context())
	if err == nil && !settings.IdentifierFirst {
		return signInPath
	}
	return identifierPath // a wish that cannot be read now is not worth a failure
}

// create makes the transaction and binds it to the browser. It is not stored yet.
func (f *Flow) create(w http.ResponseWriter, r *http.Request, p *pass) error {
	browser, err := f.browser(w, r)
	if err != nil {
		return err
	}
	if p.id, err = f.secret(); err != nil {
		return err
	}
	raw, err := json.Marshal(p.req)
	if err != nil {
		return fmt.Errorf("authorization request: %w", err)
	}
	now := f.now()
	p.t = session.Transaction{
		Hash: hash(p.id), Browser: hash(browser), ClientID: p.req.ClientID, Request: raw,
		CreatedAt: now, ExpiresAt: now + session.TransactionLifetime,
	}
	return nil
}

// waysFor reads the state of the connections as it is now. The error is an
// *oauth.AuthorizeError when the request cannot be served.
func (f *Flow) waysFor(ctx context.Context, req oauth.AuthorizeRequest) ([]way, error) {
	if req.Connection != "" {
		c, err := f.d.Connections.ConnectionByName(ctx, req.Connection)
		if err != nil {
			if errs.KindOf(err) == errs.NotFound {
				return nil, errNoConnection
			}
			return nil, err
		}
		w, ok := wayOf(c, req.ClientID, f.spoken)
		if ok {
			return []way{w}, nil
		}
		if _, spoken := f.spoken(c.Strategy); c.Class().Upstream() && !spoken {
			return nil, errNoConnector
		}
		return nil, errDisabled
	}
	var list []*connection.Connection
	filter, next := connection.Filter{ClientID: req.ClientID}, connection.Page{Limit: 100}
	if oauth.SelfRegistered(req.ClientID) {
		filter.ClientID = "" // those of the domain are not listed by client
	}
	for {
		part, _, err := f.d.Connections.Connections(ctx, filter, next)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
		if len(part) < next.Limit {
			break
		}
		next.After = part[len(part)-1].ID
	}
	ws := ways(list, req.ClientID, f.spoken)
	if len(ws) == 0 {
		return nil, errNothing
	}
	return ws, nil
}

// connection reads a connection by its id; nil: it has gone.
func (f *Flow) connection(ctx context.Context, id string) (*connection.Connection, error) {
	c, err := f.d.Connections.Connection(ctx, id)
	if errs.KindOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// redirector is the connector of a strategy whose people are sent away; nil: it is
// none of these.
func (f *Flow) redirector(strategy string) upstream.Redirect {
	k, _ := f.d.Connectors[strategy].(upstream.Redirect)
	return k
}

// spoken is how people sign in by a strategy; false: there is no connector for it.
func (f *Flow) spoken(strategy string) (kind, bool) {
	switch f.d.Connectors[strategy].(type) {
	case upstream.Redirect:
		return provider, true
	case upstream.Directory:
		return directory, true
	case upstream.Place:
		return place, true
	}
	return 0, false
}

// sendAway leads the browser to the provider. What has to be kept is stored
// before the browser leaves.
func (f *Flow) sendAway(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection) error {
	tag, err := f.tag()
	if err != nil {
		return err
	}
	nonce, err := f.secret()
	if err != nil {
		return err
	}
	d, err := f.redirector(c.Strategy).Depart(r.Context(), c, upstream.Start{
		State: joinState(p.id, tag), Nonce: nonce, CallbackURL: f.callback,
		LoginHint: p.loginHint(), Scopes: connectionScopes(p.req.ConnectionScope), Params: params(p.req, p.prog.Passed),
	})
	if err != nil {
		return f.stop(w, r, p, c, err)
	}
	p.prog.trip = trip{ConnectionID: c.ID, Tag: hash(tag), Pending: d.Pending}
	if err := f.save(r.Context(), p); err != nil {
		return err
	}
	return f.depart(w, r, d)
}

// depart sends the browser to a provider, by a redirect or by a form.
func (f *Flow) depart(w http.ResponseWriter, r *http.Request, d upstream.Departure) error {
	if d.Form == nil {
		redirect(w, r, d.URL)
		return nil
	}
	view := page.FormPost{Action: d.URL}
	for _, name := range slices.Sorted(maps.Keys(d.Form)) {
		for _, value := range d.Form[name] {
			view.Fields = append(view.Fields, page.Field{Name: name, Value: value})
		}
	}
	web.NoStore(w)
	return f.show(w, r, http.StatusOK, view)
}

// loginHint is whom a provider is told to expect: what was typed at our own first
// step, or what the application said.
func (p *pass) loginHint() string { return cmp.Or(p.prog.Identifier, p.req.LoginHint) }

// connectionScopes are the words of connection_scope, between commas or spaces.
func connectionScopes(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// stop ends a login that the provider or our own rules refused.
func (f *Flow) stop(w http.ResponseWriter, r *http.Request, p *pass, c *connection.Connection, err error) error {
	why, ok := refusal(err)
	if !ok {
		return err
	}
	f.refused(r, p.req.ClientID, c, why.Description)
	noteCause(r, c, err)
	return f.end(w, r, p, why)
}

// params are the parameters of our own request that a connection may pass on
// (reference/connections.md §3.9).
func params(req oauth.AuthorizeRequest, passed map[string]string) url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("acr_values", req.ACRValues)
	set("audience", req.Audience)
	set("client_id", req.ClientID)
	set("login_hint", req.LoginHint)
	set("prompt", req.Prompt)
	set("response_mode", req.ResponseMode)
	set("response_type", req.ResponseType)
	set("ui_locales", req.UILocales)
	for name, value := range passed {
		set(name, value)
	}
	if req.MaxAge != nil {
		v.Set("max_age", strconv.FormatInt(*req.MaxAge, 10))
	}
	return v
}

// redirect leads on. After a form 303 keeps the browser from posting it again.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	http.Redirect(w, r, to, status)
}
