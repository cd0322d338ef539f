package customdb

import (
	"encoding/json"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// hidden is what is shown in the place of a secret.
const hidden = "****"

// minSecret is the length below which a text cannot be hidden: it would be found
// everywhere.
const minSecret = 4

// Shown is an answer as whoever tries an action may see it, compact: passwords and
// their hashes are hidden, and so are the secrets, in each text that holds one.
func Shown(answer json.RawMessage, secrets []string) json.RawMessage {
	var pairs []string
	for _, s := range secrets {
		if len(s) >= minSecret {
			pairs = append(pairs, s, hidden)
		}
	}
	return appendShown(nil, answer, strings.NewReplacer(pairs...))
}

func appendShown(b []byte, v json.RawMessage, hide *strings.Replacer) []byte {
	switch {
	case len(v) == 0:
		return append(b, "null"...)
	case v[0] == '{':
		b = append(b, '{')
		for m := range schema.Members(v) {
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			b = append(b, profile.Text(hide.Replace(m.Name()))...)
			b = append(b, ':')
			switch m.Name() {
			case ArgPassword, ArgNewPassword, "password_hash", "custom_password_hash":
				b = append(b, `"`+hidden+`"`...)
			default:
				b = appendShown(b, m.Value, hide)
			}
		}
		return append(b, '}')
	case v[0] == '[':
		b = append(b, '[')
		for i, e := range schema.Elements(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendShown(b, e, hide)
		}
		return append(b, ']')
	case v[0] == '"':
		return append(b, profile.Text(hide.Replace(profile.TextOf(v)))...)
	}
	return append(b, v...)
}
