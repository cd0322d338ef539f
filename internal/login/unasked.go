package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/upstream"
)

// comeUnasked is POST /login/callback?connection=NAME without a state of ours: a
// login that the provider began (reference/authentication.md §2.10). Whoever can
// make a browser post this signs its owner in as somebody of the attacker's
// choice, so connections allow it one by one.
func (f *Flow) comeUnasked(w http.ResponseWriter, r *http.Request, got url.Values) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, err := f.d.Connections.ConnectionByName(ctx, q.Get("connection"))
	if errs.KindOf(err) == errs.NotFound {
		return errExpired
	}
	if err != nil {
		return err
	}
	k, ok := f.d.Connectors[c.Strategy].(upstream.Unsolicited)
	begun := c.Upstream().IDPInitiated
	if !ok || !begun.Enabled {
		f.refused(r, "", c, "A login that the identity provider began is not enabled for the connection.")
		return errs.New(errs.Invalid, "invalid_request", "IdP-Initiated login is not enabled for connection %q.", c.Name)
	}
	app, err := f.d.Clients.Client(ctx, begun.ClientID)
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return err
	}
	v, ok := wish(begun, app, c.Name)
	if !ok || app == nil {
		f.refused(r, begun.ClientID, c, "The idpinitiated options of the connection name no application that can be answered.")
		return errs.New(errs.Invalid, "invalid_request", "The identity provider began a login, and the connection does not say for which application.")
	}
	req, err := f.d.Validate(r, v)
	if err != nil {
		var refused *oauth.AuthorizeError
		if errors.As(err, &refused) {
			f.refused(r, begun.ClientID, c, refused.Description)
			return f.d.RespondError(w, r, req, refused)
		}
		return err
	}
	p := &pass{req: req, client: app, unasked: true}
	if err := f.create(w, r, p); err != nil {
		return err
	}
	p.prog.trip = trip{ConnectionID: c.ID}
	c, why, err := f.stillAllowed(ctx, p)
	if err != nil {
		return err
	}
	if why != nil {
		f.refused(r, req.ClientID, c, why.Description)
		return f.d.RespondError(w, r, req, why)
	}
	result, err := k.Unsolicited(ctx, c, upstream.Start{CallbackURL: f.callback}, got)
	if err != nil {
		return f.deny(w, r, p, c, err)
	}
	return f.verified(w, r, p, result)
}

// wish is the authorization request that idpinitiated stands for; false: it names
// a protocol that we do not speak to applications, or nothing that can be read. The
// connection and the application are not the query's to choose, and nobody waits
// for a state.
func wish(begun connection.IDPInitiated, app *client.Client, connection string) (url.Values, bool) {
	switch begun.Protocol {
	case "", "oidc", "oauth2":
	default:
		return nil, false
	}
	v, err := strict(begun.Query)
	if err != nil || app == nil {
		return nil, false
	}
	for _, name := range []string{"state", "prompt", "login_hint", "request", "request_uri"} {
		v.Del(name)
	}
	v.Set("client_id", app.ID)
	v.Set("connection", connection)
	if !v.Has("response_type") {
		v.Set("response_type", "code")
	}
	if !v.Has("scope") {
		v.Set("scope", "openid")
	}
	if callbacks := app.Settings().Callbacks; !v.Has("redirect_uri") && len(callbacks) > 0 {
		v.Set("redirect_uri", callbacks[0])
	}
	return v, true
}
