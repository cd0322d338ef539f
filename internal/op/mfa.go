package op

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of the MFA endpoints (reference/authentication.md §3.10).
var (
	errChallengeType = errs.New(errs.Forbidden, "unsupported_challenge_type", "User does not have any of the specified challenge types enrolled")
	errAssociate     = errs.New(errs.Forbidden, "association_required", "User is not enrolled. You can use /mfa/associate endpoint to enroll the first authenticator.")
	errAuthenticator = errs.New(errs.NotFound, "invalid_request", "The authenticator does not exist.")
	errFactorTypes   = errs.New(errs.Invalid, "invalid_request", "Unsupported authenticator_types or oob_channels.")
	errFactorPhone   = errs.New(errs.Invalid, "invalid_request", "phone_number must be in E.164 format.")
	errFactorEmail   = errs.New(errs.Invalid, "invalid_request", "email must be a valid email address.")
	errFactorProof   = errs.New(errs.Forbidden, "access_denied", "Multifactor authentication required")
	errFactorScope   = errs.New(errs.Forbidden, "insufficient_scope", "The access token lacks the scope for this operation.")
)

// mfaRequired stops a grant until a second factor is shown.
type mfaRequired struct {
	Token string
	Needs mfaNeeds
}

// mfaNeeds is mfa_requirements: one of the two.
type mfaNeeds struct {
	Challenge []mfaType `json:"challenge,omitempty"`
	Enroll    []mfaType `json:"enroll,omitempty"`
}

type mfaType struct {
	Type string `json:"type"`
}

func (*mfaRequired) Error() string { return "Multifactor authentication required" }

func (m *mfaRequired) write(w http.ResponseWriter, contentType string) {
	web.WriteJSON(w, http.StatusForbidden, contentType, struct {
		oauthBody
		Token string   `json:"mfa_token"`
		Needs mfaNeeds `json:"mfa_requirements"`
	}{oauthBody{"mfa_required", m.Error()}, m.Token, m.Needs})
}

// requirementName is how mfa_requirements names a kind.
func requirementName(k factor.Kind) string {
	if k == factor.TOTP {
		return "otp"
	}
	return string(k)
}

