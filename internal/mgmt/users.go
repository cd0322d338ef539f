package mgmt

import (
	"errors"
	"net/http"
	"strconv"
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
	if err := q.err(); err != nil {
		return err
	}
	v, err := a.UserStore.View(r.Context(), id)
	if err != nil {
		return err
	}
	identities, err := a.identities(r, by, &v)
	if err != nil {
		return err
	}
	return writeUser(w, http.StatusOK, &v, identities, f)
}

// identities is the identities of a view as the caller may see them.
func (a *api) identities(r *http.Request, by *caller, v *user.View) ([]byte, error) {
	if !by.has(readTokens) {
		return v.Identities, nil
	}
	u, err := a.UserStore.User(r.Context(), v.ID)
	if err != nil {
		return nil, err
	}
	return identitiesWithTokens(u), nil
}

// usersByEmail is GET /users-by-email.
func (a *api) usersByEmail(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	email := q.required(schema.Property{Name: "email", Description: "Email address to search for (case-sensitive)."})
	f := q.fields(userFields)
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
		identities, err := a.identities(r, by, &views[i])
		if errors.Is(err, user.ErrNotFound) {
			identities, err = views[i].Identities, nil // deleted since the list was read
		}
		if err != nil {
			return err
		}
		one, err := f.apply(appendUser(make([]byte, 0, userSize(&views[i])), &views[i], identities))
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
	if err := a.Users.Delete(r.Context(), id, by.actor(r)); err != nil {
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
	req, err := createRequest(members)
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
	req, err := patchRequest(members)
	if err != nil {
		return err
	}
	if req.IfVersion, err = a.ifVersion(r, id); err != nil {
		return err
	}
	u, err := a.Users.Patch(r.Context(), id, req, by.actor(r))
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

// noVersion is the version of no user.
const noVersion = -1

// ifVersion is the version that If-Match asks for (RFC 9110 §13.1.1); 0 when it
// asks for none. Of several it is the one that the user has now.
func (a *api) ifVersion(r *http.Request, id user.ID) (int64, error) {
	want := matchVersions(r.Header["If-Match"])
	if len(want) <= 1 {
		if len(want) == 0 {
			return 0, nil
		}
		return want[0], nil
	}
	v, err := a.UserStore.View(r.Context(), id)
	if err != nil {
		return 0, err
	}
	for _, n := range want {
		if n == v.Version {
			return n, nil
		}
	}
	return noVersion, nil
}

// matchVersions reads If-Match: none for "*" and for no header; noVersion for
// what can be no version of ours, which weak tags are too.
func matchVersions(lines []string) []int64 {
	if len(lines) == 0 {
		return nil
	}
	var out []int64
	for tag := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil
		}
		n, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err != nil || n <= 0 || tag != etag(n) {
			n = noVersion
		}
		out = append(out, n)
	}
	return out
}
