package connection

import (
	"context"
	"encoding/json"
	"maps"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// carriers are the options that say who runs the actions of a custom database.
var carriers = []string{"customScripts", "sql", "webhook"}

// Tried is c as it would be with other options, for a try of one of its actions;
// nothing is stored. Each member of sent takes the place of the stored one, null
// removes it. Errors: those of a PATCH with such options.
//
//   - Of customScripts, sql and webhook, where one is sent the others are left out: what
//     is sent is what is tried.
//   - configuration is laid over the stored one, value by value; a shown mask stands for
//     the value that is stored, null removes one or all.
func (s *Service) Tried(ctx context.Context, c *Connection, sent strictjson.Document) (*Connection, error) {
	if len(sent) == 0 {
		return c, nil
	}
	stored := strictjson.ParseDocument(c.Options)
	next := overlaid(stored, strictjson.ParseDocument(c.ShownOptions()), sent)
	options, err := replacedOptions(c.Strategy, stored, next, s.NewMask)
	if err != nil {
		return nil, err
	}
	if options, err = s.prepare(ctx, c.Strategy, c.Name, stored, options); err != nil {
		return nil, err
	}
	tried := c.Clone()
	tried.Options = options.Encode()
	return tried, nil
}

// overlaid are the options that a client would send that replaces those of sent.
func overlaid(stored, shown, sent strictjson.Document) strictjson.Document {
	next := maps.Clone(stored)
	if next == nil {
		next = strictjson.Document{}
	}
	for _, name := range carriers {
		if sent.Has(name) {
			for _, other := range carriers {
				delete(next, other)
			}
		}
	}
	for name, v := range sent {
		next[name] = v
		if profile.IsNull(v) {
			delete(next, name)
		}
	}
	delete(next, "configuration")
	if _, ok := sent["configuration"]; ok {
		next["configuration"] = mergedConfiguration(shown.Object("configuration"), sent)
	}
	return next
}

// mergedConfiguration lays what was sent over the masks that are shown.
func mergedConfiguration(shown, sent strictjson.Document) json.RawMessage {
	if !sent.Has("configuration") {
		return strictjson.Document{}.Encode()
	}
	values := maps.Clone(shown)
	if values == nil {
		values = strictjson.Document{}
	}
	maps.Copy(values, sent.Object("configuration"))
	return values.Encode()
}
