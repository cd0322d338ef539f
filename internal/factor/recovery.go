package factor

import (
	"crypto/rand"
	"strings"

	"mangrove/internal/token"
)

// recoveryLength is the recorded one: 24 upper-case letters and digits, 124 bits.
const recoveryLength = 24

const recoveryAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// NewRecoveryCode draws each character evenly.
func NewRecoveryCode() string {
	const even = 256 - 256%len(recoveryAlphabet)
	out := make([]byte, 0, recoveryLength)
	for {
		var random [64]byte
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) < even {
				if out = append(out, recoveryAlphabet[int(b)%len(recoveryAlphabet)]); len(out) == recoveryLength {
					return string(out)
				}
			}
		}
	}
}

// typedRecovery is a recovery code as people type it, in upper case and without
// blanks and hyphens; false for what can be none of ours.
func typedRecovery(s string) (string, bool) {
	if len(s) > 4*recoveryLength {
		return "", false
	}
	out := make([]byte, 0, recoveryLength)
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' || c == '-':
		case 'a' <= c && c <= 'z':
			out = append(out, c-'a'+'A')
		case strings.IndexByte(recoveryAlphabet, c) >= 0:
			out = append(out, c)
		default:
			return "", false
		}
	}
	return string(out), len(out) == recoveryLength
}

// newRecovery is a recovery code and the factor that it becomes. Of the code only
// a hash is kept; a fast one will do, since it cannot be guessed.
func newRecovery(userID string, now int64) (string, Factor) {
	code := NewRecoveryCode()
	return code, Factor{
		UserID: userID, Device: NewDevice(), Kind: Recovery, Fingerprint: token.HashOf(code), Confirmed: true, CreatedAt: now,
	}
}
