package op

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of the token endpoint (reference/authentication.md §3.1–3.7).
var (
	// errClient is the one answer to unknown clients and wrong secrets.
	errClient      = errs.New(errs.Unauthenticated, "access_denied", "Unauthorized")
	errNoAudience  = errs.New(errs.Forbidden, "access_denied", "No audience parameter was provided, and no default audience has been configured")
	errNoDirectory = errs.New(errs.Internal, "server_error", "Authorization server not configured with default connection.")
	errThirdParty  = errs.New(errs.Forbidden, "access_denied", "Third-party applications cannot use this grant: it leaves no room for consent.")
	errRealm       = errs.New(errs.Invalid, "invalid_request", "unknown or invalid realm")
	errDisabled    = errs.New(errs.Invalid, "invalid_request", "the connection was disabled")
	errVerifier    = errs.New(errs.Forbidden, "invalid_grant", "Failed to verify code verifier")
	errNoVerifier  = errs.New(errs.Forbidden, "invalid_grant", "Parameter 'code_verifier' is required")
)

func errMissing(name string) *errs.Error {
	return errs.New(errs.Invalid, "invalid_request", "Missing required parameter: %s", name)
}

func errGrantType(name string) *errs.Error {
	return errs.New(errs.Forbidden, "unauthorized_client", "Grant type '%s' not allowed for the client.", name)
}

// problem is a failure as the OAuth family shows it.
type problem struct {
	status int
	code   string
	text   string
}

// problemOf words any error. What has no code of its own gets the protocol's
// word for its kind; an internal failure says nothing more than that.
func problemOf(err error) problem {
	var bad *strictjson.Error
	if errors.As(err, &bad) {
		return problem{http.StatusBadRequest, "invalid_request", bad.Text}
	}
	f := errs.From(err)
	p := problem{f.Kind.Status(), f.Code, f.Text}
	if p.code != "" {
		return p
	}
	switch f.Kind {
	case errs.Internal:
		return problem{p.status, "server_error", "Internal error."}
	case errs.Unavailable:
		p.code = "temporarily_unavailable"
	case errs.TooMany:
		p.code = "too_many_requests"
	case errs.Unauthenticated, errs.Forbidden:
		p.code = "access_denied"
	default:
		p.code = "invalid_request"
	}
	return p
}

// oauthBody is the OAuth error family.
type oauthBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func writeOAuth(w http.ResponseWriter, contentType string, err error) {
	var more *mfaRequired
	if errors.As(err, &more) {
		more.write(w, contentType)
		return
	}
	p := problemOf(err)
	retryAfter(w, p.status, err)
	web.WriteJSON(w, p.status, contentType, oauthBody{p.code, p.text})
}

// retryAfter says when to come again, in seconds: as long as the refusal knows of,
// else at once.
func retryAfter(w http.ResponseWriter, status int, err error) {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return
	}
	wait := time.Second
	var known interface{ RetryAfter() time.Duration }
	if errors.As(err, &known) {
		wait = max(wait, known.RetryAfter())
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
}

func renderOAuth(w http.ResponseWriter, _ *http.Request, err error) {
	web.NoStore(w)
	writeOAuth(w, web.TypeJSON, err)
}

// renderToken is renderOAuth for the three endpoints whose content type names no
// charset (reference/authentication.md §0.1).
func renderToken(w http.ResponseWriter, _ *http.Request, err error) {
	web.NoStore(w)
	writeOAuth(w, web.TypeJSONPlain, err)
}

// errNoPage: the server has handed in nobody who could draw.
var errNoPage = errs.New(errs.Unavailable, "temporarily_unavailable", "This page is not available.")

// renderPage shows what went wrong before or outside of a redirect: on a page of
// ours, or on the tenant's own.
func (e *Endpoints) renderPage(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{status: http.StatusBadRequest}
	var a *oauth.AuthorizeError
	if errors.As(err, &a) {
		p.code, p.text = a.Code, a.Description
	} else {
		p = problemOf(err)
	}
	// An error page must not fail for want of settings.
	if t, err := e.d.Tenant.Settings(r.Context()); err == nil && t.ErrorPageURL != "" && addressable(t.ErrorPageURL) {
		location(w, r, tenantErrorPage(t, r, p))
		return
	}
	e.ErrorPage(w, r, p.status, title(p.code), p.text)
}

