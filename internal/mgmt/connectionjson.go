package mgmt

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/connection"
)

// connectionAlways are the members that every answer has, whatever fields says
// (reference/connections.md §0.1).
var connectionAlways = []string{"id", "is_domain_connection", "authentication", "connected_accounts"}

// The members of Extra, in the order of the recordings: before and behind the
// lists (reference/connections.md §1.1).
var (
	extraBefore = []string{"is_domain_connection", "show_as_button", "authentication", "connected_accounts", "display_name"}
	extraBehind = []string{"metadata", "cross_app_access_requesting_app"}
)

// connectionJSON is the wire form; options are there for those who may read them.
func connectionJSON(c *connection.Connection, withOptions bool) ([]byte, error) {
	extra := map[string]json.RawMessage{}
	if len(c.Extra) > 0 {
		if err := jsonv2.Unmarshal(c.Extra, &extra); err != nil {
			return nil, err
		}
	}
	var o object
	o.text("id", c.ID)
	if withOptions {
		o.raw("options", c.ShownOptions())
	}
	o.text("strategy", c.Strategy)
	o.text("name", c.Name)
	for _, name := range extraBefore {
		if v, ok := extra[name]; ok {
			o.raw(name, v)
		}
	}
	o.texts("enabled_clients", c.EnabledClients)
	realms := c.Realms
	if len(realms) == 0 {
		realms = []string{c.Name}
	}
	o.texts("realms", realms)
	for _, name := range extraBehind {
		if v, ok := extra[name]; ok {
			o.raw(name, v)
		}
	}
	return o.end(), nil
}