// requirements names each kind once.
func requirements(kinds []factor.Kind) []mfaType {
	var out []mfaType
	for _, k := range kinds {
		if t := (mfaType{requirementName(k)}); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// bearable are the kinds that the endpoints can enroll: those without a browser.
func bearable(k factor.Kind) bool { return k == factor.TOTP || k.OutOfBand() }

// secondFactor stops a user grant when a second factor is due; methods are the
// proofs so far. The record of the request is then that one was asked for.
func (e *Endpoints) secondFactor(ctx context.Context, t *tokenRequest, u *user.User, v wish, methods []string) error {
	if e.d.Factors == nil {
		return nil
	}
	conn, err := e.cameBy(ctx, t, u)
	if err != nil {
		return err
	}
	due, err := e.d.Factors.Due(ctx, u, factor.Question{
		Connection: conn, Methods: methods, ACRValues: t.params["acr_values"], CanEnroll: bearable, Insist: v.api == e.mfaAPI,
	})
	if err != nil || due.Step == factor.NoStep {
		return err
	}
	m := &mfaRequired{}
	if due.Step == factor.EnrollStep {
		m.Needs.Enroll = requirements(due.Kinds)
	} else {
		var kinds []factor.Kind
		for _, f := range factor.Seconds(due.All) {
			kinds = append(kinds, f.Kind)
		}
		m.Needs.Challenge = requirements(kinds)
	}
	event := t.event
	event.Type, event.UserID, event.Description = audit.MFARequired, string(u.ID), m.Error()
	g := factor.Grant{
		Type: t.params["grant_type"], Audience: t.params["audience"], Scope: strings.Join(v.requested, " "), Methods: methods,
		ConnectionID: t.event.ConnectionID,
	}
	if g.Type == password || g.Type == passwordRealm {
		g.Gty = "password"
	}
	if m.Token, err = e.d.Factors.Begin(ctx, string(u.ID), t.client.ID, g, event); err != nil {
		return err
	}
	t.recorded = true
	return m
}

// cameBy is the connection of the sign-in, or else of the user; nil when it is gone.
func (e *Endpoints) cameBy(ctx context.Context, t *tokenRequest, u *user.User) (*connection.Connection, error) {
	id := t.event.ConnectionID
	if id == "" {
		id = u.Primary().ConnectionID
	}
	c, err := e.d.Connections.Connection(ctx, id)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, nil
	}
	return c, err
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

// mfaBearer verifies an access token for the MFA endpoints.
func (e *Endpoints) mfaBearer(ctx context.Context, raw string) (*token.Bearer, error) {
	b, err := e.verifier.VerifyFor(ctx, raw, e.mfaAPI.Identifier)
	if err == nil && b.Machine() || errs.KindOf(err) == errs.Unauthenticated {
		return nil, errToken
	}
	return b, err
}

// authenticatorJSON is the wire form of a factor, members in the recorded order.
type authenticatorJSON struct {
	ID      string `json:"id"`
	Type    string `json:"authenticator_type"`
	Active  bool   `json:"active"`
	Channel string `json:"oob_channel,omitempty"`
	Name    string `json:"name,omitempty"`
}

// authenticatorOf shows a factor; false: it is not one of this resource.
func authenticatorOf(f *factor.Factor) (authenticatorJSON, bool) {
	a := authenticatorJSON{ID: f.ID(), Active: f.Confirmed}
	switch f.Kind {
	case factor.TOTP:
		a.Type, a.Name = "otp", f.Detail.Name
	case factor.Phone:
		a.ID, a.Type, a.Channel, a.Name = "sms|"+f.Device, "oob", "sms", f.Shown()
	case factor.Email:
		a.Type, a.Channel, a.Name = "oob", "email", f.Shown()
	case factor.Recovery:
		a.Type = "recovery-code"
	case factor.Roaming, factor.Platform:
		a.Type, a.Name = string(f.Kind), f.Detail.Name
	default:
		return authenticatorJSON{}, false
	}
	return a, true
}

// authenticators is GET /mfa/authenticators.
func (e *Endpoints) authenticators(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	if e.d.Factors == nil {
		return factor.ErrMalformed
	}
	h, err := e.mfaHolder(r, "read:authenticators", true)
	if err != nil {
		return err
	}
	all, err := e.d.Factors.All(r.Context(), h.user)
	if err != nil {
		return err
	}
	out := []authenticatorJSON{}
	for i := range all {
		if a, ok := authenticatorOf(&all[i]); ok {
			out = append(out, a)
		}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, out)
	return nil
}

// removeAuthenticator is DELETE /mfa/authenticators/{id}.
func (e *Endpoints) removeAuthenticator(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	if e.d.Factors == nil {
		return factor.ErrMalformed
	}
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	h, err := e.mfaHolder(r, "remove:authenticators", false)
	if err != nil {
		return err
	}
	ctx := r.Context()
	all, err := e.d.Factors.All(ctx, h.user)
	if err != nil {
		return err
	}
	if !h.proven && len(factor.Seconds(all)) > 0 {
		return e.refusedFactor(ctx, h, errFactorProof)
	}
	for i := range all {
		shown, ok := authenticatorOf(&all[i])
		if !ok || shown.ID != id {
			continue
		}
		event := e.event(audit.Unenrolled, h.actor)
		event.UserID, event.Description = string(h.user.ID), "Removed by its owner"
		if err := e.d.Factors.Unenroll(ctx, h.user, []factor.Factor{all[i]}, event); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return errAuthenticator
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

// association is the answer of POST /mfa/associate, members in the recorded order.
type association struct {
	Type          string   `json:"authenticator_type"`
	BindingMethod string   `json:"binding_method,omitempty"`
	Secret        string   `json:"secret,omitempty"`
	BarcodeURI    string   `json:"barcode_uri,omitempty"`
	RecoveryCodes []string `json:"recovery_codes,omitempty"`
	Channel       string   `json:"oob_channel,omitempty"`
	OOBCode       string   `json:"oob_code,omitempty"`
}

// associate is POST /mfa/associate.
func (e *Endpoints) associate(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	if e.d.Factors == nil {
		return factor.ErrMalformed
	}
	h, err := e.mfaHolder(r, scopeEnroll, true)
	if err != nil {
		return err
	}
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	kind, address, err := wantedFactor(p)
	if err != nil {
		return err
	}
	ctx := r.Context()
	made, err := e.d.Factors.Associate(ctx, h.user, kind, address, h.proven, factor.Actor{Actor: h.actor, Language: requestLanguage(r)})
	if errors.Is(err, factor.ErrEnrolled) {
		return e.refusedFactor(ctx, h, factor.ErrEnrolled)
	}
	if err != nil {
		return err
	}
	out := association{Type: "oob", BindingMethod: "prompt", OOBCode: made.Secret}
	switch kind {
	case factor.TOTP:
		issuer, err := e.d.Factors.Issuer(ctx)
		if err != nil {
			return err
		}
		seed := made.Factor.Detail.Secret
		out = association{Type: "otp", Secret: seed, BarcodeURI: factor.SeedURI(seed, issuer, factor.AccountOf(h.user))}
	case factor.Phone:
		out.Channel = "sms"
	default:
		out.Channel = "email"
	}
	if made.Recovery != "" {
		out.RecoveryCodes = []string{made.Recovery}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, out)
	return nil
}

// words reads a parameter that is a JSON array of strings or words with blanks
// between them.
func words(s string) []string {
	var list []string
	if strings.HasPrefix(s, "[") {
		if json.Unmarshal([]byte(s), &list) != nil {
			return nil
		}
		return list
	}
	return strings.Fields(s)
}

// wantedFactor is the rule of which factor a body of /mfa/associate asks for.
func wantedFactor(p map[string]string) (factor.Kind, string, error) {
	types := words(p["authenticator_types"])
	if len(types) == 0 {
		return "", "", errMissing("authenticator_types")
	}
	if slices.Contains(types, "otp") {
		return factor.TOTP, "", nil
	}
	if !slices.Contains(types, "oob") {
		return "", "", errFactorTypes
	}
	channels := words(p["oob_channels"])
	switch {
	case len(channels) == 0:
		return "", "", errMissing("oob_channels")
	case slices.Contains(channels, "sms"):
		phone, ok := passwordless.Recipient(profile.PasswordlessSMS, p["phone_number"])
		if !ok {
			return "", "", errFactorPhone
		}
		return factor.Phone, phone, nil
	case slices.Contains(channels, "email"):
		if !schema.IsEmail(p["email"]) {
			return "", "", errFactorEmail
		}
		return factor.Email, p["email"], nil
	}
	return "", "", errFactorTypes
}

// challengeAnswer is the answer of POST /mfa/challenge.
type challengeAnswer struct {
	Type          string `json:"challenge_type"`
	OOBCode       string `json:"oob_code,omitempty"`
	BindingMethod string `json:"binding_method,omitempty"`
}

// challenge is POST /mfa/challenge.
func (e *Endpoints) challenge(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	if e.d.Factors == nil {
		return factor.ErrMalformed
	}
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, _, err := e.authenticate(ctx, w, r, p)
	if err != nil {
		return err
	}
	if p["mfa_token"] == "" {
		return errMissing("mfa_token")
	}
	m, err := e.d.Factors.Token(ctx, p["mfa_token"])
	if err == nil && m.ClientID != c.ID {
		err = factor.ErrMalformed
	}
	if err != nil {
		return err
	}
	u, err := e.active(ctx, m.UserID, factor.ErrMalformed)
	if err != nil {
		return err
	}
	all, err := e.d.Factors.All(ctx, u)
	if err != nil {
		return err
	}
	f, err := challenged(factor.Seconds(all), oauth.ParseScope(p["challenge_type"]), p["authenticator_id"], p["oob_channel"])
	if err != nil {
		return err
	}
	a := factor.Actor{Actor: e.actor(r, c), Language: requestLanguage(r)}
	if f.Kind == factor.TOTP {
		event := e.event(audit.FactorStarted, a.Actor)
		event.UserID = string(u.ID)
		if err := e.d.Audit.AppendEvents(ctx, event); err != nil {
			return err
		}
		web.WriteJSON(w, http.StatusOK, web.TypeJSON, challengeAnswer{Type: "otp"})
		return nil
	}
	code, err := e.d.Factors.SendCode(ctx, u, f, a)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, challengeAnswer{"oob", code, "prompt"})
	return nil
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
