package op

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/token"
)

// authorizationCode takes a code back (reference/authentication.md §3.5). The
// code is spent by the attempt: whoever holds a code without the rest gets one try.
func (e *Endpoints) authorizationCode(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	p := t.params
	if p["code"] == "" {
		return tokenResponse{}, errMissing("code")
	}
	hash := token.HashOf(p["code"])
	code, err := e.d.Tokens.RedeemCode(ctx, hash, e.d.Now().UnixMicro())
	if err != nil {
		return tokenResponse{}, err
	}
	t.event.UserID = code.UserID
	settings, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return tokenResponse{}, err
	}
	if err := redeemable(code, t.client, p["redirect_uri"], p["code_verifier"], needsS256(t.client.Settings(), settings)); err != nil {
		return tokenResponse{}, err
	}
	u, err := e.active(ctx, code.UserID, token.ErrCode)
	if err != nil {
		return tokenResponse{}, err
	}
	if err := e.stillUsable(ctx, code.ConnectionID, t.client.ID); err != nil {
		return tokenResponse{}, err
	}
	tokens := userTokens{
		user:       u,
		scopes:     oauth.ParseScope(code.Scope),
		codeHash:   hash,
		nonce:      code.Nonce,
		sessionID:  code.SessionID,
		methods:    strings.Fields(code.Methods),
		signedInAt: code.AuthTime,
		actor:      t.actor,
	}
	if code.WantsAuthTime {
		tokens.authTime = time.UnixMicro(code.AuthTime).Unix()
	}
	if code.Audience != "" {
		tokens.api, err = e.apiNamed(ctx, code.Audience)
		if errors.Is(err, resourceserver.ErrNotFound) {
			return tokenResponse{}, errs.New(errs.Forbidden, "access_denied", "Service not enabled within domain: %s", code.Audience)
		}
		if err != nil {
			return tokenResponse{}, err
		}
		if err := signable(tokens.api.Settings()); err != nil {
			return tokenResponse{}, err
		}
	}
	t.event.Details = details(code.Audience, code.Scope)
	return e.issueUser(ctx, t.client, tokens)
}

// redeemable is the rule of who may redeem a code and with what; strict: with
// S256 alone.
func redeemable(code token.Code, c caller, redirectURI, verifier string, strict bool) error {
	if subtle.ConstantTimeCompare([]byte(code.ClientID), []byte(c.ID)) != 1 {
		return token.ErrCode
	}
	if redirectURI != code.RedirectURI {
		return errs.New(errs.Forbidden, "invalid_grant", "The redirect URI is wrong. You sent %s, and we expected %s", clip(redirectURI), code.RedirectURI)
	}
	switch {
	case code.Challenge == "" && verifier != "":
		// Somebody took the challenge out of the authorization request (RFC 9700 §2.1.1).
		return errVerifier
	case code.Challenge != "" && verifier == "":
		return errNoVerifier
	case code.Challenge != "" && !oauth.VerifyChallenge(code.Method, code.Challenge, verifier):
		return errVerifier
	case strict && code.Method != oauth.S256:
		// The client became a public one, or the tenant a strict one, after the code was issued.
		return errVerifier
	}
	return nil
}
