package connection

import (
	"encoding/json"

	"mangrove/internal/profile"
)

// The values of options.configuration are secrets of database scripts. Answers
// never show them: each is stored beside a random mask that is shown instead and
// that changes whenever the value is written (reference/connections.md §1.1).
// A client that reads, modifies and writes back sends the mask; it then keeps
// the value.

// sealConfiguration brings the configuration that was sent into its stored
// form, {"KEY": {"value": …, "mask": …}}. Null values are dropped.
func sealConfiguration(stored, o document, mask func() string) {
	sent := o.object("configuration")
	if sent == nil {
		delete(o, "configuration")
		return
	}
	had := stored.object("configuration")
	kept := document{}
	for key, v := range sent {
		if string(v) == "null" {
			continue
		}
		if old := had.object(key); old != nil && sent.text(key) == old.text("mask") {
			kept[key] = had[key]
			continue
		}
		kept[key] = document{"value": v, "mask": profile.Text(mask())}.encode()
	}
	o["configuration"] = kept.encode()
}

// ShownOptions are the options as answers show them: Options with the values of
// configuration masked. A compact JSON object; it must not be changed.
func (c *Connection) ShownOptions() json.RawMessage { return c.view().shown }

func shownOptions(options json.RawMessage, o document) json.RawMessage {
	if !o.has("configuration") {
		if len(options) == 0 {
			return json.RawMessage("{}")
		}
		return options
	}
	masked := document{}
	configuration := o.object("configuration")
	for key := range configuration {
		masked[key] = profile.Text(configuration.object(key).text("mask"))
	}
	shown := make(document, len(o))
	for name, v := range o {
		shown[name] = v
	}
	shown["configuration"] = masked.encode()
	return shown.encode()
}
