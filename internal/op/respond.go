package op

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Parameter of an answer; the order counts.
type Parameter struct{ Name, Value string }

// Respond answers a valid authorization request for the session's user and sends
// the browser back. What may have changed since the request was made is looked at
// again: the client, its callbacks and connections, the user, what the person
// allowed.
func (e *Endpoints) Respond(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	if req.DeviceCode != "" {
		return e.respondDevice(w, r, req, s)
	}
	if req.Approval != "" {
		return e.respondApproval(w, r, req, s)
	}
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	response, _ := oauth.ParseResponse(req.ResponseType)
	if refusal := permitted(c.Settings(), response); refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	if response.Code && needsS256(c.Settings(), t) && req.Method != oauth.S256 {
		return e.RespondError(w, r, req, errNeedsS256)
	}
	u, refusal, err := e.subject(ctx, c, s)
	if err != nil {
		return err
	}
	if refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	g, err := e.granted(ctx, c, req, u)
	if err == nil {
		err = e.consented(ctx, c, req, g)
	}
	if errors.As(err, &refusal) {
		return e.RespondError(w, r, req, refusal)
	}
	if err != nil {
		return err
	}
	if err := returnable(c.Settings(), req); err != nil {
		return err
	}
	if err := e.SessionClient(ctx, s, c.ID); err != nil {
		return err
	}
	answer, err := e.answer(ctx, c, req, s, response, g)
	if err != nil {
		return err
	}
	if silent(req) {
		event := e.event(audit.SilentOK, user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)})
		event.UserID, event.ConnectionID, event.Details = s.UserID, s.ConnectionID, details(req.Audience, strings.Join(g.scopes, " "))
		if err := e.d.Audit.AppendEvents(ctx, event); err != nil {
			return err
		}
	}
	return e.deliver(w, r, t, req, answer...)
}

// subject is the session's user, if the client may still be told about.
func (e *Endpoints) subject(ctx context.Context, c *client.Client, s session.Session) (*user.User, *oauth.AuthorizeError, error) {
	conn, err := e.d.Connections.Connection(ctx, s.ConnectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return nil, nil, err
	}
	if err != nil || !usable(conn, c.ID) {
		return nil, authorizeError(errDisabled.Code, errDisabled.Text), nil
	}
	u, err := e.active(ctx, s.UserID, user.ErrNotFound)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return nil, authorizeError("access_denied", user.ErrNotFound.Text), nil
	case errors.Is(err, user.ErrBlocked):
		return nil, authorizeError(user.ErrBlocked.Code, user.ErrBlocked.Text), nil
	}
	return u, nil, err
}

// answer makes what the response type names (reference/authentication.md §2.3).
func (e *Endpoints) answer(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, s session.Session, response oauth.Response, g granted) ([]Parameter, error) {
	var answer []Parameter
	front := userTokens{
		user:      g.user,
		api:       g.api,
		scopes:    g.scopes,
		methods:   s.Methods,
		nonce:     req.Nonce,
		sessionID: s.ID,
		front:     response,
	}
	if wantsAuthTime(req) {
		front.authTime = time.UnixMicro(s.AuthTime).Unix()
	}
	if response.Code {
		front.code = token.NewSecret()
		front.codeHash = token.HashOf(front.code)
		code := token.Code{
			Hash:          front.codeHash,
			ClientID:      c.ID,
			UserID:        string(g.user.ID),
			SessionID:     s.ID,
			ConnectionID:  s.ConnectionID,
			Scope:         strings.Join(g.scopes, " "),
			Requested:     strings.Join(req.Scope, " "),
			Audience:      req.Audience,
			Nonce:         req.Nonce,
			Challenge:     req.Challenge,
			Method:        req.Method,
			AuthTime:      s.AuthTime,
			WantsAuthTime: wantsAuthTime(req),
			Methods:       strings.Join(s.Methods, " "),
			ExpiresAt:     e.d.Now().Add(CodeLifetime).UnixMicro(),
		}
		if req.RedirectSent {
			code.RedirectURI = req.RedirectURI
		}
		if err := e.d.Tokens.SaveCode(ctx, code); err != nil {
			return nil, err
		}
		answer = append(answer, Parameter{"code", front.code})
	}
	if !response.FrontChannel() {
		return answer, nil
	}
	res, err := e.issueUser(ctx, caller{Client: c}, front)
	if err != nil {
		return nil, err
	}
	if response.Token {
		answer = append(answer, Parameter{"access_token", res.AccessToken}, Parameter{"token_type", "Bearer"},
			Parameter{"expires_in", strconv.FormatInt(res.ExpiresIn, 10)})
	}
	if response.IDToken {
		answer = append(answer, Parameter{"id_token", res.IDToken})
	}
	if response.Token && res.Scope != strings.Join(req.Scope, " ") {
		answer = append(answer, Parameter{"scope", res.Scope})
	}
	return answer, nil
}

