package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/grant"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// grantRoutes are the routes of client grants (reference/authentication.md §7.2).
func (a *api) grantRoutes() []route {
	return []route{
		{"GET", "/client-grants", oneOf("read:client_grants"), a.listGrants},
		{"POST", "/client-grants", oneOf("create:client_grants"), a.createGrant},
		{"GET", "/client-grants/{id}", oneOf("read:client_grants"), a.getGrant},
		{"PATCH", "/client-grants/{id}", oneOf("update:client_grants"), a.patchGrant},
		{"DELETE", "/client-grants/{id}", oneOf("delete:client_grants"), a.deleteGrant},
	}
}

// grantJSON is the wire form; members that were never set are left out.
func grantJSON(g *grant.Grant) []byte {
	var o object
	o.text("id", g.ID)
	o.text("client_id", g.ClientID)
	o.text("audience", g.Audience)
	o.texts("scope", g.Scope)
	o.members(g.Extra)
	return o.end()
}

// listGrants is GET /client-grants.
func (a *api) listGrants(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := q.resourcePaging(50)
	var find grant.Query
	find.ClientID = q.text(schema.Property{Name: "client_id", Description: "Optional filter on client_id."})
	find.Audience = q.text(schema.Property{Name: "audience", Description: "Optional filter on audience."})
	if q.values.Has("subject_type") {
		find.SubjectType = q.text(schema.Property{
			Name: "subject_type", Enum: []string{grant.SubjectClient, grant.SubjectUser},
			Description: "The type of application access the client grant allows.",
		})
	}
	find.AllowAnyOrganization = q.tristate("allow_any_organization", "Optional filter on allow_any_organization.")
	if err := q.err(); err != nil {
		return err
	}
	return listing[*grant.Grant]{
		key:  "client_grants",
		name: listName("client-grants", find.ClientID, find.Audience, find.SubjectType, flagText(find.AllowAnyOrganization)),
		fetch: func(after string, offset, limit int) ([]*grant.Grant, int, error) {
			return a.Grants.List(r.Context(), find, grant.Page{After: after, Offset: offset, Limit: limit})
		},
		id:   func(g *grant.Grant) string { return g.ID },
		show: func(g *grant.Grant) ([]byte, error) { return grantJSON(g), nil },
	}.write(w, a, p)
}

func writeGrant(w http.ResponseWriter, status int, g *grant.Grant) error {
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(grantJSON(g)))
	return nil
}

// createGrant is POST /client-grants.
func (a *api) createGrant(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	g, err := a.Grants.Create(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	return writeGrant(w, http.StatusCreated, g)
}

// getGrant is GET /client-grants/{id}.
func (a *api) getGrant(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	g, err := a.Grants.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeGrant(w, http.StatusOK, g)
}

// patchGrant is PATCH /client-grants/{id}.
func (a *api) patchGrant(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	g, err := a.Grants.Patch(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	return writeGrant(w, http.StatusOK, g)
}

// deleteGrant is DELETE /client-grants/{id}; deleting none is no error.
func (a *api) deleteGrant(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	if err := a.Grants.Delete(r.Context(), id, by.event(r)); err != nil && !errors.Is(err, grant.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
