package op

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// password is the grant without a realm: it signs in to the tenant's default
// directory, which is named, not found by realm.
func (e *Endpoints) password(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	s, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return tokenResponse{}, err
	}
	if s.DefaultDirectory == "" {
		return tokenResponse{}, errNoDirectory
	}
	return e.passwordAt(ctx, t, s.DefaultDirectory, e.d.Connections.ConnectionByName)
}

// passwordRealm is the grant that says where to sign in.
func (e *Endpoints) passwordRealm(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	return e.passwordAt(ctx, t, t.params["realm"], e.d.Connections.ConnectionByRealm)
}

// passwordAt signs a user in by name and password (reference/authentication.md §3.7).
// Everything about the request is checked before the password is: a hash costs more.
func (e *Endpoints) passwordAt(ctx context.Context, t *clientRequest, realm string, find func(context.Context, string) (*connection.Connection, error)) (tokenResponse, error) {
	c, p := t.client, t.params
	for _, sent := range []struct{ name, value string }{{"username", p["username"]}, {"password", p["password"]}, {"realm", realm}} {
		if sent.value == "" {
			return tokenResponse{}, errMissing(sent.name)
		}
	}
	v, err := e.wishOf(ctx, t)
	if err != nil {
		return tokenResponse{}, err
	}
	conn, err := find(ctx, realm)
	if errors.Is(err, connection.ErrNotFound) {
		return tokenResponse{}, errRealm
	}
	if err != nil {
		return tokenResponse{}, err
	}
	authenticate := e.authenticator(conn)
	if authenticate == nil {
		return tokenResponse{}, errRealm
	}
	if !usable(conn, c.ID) {
		return tokenResponse{}, errDisabled
	}
	// The use case records what becomes of the password.
	t.recorded = true
	t.actor.LoginEvent = audit.PasswordGrantOK
	u, err := authenticate(ctx, conn, p["username"], p["password"], t.actor)
	if err != nil {
		noteCause(t.http, conn, err)
		return tokenResponse{}, err
	}
	t.event.Connection, t.event.ConnectionID = conn.Name, conn.ID
	methods := []string{session.Password}
	if err := e.secondFactor(ctx, t, u, v, methods); err != nil {
		return tokenResponse{}, err
	}
	return e.issueUser(ctx, c, userTokens{
		user:    u,
		api:     v.api,
		scopes:  v.scopes(),
		gty:     token.GrantPassword,
		methods: methods,
		actor:   t.actor,
	})
}

// noteCause tells the operator why a directory refused: a connector's causes name no
// person. The causes of a database are nobody's business but the account's.
func noteCause(r *http.Request, conn *connection.Connection, err error) {
	if conn.Strategy != directoryStrategy {
		return
	}
	web.Note(r, "connection", conn.ID)
	if cause := errs.From(err).Cause; cause != nil {
		web.Note(r, "cause", web.Printable(cause.Error(), 300))
	}
}

// directoryStrategy is that of the connections whose passwords a directory
// elsewhere checks; the other enterprise connections need a browser.
const directoryStrategy = "ad"

// authenticator checks the passwords of a connection; nil: it has none.
func (e *Endpoints) authenticator(conn *connection.Connection) func(context.Context, *connection.Connection, string, string, user.Actor) (*user.User, error) {
	switch {
	case conn.Class().HasPasswords():
		return e.d.Users.Authenticate
	case conn.Strategy == directoryStrategy:
		return e.Directory
	}
	return nil
}

// stillUsable looks again at the connection of a sign-in that began a while ago;
// empty: it is not known. Its failure is that of a device (device.go).
func (e *Endpoints) stillUsable(ctx context.Context, connectionID, clientID string) error {
	if connectionID == "" {
		return nil
	}
	conn, err := e.d.Connections.Connection(ctx, connectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return err
	}
	if err != nil || !usable(conn, clientID) {
		return errs.New(errs.Forbidden, errDisabled.Code, "%s", errDisabled.Text)
	}
	return nil
}

// usable reports whether the client's users may sign in through the connection.
func usable(conn *connection.Connection, clientID string) bool {
	return conn.Active() && conn.EnabledFor(clientID)
}