// tenantErrorPage is error_page.url with what it is told (reference/authentication.md §2.4).
func tenantErrorPage(t *tenant.Settings, r *http.Request, p problem) string {
	q := r.URL.Query()
	lang, _, _ := strings.Cut(q.Get("ui_locales"), " ")
	if lang == "" && len(t.EnabledLocales) > 0 {
		lang = t.EnabledLocales[0]
	}
	return appended(t.ErrorPageURL, []Parameter{
		{"client_id", clip(q.Get("client_id"))}, {"connection", clip(q.Get("connection"))}, {"lang", clip(lang)},
		{"error", p.code}, {"error_description", p.text}, {"tracking", web.RequestID(r)},
	})
}

// title makes a heading of a code: "invalid_request" is "Invalid request".
func title(code string) string {
	text := strings.ReplaceAll(code, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// legacyBody is the legacy database family (reference/authentication.md §0.2).
type legacyBody struct {
	Name        string `json:"name"`
	Message     string `json:"message,omitempty"`
	Code        string `json:"code"`
	Description any    `json:"description"`
	Policy      string `json:"policy,omitempty"`
	StatusCode  int    `json:"statusCode"`
}

// bareError is the legacy family's other shape: {"error":"sentence"}.
type bareError string

func (b bareError) Error() string { return string(b) }

// legacyOf words a failed sign-up: the status and the body.
func legacyOf(err error) (int, any) {
	var bare bareError
	if errors.As(err, &bare) {
		return http.StatusBadRequest, struct {
			Error string `json:"error"`
		}{string(bare)}
	}
	var weak *passwd.Weak
	if errors.As(err, &weak) {
		return http.StatusBadRequest, legacyBody{weak.Name, weak.Message, "invalid_password", weak.Description, weak.Policy, http.StatusBadRequest}
	}
	bad := func(code, text string) (int, any) {
		return http.StatusBadRequest, legacyBody{Name: "BadRequestError", Code: code, Description: text, StatusCode: http.StatusBadRequest}
	}
	var violations schema.Error
	if errors.As(err, &violations) {
		return bad("bad_request", violations.Error())
	}
	switch {
	case errors.Is(err, user.ErrExists), errors.Is(err, user.ErrUsernameTaken):
		// The same for both: which of the two is taken is nobody's business.
		return bad("invalid_signup", "Invalid sign up")
	case errors.Is(err, errNoSuchConnection), errors.Is(err, errDisabled):
		f := errs.From(err)
		return http.StatusBadRequest, oauthBody{f.Code, f.Text}
	case errors.Is(err, user.ErrSignupDisabled):
		return legacyOf(errSignupDisabled)
	case errors.Is(err, user.ErrNoConnection):
		return legacyOf(errNoSuchConnection)
	case errors.Is(err, user.ErrConnectionDisabled):
		return legacyOf(errDisabled)
	}
	p := problemOf(err)
	switch p.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
		return bad(p.code, p.text)
	case http.StatusTooManyRequests:
		if p.code == user.ErrSignupLocked.Code {
			return p.status, legacyBody{Name: "AnomalyDetected", Code: p.code, Description: p.text, StatusCode: p.status}
		}
		return p.status, legacyBody{Name: "TooManyRequestsError", Code: p.code, Description: p.text, StatusCode: p.status}
	case http.StatusInternalServerError:
		return p.status, legacyBody{Name: "InternalError", Code: p.code, Description: p.text, StatusCode: p.status}
	}
	return p.status, legacyBody{Name: "BadRequestError", Code: p.code, Description: p.text, StatusCode: p.status}
}

func renderLegacy(w http.ResponseWriter, _ *http.Request, err error) {
	status, body := legacyOf(err)
	retryAfter(w, status, err)
	web.NoStore(w)
	web.WriteJSON(w, status, web.TypeJSON, body)
}
