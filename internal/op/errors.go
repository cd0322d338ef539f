package op

import (
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of the token endpoint (reference/authentication.md §3.1–3.7).
var (
	// errClient is the one answer to unknown clients and wrong secrets.
	errClient      = errs.New(errs.Unauthenticated, "access_denied", "Unauthorized")
	errNoAudience  = errs.New(errs.Forbidden, "access_denied", "No audience parameter was provided, and no default audience has been configured")
	errNoDirectory = errs.New(errs.Internal, "server_error", "Authorization server not configured with default connection.")
	errScopeType   = errs.New(errs.Invalid, "invalid_scope", "Scope must be an array or a string")
	errThirdParty  = errs.New(errs.Forbidden, "access_denied", "Third-party applications cannot sign users in: this server asks no consent.")
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
	p := problemOf(err)
	if p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	web.WriteJSON(w, p.status, contentType, oauthBody{p.code, p.text})
}

func renderOAuth(w http.ResponseWriter, _ *http.Request, err error) {
	web.NoStore(w)
	writeOAuth(w, web.TypeJSONPlain, err)
}

// renderPage shows what went wrong before or outside of a redirect.
func (e *Endpoints) renderPage(w http.ResponseWriter, r *http.Request, err error) {
	var a *oauth.AuthorizeError
	if errors.As(err, &a) {
		e.ErrorPage(w, r, http.StatusBadRequest, title(a.Code), a.Description)
		return
	}
	p := problemOf(err)
	e.ErrorPage(w, r, p.status, title(p.code), p.text)
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
		return p.status, legacyBody{Name: "TooManyRequestsError", Code: p.code, Description: p.text, StatusCode: p.status}
	case http.StatusInternalServerError:
		return p.status, legacyBody{Name: "InternalError", Code: p.code, Description: p.text, StatusCode: p.status}
	}
	return p.status, legacyBody{Name: "BadRequestError", Code: p.code, Description: p.text, StatusCode: p.status}
}

func renderLegacy(w http.ResponseWriter, _ *http.Request, err error) {
	status, body := legacyOf(err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	web.NoStore(w)
	web.WriteJSON(w, status, web.TypeJSON, body)
}
