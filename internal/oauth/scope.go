package oauth

import (
	"slices"
	"strings"
)

// OIDCScopes are the scopes that OpenID Connect defines, which every user grant may
// ask for, in the order of the recorded answer to a password grant without scope.
var OIDCScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// ParseScope splits at blanks, drops doubles, keeps the order. Nil for none.
func ParseScope(s string) []string {
	fields := strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' })
	if len(fields) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(fields))
	out := fields[:0]
	for _, f := range fields {
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}

// Intersect keeps of requested what allowed has, in the order of the request.
func Intersect(requested, allowed []string) []string {
	has := make(map[string]bool, len(allowed))
	for _, a := range allowed {
		has[a] = true
	}
	var out []string
	for _, r := range requested {
		if has[r] {
			out = append(out, r)
		}
	}
	return out
}

// Without keeps of requested what known has not, in the order of the request.
func Without(requested, known []string) []string {
	var out []string
	for _, r := range requested {
		if !slices.Contains(known, r) {
			out = append(out, r)
		}
	}
	return out
}
