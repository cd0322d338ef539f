package op

import (
	"context"
	"errors"

	"mangrove/internal/errs"
	"mangrove/internal/resourceserver"
)

// wish is what a user grant at the token endpoint asks for, as far as the client
// may have it. It is looked at before anything about the user is: that costs more.
type wish struct {
	requested []string
	api       *resourceserver.ResourceServer // nil: a token for /userinfo
	allowed   []string                       // scopes of the API
}

// scopes is what is granted.
func (v wish) scopes() []string { return grantScopes(v.requested, true, v.allowed) }

// audience is what the request asks for, or the tenant's default; empty: none.
func (e *Endpoints) audience(ctx context.Context, p map[string]string) (string, error) {
	if p["audience"] != "" {
		return p["audience"], nil
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return "", err
	}
	return t.DefaultAudience, nil
}

// wishOf reads scope and audience of a request.
func (e *Endpoints) wishOf(ctx context.Context, t *clientRequest) (v wish, err error) {
	c, p := t.client, t.params
	if !c.Settings().IsFirstParty {
		return wish{}, errThirdParty
	}
	if v.requested, err = scopeParam(p["scope"]); err != nil {
		return wish{}, err
	}
	if _, err := idTokenSigning(c.Client, v.scopes()); err != nil {
		return wish{}, err
	}
	audience, err := e.audience(ctx, p)
	if err != nil {
		return wish{}, err
	}
	if audience == "" || audience == e.userinfoAudience() {
		return v, nil
	}
	var refused bool
	if v.api, err = e.api(t.http, audience); err == nil {
		v.allowed, refused, err = e.userAPI(ctx, c.Client, v.api)
	}
	switch {
	case errors.Is(err, resourceserver.ErrNotFound):
		return wish{}, errs.New(errs.Forbidden, "access_denied", "Service not enabled within domain: %s", audience)
	case err != nil:
		return wish{}, err
	case refused:
		return wish{}, errs.New(errs.Forbidden, "access_denied", `Client is not authorized to access "%s".`, audience)
	}
	return v, nil
}
