package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// tenantRoutes are the settings of the installation (reference/authentication.md §7.4).
func (a *api) tenantRoutes() []route {
	return []route{
		{"GET", "/tenants/settings", oneOf("read:tenant_settings"), a.tenantSettings},
		{"PATCH", "/tenants/settings", oneOf("update:tenant_settings"), a.patchDocument(tenant.Tenant)},
	}
}

// tenantSettings is GET /tenants/settings.
func (a *api) tenantSettings(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	doc, err := a.Tenant.Show(r.Context(), tenant.Tenant)
	if err != nil {
		return err
	}
	b, err := f.apply(doc)
	if err != nil {
		return err
	}
	return shown(w, b)
}

// shown answers 200 with a JSON text.
func shown(w http.ResponseWriter, doc json.RawMessage) error {
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
	return nil
}

// constant answers with a text that never changes: of a resource that does not
// exist here, the shape that clients expect of an installation without any.
func constant(doc string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ *caller) error { return shown(w, json.RawMessage(doc)) }
}

// showDocument is the GET of a document.
func (a *api) showDocument(name tenant.Name) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *caller) error {
		doc, err := a.Tenant.Show(r.Context(), name)
		if err != nil {
			return err
		}
		return shown(w, doc)
	}
}

// patchDocument is the PATCH of a document.
func (a *api) patchDocument(name tenant.Name) handler {
	return func(w http.ResponseWriter, r *http.Request, by *caller) error {
		members, err := web.ReadJSON(r)
		if err != nil {
			return err
		}
		doc, err := a.Tenant.Patch(r.Context(), name, members, by.event(r))
		if err != nil {
			return err
		}
		return shown(w, doc)
	}
}
