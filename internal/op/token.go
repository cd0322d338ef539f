package op

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/token"
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
	handle           func(ctx context.Context, t *tokenRequest) (tokenResponse, error)
}

// tokenRequest is a request of a client that may use the grant. The grants fill
// in what the records should say.
type tokenRequest struct {
	params map[string]string
	client caller
	actor  user.Actor
	http   *http.Request

	event audit.Event // for the record of the outcome
	// recorded: the use case keeps its own record of the outcome.
	recorded bool
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
	c, id, err := e.authenticate(ctx, w, r, p)
	t := &tokenRequest{params: p, client: c, http: r}
	if c.Client != nil {
		t.actor = e.actor(r, c)
	} else {
		t.actor = user.Actor{ClientID: clip(id), IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	}
	t.event = e.event(g.failure, t.actor)
	if err == nil && !c.Settings().Allows(name) {
		err = errGrantType(name)
	}
	var res tokenResponse
	if err == nil {
		res, err = g.handle(ctx, t)
	}
	if err != nil {
		if !t.recorded {
			t.event.Description = problemOf(err).text
			// The refusal stands whether or not it could be recorded.
			_ = e.d.Audit.AppendEvents(context.WithoutCancel(ctx), t.event)
		}
		return err
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

// event starts a record.
func (e *Endpoints) event(kind string, a user.Actor) audit.Event {
	return audit.Event{Type: kind, At: e.d.Now().UnixMicro(), ClientID: a.ClientID, IP: a.IP, UserAgent: a.UserAgent}
}

// clip bounds what a stranger can put into a record or an answer.
func clip(s string) string { return web.Printable(s, 128) }

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
	switch {
	case front && !u.front.Token:
	case u.api == nil:
		res.AccessToken = token.NewSecret()
		opaque = &token.Opaque{
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
	default:
		s := u.api.Settings()
		res.ExpiresIn = s.TokenLifetime
		if front {
			res.ExpiresIn = s.TokenLifetimeForWeb
		}
		a := access(s, c.ID, string(u.user.ID), u.scopes)
		a.Lifetime = time.Duration(res.ExpiresIn) * time.Second
		a.Audience = []string{u.api.Identifier}
		// Who reads an HS256 token could have made it: it says nothing to /userinfo.
		if openid && s.SigningAlg != token.HS256 && u.api != e.mfaAPI {
			a.Audience = append(a.Audience, e.userinfoAudience())
		}
		a.GrantType = u.gty
		a.Multifactor = u.api == e.mfaAPI && contains(u.methods, session.MFA)
		if s.EnforcePolicies && authz(s) {
			a.Permissions = append([]string{}, permissions...)
		}
		if res.AccessToken, err = e.mint.AccessToken(ctx, a); err != nil {
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
