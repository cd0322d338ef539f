package mgmt

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/role"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// roleRoutes are the routes of roles and permissions (reference/users.md §3.13,
// authentication.md §7.2). Who lists the roles of a user, or the users of a
// role, needs every scope of the route.
func (a *api) roleRoutes() []route {
	members := oneOf("read:users", "read:roles")
	of := oneOf("read:users", "read:roles", "read:role_members")
	return []route{
		{"GET", "/roles", oneOf("read:roles"), a.listRoles},
		{"POST", "/roles", oneOf("create:roles"), a.createRole},
		{"GET", "/roles/{id}", oneOf("read:roles"), a.getRole},
		{"PATCH", "/roles/{id}", oneOf("update:roles"), a.patchRole},
		{"DELETE", "/roles/{id}", oneOf("delete:roles"), a.deleteRole},

		{"GET", "/roles/{id}/permissions", oneOf("read:roles"), pages(a, roleID, "permissions", (*role.Service).RolePermissions, permissionJSON)},
		{"POST", "/roles/{id}/permissions", oneOf("update:roles"), a.assigns(roleID, (*role.Service).AddRolePermissions, http.StatusCreated)},
		{"DELETE", "/roles/{id}/permissions", oneOf("update:roles"), a.assigns(roleID, (*role.Service).RemoveRolePermissions, http.StatusNoContent)},
		{"GET", "/roles/{id}/users", members, allOf(members, a.listRoleUsers)},
		{"POST", "/roles/{id}/users", oneOf("update:roles", "create:role_members"), a.assigns(roleID, (*role.Service).AddMembers, http.StatusOK)},

		{"GET", "/users/{id}/roles", of, allOf(of, pages(a, userIDText, "roles", (*role.Service).UserRoles, roleOfUserJSON))},
		{"POST", "/users/{id}/roles", oneOf("update:users", "create:role_members"), a.assigns(userIDText, (*role.Service).AddUserRoles, http.StatusNoContent)},
		{"DELETE", "/users/{id}/roles", oneOf("update:users", "delete:role_members"), a.assigns(userIDText, (*role.Service).RemoveUserRoles, http.StatusNoContent)},
		{"GET", "/users/{id}/permissions", oneOf("read:users"), pages(a, userIDText, "permissions", (*role.Service).UserPermissions, permissionJSON)},
		{"POST", "/users/{id}/permissions", oneOf("update:users"), a.assigns(userIDText, (*role.Service).AddUserPermissions, http.StatusCreated)},
		{"DELETE", "/users/{id}/permissions", oneOf("update:users"), a.assigns(userIDText, (*role.Service).RemoveUserPermissions, http.StatusNoContent)},
	}
}

// allOf is h for callers who have every one of the scopes.
func allOf(scopes []string, h handler) handler {
	missing := errs.New(errs.Forbidden, "insufficient_scope", "%s", "Insufficient scope, expected all of: "+strings.Join(scopes, ","))
	return func(w http.ResponseWriter, r *http.Request, by *caller) error {
		for _, scope := range scopes {
			if !by.has(scope) {
				return missing
			}
		}
		return h(w, r, by)
	}
}

// roleJSON is the wire form; description is shown when there is one.
func roleJSON(v *role.Role) []byte {
	o := roleObject(v)
	o.text("type", roleType)
	return o.end()
}

// roleOfUserJSON is the form of a role among those of a user: it has no type.
func roleOfUserJSON(v *role.Role) []byte {
	o := roleObject(v)
	return o.end()
}

func roleObject(v *role.Role) object {
	var o object
	o.text("id", v.ID)
	o.text("name", v.Name)
	if v.Description != "" {
		o.text("description", v.Description)
	}
	return o
}

// roleType is the type of every role: those of organizations alone are another.
const roleType = "tenant"

// permissionJSON is the wire form; sources are shown among those of a user.
func permissionJSON(p role.Described) []byte {
	var o object
	o.text("permission_name", p.Name)
	o.text("description", p.Description)
	o.text("resource_server_name", p.APIName)
	o.text("resource_server_identifier", p.API)
	if len(p.Sources) > 0 {
		sources := make([]json.RawMessage, len(p.Sources))
		for i, s := range p.Sources {
			var so object
			so.text("source_id", s.RoleID)
			so.text("source_name", s.RoleName)
			so.text("source_type", s.Type)
			sources[i] = so.end()
		}
		o.raw("sources", array(sources))
	}
	return o.end()
}

// memberFields are what is shown of a user who has a role (RoleUser).
var memberFields = fields{names: []string{"user_id", "email", "picture", "name"}}

