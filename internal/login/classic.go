package login

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

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
	way, ok := wayOf(conn, c.ID, f.spoken)
	if !ok || (way.kind != database && way.kind != directory) {
		return errs.New(errs.Invalid, errDisabled.Code, "%s", errDisabled.Description)
	}
	actor := user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	u, err := f.authenticate(ctx, way, p["username"], p["password"], actor)
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
	return f.show(w, r, http.StatusOK, page.HiddenForm{Action: f.callback, Fields: []page.Field{
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
			f.refused(r, req.ClientID, nil, refused.Description)
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

// ssoAnswer is what /user/ssodata says of a session.
type ssoAnswer struct {
	SSO        bool          `json:"sso"`
	UserID     string        `json:"current_user_id"`
	ClientID   string        `json:"current_client_id"`
	Connection ssoConnection `json:"last_used_connection"`
	Username   string        `json:"last_used_username"`
}

type ssoConnection struct {
	Name     string `json:"name"`
	Strategy string `json:"strategy"`
}

// ssoData is GET /user/ssodata: whether this browser has a session, for pages of
// the client alone.
func (f *Flow) ssoData(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	q, err := query(r)
	if err != nil {
		return err
	}
	a, err := f.ssoOf(w, r, q.Get("client_id"))
	if err != nil {
		return err
	}
	if !a.SSO {
		web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(`{"sso":false}`))
		return nil
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, a)
	return nil
}

// ssoOf is the browser's session for a page of the client; without SSO there is
// none, or it is not for that page.
func (f *Flow) ssoOf(w http.ResponseWriter, r *http.Request, clientID string) (a ssoAnswer, err error) {
	ctx := r.Context()
	c, err := f.d.Clients.Client(ctx, clientID)
	if errs.KindOf(err) == errs.NotFound {
		return a, nil
	}
	if err != nil || !allowCredentials(w, r, c.Settings()) {
		return a, err
	}
	s, err := f.Session(r)
	if errors.Is(err, session.ErrNone) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	conn, err := f.connection(ctx, s.ConnectionID)
	if conn == nil {
		return a, err
	}
	u, err := f.d.UserStore.User(ctx, user.ID(s.UserID))
	if err != nil {
		return a, err
	}
	name := cmp.Or(u.Profile.Text(profile.Email), u.Profile.Text(profile.Name))
	return ssoAnswer{true, s.UserID, c.ID, ssoConnection{conn.Name, conn.Strategy}, name}, nil
}
