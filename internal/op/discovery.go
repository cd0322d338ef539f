package op

import (
	"bytes"
	"maps"
	"net/http"
	"slices"

	"mangrove/internal/key"
	"mangrove/internal/oauth"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
	"mangrove/internal/web"
)

// metadata is the discovery document: the members of
// reference/authentication.md §1.1, in its order, with what works here and
// nothing else. grant_types_supported is added: its absence would promise two
// grants and deny the others (OpenID Connect Discovery §3).
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	ChallengeEndpoint     string   `json:"mfa_challenge_endpoint"`
	JWKS                  string   `json:"jwks_uri"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint,omitempty"`
	ApprovalEndpoint      string   `json:"backchannel_authentication_endpoint"`
	ApprovalModes         []string `json:"backchannel_token_delivery_modes_supported"`
	PushedEndpoint        string   `json:"pushed_authorization_request_endpoint,omitempty"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	Challenges            []string `json:"code_challenge_methods_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	Subjects              []string `json:"subject_types_supported"`
	ACRValues             []string `json:"acr_values_supported,omitempty"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Claims                []string `json:"claims_supported"`
	RequestURI            bool     `json:"request_uri_parameter_supported"`
	Request               bool     `json:"request_parameter_supported"`
	Grants                []string `json:"grant_types_supported"`
	Iss                   bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	BackchannelLogout     bool     `json:"backchannel_logout_supported"`
	BackchannelSession    bool     `json:"backchannel_logout_session_supported"`
}

// publicCache lets everybody keep the documents, but not for long: keys are
// rotated, and what works here is switched on and off.
const publicCache = "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400"

// metadataOf is the discovery document of settings. Those are never changed: while
// they are the same ones, so is the document.
type metadataOf struct {
	settings *tenant.Settings
	document *web.Document
}

func (e *Endpoints) discovery(w http.ResponseWriter, r *http.Request) error {
	t, err := e.d.Tenant.Settings(r.Context())
	if err != nil {
		return err
	}
	kept := e.published.Load()
	if kept == nil || kept.settings != t {
		kept = &metadataOf{t, web.NewDocument(e.metadata(t), publicCache)}
		e.published.Store(kept)
	}
	kept.document.Write(w)
	return nil
}

func (e *Endpoints) metadata(t *tenant.Settings) metadata {
	claims := append(token.ClaimNames(), "acr", "amr", "aud", "auth_time", "exp", "iat", "iss", "sid", "sub")
	slices.Sort(claims)
	grants := append(slices.Collect(maps.Keys(e.grants)), implicit)
	slices.Sort(grants)
	if t.DefaultDirectory == "" {
		grants = slices.DeleteFunc(grants, func(g string) bool { return g == password })
	}
	m := metadata{
		Issuer:                e.issuer,
		AuthorizationEndpoint: e.issuer + "authorize",
		TokenEndpoint:         e.issuer + "oauth/token",
		DeviceEndpoint:        e.issuer + "oauth/device/code",
		UserinfoEndpoint:      e.userinfoAudience(),
		ChallengeEndpoint:     e.issuer + "mfa/challenge",
		RevocationEndpoint:    e.issuer + "oauth/revoke",
		ApprovalEndpoint:      e.issuer + "bc-authorize",
		ApprovalModes:         []string{"poll"},
		JWKS:                  e.issuer + ".well-known/jwks.json",
		Scopes:                oauth.OIDCScopes,
		ResponseTypes:         oauth.ResponseTypes,
		Challenges:            []string{"S256", "plain"},
		ResponseModes:         responseModes,
		Subjects:              []string{"public"},
		ACRValues:             t.ACRValuesSupported,
		IDTokenAlgs:           []string{token.HS256, key.RS256, key.RS512, key.PS256},
		AuthMethods:           []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		AuthAlgs:              assertionAlgs,
		Claims:                claims,
		Grants:                grants,
		Iss:                   t.IssParameter,
		BackchannelLogout:     true,
		BackchannelSession:    true,
	}
	if t.EndSessionInDiscovery {
		m.EndSessionEndpoint = e.issuer + "oidc/logout"
	}
	if t.DynamicClientRegistration {
		m.RegistrationEndpoint = e.issuer + "oidc/register"
	}
	if t.PARSupported {
		m.PushedEndpoint = e.issuer + "oauth/par"
	}
	return m
}

func (e *Endpoints) jwks(w http.ResponseWriter, r *http.Request) error {
	t, err := e.d.Tenant.Settings(r.Context())
	if err != nil {
		return err
	}
	keys := e.d.Keys.JWKS
	if t.RemoveAlgFromJWKS {
		keys = e.d.Keys.BareJWKS
	}
	body := keys(r.Context())
	kept := e.keySet.Load()
	if kept == nil || !bytes.Equal(kept.Body(), body) {
		kept = web.NewDocument(body, publicCache)
		e.keySet.Store(kept)
	}
	kept.Write(w)
	return nil
}