func memberJSON(m role.Member) ([]byte, error) {
	var o object
	o.text("user_id", m.UserID)
	o.members(m.Attributes)
	return memberFields.apply(o.end())
}

// writePage answers with a page of a list that page/per_page reach whole.
func writePage[T any](w http.ResponseWriter, p paging, key string, items []T, total int, show func(T) []byte) {
	shown := make([]json.RawMessage, len(items))
	for i, item := range items {
		shown[i] = show(item)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(p.envelope(key, array(shown), total, "")))
}

func writeRole(w http.ResponseWriter, v *role.Role) {
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(roleJSON(v)))
}

// done answers that it was done; where there is a body it is the empty object
// that the reference sends.
func done(w http.ResponseWriter, status int) {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage("{}"))
}

// roleID is the id in the path, of any form: no role has one of another.
func roleID(r *http.Request) (string, error) { return web.Param(r, "id") }

// userIDText is userID as a text.
func userIDText(r *http.Request) (string, error) {
	id, err := userID(r)
	return string(id), err
}

// assigns hands the body to a use case that is about the id in the path.
func (a *api) assigns(
	id func(*http.Request) (string, error),
	change func(s *role.Service, ctx context.Context, id string, members []strictjson.Member, by audit.Event) error,
	status int,
) handler {
	return func(w http.ResponseWriter, r *http.Request, by *caller) error {
		id, err := id(r)
		if err != nil {
			return err
		}
		members, err := web.ReadJSON(r)
		if err != nil {
			return err
		}
		if err := change(a.Roles, r.Context(), id, members, by.event(r)); err != nil {
			return err
		}
		done(w, status)
		return nil
	}
}

// pages answers with a page of what belongs to the id in the path.
func pages[T any](
	a *api, id func(*http.Request) (string, error), key string,
	fetch func(s *role.Service, ctx context.Context, id string, offset, limit int) ([]T, int, error),
	show func(T) []byte,
) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *caller) error {
		id, err := id(r)
		if err != nil {
			return err
		}
		q := queryOf(r)
		p := q.offsetPaging()
		if err := q.err(); err != nil {
			return err
		}
		list, total, err := fetch(a.Roles, r.Context(), id, p.offset(), p.perPage)
		if err != nil {
			return err
		}
		writePage(w, p, key, list, total, show)
		return nil
	}
}

// listRoles is GET /roles.
func (a *api) listRoles(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := q.offsetPaging()
	filter := q.text(schema.Property{Name: "name_filter", Description: "Optional filter on name (case-insensitive)."})
	if q.values.Has("type") {
		q.text(schema.Property{Name: "type", Enum: []string{roleType}, Description: "Optional filter on the type of role."})
	}
	if err := q.err(); err != nil {
		return err
	}
	list, total, err := a.Roles.List(r.Context(), filter, p.offset(), p.perPage)
	if err != nil {
		return err
	}
	writePage(w, p, "roles", list, total, roleJSON)
	return nil
}

// createRole is POST /roles.
func (a *api) createRole(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	v, err := a.Roles.Create(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	writeRole(w, v)
	return nil
}

// getRole is GET /roles/{id}.
func (a *api) getRole(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	v, err := a.Roles.Get(r.Context(), id)
	if err != nil {
		return err
	}
	writeRole(w, v)
	return nil
}

// patchRole is PATCH /roles/{id}.
func (a *api) patchRole(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	v, err := a.Roles.Patch(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	writeRole(w, v)
	return nil
}

// deleteRole is DELETE /roles/{id}.
func (a *api) deleteRole(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	if err := a.Roles.Delete(r.Context(), id, by.event(r)); err != nil {
		return err
	}
	done(w, http.StatusOK)
	return nil
}

// listRoleUsers is GET /roles/{id}/users.
func (a *api) listRoleUsers(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	q := queryOf(r)
	p := q.paging()
	if err := q.err(); err != nil {
		return err
	}
	if !p.checkpoint && p.offset()+p.perPage > maxOffset {
		return errMembersPaging(p.page)
	}
	return listing[role.Member]{
		key:  "users",
		name: listName("roles/users", id),
		fetch: func(after string, offset, limit int) ([]role.Member, int, error) {
			return a.Roles.Members(r.Context(), id, role.Page{After: after, Offset: offset, Limit: limit})
		},
		id:   func(m role.Member) string { return m.UserID },
		show: memberJSON,
	}.write(w, a, p)
}

// errMembersPaging is what lists say that have checkpoints, too (reference/users.md §4.1).
func errMembersPaging(page int) error {
	return errs.New(errs.Invalid, "invalid_paging", "Requesting page %d exceeds the allowed maximum of %d records. "+
		"To fetch results beyond %[2]d, use the checkpoint pagination method.", page, maxOffset)
}
