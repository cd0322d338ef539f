package client

import (
	"regexp"
	"slices"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Short spellings for the table below.
const (
	str     = schema.String
	boolean = schema.Boolean
	integer = schema.Integer
	obj     = schema.Object
	arr     = schema.Array
	orNull  = schema.Null
)

func flags(names ...string) []schema.Property {
	var list []schema.Property
	for _, name := range names {
		list = append(list, schema.Property{Name: name, Types: boolean})
	}
	return list
}

func enum(name, description string, values ...string) schema.Property {
	return schema.Property{Name: name, Types: str, Enum: values, Description: description}
}

func list(name, description string, least int) schema.Property {
	return schema.Property{Name: name, Types: arr, Description: description, Items: &schema.Property{Types: str, Min: least, Max: maxURL}}
}

// maxURL bounds every URL and identifier of a client.
const maxURL = 2083

// settable are the members of both bodies (CreateClientRequestContent, UpdateClientRequestContent).
// What the server does not read itself is checked for its type alone and kept.
var settable = slices.Concat(
	[]schema.Property{
		{
			Name: "name", Types: str, Min: 1, Max: 255, Pattern: regexp.MustCompile(`^[^<>]+$`), NoControls: true,
			Description: "Name of this client (min length: 1 character, does not allow `<` or `>`).",
		},
		{Name: "description", Types: str, Max: 140, Description: "Free text description of this client (max length: 140 characters)."},
		{Name: "logo_uri", Types: str, Max: maxURL, Description: "URL of the logo to display for this client. Recommended size is 150x150 pixels."},
		list("callbacks", "Comma-separated list of URLs whitelisted for Auth0 to use as a callback to the client after authentication.", 1),
		list("allowed_origins", "Comma-separated list of URLs allowed to make requests from JavaScript to Auth0 API (typically used with CORS).", 1),
		list("web_origins", "Comma-separated list of allowed origins for use with web message response mode.", 1),
		list("allowed_logout_urls", "Comma-separated list of URLs that are valid to redirect to after logout from Auth0. Wildcards are allowed for subdomains.", 1),
		list("client_aliases", "List of audiences/realms for SAML protocol. Used by the wsfed addon.", 1),
		list("allowed_clients", "List of allow clients and API ids that are allowed to make delegation requests. Empty means all all your clients are allowed.", 1),
		list("grant_types", "List of grant types supported for this application.", 1),
		enum("token_endpoint_auth_method", "Defines the requested authentication method for the token endpoint. Can be `none` (public client without a client secret), `client_secret_post` (client uses HTTP POST parameters), or `client_secret_basic` (client uses HTTP Basic).",
			AuthNone, AuthPost, AuthBasic),
		enum("app_type", "The type of application this client represents", "native", "spa", "regular_web", "non_interactive",
			"resource_server", "express_configuration", "rms", "box", "cloudbees", "concur", "dropbox", "mscrm", "echosign", "egnyte",
			"newrelic", "office365", "salesforce", "sentry", "sharepoint", "slack", "springcm", "zendesk", "zoom", "sso_integration", "oag"),
		{
			Name: "jwt_configuration", Types: obj, Description: "Configuration related to JWTs for the client.",
			Members: []schema.Property{
				{Name: "lifetime_in_seconds", Types: integer, Min: 0, Max: 2592000, Description: "Number of seconds the JWT will be valid for (affects `exp` claim)."},
				{Name: "secret_encoded", Types: boolean, Description: "Whether the client secret is base64 encoded (true) or unencoded (false)."},
				{Name: "scopes", Types: obj},
				enum("alg", "Algorithm used to sign JWTs. Can be `HS256` (default) or `RS256`. `PS256` available via addon.", "HS256", "RS256", "RS512", "PS256"),
			},
		},
		{
			Name: "refresh_token", Types: obj, Closed: true, Required: []string{"rotation_type", "expiration_type"}, Description: "Refresh token configuration",
			Members: []schema.Property{
				enum("rotation_type", "Refresh token rotation types, one of: rotating, non-rotating", "rotating", "non-rotating"),
				enum("expiration_type", "Refresh token expiration types, one of: expiring, non-expiring", "expiring", "non-expiring"),
				{Name: "leeway", Types: integer, Min: 0, Max: maxSeconds, Description: "Period in seconds where the previous refresh token can be exchanged without triggering breach detection"},
				{Name: "token_lifetime", Types: integer, Min: 1, Max: maxSeconds, Description: "Period (in seconds) for which refresh tokens will remain valid"},
				{Name: "infinite_token_lifetime", Types: boolean},
				{Name: "idle_token_lifetime", Types: integer, Min: 1, Max: maxSeconds, Description: "Period (in seconds) for which refresh tokens will remain valid without use"},
				{Name: "infinite_idle_token_lifetime", Types: boolean},
				{Name: "policies", Types: arr | orNull, Items: &schema.Property{
					Types: obj, Closed: true, Required: []string{"audience", "scope"},
					Members: []schema.Property{
						{Name: "audience", Types: str, Min: 1, Max: 600},
						{Name: "scope", Types: arr, Items: &schema.Property{Types: str, Min: 1, Max: 280}},
					},
				}},
			},
		},
		{Name: "client_metadata", Types: obj, Description: "Metadata associated with the client, in the form of an object with string values (max 255 chars).  Maximum of 10 metadata properties allowed."},
		{Name: "initiate_login_uri", Types: str, Max: maxURL, Description: "Initiate login uri, must be https"},
		{Name: "par_request_expiry", Types: integer, Min: 10, Max: 600},
		enum("organization_usage", "Defines how to proceed during an authentication transaction with regards an organization. Can be `deny` (default), `allow` or `require`.", "deny", "allow", "require"),
		enum("organization_require_behavior", "Defines how to proceed during an authentication transaction when `client.organization_usage: 'require'`.", "no_prompt", "pre_login_prompt", "post_login_prompt"),
		{Name: "organization_discovery_methods", Types: arr, Items: &schema.Property{Types: str, Enum: []string{"email", "organization_name"}}},
		enum("compliance_level", "Defines the compliance level for this client, which may restrict it's capabilities",
			"none", "fapi1_adv_pkj_par", "fapi1_adv_mtls_par", "fapi2_sp_pkj_mtls", "fapi2_sp_mtls_mtls"),
		enum("redirection_policy", "", "allow_always", "open_redirect_protection"),
		{Name: "custom_login_page", Types: str}, {Name: "custom_login_page_preview", Types: str}, {Name: "form_template", Types: str},
		{Name: "cross_origin_loc", Types: str, Max: maxURL},
		{Name: "async_approval_notification_channels", Types: arr, Items: &schema.Property{Types: str, Enum: []string{"guardian-push", "email"}}},
	},
	objects("oidc_logout", "oidc_backchannel_logout", "session_transfer", "encryption_key", "addons", "mobile", "native_social_login",
		"fedcm_login", "default_organization", "client_authentication_methods", "signed_request_object", "token_exchange", "token_quota",
		"token_vault_privileged_access", "express_configuration", "my_organization_configuration"),
	flags("is_first_party", "oidc_conformant", "is_token_endpoint_ip_header_trusted", "cross_origin_authentication", "sso", "sso_disabled",
		"custom_login_page_on", "require_pushed_authorization_requests", "require_proof_of_possession",
		"skip_non_verifiable_callback_uri_confirmation_prompt"),
)

// maxSeconds is five years, the contract's bound of a refresh token's life.
const maxSeconds = 157788000

func objects(names ...string) []schema.Property {
	var list []schema.Property
	for _, name := range names {
		list = append(list, schema.Property{Name: name, Types: obj})
	}
	return list
}

// createBody: null is accepted where the contract's own clients send it, and
// means that the member was not sent.
var createBody = schema.Property{
	Types: obj, Closed: true, Required: []string{"name"},
	Members: append(nullable(settable),
		schema.Property{Name: "resource_server_identifier", Types: str, Min: 1, Max: 600, Description: "The identifier of the resource server that this client is linked to."},
		enum("third_party_security_mode", "Security mode for third-party clients.", "strict", "permissive")),
}

// patchBody: null unsets. Members that are immutable are not in it.
var patchBody = schema.Property{
	Types: obj, Closed: true,
	Members: append(nullable(settable),
		schema.Property{Name: "client_secret", Types: str, Min: 1, Max: 128, Description: "The secret used to sign tokens for the client"}),
}

// nullable adds null to the types of all but the name.
func nullable(list []schema.Property) []schema.Property {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Name != "name" {
			list[i].Types |= orNull
		}
	}
	return list
}

var metadataValue = schema.Property{Types: str | orNull, Max: 255}

// checkBody is the first look at a body: its members, their types and limits.
func checkBody(p *schema.Property, members []strictjson.Member) (strictjson.Document, error) {
	if bad := p.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	body := strictjson.NewDocument(members)
	for name, v := range body.Object("client_metadata") {
		if bad := metadataValue.Check("client_metadata."+name, v); len(bad) > 0 {
			return nil, schema.Error(bad)
		}
	}
	return body, nil
}
