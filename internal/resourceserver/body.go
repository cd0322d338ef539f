package resourceserver

import (
	"regexp"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// MaxScopes of one API.
const MaxScopes = 2000

const maxLifetime = 2592000 // seconds: 30 days, the contract's bound

func policies(values ...string) []schema.Property {
	return []schema.Property{{Name: "policy", Types: schema.String, Enum: values}}
}

// settable are the members that both bodies have (CreateResourceServerRequestContent,
// UpdateResourceServerRequestContent; token_lifetime_for_web as recorded).
var settable = []schema.Property{
	{
		Name: "name", Types: schema.String, Max: 200, Pattern: regexp.MustCompile(`^[^<>]+$`), NoControls: true,
		Description: "Friendly name for this resource server. Can not contain `<` or `>` characters.",
	},
	{
		Name: "scopes", Types: schema.Array, Max: MaxScopes, Description: "List of permissions (scopes) that this API uses.",
		Items: &schema.Property{
			Types: schema.Object, Closed: true, Required: []string{"value"},
			Members: []schema.Property{
				{Name: "value", Types: schema.String, Min: 1, Max: 280, Pattern: regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`), Description: "Value of this scope."},
				{Name: "description", Types: schema.String | schema.Null, Max: 500, Description: "User-friendly description of this scope."},
			},
		},
	},
	{
		Name: "signing_alg", Types: schema.String, Enum: []string{"HS256", "RS256", "RS512", "PS256"},
		Description: "Algorithm used to sign JWTs. Can be `HS256` (default) or `RS256`. `PS256` available via addon.",
	},
	{Name: "allow_offline_access", Types: schema.Boolean, Description: "Whether refresh tokens can be issued for this API (true) or not (false)."},
	{Name: "allow_online_access", Types: schema.Boolean},
	{Name: "allow_online_access_with_ephemeral_sessions", Types: schema.Boolean},
	{
		Name: "token_lifetime", Types: schema.Integer, Min: 0, Max: maxLifetime,
		Description: "Expiration value (in seconds) for access tokens issued for this API from the token endpoint.",
	},
	{Name: "token_lifetime_for_web", Types: schema.Integer, Min: 0, Max: maxLifetime},
	{
		Name: "token_dialect", Types: schema.String, Enum: []string{"access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"},
		Description: "Dialect of issued access token.",
	},
	{Name: "skip_consent_for_verifiable_first_party_clients", Types: schema.Boolean, Description: "Whether to skip user consent for applications flagged as first party (true) or not (false)."},
	{Name: "enforce_policies", Types: schema.Boolean, Description: "Whether to enforce authorization policies (true) or to ignore them (false)."},
	{Name: "token_encryption", Types: schema.Object | schema.Null},
	{Name: "consent_policy", Types: schema.String | schema.Null, Enum: []string{"transactional-authorization-with-mfa"}},
	{Name: "authorization_details", Types: schema.Array | schema.Null},
	{Name: "proof_of_possession", Types: schema.Object | schema.Null},
	{
		Name: "subject_type_authorization", Types: schema.Object, Closed: true, Description: "Defines application access permission for a resource server",
		Members: []schema.Property{
			{Name: "user", Types: schema.Object, Members: policies(AllowAll, DenyAll, RequireGrant)},
			{Name: "client", Types: schema.Object, Members: policies(DenyAll, RequireGrant)},
		},
	},
}

var createBody = schema.Property{
	Types: schema.Object, Closed: true, Required: []string{"identifier"},
	Members: append([]schema.Property{{
		Name: "identifier", Types: schema.String, Min: 1, Max: 600, NoControls: true,
		Description: "Unique identifier for the API used as the audience parameter on authorization calls. Can not be changed once set.",
	}}, settable...),
}

var patchBody = schema.Property{Types: schema.Object, Closed: true, Members: settable}

func checkBody(p *schema.Property, members []strictjson.Member) (strictjson.Document, error) {
	if bad := p.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	return strictjson.NewDocument(members), nil
}
