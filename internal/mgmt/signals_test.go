package mgmt

import (
	"slices"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/session"
)

func TestSignals(t *testing.T) {
	of := func(name string) connection.Strategy {
		s, _ := connection.StrategyOf(name)
		return s
	}
	for _, row := range []struct {
		methods  []string
		strategy string
		want     []signal
	}{
		{nil, "auth0", []signal{{"pwd", ""}}},
		{nil, "sms", []signal{{"sms", ""}}},
		{nil, "oidc", []signal{{"federated", ""}}},
		{nil, "", nil},
		{[]string{session.Password}, "auth0", []signal{{"pwd", ""}}},
		{[]string{session.Upstream}, "oidc", []signal{{"federated", ""}}},
		{[]string{session.EmailCode}, "email", []signal{{"email", ""}}},
		{[]string{session.Key, session.MFA}, "auth0", []signal{{"passkey", ""}}},
		{[]string{session.Password, session.OTP, session.MFA}, "auth0", []signal{{"pwd", ""}, {"mfa", "otp"}}},
		{[]string{session.Password, session.Key, session.MFA}, "auth0", []signal{{"pwd", ""}, {"mfa", "webauthn"}}},
		{[]string{session.Password, session.SMSCode, session.MFA}, "auth0", []signal{{"pwd", ""}, {"mfa", "phone"}}},
		{[]string{session.Upstream, session.Recovery, session.MFA}, "oidc", []signal{{"federated", ""}, {"mfa", "recovery-code"}}},
	} {
		if got := signals(row.methods, of(row.strategy)); !slices.Equal(got, row.want) {
			t.Errorf("%v %s: %v", row.methods, row.strategy, got)
		}
	}
}
