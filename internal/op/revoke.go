package op

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/refresh"
	"mangrove/internal/web"
)

var errNoRevoker = errs.New(errs.Unauthenticated, "invalid_client", "Unauthorized")

// revoke is POST /oauth/revoke (reference/authentication.md §4.6, RFC 7009). It
// answers the same whether or not there was such a token.
func (e *Endpoints) revoke(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, _, err := e.authenticate(ctx, w, r, p)
	if errs.KindOf(err) == errs.Unauthenticated {
		return errNoRevoker
	}
	if err != nil {
		return err
	}
	if p["token"] == "" {
		return errMissing("token")
	}
	if secret, ok := refresh.Parse(p["token"]); ok {
		if err := e.revokeRefresh(ctx, r, c, secret); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", web.TypeJSONPlain)
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeRefresh ends the family of the client's token, and where the tenant says
// so everything that the user granted the client.
func (e *Endpoints) revokeRefresh(ctx context.Context, r *http.Request, c caller, secret refresh.Secret) error {
	family, err := e.d.Refresh.RefreshToken(ctx, secret.Family)
	if errors.Is(err, refresh.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	if family.ClientID != c.ID {
		return nil
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	event := e.event(audit.RefreshRevoked, e.actor(r, c))
	event.UserID = family.UserID
	if t.RevokeWholeGrant {
		_, err = e.d.Refresh.RevokeRefreshOf(ctx, family.UserID, c.ID, event)
	} else {
		_, err = e.d.Refresh.RevokeRefresh(ctx, family.Hash, event)
	}
	return err
}
