package mgmt

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// errUsersElsewhere: the users of other connections are not looked up by e-mail.
var errUsersElsewhere = errs.New(errs.Invalid, "operation_not_supported", "Connection must be a database connection")

// deleteConnectionUser is DELETE /connections/{id}/users?email= (reference/users.md
// §3.6). Somebody who is not there is as good as deleted. A user of another
// connection, to whom the e-mail is linked, is not.
func (a *api) deleteConnectionUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	email := q.required(schema.Property{Name: "email", Description: "The email of the user to delete"})
	if err := q.err(); err != nil {
		return err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return err
	}
	switch c.Class() {
	case profile.Database, profile.ImportDatabase, profile.ExternalDatabase:
	default:
		return errUsersElsewhere
	}
	for range 3 {
		// Whoever takes over the e-mail between the look and the deletion stays.
		err = a.deleteByEmail(r, by, c, email)
		if !errors.Is(err, user.ErrStale) {
			break
		}
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// byEmail is whoever has the address at the connection. Of an external store only that
// knows, and whether capitals are others.
func (a *api) byEmail(ctx context.Context, c *connection.Connection, email string) (*user.User, error) {
	if c.Class() == profile.ExternalDatabase {
		u, _, err := a.Users.Newcomer(ctx, c, email)
		return u, err
	}
	return a.UserStore.UserByIdentifier(ctx, c.ID, user.ByEmail, strings.ToLower(email))
}

func (a *api) deleteByEmail(r *http.Request, by *caller, c *connection.Connection, email string) error {
	u, err := a.byEmail(r.Context(), c, email)
	if errors.Is(err, user.ErrNotFound) {
		return nil
	}
	if err != nil || u.Version == 0 || u.Primary().ConnectionID != c.ID {
		return err
	}
	return a.Users.DeleteIf(r.Context(), u.ID, u.Version, by.actor(r))
}
