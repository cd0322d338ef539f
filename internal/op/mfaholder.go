package op

import (
	"context"
	"net/http"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of who wants to see or change factors (reference/authentication.md §3.10).
var (
	errFactorProof = errs.New(errs.Forbidden, "access_denied", "Multifactor authentication required")
	errFactorScope = errs.New(errs.Forbidden, "insufficient_scope", "The access token lacks the scope for this operation.")
)

// mfaEndpoint is one of the endpoints of second factors. Where there are none, no
// token is good for it.
func (e *Endpoints) mfaEndpoint(h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		web.NoStore(w)
		if e.d.Factors == nil {
			return factor.ErrMalformed
		}
		return h(w, r)
	}
}

// scopeEnroll is that of POST /mfa/associate.
const scopeEnroll = "enroll"

// mfaHolder is whose bearer token it is.
type mfaHolder struct {
	user  *user.User
	actor user.Actor
	// proven: a second factor was shown for the token. The factors of somebody who
	// has one are not changed without.
	proven bool
}

// mfaHolder reads the bearer token: an mfa_token, or an access token for the MFA
// endpoints that has the scope. An mfa_token is good for what needs no second
// factor: it was made because there is none yet.
func (e *Endpoints) mfaHolder(r *http.Request, scope string, tokenSuffices bool) (mfaHolder, error) {
	raw, err := bearerOf(r)
	if err != nil {
		return mfaHolder{}, err
	}
	h := mfaHolder{actor: user.Actor{IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}}
	ctx := r.Context()
	if !strings.Contains(raw, ".") {
		m, err := e.d.Factors.Token(ctx, raw)
		if err != nil {
			return h, err
		}
		if !tokenSuffices {
			return h, errFactorScope
		}
		h.actor.ClientID = m.ClientID
		h.user, err = e.active(ctx, m.UserID, factor.ErrMalformed)
		return h, err
	}
	b, err := e.mfaBearer(ctx, raw)
	if err != nil {
		return h, err
	}
	if !contains(b.Scopes, scope) {
		return h, errFactorScope
	}
	h.actor.ClientID, h.proven = b.ClientID, b.Multifactor
	h.user, err = e.active(ctx, b.Subject, errToken)
	return h, err
}

// mfaToken is what the client's mfa_token stands for. Errors: as factor.Service.Token.
func (e *Endpoints) mfaToken(ctx context.Context, secret, clientID string) (factor.Token, error) {
	m, err := e.d.Factors.Token(ctx, secret)
	if err == nil && m.ClientID != clientID {
		err = factor.ErrMalformed
	}
	return m, err
}

// mfaBearer verifies an access token for the MFA endpoints.
func (e *Endpoints) mfaBearer(ctx context.Context, raw string) (*token.Bearer, error) {
	b, err := e.verifier.VerifyFor(ctx, raw, e.mfaAPI.Identifier)
	if err == nil && b.Machine() || errs.KindOf(err) == errs.Unauthenticated {
		return nil, errToken
	}
	return b, err
}

// refusedFactor records that somebody without the proof wanted to change factors.
func (e *Endpoints) refusedFactor(ctx context.Context, h mfaHolder, why *errs.Error) error {
	event := e.event(audit.FactorFailed, h.actor)
	event.UserID, event.Description = string(h.user.ID), why.Text
	if err := e.d.Audit.AppendEvents(ctx, event); err != nil {
		return err
	}
	return why
}
