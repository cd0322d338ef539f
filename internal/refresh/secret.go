package refresh

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"mangrove/internal/token"
)

// A token reads "v1.", 24 characters that its family shares, 40 of its own: 144
// and 240 random bits. The first part finds the family, so that a text with a
// secret that is no longer good is known for what it is however old, and nothing
// has to be kept of it.
const (
	prefix     = "v1."
	familySize = 18
	leafSize   = 30
	familyText = familySize / 3 * 4
	textSize   = len(prefix) + familyText + leafSize/3*4
)

// Secret is what is stored of a token: SHA-256 in hex.
type Secret struct{ Family, Leaf string }

// New makes a token of a new family.
func New() (text string, s Secret) { return join(random(familySize)) }

// Successor makes another token of the family of text, which Parse has read.
func Successor(text string) (string, Secret) {
	return join(text[len(prefix) : len(prefix)+familyText])
}

func join(family string) (string, Secret) {
	text := prefix + family + random(leafSize)
	return text, hashes(text)
}

// Parse reads what a client sent; ok is false for what is no token of ours.
func Parse(text string) (s Secret, ok bool) {
	if len(text) != textSize || !strings.HasPrefix(text, prefix) {
		return Secret{}, false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text[len(prefix):]); err != nil || strings.ContainsAny(text, "\r\n") {
		return Secret{}, false
	}
	return hashes(text), true
}

func hashes(text string) Secret {
	at := len(prefix) + familyText
	return Secret{Family: token.HashOf(text[:at]), Leaf: token.HashOf(text[at:])}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
