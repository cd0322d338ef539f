package upstream

import (
	"net/url"
	"slices"

	"mangrove/internal/connection"
)

// Forward adds to an authorization request what the application asked (login_hint,
// prompt) and what the connection is set to add (reference/connections.md §3.9).
// Call it before the parameters of the protocol itself are set.
func Forward(q url.Values, list []connection.UpstreamParam, s Start) {
	if s.LoginHint != "" {
		q.Set("login_hint", s.LoginHint)
	}
	if prompt := s.Params.Get("prompt"); prompt == "login" || prompt == "select_account" {
		q.Set("prompt", prompt)
	}
	for _, p := range list {
		if slices.Contains(ourParams, p.Name) {
			continue
		}
		switch {
		case p.Alias == "":
			q.Set(p.Name, p.Value)
		case s.Params.Get(p.Alias) != "":
			q.Set(p.Name, s.Params.Get(p.Alias))
		}
	}
}

// ourParams are not for options to set: with them the answer would be another
// flow's, or another person's.
var ourParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "client_secret",
	"oauth_callback", "oauth_token", "SAMLRequest", "RelayState", "wa", "wtrealm", "wreply", "wctx",
}
