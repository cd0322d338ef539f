package connection

import (
	"regexp"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// nameForm is the contract's pattern of a connection name.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$`)

// createBody is the body of POST /connections (CreateConnectionRequestContent).
var createBody = schema.Property{
	Types: schema.Object, Closed: true, Required: []string{"name", "strategy"},
	Members: append([]schema.Property{
		{
			Name: "name", Types: schema.String, Min: 1, Max: 128, Pattern: nameForm,
			Description: "The name of the connection. Must start and end with an alphanumeric character and can only contain alphanumeric characters and '-'. Max length 128",
		},
		{
			Name: "strategy", Types: schema.String, Enum: Strategies(),
			Description: "The identity provider identifier for the connection",
		},
	}, settable...),
}

// patchBody is the body of PATCH /connections/{id} (UpdateConnectionRequestContent).
var patchBody = schema.Property{Types: schema.Object, Closed: true, Min: 1, Members: settable}

// settable are the members that both bodies have.
var settable = []schema.Property{
	{Name: "display_name", Types: schema.String, Max: 128, Description: "Connection name used in the new universal login experience"},
	{Name: "options", Types: schema.Object | schema.Null, Description: "The connection's options (depend on the connection strategy)"},
	{
		Name: "enabled_clients", Types: schema.Array | schema.Null, Max: 1000,
		Description: "The ids of the clients for which the connection is to be enabled",
		Items:       &schema.Property{Types: schema.String, Min: 1, Max: 128, Description: "The id of the client for which the connection is to be enabled"},
	},
	{Name: "is_domain_connection", Types: schema.Boolean, Description: "Whether third-party applications can use the connection"},
	{Name: "show_as_button", Types: schema.Boolean, Description: "Enables showing a button for the connection in the login page"},
	{
		Name: "realms", Types: schema.Array, Max: 100, Unique: true,
		Description: "Defines the realms for which the connection will be used (ie: email domains). If the array is empty or the property is not specified, the connection name will be added as realm.",
		Items:       &schema.Property{Types: schema.String, Min: 1, Max: 255, NoControls: true, Description: "The realm where this connection belongs"},
	},
	{
		Name: "metadata", Types: schema.Object, Max: 10,
		Description: "Metadata associated with the connection in the form of an object with string values (max 255 chars).  Maximum of 10 metadata properties allowed.",
	},
	{
		Name: "authentication", Types: schema.Object, Closed: true, Required: []string{"active"}, Members: []schema.Property{active},
		Description: "Configure the purpose of a connection to be used for authentication during login.",
	},
	{
		Name: "connected_accounts", Types: schema.Object, Closed: true, Required: []string{"active"},
		Members:     []schema.Property{active, {Name: "cross_app_access", Types: schema.Boolean}},
		Description: "Configure the purpose of a connection to be used for connected accounts and Token Vault.",
	},
	{
		Name: "cross_app_access_requesting_app", Types: schema.Object, Closed: true, Required: []string{"active"}, Members: []schema.Property{active},
		Description: "Configure the connection to be used as a Requesting Application for Cross App Access.",
	},
}

var active = schema.Property{Name: "active", Types: schema.Boolean}

// metadataValue is one value of metadata.
var metadataValue = schema.Property{Types: schema.String | schema.Null, Max: 255}

// checkBody is the first look at a body: its members and their types.
func checkBody(p *schema.Property, members []strictjson.Member) (strictjson.Document, error) {
	if bad := p.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	body := strictjson.NewDocument(members)
	for name, v := range body.Object("metadata") {
		if bad := metadataValue.Check("metadata."+name, v); len(bad) > 0 {
			return nil, schema.Error(bad)
		}
	}
	return body, nil
}

// checkOptions looks at the types and limits of the options that are known.
func checkOptions(strategy string, o strictjson.Document) error {
	raw := o.Encode()
	p := schema.Property{Types: schema.Object, Members: optionMembers(strategy)}
	if bad := p.Check("options", raw); len(bad) > 0 {
		return schema.Error(bad)
	}
	for _, name := range []string{"upstream_params", "configuration"} {
		inner := o.Object(name)
		want := &upstreamParam
		if name == "configuration" {
			want = &configurationValue
		}
		for key, v := range inner {
			if bad := want.Check("options."+name+"."+key, v); len(bad) > 0 {
				return schema.Error(bad)
			}
		}
	}
	return nil
}

var configurationValue = schema.Property{Types: schema.String | schema.Null}

// upstreamAliases are the parameters of our own request that may be passed on
// (reference/connections.md §3.9).
var upstreamAliases = []string{
	"acr_values", "audience", "client_id", "display", "id_token_hint", "login_hint", "max_age", "prompt",
	"resource", "response_mode", "response_type", "ui_locales",
}

var upstreamParam = schema.Property{
	Types: schema.Object | schema.Null,
	Members: []schema.Property{
		{Name: "alias", Types: schema.String, Enum: upstreamAliases},
		{Name: "value", Types: schema.String},
	},
}
