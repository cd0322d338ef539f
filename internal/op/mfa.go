package op

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/user"
	"mangrove/internal/web"
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
func (e *Endpoints) secondFactor(ctx context.Context, t *clientRequest, u *user.User, v wish, methods []string) error {
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
func (e *Endpoints) cameBy(ctx context.Context, t *clientRequest, u *user.User) (*connection.Connection, error) {
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
