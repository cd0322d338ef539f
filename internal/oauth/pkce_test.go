package oauth

import (
	"strings"
	"testing"
)

// The pair of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestVerifyChallenge(t *testing.T) {
	long := strings.Repeat("a", 128)
	for _, c := range []struct {
		name, method, challenge, verifier string
		ok                                bool
	}{
		{"RFC 7636 B", S256, challenge, verifier, true},
		{"plain", Plain, verifier, verifier, true},
		{"longest", Plain, long, long, true},
		{"all kinds of characters", Plain, "-._~" + long[:40], "-._~" + long[:40], true},
		{"S256 sent as plain", Plain, challenge, verifier, false},
		{"plain sent as S256", S256, verifier, verifier, false},
		{"challenge as verifier", S256, challenge, challenge, false},
		{"other verifier", S256, challenge, verifier[:42] + "l", false},
		{"no verifier", S256, challenge, "", false},
		{"both empty", Plain, "", "", false},
		{"too short", Plain, long[:42], long[:42], false},
		{"too long", Plain, long + "a", long + "a", false},
		{"bad character", Plain, long + "+", long + "+", false},
		{"bad character within", Plain, "a b" + long[:42], "a b" + long[:42], false},
		{"no method", "", verifier, verifier, false},
		{"unknown method", "s256", challenge, verifier, false},
		{"challenge with padding", S256, challenge + "=", verifier, false},
	} {
		if got := VerifyChallenge(c.method, c.challenge, c.verifier); got != c.ok {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestValidChallenge(t *testing.T) {
	for _, c := range []struct {
		name, method, challenge string
		ok                      bool
	}{
		{"S256", S256, challenge, true},
		{"plain", Plain, verifier, true},
		{"S256 too short", S256, challenge[:42], false},
		{"S256 of other alphabet", S256, strings.Replace(challenge, "-", "+", 1), false},
		{"S256 with a break", S256, challenge[:20] + "\n" + challenge[21:], false},
		{"S256 with loose bits", S256, challenge[:42] + "N", false},
		{"plain too short", Plain, "abc", false},
		{"empty", S256, "", false},
		{"unknown method", "S512", challenge, false},
	} {
		if got := ValidChallenge(c.method, c.challenge); got != c.ok {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestChallengeMethod(t *testing.T) {
	for _, c := range []struct {
		sent, method string
		ok           bool
	}{{"", Plain, true}, {"plain", Plain, true}, {"S256", S256, true}, {"s256", "", false}, {"none", "", false}} {
		if m, ok := ChallengeMethod(c.sent); m != c.method || ok != c.ok {
			t.Errorf("ChallengeMethod(%q) = %q, %v", c.sent, m, ok)
		}
	}
}
