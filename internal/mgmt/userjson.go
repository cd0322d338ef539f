package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/profile"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// appendUser writes the wire form of v. identities are v.Identities, or a form
// with tokens.
func appendUser(b []byte, v *user.View, identities []byte) []byte {
	return user.AppendWire(b, v, identities)
}

// userSize is about how long the wire form of v is.
func userSize(v *user.View) int { return user.WireSize(v) }

// iso is microseconds since 1970 as ISO 8601 with milliseconds.
func iso(micro int64) string { return string(user.AppendISO(nil, micro)) }

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			return append(b, profile.Text(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// writeUser answers with one user, projected, its version as the ETag.
func writeUser(w http.ResponseWriter, status int, v *user.View, identities []byte, f fields) error {
	body := appendUser(make([]byte, 0, userSize(v)), v, identities)
	if !f.none() {
		var err error
		if body, err = f.apply(body); err != nil {
			return err
		}
	}
	setETag(w, v.Version)
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(body))
	return nil
}
