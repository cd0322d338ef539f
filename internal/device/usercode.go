package device

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// Charsets of user codes (tenant device_flow.charset). base20 has no vowels, so
// that no code is a word, and nothing that looks like a digit.
const (
	base20 = "BCDFGHJKLMNPQRSTVWXZ"
	digits = "0123456789"
)

// The masks where the tenant's is no good: a * is a character, - and blank are shown
// and need not be typed.
const (
	defaultMask = "****-****"
	digitMask   = "***-***-***"
)

// alphabetOf is the charset and mask in force. A code has to be long enough to
// withstand guessing: 8 letters or 9 digits, 20 characters at most.
func alphabetOf(charset, mask string) (alphabet, inForce string) {
	least, alphabet, fallback := 8, base20, defaultMask
	if charset == "digits" {
		least, alphabet, fallback = 9, digits, digitMask
	}
	if n := strings.Count(mask, "*"); n < least || len(mask) > 20 || strings.Trim(mask, "*- ") != "" {
		return alphabet, fallback
	}
	return alphabet, mask
}

// NewUserCode makes a code to be shown.
func NewUserCode(charset, mask string) string {
	alphabet, mask := alphabetOf(charset, mask)
	size := big.NewInt(int64(len(alphabet)))
	var b strings.Builder
	for _, c := range []byte(mask) {
		if c == '*' {
			n, _ := rand.Int(rand.Reader, size) // never fails
			c = alphabet[n.Int64()]
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Normalize takes from what a person typed what does not count: case, and
// anything but letters and digits. Empty: there is no code in it.
func Normalize(typed string) string {
	if len(typed) > 100 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, typed)
}

// Shown is a typed code as a page repeats it: no more of it than can be a code.
func Shown(typed string) string {
	code := Normalize(typed)
	return code[:min(len(code), 20)]
}
