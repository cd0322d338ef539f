package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// readBody reads a body whose shape is right.
func readBody(r *http.Request, form schema.Property) (json.RawMessage, error) {
	members, err := web.ReadJSON(r)
	if err != nil {
		return nil, err
	}
	body := strictjson.Join(members)
	return body, checkBody(form.Check("", body))
}

// metadataPatch is a body that replaces the metadata of a session or a token. The
// bound of the texts is in the contract's prose.
func metadataPatch(name, description string) schema.Property {
	return schema.Property{
		Types: schema.Object, Closed: true, Min: 1,
		Members: []schema.Property{{Name: name, Types: schema.Object | schema.Null, Max: 25, Description: description}},
	}
}

var metadataText = schema.Property{Types: schema.String, Max: 255}

// readMetadata reads the body that form describes; nil: the metadata is removed.
func readMetadata(r *http.Request, form schema.Property) (json.RawMessage, error) {
	body, err := readBody(r, form)
	if err != nil {
		return nil, err
	}
	name := form.Members[0].Name
	metadata := strictjson.ParseDocument(body)[name]
	for m := range schema.Members(metadata) {
		if err := checkBody(metadataText.Check(name+"."+m.Name(), m.Value)); err != nil {
			return nil, err
		}
	}
	if profile.IsNull(metadata) || string(metadata) == "{}" {
		return nil, nil
	}
	return metadata, nil
}
