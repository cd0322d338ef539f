package op

import (
	"context"
	"strings"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// opaqueLifetime of a /userinfo token in seconds (reference/authentication.md §3.2).
const opaqueLifetime = 86400

// userTokens are what a user grant hands out.
type userTokens struct {
	user *user.User
	api  *resourceserver.ResourceServer // nil: a token for /userinfo
	// scopes are what the client may have for its users; what this one user may
	// have of them is looked at here.
	scopes []string
	gty    string
	// methods are the proofs of the sign-in (session.Password, …).
	methods []string
	// actor is who asks, for the list of refresh tokens; zero: not known.
	actor user.Actor

	// Of an authorization code; zero otherwise.
	codeHash, nonce string
	sessionID       string
	authTime        int64 // seconds; zero: the ID token does not tell

	// front is what goes through the browser; zero: the answer of the token
	// endpoint. There are no refresh tokens in it.
	front oauth.Response
	code  string // in the same answer
	// signedInAt, in microseconds, is what a refresh token remembers; zero: authTime.
	signedInAt int64
}

// issueUser mints the tokens of a user grant.
func (e *Endpoints) issueUser(ctx context.Context, c caller, u userTokens) (tokenResponse, error) {
	res, opaque, err := e.mintUser(ctx, c, &u)
	if err != nil {
		return tokenResponse{}, err
	}
	if !u.front.FrontChannel() && contains(u.scopes, offlineAccess) {
		if res.RefreshToken, err = e.startRefresh(ctx, c, &u); err != nil {
			return tokenResponse{}, err
		}
	}
	if opaque != nil {
		err = e.d.Tokens.SaveOpaque(ctx, *opaque)
	}
	return res, err
}

// mintUser is issueUser without anything that is stored: u.scopes become those
// that are granted, and an opaque access token is the caller's to save.
func (e *Endpoints) mintUser(ctx context.Context, c caller, u *userTokens) (res tokenResponse, opaque *token.Opaque, err error) {
	idSigning, err := idTokenSigning(c.Client, u.scopes)
	if err != nil {
		return res, nil, err
	}
	var permissions []string
	if u.scopes, permissions, err = e.narrow(ctx, c.Client, u.api, u.user.ID, u.scopes); err != nil {
		return res, nil, err
	}
	front := u.front.FrontChannel()
	if front {
		u.scopes = oauth.Without(u.scopes, []string{offlineAccess})
	}
	res.Scope, res.ExpiresIn = strings.Join(u.scopes, " "), opaqueLifetime
	if front {
		res.ExpiresIn = resourceserver.DefaultTokenLifetimeForWeb
	}
	openid := contains(u.scopes, "openid")
	if !front || u.front.Token {
		if opaque, err = e.mintAccess(ctx, c, u, permissions, &res); err != nil {
			return tokenResponse{}, nil, err
		}
	}
	if !openid || front && !u.front.IDToken {
		return res, opaque, nil
	}
	res.IDToken, err = e.mint.IDToken(ctx, token.Identity{
		Subject:     string(u.user.ID),
		ClientID:    c.ID,
		Lifetime:    time.Duration(c.Settings().IDTokenLifetime) * time.Second,
		Claims:      token.Claims(u.user, u.scopes),
		Nonce:       u.nonce,
		SessionID:   u.sessionID,
		AuthTime:    u.authTime,
		Multifactor: contains(u.methods, session.MFA),
		AccessToken: res.AccessToken,
		Code:        u.code,
		Signing:     idSigning,
	})
	return res, opaque, err
}

// mintAccess makes the access token of res: a JWT for the API, or an opaque one for
// /userinfo, which the caller has to save.
func (e *Endpoints) mintAccess(ctx context.Context, c caller, u *userTokens, permissions []string, res *tokenResponse) (*token.Opaque, error) {
	front := u.front.FrontChannel()
	if u.api == nil {
		res.AccessToken = token.NewSecret()
		opaque := &token.Opaque{
			Hash:      token.HashOf(res.AccessToken),
			UserID:    string(u.user.ID),
			ClientID:  c.ID,
			Scope:     res.Scope,
			CodeHash:  u.codeHash,
			SessionID: u.sessionID,
			ExpiresAt: e.d.Now().Add(time.Duration(res.ExpiresIn) * time.Second).UnixMicro(),
		}
		if front {
			opaque.CodeHash = "" // the code is not what it was given for
		}
		return opaque, nil
	}
	s := u.api.Settings()
	res.ExpiresIn = s.TokenLifetime
	if front {
		res.ExpiresIn = s.TokenLifetimeForWeb
	}
	a := access(s, c.ID, string(u.user.ID), u.scopes)
	a.Lifetime = time.Duration(res.ExpiresIn) * time.Second
	a.Audience = []string{u.api.Identifier}
	// Who reads an HS256 token could have made it: it says nothing to /userinfo.
	if contains(u.scopes, "openid") && s.SigningAlg != token.HS256 && u.api != e.mfaAPI {
		a.Audience = append(a.Audience, e.userinfoAudience())
	}
	a.GrantType = u.gty
	a.Multifactor = u.api == e.mfaAPI && contains(u.methods, session.MFA)
	if s.EnforcePolicies && authz(s) {
		a.Permissions = append([]string{}, permissions...)
	}
	text, err := e.mint.AccessToken(ctx, a)
	res.AccessToken = text
	return nil, err
}

// idTokenSigning is how the client's ID tokens are signed, if the scopes ask for
// one. A client without a secret cannot check what is signed with it: then
// nothing is issued at all.
func idTokenSigning(c *client.Client, scopes []string) (token.Signing, error) {
	s := token.Signing{Alg: c.Settings().IDTokenAlg}
	if !contains(scopes, "openid") {
		return s, nil
	}
	if !c.Settings().Public() {
		s.Secret = c.Secret
	}
	if !s.Known() {
		return s, errs.New(errs.Invalid, "invalid_request", "ID tokens of this client cannot be signed with %s.", clip(s.Alg))
	}
	return s, nil
}

// access is what every access token for the API has.
func access(s *resourceserver.Settings, clientID, subject string, scopes []string) token.Access {
	a := token.Access{
		Subject:  subject,
		ClientID: clientID,
		Scopes:   scopes,
		Lifetime: time.Duration(s.TokenLifetime) * time.Second,
		Signing:  token.Signing{Alg: s.SigningAlg, Secret: s.SigningSecret},
	}
	if strings.HasPrefix(s.TokenDialect, "rfc9068_profile") {
		a.ID = token.NewSecret()
	}
	return a
}

// authz reports a dialect whose tokens carry permissions.
func authz(s *resourceserver.Settings) bool { return strings.HasSuffix(s.TokenDialect, "_authz") }
