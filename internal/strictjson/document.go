package strictjson

import (
	"encoding/json"
	"math"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Document is a JSON object by members: a body that was checked, or what was
// stored of one. It reads leniently: a member of the wrong type reads as absent,
// because unknown and loosely typed members are kept as they came. Names are
// compared exactly: "Import_Mode" is not import_mode. A nil Document can be read.
type Document map[string]json.RawMessage

// NewDocument has the members of a body.
func NewDocument(members []Member) Document {
	d := make(Document, len(members))
	for _, m := range members {
		d[m.Name] = m.Value
	}
	return d
}

// ParseDocument makes a Document of anything; what is not an object is nil.
func ParseDocument(raw json.RawMessage) Document {
	var d Document
	if len(raw) == 0 || jsonv2.Unmarshal(raw, &d) != nil {
		return nil
	}
	return d
}

// Encode is the compact form, members sorted by name.
func (d Document) Encode() json.RawMessage {
	if len(d) == 0 {
		return json.RawMessage("{}")
	}
	b, err := jsonv2.Marshal(d, jsonv2.Deterministic(true))
	if err != nil {
		panic(err) // the members are valid JSON: they were parsed
	}
	return b
}

// Has reports a member that is there and not null.
func (d Document) Has(name string) bool {
	v := d[name]
	return len(v) > 0 && string(v) != "null"
}

// Text is the string of that name, or empty.
func (d Document) Text(name string) string {
	var s string
	if v := d[name]; len(v) == 0 || jsonv2.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Texts are the strings of an array; items of other types are left out.
func (d Document) Texts(name string) []string {
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

// Flag reports whether the member is the boolean true.
func (d Document) Flag(name string) bool { return string(d[name]) == "true" }

// Number is the integer of that name, and whether there is one.
func (d Document) Number(name string) (int, bool) {
	var n float64 // 15.0 and 1e3 are integers too
	if v := d[name]; len(v) == 0 || v[0] == 'n' || jsonv2.Unmarshal(v, &n) != nil || n != math.Trunc(n) || math.Abs(n) > 1<<31 {
		return 0, false
	}
	return int(n), true
}

// Object is the object of that name, or nil.
func (d Document) Object(name string) Document { return ParseDocument(d[name]) }

// Join makes one object of the members of a body, in their order: the inverse
// of Object.
func Join(members []Member) json.RawMessage {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, m.Name) // names are valid UTF-8: the scanner saw them
		b = append(b, ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}
