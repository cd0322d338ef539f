package op

import (
	"context"
	"errors"
	"maps"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
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

// mfaGrant is what differs between them.
type mfaGrant struct {
	needed []string // parameters
	wrong  error    // how a refusal is worded
	// check judges what was shown.
	check func(ctx context.Context, t *clientRequest, u *user.User) (method, recovery string, err error)
	// confirm judges the first code of an enrollment that began with an access token
	// for the MFA endpoints; nil: nothing is enrolled so.
	confirm func(ctx context.Context, t *clientRequest, u *user.User, proven bool) (method string, err error)
}

// mfa makes the handler of one of the grants.
func (e *Endpoints) mfa(g mfaGrant) func(context.Context, *clientRequest) (tokenResponse, error) {
	return func(ctx context.Context, t *clientRequest) (tokenResponse, error) {
		if e.d.Factors == nil {
			return tokenResponse{}, factor.ErrMalformed
		}
		for _, name := range append([]string{"mfa_token"}, g.needed...) {
			if t.params[name] == "" {
				return tokenResponse{}, errMissing(name)
			}
		}
		if strings.Contains(t.params["mfa_token"], ".") {
			return e.confirmFactor(ctx, t, g)
		}
		m, err := e.mfaToken(ctx, t.params["mfa_token"], t.client.ID)
		if err != nil {
			return tokenResponse{}, err
		}
		t.event.UserID = m.UserID
		u, err := e.active(ctx, m.UserID, factor.ErrMalformed)
		if err != nil {
			return tokenResponse{}, err
		}
		if err := e.stillUsable(ctx, m.Grant.ConnectionID, t.client.ID); err != nil {
			return tokenResponse{}, err
		}
		v, err := e.wishOf(ctx, t.asking(m.Grant))
		if err != nil {
			return tokenResponse{}, err
		}
		method, recovery, err := g.check(ctx, t, u)
		if errors.Is(err, factor.ErrWrong) {
			return tokenResponse{}, g.wrong
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

// confirmFactor completes an enrollment that began with an access token for the
// MFA endpoints, which comes in the place of the mfa_token. The answer is another
// such token, which says that a second factor was shown.
func (e *Endpoints) confirmFactor(ctx context.Context, t *clientRequest, g mfaGrant) (tokenResponse, error) {
	b, err := e.mfaBearer(ctx, t.params["mfa_token"])
	if errors.Is(err, errToken) || err == nil && (b.ClientID != t.client.ID || g.confirm == nil) {
		return tokenResponse{}, factor.ErrMalformed
	}
	if err != nil {
		return tokenResponse{}, err
	}
	if !b.Has(scopeEnroll) {
		return tokenResponse{}, errFactorScope
	}
	t.event.UserID = b.Subject
	u, err := e.active(ctx, b.Subject, factor.ErrMalformed)
	if err != nil {
		return tokenResponse{}, err
	}
	method, err := g.confirm(ctx, t, u, b.Multifactor)
	if errors.Is(err, factor.ErrWrong) {
		return tokenResponse{}, g.wrong
	}
	if err != nil {
		return tokenResponse{}, err
	}
	return e.issueUser(ctx, t.client, userTokens{
		user: u, api: e.mfaAPI, scopes: oauth.Intersect(b.Scopes, e.mfaAPI.Settings().ScopeValues()), gty: b.GrantType,
		methods: []string{method, session.MFA}, actor: t.actor,
	})
}

// asking is t with scope and audience of the grant that was interrupted.
func (t *clientRequest) asking(g factor.Grant) *clientRequest {
	c := *t
	c.params = maps.Clone(t.params)
	c.params["scope"], c.params["audience"] = g.Scope, g.Audience
	return &c
}

// shows is who shows a proof.
func (t *clientRequest) shows() factor.Actor {
	return factor.Actor{Actor: t.actor, Language: requestLanguage(t.http)}
}

func (e *Endpoints) showOTP(ctx context.Context, t *clientRequest, u *user.User) (string, string, error) {
	return session.OTP, "", e.d.Factors.CheckOTP(ctx, u, t.params["otp"], t.shows())
}

func (e *Endpoints) confirmOTP(ctx context.Context, t *clientRequest, u *user.User, proven bool) (string, error) {
	return session.OTP, e.d.Factors.ConfirmOTP(ctx, u, t.params["otp"], proven, t.shows())
}

func (e *Endpoints) confirmOOB(ctx context.Context, t *clientRequest, u *user.User, proven bool) (string, error) {
	kind, err := e.d.Factors.ConfirmCode(ctx, u, t.params["oob_code"], t.params["binding_code"], proven, t.shows())
	return codeMethod(kind), err
}

// codeMethod is the proof that a code of the kind is.
func codeMethod(k factor.Kind) string {
	if k == factor.Phone {
		return session.SMSCode
	}
	return session.EmailCode
}

func (e *Endpoints) showOOB(ctx context.Context, t *clientRequest, u *user.User) (string, string, error) {
	kind, err := e.d.Factors.CheckCode(ctx, u, t.params["oob_code"], t.params["binding_code"], t.shows())
	return codeMethod(kind), "", err
}

func (e *Endpoints) showRecovery(ctx context.Context, t *clientRequest, u *user.User) (string, string, error) {
	next, err := e.d.Factors.CheckRecovery(ctx, u, t.params["recovery_code"], t.shows())
	return session.Recovery, next, err
}
