package op

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/session"
)

// passwordlessOTP is the grant of a one-time code.
const passwordlessOTP = "http://auth0.com/oauth/grant-type/passwordless/otp"

// otp signs a user in by a code that was sent to them (reference/authentication.md
// §3.9). As with passwords, everything else is checked before.
func (e *Endpoints) otp(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	c, p := t.client, t.params
	for _, name := range []string{"username", "otp", "realm"} {
		if p[name] == "" {
			return tokenResponse{}, errMissing(name)
		}
	}
	v, err := e.wishOf(ctx, t)
	if err != nil {
		return tokenResponse{}, err
	}
	conn, err := e.d.Connections.ConnectionByRealm(ctx, p["realm"])
	if errors.Is(err, connection.ErrNotFound) {
		return tokenResponse{}, errRealm
	}
	if err != nil {
		return tokenResponse{}, err
	}
	t.event.Connection, t.event.ConnectionID = conn.Name, conn.ID
	if !isPasswordless(conn.Class()) {
		return tokenResponse{}, errRealm
	}
	if !usable(conn, c.ID) {
		return tokenResponse{}, errDisabled
	}
	t.actor.LoginEvent = audit.OTPExchangeOK
	u, err := e.d.Passwordless.Redeem(ctx, passwordless.Attempt{
		Connection: conn, Recipient: p["username"], Code: p["otp"], ClientID: c.ID,
	}, t.actor)
	if err != nil {
		return tokenResponse{}, err
	}
	t.recorded = true // with the sign-in
	method := session.EmailCode
	if conn.Class() == profile.PasswordlessSMS {
		method = session.SMSCode
	}
	methods := []string{method}
	if err := e.secondFactor(ctx, t, u, v, methods); err != nil {
		return tokenResponse{}, err
	}
	return e.issueUser(ctx, c, userTokens{
		user:    u,
		api:     v.api,
		scopes:  v.scopes(),
		methods: methods,
		actor:   t.actor,
	})
}
