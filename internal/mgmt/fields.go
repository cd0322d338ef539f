package mgmt

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/schema"
)

// fields is a projection: only the names, or all but them.
type fields struct {
	names   []string
	exclude bool
}

// none reports that there is nothing to project.
func (f fields) none() bool { return len(f.names) == 0 }

// fields reads fields and include_fields. allowed lists the names that may be
// asked for; nil: any.
func (q *query) fields(allowed []string) fields {
	const about = "Comma-separated list of fields to include or exclude (based on value provided for include_fields) in the result. Leave empty to retrieve all fields."
	f := fields{exclude: !q.flag("include_fields", "Whether specified fields are to be included (true) or excluded (false). Defaults to true.", true)}
	s := q.text(schema.Property{Name: "fields", Description: about})
	if s == "" {
		return f
	}
	f.names = strings.Split(s, ",")
	for i, n := range f.names {
		n = strings.TrimSpace(n)
		f.names[i] = n
		if n != "" && (allowed == nil || slices.Contains(allowed, n)) {
			continue
		}
		message := "String '" + shorten(s) + "' does not match pattern. Must be a comma separated list"
		if allowed != nil {
			message += " of the following values: " + strings.Join(allowed, ",")
		}
		q.refuse("fields", about, schema.PatternMismatch, message)
		break
	}
	return f
}

// apply projects a JSON object of ours at its first level. The order stays.
func (f fields) apply(object []byte) ([]byte, error) {
	if f.none() {
		return object, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(object)), '{')
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		keep := slices.Contains(f.names, plain(name)) != f.exclude
		if keep {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(append(b, name...), ':')
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if keep {
			b = append(b, value...)
		}
	}
	return append(b, '}'), nil
}

// plain is the text of a JSON string.
func plain(v jsontext.Value) string {
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(b)
}
