package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"mangrove/internal/resourceserver"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// resourceServerRoutes are the routes of APIs (reference/authentication.md §7.2).
// The id of a path may be the escaped identifier.
func (a *api) resourceServerRoutes() []route {
	return []route{
		{"GET", "/resource-servers", oneOf("read:resource_servers"), a.listResourceServers},
		{"POST", "/resource-servers", oneOf("create:resource_servers"), a.createResourceServer},
		{"GET", "/resource-servers/{id}", oneOf("read:resource_servers"), a.getResourceServer},
		{"PATCH", "/resource-servers/{id}", oneOf("update:resource_servers"), a.patchResourceServer},
		{"DELETE", "/resource-servers/{id}", oneOf("delete:resource_servers"), a.deleteResourceServer},
	}
}

// resourceServerJSON is the wire form; is_system is shown where it is true.
func resourceServerJSON(rs *resourceserver.ResourceServer) []byte {
	var o object
	o.text("id", rs.ID)
	o.text("identifier", rs.Identifier)
	if rs.System {
		o.raw("is_system", []byte("true"))
	}
	o.members(rs.Doc)
	return o.end()
}

// listResourceServers is GET /resource-servers.
func (a *api) listResourceServers(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := q.resourcePaging(50)
	identifiers := q.list(schema.Property{
		Name: "identifiers", Min: 1, Max: 600, Description: "An optional filter on the resource server identifier. Must be URL encoded and may be specified multiple times.",
	})
	if len(identifiers) > MaxPage {
		q.refuse("identifiers", "", "ARRAY_LENGTH_LONG", "Array is too long, maximum 100")
	}
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	return listing[*resourceserver.ResourceServer]{
		key:  "resource_servers",
		name: listName("resource-servers", strings.Join(identifiers, "\x00")),
		fetch: func(after string, offset, limit int) ([]*resourceserver.ResourceServer, int, error) {
			return a.ResourceServers.List(r.Context(), identifiers, resourceserver.Page{After: after, Offset: offset, Limit: limit})
		},
		id:   func(rs *resourceserver.ResourceServer) string { return rs.ID },
		show: func(rs *resourceserver.ResourceServer) ([]byte, error) { return f.apply(resourceServerJSON(rs)) },
	}.write(w, a, p)
}

func writeResourceServer(w http.ResponseWriter, status int, rs *resourceserver.ResourceServer, f fields) error {
	b, err := f.apply(resourceServerJSON(rs))
	if err != nil {
		return err
	}
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(b))
	return nil
}

// createResourceServer is POST /resource-servers.
func (a *api) createResourceServer(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	rs, err := a.ResourceServers.Create(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	return writeResourceServer(w, http.StatusCreated, rs, fields{})
}

// getResourceServer is GET /resource-servers/{id}.
func (a *api) getResourceServer(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	rs, err := a.ResourceServers.Find(r.Context(), id)
	if err != nil {
		return err
	}
	return writeResourceServer(w, http.StatusOK, rs, f)
}

// patchResourceServer is PATCH /resource-servers/{id}.
func (a *api) patchResourceServer(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	rs, err := a.ResourceServers.Patch(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	return writeResourceServer(w, http.StatusOK, rs, fields{})
}

// deleteResourceServer is DELETE /resource-servers/{id}; deleting none is no error.
func (a *api) deleteResourceServer(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	if err := a.ResourceServers.Delete(r.Context(), id, by.event(r)); err != nil && !errors.Is(err, resourceserver.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
