package grant

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// document is a JSON object by members.
type document map[string]json.RawMessage

func parseDocument(raw json.RawMessage) document {
	var d document
	if len(raw) == 0 || jsonv2.Unmarshal(raw, &d) != nil {
		return nil
	}
	return d
}

// encode is the compact form, members sorted by name.
func (d document) encode() json.RawMessage {
	if len(d) == 0 {
		return json.RawMessage("{}")
	}
	b, err := jsonv2.Marshal(d, jsonv2.Deterministic(true))
	if err != nil {
		panic(err) // the members are valid JSON: they were parsed
	}
	return b
}

func (d document) text(name string) string {
	var s string
	if v := d[name]; len(v) == 0 || jsonv2.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

func (d document) texts(name string) []string {
	var list []string
	if v := d[name]; len(v) == 0 || jsonv2.Unmarshal(v, &list) != nil {
		return nil
	}
	return list
}

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

func checkBody(p *schema.Property, members []strictjson.Member) (document, error) {
	raw := []byte{'{'}
	body := make(document, len(members))
	for i, m := range members {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw, _ = jsontext.AppendQuote(raw, m.Name) // names are valid UTF-8: strictjson saw them
		raw = append(append(raw, ':'), m.Value...)
		body[m.Name] = m.Value
	}
	if bad := p.Check("", append(raw, '}')); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	return body, nil
}
