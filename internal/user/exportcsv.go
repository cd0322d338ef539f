package user

import (
	"strings"

	"mangrove/internal/profile"
)

// A spreadsheet takes text that begins with = + - @ for a formula. So each text
// of a CSV file gets an apostrophe in front, which is the reference's form, and
// is quoted, whatever it begins with (reference/users.md §6.5).

// serverTimes are the members whose text is a time of the server's: the only
// text that stays bare.
var serverTimes = map[string]bool{"created_at": true, "updated_at": true, "last_login": true, "last_password_reset": true}

// appendCell writes one value. Objects and arrays are the text of their JSON.
func appendCell(b []byte, v profile.Value, time bool) []byte {
	if len(v) == 0 || profile.IsNull(v) {
		return b
	}
	switch v[0] {
	case '"':
		text := profile.TextOf(v)
		if time && isTime(text) {
			return append(b, text...)
		}
		return appendGuarded(b, text)
	case '{', '[':
		return appendGuarded(b, string(v))
	}
	return append(b, v...)
}

// isTime reports whether nothing but a time can be in the text: the form that
// AppendISO writes.
func isTime(text string) bool {
	return len(text) == len("2006-01-02T15:04:05.000Z") && text[0] >= '0' && text[0] <= '9' && strings.Trim(text, "0123456789-:.TZ") == ""
}

func appendGuarded(b []byte, text string) []byte {
	b = append(b, `"'`...)
	b = appendDoubled(b, text)
	return append(b, '"')
}

func appendDoubled(b []byte, text string) []byte {
	for i := range len(text) {
		if text[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, text[i])
	}
	return b
}

// appendTitle writes a cell of the header. It is as the caller named it, unless
// a spreadsheet could take it for a formula.
func appendTitle(b []byte, title string) []byte {
	if strings.ContainsAny(title[:min(1, len(title))], "=+-@\t\r\n") {
		return appendGuarded(b, title)
	}
	if !strings.ContainsAny(title, ",;\t\"'\r\n") && title == strings.TrimSpace(title) {
		return append(b, title...)
	}
	b = append(b, '"')
	b = appendDoubled(b, title)
	return append(b, '"')
}
