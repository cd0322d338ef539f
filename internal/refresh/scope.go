package refresh

import (
	"slices"

	"mangrove/internal/client"
	"mangrove/internal/oauth"
)

// Ask is what an exchange asks for. Empty Scope: all; empty Audience: the token's own.
type Ask struct {
	Audience string
	Scope    []string
}

// Given is what an exchange may give, before anybody looked at what the API, the
// client's grant and the user have today.
type Given struct {
	Audience string
	Scope    []string
}

// Gives decides what the token gives to an ask: of its own API what it was issued
// for and no more; of another API what the client's policy says, if there is one.
// A client without policies that names an audience gets what it always got; ok is
// false where one with policies asks for what none of them lists.
func (t *Token) Gives(ask Ask, policies []client.RefreshPolicy) (g Given, ok bool) {
	g = Given{Audience: t.Audience, Scope: t.Scope}
	if ask.Audience != "" && ask.Audience != t.Audience && len(policies) > 0 {
		at := slices.IndexFunc(policies, func(p client.RefreshPolicy) bool { return p.Audience == ask.Audience })
		if at < 0 {
			return Given{}, false
		}
		// What OpenID Connect defines belongs to the user, whatever API it is for.
		g = Given{Audience: ask.Audience, Scope: slices.Concat(oauth.Intersect(t.Scope, oauth.OIDCScopes), policies[at].Scope)}
	}
	if len(ask.Scope) > 0 {
		g.Scope = oauth.Intersect(ask.Scope, g.Scope)
	}
	return g, true
}
