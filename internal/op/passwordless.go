package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Passwordless is what the endpoints ask of passwordless.Service.
type Passwordless interface {
	Start(ctx context.Context, r passwordless.Request, a user.Actor) (localID string, err error)
	Check(ctx context.Context, a passwordless.Attempt) error
	Redeem(ctx context.Context, a passwordless.Attempt, by user.Actor) (*user.User, error)
}

// Failures of POST /passwordless/start (reference/authentication.md §4.3).
var (
	errStartClient     = errs.New(errs.Invalid, "bad.client_id", "Client does not exist")
	errStartConnection = errs.New(errs.Invalid, "bad.connection", "Connection does not exist")
	errStartDisabled   = errs.New(errs.Invalid, "bad.connection", "Connection is disabled")
	errStartStrategy   = errs.New(errs.Invalid, "bad.connection", "Invalid connection strategy. It must either be a passwordless connection")
	errStartSend       = errs.New(errs.Invalid, "bad.request", "send must be link or code")
	errStartParams     = errs.New(errs.Invalid, "bad.authParams", "authParams must be an object of strings")
)

func errProperty(name string) *errs.Error {
	return errs.New(errs.Invalid, "bad."+name, "Missing required property: %s", name)
}

// startMembers are what the body may have. Both spellings of authParams are in use.
var startMembers = []string{
	"client_id", "client_secret", "client_assertion", "client_assertion_type", "connection", "email", "phone_number",
	"send", "authParams", "auth_params", "captcha", "tenant",
}

// linkParams are the members of authParams that count.
var linkParams = []string{
	"scope", "audience", "redirect_uri", "response_type", "response_mode", "state", "nonce",
	"code_challenge", "code_challenge_method", "ui_locales", "acr_values",
}

// startBody is the body of a start, as far as it can be judged by itself.
type startBody struct {
	clientID, connection string
	email, phone         string
	link                 bool
	params               map[string]string
}

