package op

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/grant"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/token"
)

// api finds the resource server of an audience. The Management API answers to
// every host that the server is reached by: clients derive its audience from
// the address they were given (reference/authentication.md §6.1). The token is
// for the API's one identifier all the same.
func (e *Endpoints) api(r *http.Request, audience string) (*resourceserver.ResourceServer, error) {
	rs, err := e.apiNamed(r.Context(), audience)
	if errors.Is(err, resourceserver.ErrNotFound) && managementAlias(audience, r.Host) {
		return e.d.ResourceServers.ResourceServerByIdentifier(r.Context(), e.ManagementAudience())
	}
	if errors.Is(err, resourceserver.ErrNotFound) && alias(audience, r.Host, "/mfa/") {
		return e.mfaAPI, nil
	}
	return rs, err
}

// apiNamed finds the API with exactly that identifier.
func (e *Endpoints) apiNamed(ctx context.Context, identifier string) (*resourceserver.ResourceServer, error) {
	if identifier == e.mfaAPI.Identifier {
		return e.mfaAPI, nil
	}
	return e.d.ResourceServers.ResourceServerByIdentifier(ctx, identifier)
}

// managementAlias reports whether the audience is the Management API as seen
// under the host that the request came in by.
func managementAlias(audience, host string) bool {
	return alias(audience, host, "/api/v2/")
}

// alias reports whether the audience is that path under the host.
func alias(audience, host, path string) bool {
	return host != "" && (audience == "https://"+host+path || audience == "http://"+host+path)
}

// signable refuses APIs that want tokens signed in a way that we do not offer,
// rather than give them tokens of another kind.
func signable(s *resourceserver.Settings) error {
	if !(token.Signing{Alg: s.SigningAlg, Secret: s.SigningSecret}).Known() {
		return errs.New(errs.Forbidden, "access_denied", "The API asks for access tokens signed with %s, which this server cannot do.", clip(s.SigningAlg))
	}
	return nil
}

// grantFor is the client's grant for the API and the kind of subject, a client
// or a user: the scopes that it allows, and whether there is one.
func (e *Endpoints) grantFor(ctx context.Context, c *client.Client, rs *resourceserver.ResourceServer, kind func(*grant.Grant) bool) ([]string, bool, error) {
	g, err := e.d.Grants.GrantFor(ctx, c.ID, rs.Identifier)
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !kind(g):
		return nil, false, nil
	case g.AllowAllScopes():
		return rs.Settings().ScopeValues(), true, nil
	}
	return slices.Clone(g.Scope), true, nil
}

// userAPI are the scopes of the API that the client's users may have: those about
// the user's own record for the Management API. What one user may have of them is
// narrow's business. refused: no user may have a token for it.
func (e *Endpoints) userAPI(ctx context.Context, c *client.Client, rs *resourceserver.ResourceServer) (scopes []string, refused bool, err error) {
	s := rs.Settings()
	if err := signable(s); err != nil {
		return nil, false, err
	}
	if rs == e.mfaAPI && !c.Settings().IsFirstParty {
		// What keeps others out of an account is not a third party's to change.
		return nil, true, nil
	}
	scopes = apiScopes(s)
	switch s.UserPolicy {
	case resourceserver.AllowAll:
		return scopes, false, nil
	case resourceserver.RequireGrant:
		granted, ok, err := e.grantFor(ctx, c, rs, (*grant.Grant).ForUser)
		return oauth.Intersect(scopes, granted), !ok, err
	default:
		return nil, true, nil
	}
}
