package user

import (
	"strconv"
	"time"
)

// The wire form of a user (reference/users.md §1.1 and §8): user_id, the
// attributes, identities, and the members that the server keeps, each absent
// when it has no value.

// AppendWire writes the wire form of v. identities are v.Identities, or a form
// with tokens.
func AppendWire(b []byte, v *View, identities []byte) []byte {
	b = append(b, `{"user_id":`...)
	b = appendText(b, string(v.ID))
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
		b = appendText(b, v.Logins.IP)
	}
	if v.Logins.Count > 0 {
		b = append(b, `,"logins_count":`...)
		b = strconv.AppendInt(b, v.Logins.Count, 10)
	}
	return append(b, '}')
}

// WireSize is about how long the wire form of v is.
func WireSize(v *View) int { return len(v.Attributes) + len(v.Identities) + 320 }

// appendTime writes a member whose value is micro, unless that is zero.
func appendTime(b []byte, name string, micro int64) []byte {
	if micro == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(AppendISO(b, micro), '"')
}

// AppendISO writes microseconds since 1970 as ISO 8601 with milliseconds.
func AppendISO(b []byte, micro int64) []byte {
	return time.UnixMicro(micro).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
}
