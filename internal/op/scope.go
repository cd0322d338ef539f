package op

import (
	"encoding/json"
	"slices"
	"strings"

	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
)

// userScopes are the scopes that every user grant may have, in the order of the
// recorded answer to a password grant without scope. There are no refresh
// tokens, so offline_access is not among them.
var userScopes = []string{"openid", "profile", "email", "address", "phone"}

// scopeParam reads the scope parameter: a list of words, or the JSON array that
// JSON bodies may have instead.
func scopeParam(text string) ([]string, error) {
	switch {
	case strings.HasPrefix(text, "["):
		var list []string
		if json.Unmarshal([]byte(text), &list) != nil {
			return nil, errScopeType
		}
		return oauth.ParseScope(strings.Join(list, " ")), nil
	case strings.HasPrefix(text, "{"):
		return nil, errScopeType
	}
	return oauth.ParseScope(text), nil
}

// apiScopes are the scopes of an API that a user may be given without a grant.
func apiScopes(s *resourceserver.Settings) []string {
	switch {
	case s.EnforcePolicies:
		return nil
	case s.System:
		return slices.DeleteFunc(s.ScopeValues(), func(v string) bool { return !strings.Contains(v, ":current_user") })
	}
	return s.ScopeValues()
}

// grantScopes is what a user grant gets: of the requested what is allowed, in
// the order of the request; everything, when nothing was requested and all is set.
func grantScopes(requested []string, all bool, api []string) []string {
	allowed := slices.Concat(userScopes, api)
	if len(requested) == 0 && all {
		return oauth.ParseScope(strings.Join(allowed, " "))
	}
	return oauth.Intersect(requested, allowed)
}
