package client

import (
	"encoding/json"
	"maps"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/strictjson"
)

// GlobalName is the wire's name of the client that stands for all.
const GlobalName = "All Applications"

// Global is the "All Applications" client that a fresh installation has
// (reference/authentication.md §7.1). It may ask for no token. Callers put it
// into the store. at is in microseconds.
func Global(id, secret string, at int64) *Client {
	return bootstrap(id, secret, GlobalName, true, at, strictjson.Document{"grant_types": json.RawMessage("[]")})
}

// Management is the client that a fresh installation is administered with: it
// may ask for tokens by client_credentials and nothing else.
func Management(id, secret string, at int64) *Client {
	return bootstrap(id, secret, "Management", false, at, strictjson.Document{
		"app_type":                   json.RawMessage(`"non_interactive"`),
		"grant_types":                json.RawMessage(`["client_credentials"]`),
		"token_endpoint_auth_method": json.RawMessage(`"client_secret_post"`),
		"oidc_conformant":            json.RawMessage("true"),
	})
}

func bootstrap(id, secret, name string, global bool, at int64, own strictjson.Document) *Client {
	doc := maps.Clone(defaults)
	maps.Copy(doc, own)
	complete(doc)
	return &Client{ID: id, Secret: secret, Name: name, Global: global, Doc: doc.Encode(), Version: 1, CreatedAt: at, UpdatedAt: at}
}

func encodeTexts(list []string) json.RawMessage {
	b, err := jsonv2.Marshal(list)
	if err != nil {
		panic(err) // constants
	}
	return b
}
