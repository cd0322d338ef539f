package op

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// userScopes are the scopes that a user grant gets without asking for any.
var userScopes = oauth.Without(oauth.OIDCScopes, []string{offlineAccess})

// offlineAccess asks for a refresh token. It has to be asked for by name.
const offlineAccess = "offline_access"

// scopeParam reads the scope parameter: a list of words, or the JSON array that
// JSON bodies may have instead. Error: web.ErrScope.
func scopeParam(text string) ([]string, error) {
	switch {
	case strings.HasPrefix(text, "["):
		var list []string
		if json.Unmarshal([]byte(text), &list) != nil {
			return nil, web.ErrScope
		}
		return oauth.ParseScope(strings.Join(list, " ")), nil
	case strings.HasPrefix(text, "{"):
		return nil, web.ErrScope
	}
	return oauth.ParseScope(text), nil
}

// apiScopes are the scopes of an API that users may be given without a grant. Of a
// role-based API a user gets those that held has, too.
func apiScopes(s *resourceserver.Settings) []string {
	if s.System {
		return slices.DeleteFunc(s.ScopeValues(), func(v string) bool { return !strings.Contains(v, ":current_user") })
	}
	return s.ScopeValues()
}

// held is what is left of the scopes of a role-based API for a user with the
// permissions; what OpenID Connect defines is about the user alone and stays.
func held(scopes, permissions []string) []string {
	return oauth.Intersect(scopes, slices.Concat(oauth.OIDCScopes, permissions))
}

// mayRefresh reports whether a client may keep a refresh token for the API (nil:
// /userinfo).
func mayRefresh(c *client.Settings, api *resourceserver.Settings) bool {
	return c.Allows(refreshGrant) && (api == nil || api.AllowOfflineAccess)
}

// narrow keeps of the scopes what this user and this client may have today, and
// tells the user's permissions on a role-based API.
func (e *Endpoints) narrow(ctx context.Context, c *client.Client, api *resourceserver.ResourceServer, id user.ID, scopes []string) (kept, permissions []string, err error) {
	var s *resourceserver.Settings
	if api != nil {
		s = api.Settings()
	}
	if !mayRefresh(c.Settings(), s) {
		scopes = oauth.Without(scopes, []string{offlineAccess})
	}
	if s == nil || !s.EnforcePolicies {
		return scopes, nil, nil
	}
	direct, roles, err := e.d.Permissions.UserPermissions(ctx, string(id))
	if err != nil {
		return nil, nil, err
	}
	for _, h := range role.Effective(direct, roles) {
		if h.API == api.Identifier {
			permissions = append(permissions, h.Name)
		}
	}
	return held(scopes, permissions), permissions, nil
}

// grantScopes is what a user grant gets: of the requested what is allowed, in
// the order of the request; everything, when nothing was requested and all is set.
func grantScopes(requested []string, all bool, api []string) []string {
	allowed := slices.Concat(userScopes, api)
	if len(requested) == 0 && all {
		return oauth.ParseScope(strings.Join(allowed, " "))
	}
	return oauth.Intersect(requested, append(allowed, offlineAccess))
}
