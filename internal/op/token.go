package op

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The grant types of POST /oauth/token (reference/authentication.md §3.4).
const (
	clientCredentials = "client_credentials"
	authorizationCode = "authorization_code"
	password          = "password"
	passwordRealm     = "http://auth0.com/oauth/grant-type/password-realm"
	refreshGrant      = "refresh_token"
	deviceGrant       = "urn:ietf:params:oauth:grant-type:device_code"
	approvalGrant     = "urn:openid:params:grant-type:ciba"
)

// grantType is what differs between grants. The endpoint has checked the client
// and its right to the grant before handle is called.
type grantType struct {
	success, failure string // event types
	handle           func(ctx context.Context, t *clientRequest) (tokenResponse, error)
}

// tokenResponse is the success body, members in the order of §3.2.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	TokenType    string `json:"token_type"`
	RecoveryCode string `json:"recovery_code,omitempty"` // takes the place of the one that was redeemed
}

// token is POST /oauth/token: grant type, client, its right to the grant, then
// the grant itself. Each outcome is recorded before it is told.
func (e *Endpoints) token(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	name := p["grant_type"]
	if name == "" {
		return errMissing("grant_type")
	}
	g, ok := e.grants[name]
	if !ok {
		return errs.New(errs.Forbidden, "unsupported_grant_type", "Unsupported grant type: %s", clip(name))
	}
	ctx := r.Context()
	t, err := e.identify(w, r, p, g.failure)
	if err == nil && !t.client.Settings().Allows(name) {
		err = errGrantType(name)
	}
	var res tokenResponse
	if err == nil {
		res, err = g.handle(ctx, t)
	}
	if err != nil {
		return e.refused(ctx, t, err)
	}
	if !t.recorded {
		t.event.Type = g.success
		if err := e.d.Audit.AppendEvents(ctx, t.event); err != nil {
			return err
		}
	}
	res.TokenType = "Bearer"
	web.WriteJSON(w, http.StatusOK, web.TypeJSONPlain, res)
	return nil
}

// clip bounds what a stranger can put into a record or an answer.
func clip(s string) string { return web.Printable(s, 128) }

// active reads the user as of now: codes and tokens outlive changes. gone is the
// failure for a user who no longer exists.
func (e *Endpoints) active(ctx context.Context, id string, gone error) (*user.User, error) {
	u, err := e.d.UserStore.User(ctx, user.ID(id))
	if errors.Is(err, user.ErrNotFound) {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	if u.Profile.True(profile.Blocked) {
		return nil, user.ErrBlocked
	}
	return u, nil
}
