package connection

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mangrove/internal/strictjson"
)

// Values of OIDCOptions.Type.
const (
	FrontChannel = "front_channel" // response_type=id_token, form_post, no secret
	BackChannel  = "back_channel"  // authorization code
)

// Values of AttributeMap.Mode (reference/connections.md §3.10).
const (
	BindAll      = "bind_all"      // every claim of the ID token but the restricted ones
	BasicProfile = "basic_profile" // the standard profile claims
	UseMap       = "use_map"       // Attributes alone
)

// OIDCOptions is the typed view of the options of oidc and okta
// (reference/connections.md §2.4, §2.5). It is shared: do not change it.
type OIDCOptions struct {
	Type string // FrontChannel or BackChannel, never empty
	// Issuer must equal iss when it is set; empty: take the discovered one.
	Issuer string
	// DiscoveryURL is the address of the discovery document: as set, or derived
	// from domain (okta) or issuer. Empty: there is none, endpoints are explicit.
	DiscoveryURL string
	// Endpoints that were set by hand go before discovered ones.
	AuthorizationEndpoint, TokenEndpoint, UserinfoEndpoint, JWKSURI string
	// Metadata is oidc_metadata as the caller stored it, a JSON object or nil.
	Metadata json.RawMessage

	ClientID, ClientSecret string
	Scope                  string // space separated; holds openid
	// TokenEndpointAuthMethod is client_secret_post or private_key_jwt, never empty.
	TokenEndpointAuthMethod string
	// TokenEndpointAuthSigningAlg for private_key_jwt; empty: RS256.
	TokenEndpointAuthSigningAlg string
	// IDTokenAlgs is the allow-list of ID token algorithms; empty: not restricted beyond our own.
	IDTokenAlgs []string
	// PKCE is auto, S256, plain or disabled, never empty.
	PKCE string
	// BackChannelNonce: send a nonce in the code flow too.
	BackChannelNonce bool

	AttributeMap AttributeMap
	// UpstreamParams are added to the authorization request, sorted by name.
	UpstreamParams []UpstreamParam

	DomainAliases []string // e-mail domains for home-realm discovery
	TenantDomain  string
	IconURL       string
	// NonPersistent are attributes that are never stored.
	NonPersistent []string
}

// AttributeMap says how claims become attributes.
type AttributeMap struct {
	Mode string // BindAll, BasicProfile or UseMap, never empty
	// Attributes for UseMap, sorted by name.
	Attributes []AttributeTemplate
	// UserinfoScope is added to the scope of the authorization request.
	UserinfoScope string
}

// AttributeTemplate is one entry of attribute_map.attributes. Value is the JSON
// value as stored; strings may hold ${context.…} parts.
type AttributeTemplate struct {
	Name  string
	Value json.RawMessage
}

// UpstreamParam is a static value, or the name of a parameter of our own
// authorization request whose value is passed on (reference/connections.md §3.9).
type UpstreamParam struct {
	Name  string
	Value string
	Alias string // not empty: take that parameter, leave out when it was not sent
}

// OIDC is the typed view of the options. For strategies other than oidc and
// okta it is the zero view with its defaults. Cached; must not be changed.
func (c *Connection) OIDC() *OIDCOptions { return &c.view().oidc }

func parseOIDC(strategy string, o strictjson.Document) OIDCOptions {
	v := OIDCOptions{
		Type:                        o.Text("type"),
		Issuer:                      o.Text("issuer"),
		DiscoveryURL:                o.Text("discovery_url"),
		AuthorizationEndpoint:       o.Text("authorization_endpoint"),
		TokenEndpoint:               o.Text("token_endpoint"),
		UserinfoEndpoint:            o.Text("userinfo_endpoint"),
		JWKSURI:                     o.Text("jwks_uri"),
		ClientID:                    o.Text("client_id"),
		ClientSecret:                o.Text("client_secret"),
		Scope:                       oidcScope(o.Text("scope")),
		TokenEndpointAuthMethod:     orText(o.Text("token_endpoint_auth_method"), "client_secret_post"),
		TokenEndpointAuthSigningAlg: o.Text("token_endpoint_auth_signing_alg"),
		IDTokenAlgs:                 o.Texts("id_token_signed_response_algs"),
		PKCE:                        orText(o.Object("connection_settings").Text("pkce"), "auto"),
		BackChannelNonce:            o.Flag("send_back_channel_nonce"),
		AttributeMap:                parseAttributeMap(strategy, o.Object("attribute_map")),
		UpstreamParams:              parseUpstreamParams(o.Object("upstream_params")),
		DomainAliases:               o.Texts("domain_aliases"),
		TenantDomain:                o.Text("tenant_domain"),
		IconURL:                     o.Text("icon_url"),
		NonPersistent:               o.Texts("non_persistent_attrs"),
	}
	if m := o["oidc_metadata"]; len(m) > 0 && m[0] == '{' {
		v.Metadata = m
	}
	if hosted(strategy) {
		v.Type = BackChannel
	}
	if v.Type != BackChannel {
		v.Type = FrontChannel
	}
	if v.DiscoveryURL == "" {
		v.DiscoveryURL = derivedDiscovery(strategy, o.Text("domain"), v.Issuer)
	}
	return v
}

// hosted are the strategies that name their provider by options.domain and use
// the authorization code.
func hosted(strategy string) bool {
	return strategy == "okta" || strategy == "auth0-oidc" || strategy == "office365"
}

// derivedDiscovery is the well-known address below the host of the provider, or
// below the issuer (OpenID Connect Discovery §4).
func derivedDiscovery(strategy, domain, issuer string) string {
	switch {
	case hosted(strategy) && domain != "":
		return "https://" + domain + "/.well-known/openid-configuration"
	case issuer != "":
		return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	}
	return ""
}

// oidcScope puts openid in front of a scope that lacks it: without it the
// provider sends no ID token.
func oidcScope(scope string) string {
	switch words := strings.Fields(scope); {
	case len(words) == 0:
		return "openid profile email"
	case slices.Contains(words, "openid"):
		return strings.Join(words, " ")
	default:
		return "openid " + strings.Join(words, " ")
	}
}

func parseAttributeMap(strategy string, o strictjson.Document) AttributeMap {
	m := AttributeMap{Mode: o.Text("mapping_mode"), UserinfoScope: o.Text("userinfo_scope")}
	if m.Mode == "" {
		m.Mode = BindAll
		if strategy == "okta" {
			m.Mode = BasicProfile
		}
	}
	attrs := o.Object("attributes")
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		m.Attributes = append(m.Attributes, AttributeTemplate{Name: name, Value: attrs[name]})
	}
	return m
}

func parseUpstreamParams(o strictjson.Document) []UpstreamParam {
	var list []UpstreamParam
	for _, name := range slices.Sorted(maps.Keys(o)) {
		p := o.Object(name)
		if u := (UpstreamParam{Name: name, Value: p.Text("value"), Alias: p.Text("alias")}); u.Value != "" || u.Alias != "" {
			list = append(list, u)
		}
	}
	return list
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