// wantsAuthTime: the ID token tells when the person signed in.
func wantsAuthTime(req oauth.AuthorizeRequest) bool {
	return req.MaxAge != nil || contains(strings.Fields(req.Prompt), "login")
}

// RespondError sends the browser back with an error, and keeps a record of it.
// Where the client's policy forbids that, the error stays on a page of ours.
func (e *Endpoints) RespondError(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	if req.DeviceCode != "" {
		return e.refuseDevice(w, r, req, refusal)
	}
	if req.Approval != "" {
		return e.refuseApproval(w, r, req, refusal)
	}
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	if err := returnable(c.Settings(), req); err != nil {
		return err
	}
	kind := audit.LoginFailed
	if silent(req) {
		kind = audit.SilentFailed
	}
	e.recordFailure(ctx, kind, user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}, refusal.Description)
	if c.Settings().KeepsErrors {
		e.renderPage(w, r, refusal)
		return nil
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	return e.deliver(w, r, t, req, Parameter{"error", refusal.Code}, Parameter{"error_description", refusal.Description})
}

// returnable checks that the address is the client's, and for a web_message its
// origin too. It is asked again when the answer is given: an operator may have
// taken the address away while the login went on.
func returnable(s *client.Settings, req oauth.AuthorizeRequest) error {
	if !addressable(req.RedirectURI) || !oauth.MatchRedirect(s.Callbacks, req.RedirectURI) {
		return errCallback
	}
	if req.ResponseMode == oauth.WebMessage {
		if _, ok := messageTarget(s, req.RedirectURI); !ok {
			return errOrigin
		}
	}
	return nil
}

// messageTarget is the origin to which a web_message goes: that of the redirect
// URI, where the client lists it among its web origins (reference/authentication.md §0.5).
func messageTarget(s *client.Settings, redirect string) (string, bool) {
	origin, ok := oauth.OriginOf(redirect)
	return origin, ok && oauth.MatchOrigin(s.WebOrigins, origin)
}

// deliver sends the answer by the request's mode (reference/authentication.md §2.3).
func (e *Endpoints) deliver(w http.ResponseWriter, r *http.Request, t *tenant.Settings, req oauth.AuthorizeRequest, answer ...Parameter) error {
	if req.State != "" {
		answer = append(answer, Parameter{"state", req.State})
	}
	if t.IssParameter {
		answer = append(answer, Parameter{"iss", e.issuer})
	}
	web.NoStore(w)
	// Neither the code nor the state is anybody else's business.
	w.Header().Set("Referrer-Policy", "no-referrer")
	switch req.ResponseMode {
	case oauth.WebMessage:
		origin, _ := oauth.OriginOf(req.RedirectURI) // returnable has found it to be the client's
		return e.Message(w, r, origin, answer)
	case oauth.FormPost:
		return postForm(w, req.RedirectURI, answer)
	case oauth.Fragment:
		location(w, r, req.RedirectURI+"#"+encode(answer))
	case oauth.Query:
		location(w, r, appended(req.RedirectURI, answer))
	default:
		return errs.New(errs.Invalid, "invalid_request", "Unsupported response mode.")
	}
	return nil
}

// appended adds the parameters to an address that may have a query.
func appended(uri string, answer []Parameter) string {
	if len(answer) == 0 {
		return uri
	}
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + encode(answer)
}

// encode writes the parameters in their order.
func encode(answer []Parameter) string {
	var b strings.Builder
	for i, p := range answer {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}

// location redirects without touching a byte of the address. After a posted
// form it is 303, so that no browser posts the form again (RFC 9700 §4.12).
func location(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", to)
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}

// formPost is the page of response_mode=form_post.
var formPost = template.Must(template.New("form_post").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Submit this form</title></head>
<body><form method="post" action="{{.Action}}">
{{- range .Answer}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end -}}
<noscript><button type="submit">Continue</button></noscript></form>
<script nonce="{{.Nonce}}">document.forms[0].submit()</script></body></html>
`))

func postForm(w http.ResponseWriter, action string, answer []Parameter) error {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	nonce := base64.RawURLEncoding.EncodeToString(b)
	u, err := url.Parse(action)
	if err != nil {
		return err
	}
	var page strings.Builder
	// addressable has ruled out schemes that run code; the template's own filter
	// would refuse those of native applications.
	err = formPost.Execute(&page, struct {
		Action template.URL //nolint:gosec // see above
		Answer []Parameter
		Nonce  string
	}{template.URL(action), answer, nonce}) //nolint:gosec // see above
	if err != nil {
		return err
	}
	h := w.Header()
	// form-action names schemes, not the origin: browsers apply it to where the
	// client redirects next as well.
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; form-action https: http: "+u.Scheme+":; base-uri 'none'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", web.TypeHTML)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write([]byte(page.String()))
	return err
}
