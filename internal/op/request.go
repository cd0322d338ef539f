package op

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/web"
)

// responseModes are the ways in which an answer travels.
var responseModes = []string{"query", "fragment", "form_post"}

// parameters of an authorization request. doubled are the names that came more
// than once: they have no value (RFC 6749 §3.1).
type parameters struct {
	values  map[string]string
	doubled []string
}

func (p parameters) get(name string) string { return p.values[name] }

// readParameters takes them from the query of a GET and from the form of a POST.
func readParameters(r *http.Request) (parameters, error) {
	if r.Method != http.MethodPost {
		return parseParameters(r.URL.RawQuery)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return parameters{}, errs.New(errs.Unsupported, "invalid_request", "The request must be a form.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, web.MaxBody+1))
	if err != nil {
		return parameters{}, errs.New(errs.Invalid, "invalid_request", "The request ended early.").Because(err)
	}
	if len(body) > web.MaxBody {
		return parameters{}, errs.New(errs.TooLarge, "invalid_request", "The request is too large.")
	}
	return parseParameters(string(body))
}

// parseParameters is total: every text gives parameters or a refusal. Values are
// valid UTF-8 without NUL, so that they survive being stored and echoed.
func parseParameters(query string) (parameters, error) {
	form, err := url.ParseQuery(query)
	if err != nil {
		return parameters{}, errs.New(errs.Invalid, "invalid_request", "The parameters cannot be read.").Because(err)
	}
	p := parameters{values: make(map[string]string, len(form))}
	for name, list := range form {
		for _, v := range list {
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return parameters{}, errs.New(errs.Invalid, "invalid_request", "The parameters cannot be read.")
			}
		}
		if len(list) > 1 {
			p.doubled = append(p.doubled, name)
			continue
		}
		p.values[name] = list[0]
	}
	slices.Sort(p.doubled)
	return p, nil
}

func authorizeError(code, description string) *oauth.AuthorizeError {
	return &oauth.AuthorizeError{Code: code, Description: description}
}

// validate makes the authorization request of the parameters, as far as they and
// the client tell; redirect is the address that was found to be the client's.
// The request is usable for the answer (address, mode, state) even with an error.
func validate(p parameters, c *client.Client, redirect string) (oauth.AuthorizeRequest, *oauth.AuthorizeError) {
	req := oauth.AuthorizeRequest{
		ClientID:     c.ID,
		ResponseType: "code",
		ResponseMode: "query",
		RedirectURI:  redirect,
		RedirectSent: p.get("redirect_uri") != "",
		State:        p.get("state"),
		Nonce:        p.get("nonce"),
		LoginHint:    p.get("login_hint"),
		Connection:   p.get("connection"),
		UILocales:    p.get("ui_locales"),
		ACRValues:    p.get("acr_values"),
	}
	if req.Connection == "" {
		req.Connection = p.get("realm")
	}
	if p.get("screen_hint") == "signup" {
		req.ScreenHint = "signup"
	}
	modeKnown := true
	if mode := p.get("response_mode"); mode != "" {
		if modeKnown = slices.Contains(responseModes, mode); modeKnown {
			req.ResponseMode = mode
		}
	}
	s := c.Settings()
	switch {
	case len(p.doubled) > 0:
		return req, authorizeError("invalid_request", "Parameter sent more than once: "+clip(p.doubled[0]))
	case p.get("request") != "":
		return req, authorizeError("request_not_supported", "Request objects are not supported.")
	case p.get("request_uri") != "":
		return req, authorizeError("request_uri_not_supported", "Request URIs are not supported.")
	case p.get("response_type") == "":
		return req, authorizeError("invalid_request", "Missing required parameter: response_type")
	case p.get("response_type") != "code":
		return req, authorizeError("unsupported_response_type", "Unsupported response type: "+clip(p.get("response_type")))
	case !modeKnown:
		return req, authorizeError("invalid_request", "Unsupported response mode: "+clip(p.get("response_mode")))
	case p.get("organization") != "" || p.get("invitation") != "":
		return req, authorizeError("invalid_request", "parameter organization is not allowed for this client")
	}
	if err := permitted(s); err != nil {
		return req, err
	}
	scope, err := scopeParam(p.get("scope"))
	if err != nil {
		return req, authorizeError("invalid_scope", errScopeType.Text)
	}
	req.Scope = scope
	if err := challenge(p, s, &req); err != nil {
		return req, err
	}
	if err := prompts(p, &req); err != nil {
		return req, err
	}
	if text := p.get("max_age"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return req, authorizeError("invalid_request", "max_age must be a number of seconds.")
		}
		req.MaxAge = &n
	}
	return req, nil
}

// permitted says whether the client may sign users in at all. It is asked again
// when the answer is given, for clients change while people type.
func permitted(s *client.Settings) *oauth.AuthorizeError {
	switch {
	case !s.Allows(authorizationCode):
		return authorizeError("unauthorized_client", errGrantType(authorizationCode).Text)
	case s.RequirePAR:
		return authorizeError("invalid_request", "Pushed authorization requests are required for this client and not supported by this server.")
	case !s.IsFirstParty:
		return authorizeError(errThirdParty.Code, errThirdParty.Text)
	}
	return nil
}

// challenge is the rule of PKCE (RFC 7636; security.md 1.7): who cannot keep a
// secret needs S256.
func challenge(p parameters, s *client.Settings, req *oauth.AuthorizeRequest) *oauth.AuthorizeError {
	sent, method := p.get("code_challenge"), p.get("code_challenge_method")
	if sent == "" {
		switch {
		case method != "":
			return authorizeError("invalid_request", "Missing required parameter: code_challenge")
		case s.Public():
			return errNeedsS256
		}
		return nil
	}
	method, known := oauth.ChallengeMethod(method)
	switch {
	case !known:
		return authorizeError("invalid_request", "code_challenge_method must be S256 or plain.")
	case !oauth.ValidChallenge(method, sent):
		return authorizeError("invalid_request", "code_challenge has the wrong form.")
	case s.Public() && method != oauth.S256:
		return errNeedsS256
	}
	req.Challenge, req.Method = sent, method
	return nil
}

var errNeedsS256 = authorizeError("invalid_request", "This client has to send a code_challenge of the method S256.")

// prompts reads the list of prompts; none stands alone (OpenID Connect Core §3.1.2.1).
// Values that nobody defined are dropped.
func prompts(p parameters, req *oauth.AuthorizeRequest) *oauth.AuthorizeError {
	var known []string
	for _, v := range strings.Fields(p.get("prompt")) {
		switch v {
		case "none", "login", "consent", "select_account":
			if !slices.Contains(known, v) {
				known = append(known, v)
			}
		}
	}
	if slices.Contains(known, "none") && len(known) > 1 {
		return authorizeError("invalid_request", "prompt=none cannot be combined with other prompts.")
	}
	req.Prompt = strings.Join(known, " ")
	return nil
}
