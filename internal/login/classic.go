package login

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// wrapped is the wa of the form that /usernamepassword/login answers with.
const wrapped = "wsignin1.0"

// mountClassic adds the endpoints of auth0.js and Lock (reference/authentication.md
// §1.3, §2.6, §2.8).
func (f *Flow) mountClassic(r chi.Router) {
	across := func(h web.Handler) http.HandlerFunc { return web.Serve(h, renderAcross).ServeHTTP }
	r.Post("/co/authenticate", across(f.authenticateAcross))
	r.Post("/usernamepassword/login", web.Serve(f.signInClassic, renderClassic).ServeHTTP)
	r.Get("/user/ssodata", across(f.ssoData))
	for _, path := range []string{"/co/authenticate", "/usernamepassword/login", "/user/ssodata"} {
		r.Options(path, preflightAcross)
	}
	for _, path := range []string{"/usernamepassword/challenge", "/dbconnections/signup/challenge", "/dbconnections/change_password/challenge", "/passwordless/challenge"} {
		r.Post(path, across(f.noChallenge))
		r.Options(path, preflightAcross)
	}
	r.Get("/client/{script}", across(f.clientScript))
}

// signInClassic is POST /usernamepassword/login: the answer is a form that takes
// the proof to /login/callback, with the authorization request beside it.
func (f *Flow) signInClassic(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := endpointParams(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, err := f.d.Clients.Client(ctx, p["client_id"])
	if errs.KindOf(err) == errs.NotFound || err == nil && c.Global {
		return errs.New(errs.Invalid, "invalid_request", "Unknown client.")
	}
	if err != nil {
		return err
	}
	// No state ties the form to this browser: a page that does not say where it is
	// from is one of another site.
	if f.origin.Check(r) != nil && !allowCredentials(w, r, c.Settings()) {
		return errForeign
	}
	conn, err := f.d.Connections.ConnectionByName(ctx, p["connection"])
	if errs.KindOf(err) == errs.NotFound {
		return errs.New(errs.Invalid, errNoConnection.Code, "%s", errNoConnection.Description)
	}
	if err != nil {
		return err
	}
	if way, ok := wayOf(conn, c.ID, f.spoken); !ok || way.kind != database {
		return errs.New(errs.Invalid, errDisabled.Code, "%s", errDisabled.Description)
	}
	actor := user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	u, err := f.d.Users.Authenticate(ctx, conn, p["username"], p["password"], actor)
	if err != nil {
		return err
	}
	ticket, _, err := f.issueTicket(w, r, c.ID, u, conn, session.Password)
	if err != nil {
		return err
	}
	// Credentials do not travel on; everything else is the authorization request.
	request := map[string]string{}
	for name, value := range p {
		switch name {
		case "username", "password", "captcha", "_csrf", "_intstate", "tenant":
		default:
			request[name] = value
		}
	}
	context, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return f.d.Page.Show(w, r, http.StatusOK, page.HiddenForm{Action: f.callback, Fields: []page.Field{
		{Name: "wa", Value: wrapped}, {Name: "wresult", Value: ticket}, {Name: "wctx", Value: string(context)},
	}})
}

// comeBackClassic is POST /login/callback with wa, wresult and wctx: the form of
// /usernamepassword/login. The request is read as /authorize would read it.
func (f *Flow) comeBackClassic(w http.ResponseWriter, r *http.Request, got url.Values) error {
	v, err := requestOf(got.Get("wctx"))
	if err != nil {
		return err
	}
	req, err := f.d.Validate(r, v)
	if err != nil {
		var refused *oauth.AuthorizeError
		if errors.As(err, &refused) {
			return f.d.RespondError(w, r, req, refused)
		}
		return err
	}
	req.LoginTicket = got.Get("wresult")
	return f.Start(w, r, req)
}

// requestOf reads a wctx: the authorization request as a JSON object. Members that
// are no texts are passed over.
func requestOf(wctx string) (url.Values, error) {
	members, err := strictjson.Object([]byte(wctx))
	if err != nil {
		return nil, errInput // the cause would repeat what was sent
	}
	v := url.Values{}
	for _, m := range members {
		if text := profile.TextOf(m.Value); text != "" {
			v.Set(m.Name, text)
		}
	}
	return v, nil
}

// renderClassic answers a failure of /usernamepassword/login in the legacy family
// (reference/authentication.md §2.8).
func renderClassic(w http.ResponseWriter, _ *http.Request, err error) {
	e := errs.From(err)
	body := struct {
		Name        string `json:"name"`
		Code        string `json:"code"`
		Description string `json:"description"`
		StatusCode  int    `json:"statusCode"`
	}{"ValidationError", e.Code, e.Text, e.Kind.Status()}
	switch {
	case errors.Is(err, user.ErrWrongPassword):
		body.Code, body.StatusCode = "invalid_user_password", http.StatusUnauthorized
	case errors.Is(err, user.ErrBlocked):
		body.Code, body.StatusCode = "blocked_user", http.StatusUnauthorized
	case e.Kind == errs.Internal:
		body.Name, body.Code, body.Description = "InternalError", "server_error", "Internal error."
	case body.Code == "":
		body.Code = "invalid_request"
	}
	retryLater(w, e)
	web.NoStore(w)
	web.WriteJSON(w, body.StatusCode, web.TypeJSON, body)
}

// noChallenge says that no captcha is asked.
func (f *Flow) noChallenge(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := endpointParams(r)
	if err != nil {
		return err
	}
	if c, err := f.d.Clients.Client(r.Context(), p["client_id"]); err == nil {
		allowCredentials(w, r, c.Settings())
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, struct {
		Required bool `json:"required"`
	}{})
	return nil
}

// ssoData is GET /user/ssodata: whether this browser has a session, for pages of
// the client alone.
func (f *Flow) ssoData(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	q, err := query(r)
	if err != nil {
		return err
	}
	none := func() error {
		web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(`{"sso":false}`))
		return nil
	}
	ctx := r.Context()
	c, err := f.d.Clients.Client(ctx, q.Get("client_id"))
	if errs.KindOf(err) == errs.NotFound {
		return none()
	}
	if err != nil {
		return err
	}
	if !allowCredentials(w, r, c.Settings()) {
		return none()
	}
	s, err := f.Session(r)
	if errors.Is(err, session.ErrNone) {
		return none()
	}
	if err != nil {
		return err
	}
	conn, err := f.d.Connections.Connection(ctx, s.ConnectionID)
	if errs.KindOf(err) == errs.NotFound {
		return none()
	}
	if err != nil {
		return err
	}
	u, err := f.d.UserStore.User(ctx, user.ID(s.UserID))
	if err != nil {
		return err
	}
	name := u.Profile.Text(profile.Email)
	if name == "" {
		name = u.Profile.Text(profile.Name)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, struct {
		SSO        bool   `json:"sso"`
		UserID     string `json:"current_user_id"`
		ClientID   string `json:"current_client_id"`
		Connection struct {
			Name     string `json:"name"`
			Strategy string `json:"strategy"`
		} `json:"last_used_connection"`
		Username string `json:"last_used_username"`
	}{true, s.UserID, c.ID, struct {
		Name     string `json:"name"`
		Strategy string `json:"strategy"`
	}{conn.Name, conn.Strategy}, name})
	return nil
}

