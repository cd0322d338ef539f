package user

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// mask is what an error report shows instead of a secret.
const mask = `"*****"`

// Masked is the text of a row with all secrets masked. members are those of text.
func Masked(text json.RawMessage, members []strictjson.Member) json.RawMessage {
	clean := true
	for _, m := range members {
		clean = clean && !secret(m.Name)
	}
	if clean {
		return text
	}
	b := make([]byte, 0, len(text))
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, m.Name)
		b = append(b, ':')
		if secret(m.Name) {
			b = appendMasked(b, "", m.Value)
		} else {
			b = append(b, m.Value...)
		}
	}
	return append(b, '}')
}

// secret reports whether a member of a row holds secrets. Members that no row may
// have count, too: a row with a plain password is refused and reported like any other.
func secret(name string) bool {
	if profile.Known(name) || name == userIDMember || readOnly[name] {
		return false
	}
	name = strings.ToLower(name)
	for _, part := range []string{"password", "passwd", "pwd", "hash", "secret", "mfa", "token", "salt"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// plainWords are the values within a secret that only say how it was made, by
// the names of their members.
var plainWords = map[string][]string{
	"algorithm": {"argon2", "bcrypt", "hmac", "ldap", "md4", "md5", "pbkdf2", "scrypt", "sha1", "sha256", "sha512"},
	"encoding":  {"ascii", "base64", "binary", "hex", "latin1", "ucs2", "utf16le", "utf8"},
	"position":  {"prefix", "suffix"},
	"digest":    {"md4", "md5", "ripemd160", "sha1", "sha224", "sha256", "sha384", "sha512", "whirlpool"},
}

// appendMasked writes v, a member of that name, with every text in it masked and
// the structure kept, so that the report still shows what was wrong with it.
func appendMasked(b []byte, name string, v json.RawMessage) []byte {
	switch {
	case len(v) == 0:
		return append(b, "null"...)
	case v[0] == '{':
		b = append(b, '{')
		first := true
		for m := range schema.Members(v) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, m.Key...)
			b = append(b, ':')
			b = appendMasked(b, m.Name(), m.Value)
		}
		return append(b, '}')
	case v[0] == '[':
		b = append(b, '[')
		for i, e := range schema.Elements(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendMasked(b, "", e)
		}
		return append(b, ']')
	case v[0] == '"':
		for _, w := range plainWords[name] {
			if text, _ := jsontext.AppendQuote(nil, w); string(text) == string(v) {
				return append(b, v...)
			}
		}
		return append(b, mask...)
	case v[0] == '-' || v[0] >= '0' && v[0] <= '9':
		if name == "keylen" || name == "cost" || name == "blockSize" || name == "parallelization" {
			return append(b, v...)
		}
		return append(b, mask...)
	}
	return append(b, v...)
}
