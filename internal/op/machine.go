package op

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/grant"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/token"
)

// clientCredentials is a client asking for itself (reference/authentication.md §3.6).
func (e *Endpoints) clientCredentials(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	c := t.client
	if !c.proven {
		return tokenResponse{}, errClient
	}
	audience, err := e.audience(ctx, t.params)
	if err != nil {
		return tokenResponse{}, err
	}
	if audience == "" {
		return tokenResponse{}, errNoAudience
	}
	requested, err := scopeParam(t.params["scope"])
	if err != nil {
		return tokenResponse{}, err
	}
	rs, err := e.api(t.http, audience)
	if errors.Is(err, resourceserver.ErrNotFound) {
		return tokenResponse{}, errs.New(errs.Forbidden, "access_denied", "Service not enabled within domain: %s", audience)
	}
	if err != nil {
		return tokenResponse{}, err
	}
	s := rs.Settings()
	if err := signable(s); err != nil {
		return tokenResponse{}, err
	}
	allowed, ok, err := e.grantFor(ctx, c.Client, rs, (*grant.Grant).ForClient)
	if err != nil {
		return tokenResponse{}, err
	}
	if !ok || s.ClientPolicy == resourceserver.DenyAll {
		return tokenResponse{}, errs.New(errs.Forbidden, "access_denied",
			`Client is not authorized to access "%s". You might probably want to create a "client-grant" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants`, audience)
	}
	scopes := allowed
	if len(requested) > 0 {
		scopes = oauth.Intersect(requested, allowed)
	}
	a := access(s, c.ID, c.ID+"@clients", scopes)
	a.Audience = []string{rs.Identifier}
	a.GrantType = token.GrantClientCredentials
	if authz(s) {
		a.Permissions = append([]string{}, scopes...)
	}
	text, err := e.mint.AccessToken(ctx, a)
	if err != nil {
		return tokenResponse{}, err
	}
	scope := strings.Join(scopes, " ")
	t.event.Details = details(rs.Identifier, scope)
	return tokenResponse{AccessToken: text, Scope: scope, ExpiresIn: s.TokenLifetime}, nil
}

// details of the record of an exchange.
func details(audience, scope string) json.RawMessage {
	b, _ := json.Marshal(struct { // two strings always encode
		Audience string `json:"audience"`
		Scope    string `json:"scope"`
	}{audience, scope})
	return b
}
