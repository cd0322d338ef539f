package grant

import (
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// maxScopes of one grant: more than any API has.
const maxScopes = 2000

var settable = []schema.Property{
	{
		Name: "scope", Types: schema.Array | schema.Null, Max: maxScopes, Description: "Scopes allowed for this client grant.",
		Items: &schema.Property{Types: schema.String, Min: 1, Max: 280},
	},
	{
		Name: "organization_usage", Types: schema.String | schema.Null, Enum: []string{"deny", "allow", "require"},
		Description: "Defines whether organizations can be used with client credentials exchanges for this grant.",
	},
	{
		Name: "allow_any_organization", Types: schema.Boolean | schema.Null,
		Description: "If enabled, any organization can be used with this grant. If disabled (default), the grant must be explicitly assigned to the desired organizations.",
	},
	{
		Name: "authorization_details_types", Types: schema.Array, Description: "Types of authorization_details allowed for this client grant.",
		Items: &schema.Property{Types: schema.String, Min: 1, Max: 255},
	},
	{
		Name: "allow_all_scopes", Types: schema.Boolean | schema.Null,
		Description: "If enabled, all scopes configured on the resource server are allowed for this grant.",
	},
}

// createBody is CreateClientGrantRequestContent. client_id is required: grants
// for whole groups of clients (default_for) do not exist here.
var createBody = schema.Property{
	Types: schema.Object, Closed: true, Required: []string{"client_id", "audience"},
	Members: append([]schema.Property{
		{Name: "client_id", Types: schema.String, Min: 1, Max: 128, Description: "ID of the client."},
		{Name: "audience", Types: schema.String, Min: 1, Max: 600, Description: "The audience (API identifier) of this client grant"},
		{
			Name: "subject_type", Types: schema.String, Enum: []string{SubjectClient, SubjectUser},
			Description: "The type of application access the client grant allows.",
		},
	}, settable...),
}

// patchBody is UpdateClientGrantRequestContent.
var patchBody = schema.Property{Types: schema.Object, Closed: true, Min: 1, Members: settable}

func checkBody(p *schema.Property, members []strictjson.Member) (strictjson.Document, error) {
	if bad := p.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	return strictjson.NewDocument(members), nil
}
