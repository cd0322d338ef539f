package connection

import (
	"encoding/json"
	"math"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/strictjson"
)

// document reads a stored JSON object leniently: a member of the wrong type
// reads as absent, because unknown and loosely typed options are kept as they
// came. Names are compared exactly: "Import_Mode" is not import_mode.
type document map[string]json.RawMessage

// parseDocument makes a document of anything; what is not an object is empty.
func parseDocument(raw json.RawMessage) document {
	var d document
	if len(raw) == 0 || jsonv2.Unmarshal(raw, &d) != nil {
		return nil
	}
	return d
}

func (d document) text(name string) string {
	var s string
	if v := d[name]; len(v) == 0 || jsonv2.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

func (d document) flag(name string) bool { return string(d[name]) == "true" }

// number is the integer of that name, and whether there is one.
func (d document) number(name string) (int, bool) {
	var n float64 // 15.0 and 1e3 are integers too
	if v := d[name]; len(v) == 0 || v[0] == 'n' || jsonv2.Unmarshal(v, &n) != nil || n != math.Trunc(n) || math.Abs(n) > 1<<31 {
		return 0, false
	}
	return int(n), true
}

// texts are the strings of an array; items of other types are left out.
func (d document) texts(name string) []string {
	var items []json.RawMessage
	if v := d[name]; len(v) == 0 || jsonv2.Unmarshal(v, &items) != nil {
		return nil
	}
	var list []string
	for _, item := range items {
		var s string
		if item[0] == '"' && jsonv2.Unmarshal(item, &s) == nil {
			list = append(list, s)
		}
	}
	return list
}

func (d document) object(name string) document { return parseDocument(d[name]) }

// has reports a member that is there and not null.
func (d document) has(name string) bool {
	v := d[name]
	return len(v) > 0 && string(v) != "null"
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

// fill sets the members of defaults that d lacks, inside objects too, and
// reports whether there were any. An object that lacks nothing keeps its spelling.
func (d document) fill(defaults document) (changed bool) {
	for name, v := range defaults {
		have, ok := d[name]
		switch {
		case !ok:
			d[name] = v
			changed = true
		case v[0] == '{' && have[0] == '{':
			if inner := parseDocument(have); inner.fill(parseDocument(v)) {
				d[name] = inner.encode()
				changed = true
			}
		}
	}
	return changed
}

// join makes one object of the members of a body, in their order.
func join(members []strictjson.Member) json.RawMessage {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, m.Name) // names are valid UTF-8: strictjson saw them
		b = append(b, ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}
