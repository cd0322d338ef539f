package mgmt

import (
	"mangrove/internal/client"
)

// The members that only some callers see (reference/authentication.md §6.2).
var (
	clientKeys    = []string{"client_secret", "encryption_key", "signing_keys"}
	clientSummary = []string{"name", "client_id", "app_type", "logo_uri", "description", "is_first_party"}
)

// clientJSON is the wire form with everything in it.
func clientJSON(c *client.Client) []byte {
	var o object
	o.text("name", c.Name)
	o.text("client_id", c.ID)
	if c.Secret != "" {
		o.text("client_secret", c.Secret)
	}
	if c.Global {
		o.raw("global", []byte("true"))
	}
	o.members(c.Doc)
	return o.end()
}

// clientView is what the caller may see of a client. Of a client that it made
// or whose secret it rotated, withKeys, it sees the secret: nobody else ever could.
func clientView(by *caller, withKeys bool) fields {
	keys := withKeys || by.has("read:client_keys")
	switch {
	case keys:
		return fields{}
	case by.hasAny(oneOf("read:clients", "update:clients")):
		return fields{names: clientKeys, exclude: true}
	case by.hasAny(oneOf("read:client_credentials", "update:client_credentials")):
		return fields{names: append(append([]string{}, clientSummary...), "client_authentication_methods")}
	default:
		return fields{names: clientSummary}
	}
}

// shownClient is the wire form as the caller may see it, projected.
func shownClient(c *client.Client, view, f fields) ([]byte, error) {
	b, err := view.apply(clientJSON(c))
	if err != nil {
		return nil, err
	}
	return f.apply(b)
}
