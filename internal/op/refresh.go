package op

import (
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/refresh"
	"mangrove/internal/resourceserver"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// startRefresh begins the refresh token of a grant that has offline_access.
func (e *Endpoints) startRefresh(ctx context.Context, c caller, u *userTokens) (string, error) {
	now := e.d.Now().UnixMicro()
	text, secret := refresh.New()
	t := &refresh.Token{
		UserID: string(u.user.ID), ClientID: c.ID, SessionID: u.sessionID, CodeHash: u.codeHash,
		Scope: u.scopes, Methods: u.methods, AuthTime: u.signedInAt, WantsAuthTime: u.authTime != 0,
		Device: refresh.Device{InitialIP: u.actor.IP, InitialUserAgent: u.actor.UserAgent, LastIP: u.actor.IP, LastUserAgent: u.actor.UserAgent},
	}
	if t.AuthTime == 0 {
		t.AuthTime = u.authTime * time.Second.Microseconds()
	}
	if t.AuthTime == 0 {
		t.AuthTime = now
	}
	if u.api != nil {
		t.Audience = u.api.Identifier
	}
	t.Begin(secret, c.Settings().RefreshToken, now)
	by := e.event(audit.ResourceCleanup, user.Actor{ClientID: c.ID, IP: u.actor.IP, UserAgent: u.actor.UserAgent})
	by.UserID = t.UserID
	return text, e.d.Refresh.StartRefresh(ctx, t, by)
}

// rounds bounds how often an exchange begins anew because another one of the same
// token was faster. The next look at a rotated token tells.
const rounds = 5

// refreshToken gives new tokens for a refresh token (reference/authentication.md
// §3.8). What it was issued for may have changed since: the user, the API, the
// client's grant for it.
func (e *Endpoints) refreshToken(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	text := t.params["refresh_token"]
	if text == "" {
		return tokenResponse{}, errMissing("refresh_token")
	}
	secret, ok := refresh.Parse(text)
	if !ok {
		return tokenResponse{}, refresh.ErrUnknown
	}
	requested, err := scopeParam(t.params["scope"])
	if err != nil {
		return tokenResponse{}, err
	}
	ask := refresh.Ask{Audience: t.params["audience"], Scope: requested}
	for range rounds {
		res, err := e.exchange(ctx, t, text, secret, ask)
		if !errors.Is(err, refresh.ErrChanged) {
			return res, err
		}
	}
	return tokenResponse{}, errBusy
}

var errBusy = errs.New(errs.Unavailable, "temporarily_unavailable", "The refresh token is used by too many at once.")

func (e *Endpoints) exchange(ctx context.Context, t *clientRequest, text string, secret refresh.Secret, ask refresh.Ask) (tokenResponse, error) {
	family, err := e.d.Refresh.RefreshToken(ctx, secret.Family)
	if err != nil {
		return tokenResponse{}, err
	}
	if family.ClientID != t.client.ID {
		return tokenResponse{}, refresh.ErrUnknown
	}
	t.event.UserID = family.UserID
	policy := t.client.Settings().RefreshToken
	now := e.d.Now().UnixMicro()
	verdict := family.Judge(secret.Leaf, policy, now)
	switch verdict {
	case refresh.Over:
		return tokenResponse{}, e.lost(ctx, family)
	case refresh.Reused:
		return tokenResponse{}, e.reused(ctx, t, family)
	}
	u, err := e.active(ctx, family.UserID, refresh.ErrUserGone)
	if err != nil {
		return tokenResponse{}, err
	}
	tokens, err := e.renewed(ctx, t, family, u, ask)
	if err != nil {
		return tokenResponse{}, err
	}
	res, opaque, err := e.mintUser(ctx, t.client, &tokens)
	if err != nil {
		return tokenResponse{}, err
	}
	var next refresh.Secret
	if verdict == refresh.Rotate {
		res.RefreshToken, next = refresh.Successor(text)
	}
	x := family.Exchanged(secret.Leaf, next.Leaf, policy, now)
	x.IP, x.UserAgent, x.Opaque = t.actor.IP, t.actor.UserAgent, opaque
	x.Event = t.event
	x.Event.Type, x.Event.Details = audit.RefreshOK, details(audienceName(tokens.api), res.Scope)
	if err := e.d.Refresh.ExchangeRefresh(ctx, x); err != nil {
		return tokenResponse{}, err
	}
	t.recorded = true
	return res, nil
}

func audienceName(api *resourceserver.ResourceServer) string {
	if api == nil {
		return ""
	}
	return api.Identifier
}

// lost words why a token is over. The user's state is told to whoever held the
// token, since applications compare it.
func (e *Endpoints) lost(ctx context.Context, family *refresh.Token) error {
	if family.EndedAt == 0 {
		return refresh.ErrUnknown
	}
	if _, err := e.active(ctx, family.UserID, refresh.ErrUserGone); err != nil {
		return err
	}
	return refresh.ErrUnknown
}

// reused ends the family of a token that came twice: one of the two who hold it
// stole it.
func (e *Endpoints) reused(ctx context.Context, t *clientRequest, family *refresh.Token) error {
	event := t.event
	event.Type, event.Description = audit.RefreshReused, "A refresh token was used again; all that came of the same sign-in were revoked."
	// Who calls off the request must not save the family by it.
	was, err := e.d.Refresh.RevokeRefresh(context.WithoutCancel(ctx), family.Hash, event)
	if err != nil {
		return err
	}
	t.recorded = was
	return refresh.ErrUnknown
}

// renewed is what the token may still give: of what it was issued for, what the
// API has, the client's grant allows and the policy lists today.
func (e *Endpoints) renewed(ctx context.Context, t *clientRequest, family *refresh.Token, u *user.User, ask refresh.Ask) (userTokens, error) {
	c := t.client
	tokens := userTokens{user: u, gty: token.GrantRefresh, methods: family.Methods, sessionID: family.SessionID}
	if family.WantsAuthTime {
		tokens.authTime = time.UnixMicro(family.AuthTime).Unix()
	}
	given, ok := family.Gives(ask, c.Settings().RefreshToken.Policies)
	if !ok {
		return tokens, errs.New(errs.Forbidden, "access_denied", `Client is not authorized to access "%s".`, clip(ask.Audience))
	}
	var allowed []string
	if given.Audience != "" {
		api, err := e.d.ResourceServers.ResourceServerByIdentifier(ctx, given.Audience)
		if errors.Is(err, resourceserver.ErrNotFound) {
			return tokens, errs.New(errs.Forbidden, "access_denied", "Service not enabled within domain: %s", given.Audience)
		}
		if err != nil {
			return tokens, err
		}
		var refused bool
		if allowed, refused, err = e.userAPI(ctx, c.Client, api); err != nil {
			return tokens, err
		}
		if refused {
			return tokens, errs.New(errs.Forbidden, "access_denied", `Client is not authorized to access "%s".`, given.Audience)
		}
		if !api.Settings().AllowOfflineAccess {
			return tokens, refresh.ErrUnknown
		}
		tokens.api = api
	}
	tokens.scopes = oauth.Intersect(given.Scope, slices.Concat(oauth.OIDCScopes, allowed))
	return tokens, nil
}
