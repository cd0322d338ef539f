package op

import (
	"maps"
	"net/http"
	"slices"

	"mangrove/internal/token"
	"mangrove/internal/web"
)

// metadata is the discovery document: the members of
// reference/authentication.md §1.1, in its order, with what works here and
// nothing else. grant_types_supported is added, because its absence would
// promise the implicit grant (OpenID Connect Discovery §3).
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKS                  string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	Challenges            []string `json:"code_challenge_methods_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	Subjects              []string `json:"subject_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	Claims                []string `json:"claims_supported"`
	RequestURI            bool     `json:"request_uri_parameter_supported"`
	Request               bool     `json:"request_parameter_supported"`
	Grants                []string `json:"grant_types_supported"`
}

func (e *Endpoints) discovery(w http.ResponseWriter, _ *http.Request) error {
	claims := append(token.ClaimNames(), "aud", "auth_time", "exp", "iat", "iss", "sid", "sub")
	slices.Sort(claims)
	grants := slices.Sorted(maps.Keys(e.grants))
	// password needs a default directory, which a tenant cannot have here.
	grants = slices.DeleteFunc(grants, func(g string) bool { return g == password })
	w.Header().Set("Cache-Control", "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400")
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, metadata{
		Issuer:                e.issuer,
		AuthorizationEndpoint: e.issuer + "authorize",
		TokenEndpoint:         e.issuer + "oauth/token",
		UserinfoEndpoint:      e.userinfoAudience(),
		JWKS:                  e.issuer + ".well-known/jwks.json",
		Scopes:                userScopes,
		ResponseTypes:         []string{"code"},
		Challenges:            []string{"S256", "plain"},
		ResponseModes:         responseModes,
		Subjects:              []string{"public"},
		IDTokenAlgs:           []string{"RS256"},
		AuthMethods:           []string{"client_secret_basic", "client_secret_post", "none"},
		Claims:                claims,
		Grants:                grants,
	})
	return nil
}

func (e *Endpoints) jwks(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400")
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, e.d.Keys.JWKS(r.Context()))
	return nil
}