// scriptConnection is a connection as Lock reads it.
type scriptConnection struct {
	Name             string          `json:"name"`
	DisplayName      string          `json:"display_name,omitzero"`
	PasswordPolicy   string          `json:"passwordPolicy,omitzero"`
	Complexity       *scriptMinimum  `json:"password_complexity_options,omitzero"`
	ShowSignup       *bool           `json:"showSignup,omitzero"`
	ShowForgot       *bool           `json:"showForgot,omitzero"`
	RequiresUsername *bool           `json:"requires_username,omitzero"`
	Validation       json.RawMessage `json:"validation,omitzero"`
	Domain           string          `json:"domain,omitzero"`
	Aliases          []string        `json:"domain_aliases,omitzero"`
}

type scriptMinimum struct {
	MinLength int `json:"min_length"`
}

type scriptStrategy struct {
	Name        string             `json:"name"`
	Connections []scriptConnection `json:"connections"`
}

// scriptClient is what GET /client/{id}.js says.
type scriptClient struct {
	ID                string           `json:"id"`
	Tenant            string           `json:"tenant"`
	Subscription      string           `json:"subscription"`
	Authorize         string           `json:"authorize"`
	Callback          string           `json:"callback"`
	HasAllowedOrigins bool             `json:"hasAllowedOrigins"`
	Strategies        []scriptStrategy `json:"strategies"`
}

