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
	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// responseModes are those that discovery lists; web_message is none of the
// protocol's, and is not listed though it works (reference/authentication.md §1.1).
var responseModes = []string{oauth.Query, oauth.Fragment, oauth.FormPost}

// parameters of an authorization request. doubled are the names that came more
// than once: they have no value (RFC 6749 §3.1).
type parameters struct {
	values  map[string]string
	doubled []string
	// pushed: the client itself brought them (par.go).
	pushed bool
}

func (p parameters) get(name string) string { return p.values[name] }

// has reports a parameter that came once, if without a value.
func (p parameters) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

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

// validate makes the authorization request of the parameters, as far as they,
// the client and the tenant's settings tell; redirect is the address that was
// found to be the client's. The request is usable for the answer (address, mode,
// state) even with an error.
func validate(p parameters, c *client.Client, redirect string, t *tenant.Settings) (oauth.AuthorizeRequest, *oauth.AuthorizeError) {
	response, known := oauth.ParseResponse(p.get("response_type"))
	mode, modeKnown := oauth.ModeOf(p.get("response_mode"), response)
	if !modeKnown {
		mode, _ = oauth.ModeOf("", response)
	}
	req := oauth.AuthorizeRequest{
		ClientID:        c.ID,
		ResponseType:    response.String(),
		ResponseMode:    mode,
		RedirectURI:     redirect,
		RedirectSent:    p.get("redirect_uri") != "",
		Scope:           oauth.ParseScope(p.get("scope")),
		State:           p.get("state"),
		Nonce:           p.get("nonce"),
		LoginHint:       p.get("login_hint"),
		Connection:      p.get("connection"),
		UILocales:       p.get("ui_locales"),
		ConnectionScope: p.get("connection_scope"),
		ACRValues:       p.get("acr_values"),
		LoginTicket:     p.get("login_ticket"),
	}
	if req.Connection == "" {
		req.Connection = p.get("realm")
	}
	for _, name := range oauth.Passable {
		if v := p.get(name); v != "" {
			if req.Passed == nil {
				req.Passed = map[string]string{}
			}
			req.Passed[name] = v
		}
	}
	if p.get("screen_hint") == "signup" {
		req.ScreenHint = "signup"
	}
	// Read first, so that an error about anything else is known to be silent.
	promptError := prompts(p, &req)
	s := c.Settings()
	if err := understood(p, known, modeKnown); err != nil {
		return req, err
	}
	if s.RequirePAR && !p.pushed {
		return req, authorizeError("invalid_request", "Pushed authorization requests are required for this client.")
	}
	if err := permitted(s, response); err != nil {
		return req, err
	}
	if err := organization(p, s); err != nil {
		return req, err
	}
	if err := strict(p, s); err != nil {
		return req, err
	}
	if err := challenge(p, response, needsS256(s, t), &req); err != nil {
		return req, err
	}
	if promptError != nil {
		return req, promptError
	}
	if response.IDToken && req.Nonce == "" {
		return req, authorizeError("invalid_request", "Missing required parameter: nonce")
	}
	if response.IDToken && !contains(req.Scope, "openid") {
		return req, authorizeError("invalid_request", "An id_token takes the scope openid.")
	}
	err := readMaxAge(p, &req)
	return req, err
}

// understood refuses what the parameters cannot mean; known, modeKnown: the
// response type is one, and the mode goes with it.
func understood(p parameters, known, modeKnown bool) *oauth.AuthorizeError {
	switch {
	case len(p.doubled) > 0:
		return authorizeError("invalid_request", "Parameter sent more than once: "+clip(p.doubled[0]))
	case p.get("request") != "":
		return authorizeError("request_not_supported", "Request objects are not supported.")
	case p.get("request_uri") != "":
		return authorizeError("request_uri_not_supported", "Request URIs are not supported.")
	case p.get("response_type") == "":
		return authorizeError("invalid_request", "Missing required parameter: response_type")
	case !known:
		return authorizeError("unsupported_response_type", "Unsupported response type: "+clip(p.get("response_type")))
	case !modeKnown && p.get("response_mode") == oauth.Query:
		return authorizeError("invalid_request", "response_mode query cannot carry tokens.")
	case !modeKnown:
		return authorizeError("invalid_request", "Unsupported response mode: "+clip(p.get("response_mode")))
	}
	return nil
}

// readMaxAge reads max_age.
func readMaxAge(p parameters, req *oauth.AuthorizeRequest) *oauth.AuthorizeError {
	text := p.get("max_age")
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return authorizeError("invalid_request", "max_age must be a number of seconds.")
	}
	req.MaxAge = &n
	return nil
}

// permitted says whether the client may have such an answer at all. It is asked
// again when the answer is given, for clients change while people type.
func permitted(s *client.Settings, r oauth.Response) *oauth.AuthorizeError {
	switch {
	case r.Code && !s.Allows(authorizationCode):
		return authorizeError("unauthorized_client", errGrantType(authorizationCode).Text)
	case r.FrontChannel() && !s.Allows(implicit):
		return authorizeError("unauthorized_client", errGrantType(implicit).Text)
	case r.FrontChannel() && s.Strict:
		return authorizeError("unsupported_response_type", "Unsupported response type: "+r.String())
	}
	return nil
}

// implicit is the grant type of answers that carry tokens.
const implicit = "implicit"

// organization refuses what would need organizations, of which there are none
// (reference/authentication.md §2.4, §2.11).
func organization(p parameters, s *client.Settings) *oauth.AuthorizeError {
	name := p.get("organization")
	switch {
	case name == "" && p.get("invitation") == "":
		if s.Organizations == "require" {
			return authorizeError("invalid_request", "parameter organization is required for this client")
		}
		return nil
	case s.Organizations != "allow" && s.Organizations != "require":
		return authorizeError("invalid_request", "parameter organization is not allowed for this client")
	}
	return authorizeError("invalid_request", "parameter organization is invalid: "+clip(name))
}

// strict keeps a third party under enhanced controls to the protocol's core
// (reference/authentication.md §2.1).
func strict(p parameters, s *client.Settings) *oauth.AuthorizeError {
	if !s.Strict {
		return nil
	}
	for _, name := range []string{"screen_hint", "login_ticket", "claims", "id_token_hint"} {
		if p.get(name) != "" {
			return authorizeError("invalid_request", "parameter "+name+" is not allowed for this client")
		}
	}
	return nil
}

// needsS256 is the rule of PKCE (security.md 1.7): who cannot keep a secret needs
// S256 unless the tenant says otherwise, and so does a strict third party.
func needsS256(s *client.Settings, t *tenant.Settings) bool {
	return s.Strict || s.Public() && t.PublicClientsNeedS256
}

// challenge reads the code challenge (RFC 7636). Without a code it is idle.
func challenge(p parameters, r oauth.Response, needed bool, req *oauth.AuthorizeRequest) *oauth.AuthorizeError {
	sent, method := p.get("code_challenge"), p.get("code_challenge_method")
	if sent == "" {
		switch {
		case method != "":
			return authorizeError("invalid_request", "Missing required parameter: code_challenge")
		case needed && r.Code:
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
	case needed && r.Code && method != oauth.S256:
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
