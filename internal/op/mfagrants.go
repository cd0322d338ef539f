package op

import (
	"context"
	"errors"
	"maps"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// The grants that go on with one that a second factor interrupted
// (reference/authentication.md §3.10).
const (
	mfaOTP      = "http://auth0.com/oauth/grant-type/mfa-otp"
	mfaOOB      = "http://auth0.com/oauth/grant-type/mfa-oob"
	mfaRecovery = "http://auth0.com/oauth/grant-type/mfa-recovery-code"
)

var (
	errOTPCode     = errs.New(errs.Forbidden, "invalid_grant", "Invalid otp_code.")
	errBindingCode = errs.New(errs.Forbidden, "invalid_grant", "Invalid binding_code.")
)

// mfa makes the handler of one of the grants: needed are its parameters, check
// judges what was shown, wrong words its refusal.
func (e *Endpoints) mfa(needed []string, wrong error, check func(ctx context.Context, t *tokenRequest, u *user.User) (method, recovery string, err error)) func(context.Context, *tokenRequest) (tokenResponse, error) {
	return func(ctx context.Context, t *tokenRequest) (tokenResponse, error) {
		if e.d.Factors == nil {
			return tokenResponse{}, factor.ErrMalformed
		}
		for _, name := range append([]string{"mfa_token"}, needed...) {
			if t.params[name] == "" {
				return tokenResponse{}, errMissing(name)
			}
		}
		m, err := e.d.Factors.Token(ctx, t.params["mfa_token"])
		if err == nil && m.ClientID != t.client.ID {
			err = factor.ErrMalformed
		}
		if err != nil {
			return tokenResponse{}, err
		}
		t.event.UserID = m.UserID
		u, err := e.active(ctx, m.UserID, factor.ErrMalformed)
		if err != nil {
			return tokenResponse{}, err
		}
		v, err := e.wishOf(ctx, t.asking(m.Grant))
		if err != nil {
			return tokenResponse{}, err
		}
		method, recovery, err := check(ctx, t, u)
		if errors.Is(err, factor.ErrWrong) {
			return tokenResponse{}, wrong
		}
		if err != nil {
			return tokenResponse{}, err
		}
		// The proof is used up by now; of two that are right one gets the tokens.
		if err := e.d.Factors.Spend(ctx, m); err != nil {
			return tokenResponse{}, err
		}
		res, err := e.issueUser(ctx, t.client, userTokens{
			user: u, api: v.api, scopes: v.scopes(), gty: m.Grant.Gty,
			methods: append(m.Grant.Methods, method, session.MFA), actor: t.actor,
		})
		res.RecoveryCode = recovery
		return res, err
	}
}

// asking is t with scope and audience of the grant that was interrupted.
func (t *tokenRequest) asking(g factor.Grant) *tokenRequest {
	c := *t
	c.params = maps.Clone(t.params)
	c.params["scope"], c.params["audience"] = g.Scope, g.Audience
	return &c
}

func (t *tokenRequest) shows() factor.Actor {
	return factor.Actor{Actor: t.actor, Language: requestLanguage(t.http)}
}

func (e *Endpoints) showOTP(ctx context.Context, t *tokenRequest, u *user.User) (string, string, error) {
	return session.OTP, "", e.d.Factors.CheckOTP(ctx, u, t.params["otp"], t.shows())
}

func (e *Endpoints) showOOB(ctx context.Context, t *tokenRequest, u *user.User) (string, string, error) {
	kind, err := e.d.Factors.CheckCode(ctx, u, t.params["oob_code"], t.params["binding_code"], t.shows())
	if kind == factor.Phone {
		return session.SMSCode, "", err
	}
	return session.EmailCode, "", err
}

func (e *Endpoints) showRecovery(ctx context.Context, t *tokenRequest, u *user.User) (string, string, error) {
	next, err := e.d.Factors.CheckRecovery(ctx, u, t.params["recovery_code"], t.shows())
	return session.Recovery, next, err
}
