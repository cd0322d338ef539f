package op

import (
	"context"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
)

// Failures of POST /mfa/challenge (reference/authentication.md §3.10).
var (
	errChallengeType = errs.New(errs.Forbidden, "unsupported_challenge_type", "User does not have any of the specified challenge types enrolled")
	errAssociate     = errs.New(errs.Forbidden, "association_required", "User is not enrolled. You can use /mfa/associate endpoint to enroll the first authenticator.")
)

// challengeAnswer is the answer of POST /mfa/challenge.
type challengeAnswer struct {
	Type          string `json:"challenge_type"`
	OOBCode       string `json:"oob_code,omitempty"`
	BindingMethod string `json:"binding_method,omitempty"`
}

// challenge is POST /mfa/challenge.
func (e *Endpoints) challenge(ctx context.Context, q *clientRequest) (any, error) {
	p := q.params
	if p["mfa_token"] == "" {
		return nil, errMissing("mfa_token")
	}
	m, err := e.mfaToken(ctx, p["mfa_token"], q.client.ID)
	if err != nil {
		return nil, err
	}
	q.event.UserID = m.UserID
	u, err := e.active(ctx, m.UserID, factor.ErrMalformed)
	if err != nil {
		return nil, err
	}
	all, err := e.d.Factors.All(ctx, u)
	if err != nil {
		return nil, err
	}
	f, err := challenged(factor.Seconds(all), oauth.ParseScope(p["challenge_type"]), p["authenticator_id"], p["oob_channel"])
	if err != nil {
		return nil, err
	}
	q.recorded = true
	if f.Kind == factor.TOTP {
		event := e.event(audit.FactorStarted, q.actor)
		event.UserID = string(u.ID)
		return challengeAnswer{Type: "otp"}, e.d.Audit.AppendEvents(ctx, event)
	}
	code, err := e.d.Factors.SendCode(ctx, u, f, q.shows())
	return challengeAnswer{"oob", code, "prompt"}, err
}

// challenged is the rule of which factor is challenged: the one that is named, or
// the first of the types, otp before oob. No type is both.
func challenged(enrolled []factor.Factor, types []string, id, channel string) (factor.Factor, error) {
	if len(enrolled) == 0 {
		return factor.Factor{}, errAssociate
	}
	for _, kind := range []string{"otp", "oob"} {
		if len(types) > 0 && !slices.Contains(types, kind) {
			continue
		}
		for i := range enrolled {
			a, _ := authenticatorOf(&enrolled[i])
			if a.Type == kind && (id == "" || a.ID == id) && (channel == "" || kind == "otp" || a.Channel == channel) {
				return enrolled[i], nil
			}
		}
	}
	return factor.Factor{}, errChallengeType
}
