package oidc

import (
	"context"
	"net/url"

	"mangrove/internal/connection"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
)

// Leave ends the session at the provider (OpenID Connect RP-Initiated Logout §2),
// where it has an end_session_endpoint.
func (k *Connector) Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	o := c.OIDC()
	p, err := k.provider(ctx, o, backChannel(c))
	if err != nil {
		return upstream.Departure{}, false, err
	}
	return p.leave(o.ClientID, f, s)
}

// leave is the logout request; ok is false where there is nobody to ask.
func (p provider) leave(clientID string, f session.Foreign, s upstream.Start) (_ upstream.Departure, ok bool, _ error) {
	if p.EndSessionEndpoint == "" {
		return upstream.Departure{}, false, nil
	}
	to, err := url.Parse(p.EndSessionEndpoint)
	if err != nil {
		return upstream.Departure{}, false, errConfig.Because(errEndSession)
	}
	q := to.Query()
	q.Set("client_id", clientID)
	if f.IDToken != "" {
		q.Set("id_token_hint", f.IDToken)
	}
	q.Set("post_logout_redirect_uri", s.CallbackURL)
	if s.State != "" {
		q.Set("state", s.State)
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String()}, true, nil
}
