package mgmt

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"mangrove/internal/profile"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The wire form of a user (reference/users.md §1.1 and §8): user_id, the
// attributes, identities, and the members that the server keeps, each absent
// when it has no value.

// appendUser writes the wire form of v. identities are v.Identities, or a form
// with tokens.
func appendUser(b []byte, v *user.View, identities []byte) []byte {
	b = append(b, `{"user_id":`...)
	b = appendString(b, string(v.ID))
	if len(v.Attributes) > 2 {
		b = append(b, ',')
		b = append(b, v.Attributes[1:len(v.Attributes)-1]...)
	}
	b = append(b, `,"identities":`...)
	b = append(b, identities...)
	b = appendTime(b, "created_at", v.CreatedAt)
	b = appendTime(b, "updated_at", max(v.UpdatedAt, v.Logins.Last))
	b = appendTime(b, "last_password_reset", v.LastPasswordReset)
	b = appendTime(b, "last_login", v.Logins.Last)
	if v.Logins.IP != "" {
		b = append(b, `,"last_ip":`...)
		b = appendString(b, v.Logins.IP)
	}
	if v.Logins.Count > 0 {
		b = append(b, `,"logins_count":`...)
		b = strconv.AppendInt(b, v.Logins.Count, 10)
	}
	return append(b, '}')
}

// userSize is about how long the wire form of v is.
func userSize(v *user.View) int { return len(v.Attributes) + len(v.Identities) + 320 }

// appendTime writes a member whose value is micro, unless that is zero.
func appendTime(b []byte, name string, micro int64) []byte {
	if micro == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(appendISO(b, micro), '"')
}

// appendISO writes microseconds since 1970 as ISO 8601 with milliseconds.
func appendISO(b []byte, micro int64) []byte {
	return time.UnixMicro(micro).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
}

// iso is appendISO as a text.
func iso(micro int64) string { return string(appendISO(nil, micro)) }

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

// identitiesWithTokens is the identities of a user with the upstream's tokens.
func identitiesWithTokens(u *user.User) []byte {
	b := []byte{'['}
	for i := range u.Identities {
		if i > 0 {
			b = append(b, ',')
		}
		b = user.AppendIdentity(b, &u.Identities[i], u.Identities[i].Tokens)
	}
	return append(b, ']')
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
	w.Header()["Etag"] = []string{etag(v.Version)}
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(body))
	return nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