// readStart is the rule of what the body must be.
func readStart(p map[string]string) (b startBody, err error) {
	b = startBody{clientID: p["client_id"], connection: p["connection"], email: p["email"], phone: p["phone_number"], link: true}
	switch {
	case b.clientID == "":
		return b, errProperty("client_id")
	case b.connection == "":
		return b, errProperty("connection")
	}
	var extra []string
	for name := range p {
		if !slices.Contains(startMembers, name) {
			extra = append(extra, clip(name))
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return b, errs.New(errs.Invalid, "bad.request", "the following properties are not allowed: %s", clip(strings.Join(extra, ", ")))
	}
	switch p["send"] {
	case "", "link":
	case "code":
		b.link = false
	default:
		return b, errStartSend
	}
	sent := p["authParams"]
	if sent == "" {
		sent = p["auth_params"]
	}
	b.params, err = readLinkParams(sent)
	return b, err
}

// readLinkParams reads authParams; those that do not count are left out.
func readLinkParams(sent string) (map[string]string, error) {
	if sent == "" {
		return nil, nil
	}
	members, err := strictjson.Object([]byte(sent))
	if err != nil {
		return nil, errStartParams
	}
	params := map[string]string{}
	for _, m := range members {
		switch {
		case !slices.Contains(linkParams, m.Name) || profile.IsNull(m.Value):
		case m.Value[0] != '"':
			return nil, errStartParams
		default:
			params[m.Name] = profile.TextOf(m.Value)
		}
	}
	return params, nil
}

// recipientOf finds the address in the body that the connection sends to.
func recipientOf(class profile.Class, b startBody) (string, error) {
	name, typed, wrong := "email", b.email, "Object didn't pass validation for format email: "+clip(b.email)
	if class == profile.PasswordlessSMS {
		name, typed, wrong = "phone_number", b.phone, "String does not match pattern: "+passwordless.PhonePattern
	}
	if typed == "" {
		return "", errProperty(name)
	}
	recipient, ok := passwordless.Recipient(class, typed)
	if !ok {
		return "", errs.New(errs.Invalid, "bad."+name, "%s", wrong)
	}
	return recipient, nil
}

// startAnswer is the body of a success. It is the same for everybody.
type startAnswer struct {
	ID            string `json:"_id"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Phone         string `json:"phone_number,omitempty"`
	PhoneVerified bool   `json:"phone_verified,omitempty"`
}

func startAnswerFor(class profile.Class, id, recipient string) startAnswer {
	if class == profile.PasswordlessSMS {
		return startAnswer{ID: id, Phone: recipient, PhoneVerified: true}
	}
	return startAnswer{ID: id, Email: recipient, EmailVerified: true}
}

// startPasswordless is POST /passwordless/start.
func (e *Endpoints) startPasswordless(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	a := user.Actor{IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	answer, conn, err := e.sendCode(w, r, &a)
	if err != nil {
		event := e.event(audit.LoginFailed, a)
		event.Description = problemOf(err).text
		if conn != nil {
			event.Connection, event.ConnectionID = conn.Name, conn.ID
		}
		e.recordRefusal(ctx, event)
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, answer)
	return nil
}

// sendCode checks the request and sends what it asks for; a becomes its actor.
func (e *Endpoints) sendCode(w http.ResponseWriter, r *http.Request, a *user.Actor) (startAnswer, *connection.Connection, error) {
	p, err := web.Params(r)
	if err != nil {
		return startAnswer{}, nil, err
	}
	b, err := readStart(p)
	a.ClientID = clip(b.clientID)
	if err != nil {
		return startAnswer{}, nil, err
	}
	c, err := e.startClient(w, r, p)
	if err != nil {
		return startAnswer{}, nil, err
	}
	*a = e.actor(r, c)
	conn, err := e.passwordlessConnection(r.Context(), b.connection)
	if err != nil {
		return startAnswer{}, nil, err
	}
	if !usable(conn, c.ID) {
		return startAnswer{}, conn, errStartDisabled
	}
	recipient, err := recipientOf(conn.Class(), b)
	if err != nil {
		return startAnswer{}, conn, err
	}
	req := passwordless.Request{
		Connection: conn, Recipient: recipient, ClientID: c.ID, Application: c.Name, Language: requestLanguage(r),
		Link: b.link && conn.Class() == profile.PasswordlessEmail,
	}
	if req.Link {
		req.Browser = e.Browser(r)
		if req.Params, err = e.linkRequest(r, c.Client, conn, b.params); err != nil {
			return startAnswer{}, conn, err
		}
	}
	id, err := e.d.Passwordless.Start(r.Context(), req, *a)
	if err != nil {
		return startAnswer{}, conn, err
	}
	return startAnswerFor(conn.Class(), id, recipient), conn, nil
}

// startClient is the client of a start. What it shows of itself has to be right;
// whether it has to show anything is the tenant's choice.
func (e *Endpoints) startClient(w http.ResponseWriter, r *http.Request, p map[string]string) (caller, error) {
	ctx := r.Context()
	if p["client_secret"] != "" || p["client_assertion"] != "" || p["client_assertion_type"] != "" || r.Header.Get("Authorization") != "" {
		c, _, err := e.authenticate(ctx, w, r, p)
		return c, err
	}
	c, err := e.d.Clients.Client(ctx, p["client_id"])
	if errors.Is(err, client.ErrNotFound) || err == nil && c.Global {
		return caller{}, errStartClient
	}
	if err != nil {
		return caller{}, err
	}
	allowOrigin(w, r, c)
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return caller{}, err
	}
	if t.PasswordlessAuthentication && !c.Settings().Public() {
		return caller{}, errClient
	}
	return caller{Client: c}, nil
}

// passwordlessConnection finds a connection that sends codes.
func (e *Endpoints) passwordlessConnection(ctx context.Context, name string) (*connection.Connection, error) {
	conn, err := e.d.Connections.ConnectionByName(ctx, name)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, errStartConnection
	}
	if err != nil {
		return nil, err
	}
	if !isPasswordless(conn.Class()) {
		return nil, errStartStrategy
	}
	return conn, nil
}

func isPasswordless(class profile.Class) bool {
	return class == profile.PasswordlessEmail || class == profile.PasswordlessSMS
}

// linkRequest makes the authorization request that a link will ask for of the
// connection's parameters and those that were sent, which win. It has to be one
// that /authorize would take: a mistake is told now, and not to whoever follows
// the link. A link brings no refresh token (reference/connections.md §6.2).
func (e *Endpoints) linkRequest(r *http.Request, c *client.Client, conn *connection.Connection, sent map[string]string) (map[string]string, error) {
	params := map[string]string{}
	for name := range conn.CodeOptions().Params {
		if slices.Contains(linkParams, name) {
			params[name] = conn.CodeOptions().Params.Text(name)
		}
	}
	for name, v := range sent {
		params[name] = v
	}
	if params["response_type"] == "" {
		params["response_type"] = "code"
	}
	params["scope"] = strings.Join(oauth.Without(strings.Fields(params["scope"]), []string{offlineAccess}), " ")
	params["client_id"], params["connection"] = c.ID, conn.Name
	v := url.Values{}
	for name, value := range params {
		v.Set(name, value)
	}
	_, err := e.Validate(r, v)
	var refusal *oauth.AuthorizeError
	switch f := errs.From(err); {
	case err == nil:
		return params, nil
	case errors.As(err, &refusal):
		return nil, errs.New(errs.Invalid, "bad.authParams", "%s", refusal.Description)
	case f.Kind == errs.Internal || f.Kind == errs.Unavailable:
		return nil, err
	default:
		return nil, errs.New(errs.Invalid, "bad.authParams", "%s", f.Text)
	}
}

// renderPasswordless is renderOAuth in the content type of these endpoints. It
// says when a limited caller may come again.
func renderPasswordless(w http.ResponseWriter, _ *http.Request, err error) {
	web.NoStore(w)
	var l *passwordless.Limited
	if !errors.As(err, &l) {
		writeOAuth(w, web.TypeJSON, err)
		return
	}
	h, p := w.Header(), problemOf(err)
	h.Set("Retry-After", strconv.FormatInt(l.Seconds(), 10))
	h.Set("X-RateLimit-Limit", strconv.FormatInt(l.Budget.Burst, 10))
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(l.Until/1_000_000, 10))
	web.WriteJSON(w, p.status, web.TypeJSON, oauthBody{Error: p.code, Description: p.text})
}
