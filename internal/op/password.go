package op

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/session"
	"mangrove/internal/token"
)

// password is the grant without a realm: it signs in to the tenant's default
// directory, a setting that does not exist here.
func (e *Endpoints) password(context.Context, *tokenRequest) (tokenResponse, error) {
	return tokenResponse{}, errNoDirectory
}

// passwordRealm signs a user in by name and password (reference/authentication.md §3.7).
// Everything about the request is checked before the password is: a hash costs more.
func (e *Endpoints) passwordRealm(ctx context.Context, t *tokenRequest) (tokenResponse, error) {
	c, p := t.client, t.params
	for _, name := range []string{"username", "password", "realm"} {
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
	if !conn.Class().HasPasswords() {
		return tokenResponse{}, errRealm
	}
	if !usable(conn, c.ID) {
		return tokenResponse{}, errDisabled
	}
	// The use case records what becomes of the password.
	t.recorded = true
	t.actor.LoginEvent = audit.PasswordGrantOK
	u, err := e.d.Users.Authenticate(ctx, conn, p["username"], p["password"], t.actor)
	if err != nil {
		return tokenResponse{}, err
	}
	return e.issueUser(ctx, c, userTokens{
		user:    u,
		api:     v.api,
		scopes:  v.scopes(),
		gty:     token.GrantPassword,
		methods: []string{session.Password},
	})
}

// usable reports whether the client's users may sign in through the connection.
func usable(conn *connection.Connection, clientID string) bool {
	return conn.Active() && conn.EnabledFor(clientID)
}
