package mgmt

import (
	"encoding/json"
	"net/http"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The scopes that decide more than whether a route may be called.
const (
	readUsers         = "read:users"
	readTokens        = "read:user_idp_tokens"
	updateUsers       = "update:users"
	updateAppMetadata = "update:users_app_metadata"
	deleteUsers       = "delete:users"
)

// userFields are the names that fields may have (reference/users.md §3.4).
var userFields = []string{
	"phone_number", "email", "email_verified", "picture", "username", "user_id", "name", "nickname", "created_at",
	"identities", "app_metadata", "user_metadata", "last_ip", "last_login", "logins_count", "updated_at", "blocked",
	"family_name", "given_name",
}

var userIDParam = schema.Property{
	Name: "id", Description: "The user_id of the user", Types: schema.String, Format: schema.FormatUserID,
}

// userID is the id in the path.
func userID(r *http.Request) (user.ID, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return "", err
	}
	if vs := userIDParam.Check("id", profile.Text(id)); len(vs) > 0 {
		return "", pathError(vs[0])
	}
	return user.ID(id), nil
}

// getUser is GET /users/{id}.
func (a *api) getUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, readUsers, readTokens); err != nil {
		return err
	}
	q := queryOf(r)
	f := q.fields(userFields)
	provenance := q.provenance()
	if err := q.err(); err != nil {
		return err
	}
	v, err := a.UserStore.View(r.Context(), id)
	if err != nil {
		return err
	}
	body, err := a.listed(r, by, &v, f, provenance)
	if err != nil {
		return err
	}
	setETag(w, v.Version)
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(body))
	return nil
}

// usersByEmail is GET /users-by-email.
func (a *api) usersByEmail(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	email := q.required(schema.Property{Name: "email", Description: "Email address to search for (case-sensitive)."})
	f := q.fields(userFields)
	provenance := q.provenance()
	if err := q.err(); err != nil {
		return err
	}
	views, err := a.UserStore.ViewsByEmail(r.Context(), email)
	if err != nil {
		return err
	}
	b := []byte{'['}
	for i := range views {
		if i > 0 {
			b = append(b, ',')
		}
		one, err := a.listed(r, by, &views[i], f, provenance)
		if err != nil {
			return err
		}
		b = append(b, one...)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, append(b, ']'))
	return nil
}

// deleteUser is DELETE /users/{id}.
func (a *api) deleteUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, deleteUsers); err != nil {
		return err
	}
	err = conditional(w, r, a.userVersion(r, id), func(ifVersion int64) error {
		return a.Users.DeleteIf(r.Context(), id, ifVersion, by.actor(r))
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// createUser is POST /users.
func (a *api) createUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	req, err := user.ReadCreate(members)
	if err != nil {
		return err
	}
	u, err := a.Users.Create(r.Context(), req, by.actor(r))
	if err != nil {
		return err
	}
	v := user.ViewOf(u)
	return writeUser(w, http.StatusCreated, &v, v.Identities, fields{})
}

// patchUser is PATCH /users/{id}.
func (a *api) patchUser(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, updateUsers, updateAppMetadata); err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	if err := by.mayUpdate(members); err != nil {
		return err
	}
	req, err := user.ReadPatch(members)
	if err != nil {
		return err
	}
	var u *user.User
	err = conditional(w, r, a.userVersion(r, id), func(ifVersion int64) (err error) {
		req.IfVersion = ifVersion
		u, err = a.Users.Patch(r.Context(), id, req, by.actor(r))
		return err
	})
	if err != nil {
		return err
	}
	v := user.ViewOf(u)
	return writeUser(w, http.StatusOK, &v, v.Identities, fields{})
}

// mayUpdate refuses the members that the caller's scopes do not name: without
// update:users it is app_metadata alone, and for a user's own token
// user_metadata alone (reference/users.md §3.0 and §3.1).
func (c *caller) mayUpdate(members []strictjson.Member) error {
	if c.has(updateUsers) {
		return nil
	}
	allowed := profile.UserMetadata
	if c.has(updateAppMetadata) {
		allowed = profile.AppMetadata
	}
	var others []string
	for _, m := range members {
		if m.Name != allowed {
			others = append(others, shorten(m.Name))
		}
		if len(others) == 20 {
			break
		}
	}
	if len(others) == 0 {
		return nil
	}
	return &errs.Error{
		Kind: errs.Forbidden, Code: "insufficient_scope",
		Text: "You cannot update the following fields: " + strings.Join(others, ", "),
	}
}
