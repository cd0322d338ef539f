package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// The code challenge methods of RFC 7636 §4.2.
const (
	S256  = "S256"
	Plain = "plain"
)

// ChallengeMethod is the method that a request asks for: plain when it names
// none (RFC 7636 §4.3). False for one that we do not know.
func ChallengeMethod(sent string) (string, bool) {
	switch sent {
	case "":
		return Plain, true
	case S256, Plain:
		return sent, true
	}
	return "", false
}

// ValidChallenge reports whether a challenge could come from a verifier at all.
func ValidChallenge(method, challenge string) bool {
	switch method {
	case S256:
		sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
		return err == nil && len(sum) == sha256.Size && len(challenge) == 43
	case Plain:
		return validVerifier(challenge)
	}
	return false
}

// Challenge computes a code challenge; method S256 or plain. False for another
// method, and for a verifier that is not of RFC 7636's form.
func Challenge(method, verifier string) (string, bool) {
	if !validVerifier(verifier) {
		return "", false
	}
	switch method {
	case S256:
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:]), true
	case Plain:
		return verifier, true
	}
	return "", false
}

// VerifyChallenge compares in constant time; the verifier has to be of RFC 7636's form.
func VerifyChallenge(method, challenge, verifier string) bool {
	want, ok := Challenge(method, verifier)
	return ok && subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}

// validVerifier is RFC 7636 §4.1: 43 to 128 unreserved characters.
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}
