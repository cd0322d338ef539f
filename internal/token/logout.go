package token

import (
	"context"
	"time"
)

// logoutLifetime of a logout token.
const logoutLifetime = 2 * time.Minute

// LogoutToken tells a client that the session has ended (OpenID Connect
// Back-Channel Logout 1.0 §2.4; reference/authentication.md §4.5).
func (i *Issuer) LogoutToken(ctx context.Context, clientID, subject, sessionID string) (string, error) {
	now := i.Now().Unix()
	var o object
	o.text("iss", i.URL)
	o.text("sub", subject)
	o.text("aud", clientID)
	o.number("iat", now)
	o.number("exp", now+int64(logoutLifetime/time.Second))
	o.text("jti", NewSecret())
	o.text("sid", sessionID)
	o.raw("events", []byte(`{"http://schemas.openid.net/event/backchannel-logout":{}}`))
	return i.Keys.Sign(ctx, "logout+jwt", o.done())
}
