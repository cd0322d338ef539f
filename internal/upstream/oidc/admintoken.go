package oidc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/upstream/fetched"
)

// adminSpare is how long before its end a token of an administrator is renewed.
const adminSpare = time.Minute

// adminToken is the access token of the administrator who set the connection up,
// renewed where it has ended; empty: there is none. What was renewed is kept in
// memory, not in the connection.
func (w Workspace) adminToken(ctx context.Context, c *connection.Connection, o workspaceOptions) (string, error) {
	if o.adminToken != "" {
		ends, err := time.Parse(time.RFC3339, o.adminExpires)
		if o.adminRefresh == "" || err == nil && w.k.now().Add(adminSpare).Before(ends) {
			return o.adminToken, nil
		}
	}
	if o.adminRefresh == "" {
		return "", nil
	}
	now := w.k.now()
	// The refresh token is part of the key: another one belongs to another grant.
	token, err := w.k.adminTokens.Get(ctx, c.ID+"|"+o.adminRefresh, now, func(t oauth2.Token, _ fetched.Age) bool {
		return t.AccessToken == "" || !now.Add(adminSpare).Before(t.Expiry)
	}, func(ctx context.Context) (oauth2.Token, error) { return w.renew(ctx, c, o.adminRefresh) })
	if err != nil {
		return "", waited(err)
	}
	return token.AccessToken, nil
}

func (w Workspace) renew(ctx context.Context, c *connection.Connection, refresh string) (oauth2.Token, error) {
	cfg := oauth2.Config{
		ClientID: c.Upstream().ClientID, ClientSecret: c.Upstream().ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: google(c).TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
	source := cfg.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, w.k.client), &oauth2.Token{RefreshToken: refresh})
	token, err := source.Token()
	if err != nil {
		var answered *oauth2.RetrieveError
		if errors.As(err, &answered) {
			return oauth2.Token{}, errConfig.Because(fmt.Errorf("admin_refresh_token: status %d", answered.Response.StatusCode))
		}
		return oauth2.Token{}, errUnreachable.Because(fmt.Errorf("admin_refresh_token: %w", bare(err)))
	}
	// The library counts with the clock of the process.
	token.Expiry = w.k.now().Add(time.Duration(token.ExpiresIn) * time.Second)
	return *token, nil
}