// clientScript is GET /client/{id}.js: what a page of the application needs to
// know to draw a form. All of it is on the sign-in page, too.
func (f *Flow) clientScript(w http.ResponseWriter, r *http.Request) error {
	id, ok := strings.CutSuffix(chi.URLParam(r, "script"), ".js")
	if !ok {
		return errs.New(errs.NotFound, "not_found", "There is no such script.")
	}
	c, err := f.d.Clients.Client(r.Context(), id)
	if errs.KindOf(err) == errs.NotFound || err == nil && c.Global {
		return errs.New(errs.NotFound, "not_found", "There is no such script.")
	}
	if err != nil {
		return err
	}
	settings, err := f.d.Tenant.Settings(r.Context())
	if err != nil {
		return err
	}
	v := scriptClient{
		ID: c.ID, Tenant: settings.FriendlyName, Subscription: "enterprise", Authorize: f.base + "/authorize", Strategies: []scriptStrategy{},
		HasAllowedOrigins: len(c.Settings().AllowedOrigins) > 0 || len(c.Settings().WebOrigins) > 0,
	}
	if list := c.Settings().Callbacks; len(list) > 0 {
		v.Callback = list[0]
	}
	ws, err := f.waysFor(r.Context(), oauth.AuthorizeRequest{ClientID: c.ID})
	var refused *oauth.AuthorizeError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	for _, way := range ws {
		at := -1
		for i := range v.Strategies {
			if v.Strategies[i].Name == way.c.Strategy {
				at = i
			}
		}
		if at < 0 {
			v.Strategies = append(v.Strategies, scriptStrategy{Name: way.c.Strategy})
			at = len(v.Strategies) - 1
		}
		v.Strategies[at].Connections = append(v.Strategies[at].Connections, scriptOf(way))
	}
	return writeScript(w, "Auth0.setClient", v)
}

func scriptOf(w way) scriptConnection {
	s := scriptConnection{Name: w.c.Name, Aliases: w.c.DomainAliases()}
	if w.label != w.c.Name {
		s.DisplayName = w.label
	}
	if w.kind != database {
		return s
	}
	rules, username := w.c.Signup(), w.c.Facts().Username
	signup, forgot := !rules.Disabled, !rules.NoResetLink
	s.ShowSignup, s.ShowForgot, s.RequiresUsername = &signup, &forgot, &username.Required
	if policy := w.c.PasswordPolicy(); policy.Level != "" {
		s.PasswordPolicy = policy.Level
		if policy.MinLength > 0 {
			s.Complexity = &scriptMinimum{policy.MinLength}
		}
	}
	if username.Allowed && username.Max > 0 {
		s.Validation, _ = json.Marshal(map[string]map[string]int{"username": {"min": username.Min, "max": username.Max}}) // numbers always encode
	}
	return s
}

// writeScript calls a function of the page with a value. The JSON encoder
// escapes what could end a script element.
func writeScript(w http.ResponseWriter, function string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, err = w.Write([]byte(function + "(" + string(raw) + ");\n"))
	return err
}
