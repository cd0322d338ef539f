package connection

import (
	"slices"

	"mangrove/internal/schema"
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

func flag(names ...string) []schema.Property {
	var list []schema.Property
	for _, name := range names {
		list = append(list, schema.Property{Name: name, Types: boolean | orNull})
	}
	return list
}

func object(name, description string, members ...schema.Property) schema.Property {
	return schema.Property{Name: name, Description: description, Types: obj | orNull, Members: members}
}

func closed(p schema.Property, required ...string) schema.Property {
	p.Closed, p.Required = true, required
	return p
}

func enum(name string, values ...string) schema.Property {
	return schema.Property{Name: name, Types: str | orNull, Enum: values}
}

func number(name string, lo, hi int) schema.Property {
	return schema.Property{Name: name, Types: integer, Min: lo, Max: hi}
}

// bare drops null from the types: the attribute tree is strict in the contract.
func bare(list ...schema.Property) []schema.Property {
	for i := range list {
		list[i].Types &^= orNull
	}
	return list
}

var (
	signup = closed(object("signup", "", bare(
		enum("status", "required", "optional", "inactive"),
		closed(object("verification", "", flag("active")...)))...))
	signupPlain = closed(object("signup", "", bare(enum("status", "required", "optional", "inactive"))...))
)

func identifier(methods ...string) schema.Property {
	members := flag("active")
	if len(methods) > 0 {
		members = append(members, enum("default_method", methods...))
	}
	return closed(object("identifier", "", bare(members...)...))
}

// commonOptions are checked whatever the strategy (ConnectionPropertiesOptions).
// Everything else is kept as it came: the live service is far laxer than its
// schemas (reference/connections.md §2).
var commonOptions = slices.Concat(
	flag("brute_force_protection", "disable_signup", "disable_self_service_change_password", "enable_script_context",
		"enabledDatabaseCustomization", "import_mode", "requires_username", "api_enable_users", "api_enable_groups", "realm_fallback"),
	[]schema.Property{
		{
			Name: "non_persistent_attrs", Types: arr | orNull, Max: 96,
			Description: "An array of user fields that should not be stored in the Auth0 database (https://auth0.com/docs/security/data-security/denylist)",
			Items:       &schema.Property{Types: str, Max: 255},
		},
		{
			Name: "set_user_root_attributes", Types: str | orNull, Enum: []string{"on_each_login", "on_first_login", "never_on_login"},
			Description: "When using an external IdP, this flag determines  whether 'name', 'given_name', 'family_name', 'nickname', and 'picture' attributes are updated. In addition, it also determines whether the user is created when user doesnt exist previously. Possible values are 'on_each_login' (default value, it configures the connection to automatically create the user if necessary and update the root attributes from the external IdP with each user login. When this setting is used, root attributes cannot be independently updated), 'on_first_login' (configures the connection to create the user and set the root attributes on first login only, allowing them to be independently updated thereafter), and 'never_on_login' (configures the connection not to create the user and not to set the root attributes from the external IdP, allowing them to be independently updated).",
		},
		{Name: "upstream_params", Types: obj | orNull, Description: "Options for adding parameters in the request to the upstream IdP"},
		{Name: "configuration", Types: obj | orNull, Description: "Stores encrypted string only configurations for connections"},
		{Name: "icon_url", Types: str | orNull, Max: 255},
		closed(object("federated_connections_access_tokens", "Federated Connections Access Tokens", bare(flag("active")...)...)),
	},
)

var databaseOptions = []schema.Property{
	closed(object("validation", "Options for validation",
		closed(object("username", "", number("min", 1, 0), number("max", 0, 128)), "max", "min"))),
	{
		Name: "precedence", Types: arr | orNull, Min: 3, Max: 3, Unique: true,
		Items:       &schema.Property{Types: str, Enum: []string{"email", "phone_number", "username"}},
		Description: "Order of precedence for attribute types. If the property is not specified, the default precedence of attributes will be used.",
	},
	{
		Name: "attributes", Types: obj | orNull, Min: 1, Closed: true, Description: "Attribute configuration",
		Members: bare(
			closed(object("email", "Configuration for the email attribute for users.", bare(append(flag("unique", "profile_required"),
				identifier("password", "email_otp"), enum("verification_method", "link", "otp"), signup)...)...)),
			closed(object("phone_number", "Configuration for the phone number attribute for users.", bare(append(flag("profile_required"),
				identifier("password", "phone_otp"), signup)...)...)),
			closed(object("username", "Configuration for the username attribute for users.", bare(append(flag("profile_required"),
				identifier("password"), signupPlain,
				closed(object("validation", "", bare(number("min_length", 1, 128), number("max_length", 1, 128),
					closed(object("allowed_types", "", bare(flag("email", "phone_number")...)...)))...)))...)...)),
		),
	},
	{
		Name: "customScripts", Types: obj | orNull, Description: "A map of scripts used to integrate with a custom database.",
		Members: scripts(actions...),
	},
	closed(schema.Property{
		Name: "sql", Types: obj | orNull, Description: "A database that the statements of actions ask",
		Members: append(scripts(actions...), schema.Property{Name: "url", Types: str, Min: 1, Max: 2083}),
	}, "url"),
	closed(schema.Property{
		Name: "webhook", Types: obj | orNull, Description: "A web service that is asked the actions",
		Members: []schema.Property{
			{Name: "url", Types: str, Min: 1, Max: 2083},
			{Name: "secret", Types: str, Min: 1, Max: 255},
			{Name: "actions", Types: arr, Min: 1, Unique: true, Items: &schema.Property{Types: str, Enum: actions}},
		},
	}, "url", "actions"),
	closed(object("migration", "How far the old store of an import is asked", bare(append(flag("recreate_deleted"),
		enum("mode", "on", "shadow", "off"))...)...)),
	closed(object("authentication_methods", "Options for enabling authentication methods.", bare(
		closed(object("password", "Password authentication enablement", bare(append(flag("enabled"),
			enum("api_behavior", "required", "optional"), enum("signup_behavior", "allow", "block"))...)...)),
		closed(object("passkey", "Passkey authentication enablement", bare(flag("enabled")...)...)),
		closed(object("email_otp", "Email OTP authentication enablement", bare(flag("enabled")...)...)),
		closed(object("phone_otp", "Phone OTP authentication enablement", bare(flag("enabled")...)...)))...)),
	closed(object("passkey_options", "Options for the passkey authentication method", bare(append(
		flag("progressive_enrollment_enabled", "local_enrollment_enabled"), enum("challenge_ui", "both", "autofill", "button"))...)...)),
	{
		Name: "passwordPolicy", Types: str | orNull, Enum: []string{"none", "low", "fair", "good", "excellent", "None", ""},
		Description: "Password strength level",
	},
	closed(object("password_complexity_options", "Password complexity options", number("min_length", 1, 128))),
	closed(object("password_history", "Options for password history policy", append(bare(flag("enable")...), number("size", 0, 24))...), "enable"),
	closed(object("password_no_personal_info", "Options for personal info in passwords policy", bare(flag("enable")...)...), "enable"),
	closed(object("password_dictionary", "Options for password dictionary policy", append(bare(flag("enable")...), words("dictionary", 200, 50))...), "enable"),
	closed(object("password_options", "Password policy options for flexible password policy configuration", bare(
		closed(object("complexity", "Password complexity requirements configuration", bare(
			number("min_length", 1, 72),
			schema.Property{Name: "character_types", Types: arr, Unique: true, Items: &schema.Property{Types: str, Enum: []string{"uppercase", "lowercase", "number", "special"}}},
			enum("character_type_rule", "all", "three_of_four"),
			enum("identical_characters", "allow", "block"),
			enum("sequential_characters", "allow", "block"),
			enum("max_length_exceeded", "truncate", "error"))...)),
		closed(object("dictionary", "Dictionary-based password restriction policy to prevent common passwords", bare(append(flag("active"),
			words("custom", 200, 50), enum("default", "en_10k", "en_100k"))...)...)),
		closed(object("history", "Password history policy configuration to prevent password reuse", bare(append(flag("active"), number("size", 1, 24))...)...)),
		closed(object("profile_data", "Personal information restriction policy to prevent use of profile data in passwords", bare(append(flag("active"),
			words("blocked_fields", 12, 100))...)...)))...)),
}

// actions are what a custom database can be asked (reference/connections.md §5.1); list,
// and the options sql, webhook and migration, are ours.
var actions = []string{
	"login", "get_user", "delete", "change_password", "verify", "create", "change_username", "change_email", "change_phone_number", "list",
}

func scripts(names ...string) []schema.Property {
	var list []schema.Property
	for _, name := range names {
		list = append(list, schema.Property{Name: name, Types: str, Min: 1})
	}
	return list
}

func words(name string, most, length int) schema.Property {
	return schema.Property{Name: name, Types: arr, Max: most, Items: &schema.Property{Types: str, Max: length}}
}

// oidcOptions are checked for oidc and okta: what the connector reads has to
// have its type.
var oidcOptions = []schema.Property{
	{Name: "client_id", Types: str | orNull, Max: 255},
	{Name: "client_secret", Types: str | orNull, Max: 700},
	{Name: "scope", Types: str | orNull, Max: 255},
	{Name: "issuer", Types: str | orNull, Max: 255},
	{Name: "discovery_url", Types: str | orNull, Max: 255},
	{Name: "authorization_endpoint", Types: str | orNull, Max: 2083},
	{Name: "token_endpoint", Types: str | orNull, Max: 255},
	{Name: "userinfo_endpoint", Types: str | orNull, Max: 255},
	{Name: "jwks_uri", Types: str | orNull, Max: 255},
	{Name: "tenant_domain", Types: str | orNull, Max: 255},
	{Name: "domain_aliases", Types: arr | orNull, Max: 1000, Items: &schema.Property{Types: str, Max: 255}},
	{Name: "send_back_channel_nonce", Types: boolean | orNull},
	{Name: "id_token_session_expiry_supported", Types: boolean | orNull},
	{Name: "oidc_metadata", Types: obj | orNull},
	{
		Name: "id_token_signed_response_algs", Types: arr | orNull,
		Items: &schema.Property{Types: str, Enum: []string{"ES256", "ES384", "PS256", "PS384", "RS256", "RS384", "RS512"}},
	},
	enum("dpop_signing_alg", "ES256", "ES384", "ES512", "Ed25519"),
	enum("token_endpoint_auth_method", "client_secret_post", "private_key_jwt"),
	enum("token_endpoint_auth_signing_alg", "ES256", "ES384", "PS256", "PS384", "RS256", "RS384", "RS512"),
	enum("token_endpoint_jwtca_aud_format", "issuer", "token_endpoint"),
	object("connection_settings", "", enum("pkce", "auto", "S256", "plain", "disabled")),
}

// byStrategy adds what only some strategies have. Limits of the members that
// reference/connections.md §2 marks as required; their presence is not asked
// for, as the live service does not ask either.
var byStrategy = map[string][]schema.Property{
	"auth0": databaseOptions,
	"email": {
		{Name: "name", Types: str | orNull, Max: 128},
		object("email", "", schema.Property{Name: "body", Types: str | orNull, Max: 20480},
			schema.Property{Name: "from", Types: str | orNull, Max: 1024}, schema.Property{Name: "subject", Types: str | orNull, Max: 1024}),
		object("totp", "", number("length", 4, 40), number("time_step", 60, 0)),
	},
	"sms": {
		{Name: "name", Types: str | orNull, Max: 255},
		object("totp", "", number("length", 4, 40), number("time_step", 60, 0)),
		object("gateway_authentication", "Token-based authentication settings to be applied when connection is using an sms strategy.",
			schema.Property{Name: "method", Types: str, Max: 20}, schema.Property{Name: "audience", Types: str, Max: 128},
			schema.Property{Name: "secret", Types: str, Max: 5120}),
	},
	"oidc": append([]schema.Property{
		enum("type", FrontChannel, BackChannel),
		object("attribute_map", "", enum("mapping_mode", BindAll, UseMap),
			schema.Property{Name: "attributes", Types: obj | orNull}, schema.Property{Name: "userinfo_scope", Types: str | orNull, Max: 255}),
	}, oidcOptions...),
	"okta": append([]schema.Property{
		enum("type", BackChannel),
		{Name: "domain", Types: str | orNull, Max: 255},
		object("attribute_map", "", enum("mapping_mode", BasicProfile, UseMap),
			schema.Property{Name: "attributes", Types: obj | orNull}, schema.Property{Name: "userinfo_scope", Types: str | orNull, Max: 255}),
	}, oidcOptions...),
	"waad":         {{Name: "client_id", Types: str | orNull, Max: 100}},
	"google-apps":  {{Name: "client_id", Types: str | orNull, Max: 128}},
	"pingfederate": {{Name: "pingFederateBaseUrl", Types: str | orNull, Max: 256}},
}

func optionMembers(strategy string) []schema.Property {
	return slices.Concat(byStrategy[strategy], commonOptions)
}
