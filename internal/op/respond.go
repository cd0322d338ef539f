package op

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// parameter of an answer; the order counts.
type parameter struct{ Name, Value string }

// Respond answers a valid authorization request with a code for the session's
// user and sends the browser back. What may have changed since the request was
// made is looked at again: the client, its callbacks and connections, the user.
func (e *Endpoints) Respond(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	if refusal := permitted(c.Settings()); refusal != nil {
		return e.RespondError(w, r, req, refusal)
	}
	if c.Settings().Public() && req.Method != oauth.S256 {
		return e.RespondError(w, r, req, errNeedsS256)
	}
	conn, err := e.d.Connections.Connection(ctx, s.ConnectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return err
	}
	if err != nil || !usable(conn, c.ID) {
		return e.RespondError(w, r, req, authorizeError(errDisabled.Code, errDisabled.Text))
	}
	u, err := e.active(ctx, s.UserID, user.ErrNotFound)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return e.RespondError(w, r, req, authorizeError("access_denied", user.ErrNotFound.Text))
	case errors.Is(err, user.ErrBlocked):
		return e.RespondError(w, r, req, authorizeError(user.ErrBlocked.Code, user.ErrBlocked.Text))
	case err != nil:
		return err
	}
	var scopes []string
	if req.Audience != "" {
		rs, err := e.d.ResourceServers.ResourceServerByIdentifier(ctx, req.Audience)
		if errors.Is(err, resourceserver.ErrNotFound) {
			return e.RespondError(w, r, req, authorizeError("access_denied", "Service not found: "+req.Audience))
		}
		if err != nil {
			return err
		}
		allowed, refusal, err := e.apiScopesFor(ctx, c, rs)
		if err != nil {
			return err
		}
		if refusal != nil {
			return e.RespondError(w, r, req, refusal)
		}
		scopes = allowed
	}
	if err := e.returnable(c.Settings().Callbacks, req); err != nil {
		return err
	}
	secret := token.NewSecret()
	code := token.Code{
		Hash:          token.HashOf(secret),
		ClientID:      c.ID,
		UserID:        string(u.ID),
		SessionID:     s.ID,
		Scope:         strings.Join(grantScopes(req.Scope, false, scopes), " "),
		Requested:     strings.Join(req.Scope, " "),
		Audience:      req.Audience,
		Nonce:         req.Nonce,
		Challenge:     req.Challenge,
		Method:        req.Method,
		AuthTime:      s.AuthTime,
		WantsAuthTime: req.MaxAge != nil || contains(strings.Fields(req.Prompt), "login"),
		ExpiresAt:     e.d.Now().Add(CodeLifetime).UnixMicro(),
	}
	if req.RedirectSent {
		code.RedirectURI = req.RedirectURI
	}
	if err := e.d.Tokens.SaveCode(ctx, code); err != nil {
		return err
	}
	return deliver(w, r, req, parameter{"code", secret})
}

// RespondError sends the browser back with an error, and keeps a record of it.
// login_required is no failure: it is the answer to a question.
func (e *Endpoints) RespondError(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	if err := e.returnable(c.Settings().Callbacks, req); err != nil {
		return err
	}
	if refusal.Code != "login_required" {
		e.recordFailure(ctx, user.Actor{ClientID: c.ID, IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}, refusal.Description)
	}
	return deliver(w, r, req, parameter{"error", refusal.Code}, parameter{"error_description", refusal.Description})
}

// returnable checks again that the address is the client's: an operator may have
// taken it away while the login went on.
func (e *Endpoints) returnable(registered []string, req oauth.AuthorizeRequest) error {
	if !addressable(req.RedirectURI) || !oauth.MatchRedirect(registered, req.RedirectURI) {
		return errCallback
	}
	return nil
}

// deliver sends the answer by the request's mode (reference/authentication.md §2.3).
func deliver(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, answer ...parameter) error {
	if req.State != "" {
		answer = append(answer, parameter{"state", req.State})
	}
	web.NoStore(w)
	// Neither the code nor the state is anybody else's business.
	w.Header().Set("Referrer-Policy", "no-referrer")
	switch req.ResponseMode {
	case "form_post":
		return postForm(w, req.RedirectURI, answer)
	case "fragment":
		location(w, r, req.RedirectURI+"#"+encode(answer))
	case "query":
		separator := "?"
		if strings.Contains(req.RedirectURI, "?") {
			separator = "&"
		}
		location(w, r, req.RedirectURI+separator+encode(answer))
	default:
		return errs.New(errs.Invalid, "invalid_request", "Unsupported response mode.")
	}
	return nil
}

// encode writes the parameters in their order.
func encode(answer []parameter) string {
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

func postForm(w http.ResponseWriter, action string, answer []parameter) error {
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
		Answer []parameter
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
