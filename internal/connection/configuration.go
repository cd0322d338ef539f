package connection

import (
	"encoding/json"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// The values of options.configuration are secrets of database scripts. Answers
// never show them: each is stored beside a random mask that is shown instead and
// that changes whenever the value is written (reference/connections.md §1.1).
// A client that reads, modifies and writes back sends the mask; it then keeps
// the value.

// sealConfiguration brings the configuration that was sent into its stored
// form, {"KEY": {"value": …, "mask": …}}. Null values are dropped.
func sealConfiguration(stored, o strictjson.Document, mask func() string) {
	sent := o.Object("configuration")
	if sent == nil {
		delete(o, "configuration")
		return
	}
	had := stored.Object("configuration")
	kept := strictjson.Document{}
	for key, v := range sent {
		if string(v) == "null" {
			continue
		}
		if old := had.Object(key); old != nil && sent.Text(key) == old.Text("mask") {
			kept[key] = had[key]
			continue
		}
		kept[key] = strictjson.Document{"value": v, "mask": profile.Text(mask())}.Encode()
	}
	o["configuration"] = kept.Encode()
}

// ShownOptions are the options as answers show them: Options with the values of
// configuration masked. A compact JSON object; it must not be changed.
func (c *Connection) ShownOptions() json.RawMessage { return c.view().shown }

func shownOptions(options json.RawMessage, o strictjson.Document) json.RawMessage {
	if !o.Has("configuration") {
		if len(options) == 0 {
			return json.RawMessage("{}")
		}
		return options
	}
	masked := strictjson.Document{}
	configuration := o.Object("configuration")
	for key := range configuration {
		masked[key] = profile.Text(configuration.Object(key).Text("mask"))
	}
	shown := make(strictjson.Document, len(o))
	for name, v := range o {
		shown[name] = v
	}
	shown["configuration"] = masked.Encode()
	return shown.Encode()
}
