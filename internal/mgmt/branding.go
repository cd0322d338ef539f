package mgmt

import (
	"net/http"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// brandingRoutes are how pages look (reference/authentication.md §7.6).
func (a *api) brandingRoutes() []route {
	read, update, remove := oneOf("read:branding"), oneOf("update:branding"), oneOf("delete:branding")
	return []route{
		{"GET", "/branding", read, a.showDocument(tenant.Look)},
		{"PATCH", "/branding", update, a.patchDocument(tenant.Look)},

		{"POST", "/branding/themes", update, a.createTheme},
		{"GET", "/branding/themes/default", read, a.defaultTheme},
		{"GET", "/branding/themes/{id}", read, a.getTheme},
		{"PATCH", "/branding/themes/{id}", update, a.patchTheme},
		{"DELETE", "/branding/themes/{id}", remove, a.deleteTheme},

		{"GET", "/branding/templates/universal-login", read, a.getTemplate},
		{"PUT", "/branding/templates/universal-login", update, a.putTemplate},
		{"DELETE", "/branding/templates/universal-login", remove, a.deleteTemplate},

		{"GET", "/branding/phone/providers", oneOf("read:phone_providers"), constant(`{"providers":[]}`)},
		{"GET", "/branding/phone/templates", oneOf("read:phone_templates"), constant(`{"templates":[]}`)},
	}
}

// createTheme is POST /branding/themes.
func (a *api) createTheme(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Tenant.CreateTheme(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// defaultTheme is GET /branding/themes/default.
func (a *api) defaultTheme(w http.ResponseWriter, r *http.Request, _ *caller) error {
	doc, err := a.Tenant.Theme(r.Context(), "")
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// getTheme is GET /branding/themes/{id}.
func (a *api) getTheme(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	doc, err := a.Tenant.Theme(r.Context(), id)
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// patchTheme is PATCH /branding/themes/{id}.
func (a *api) patchTheme(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Tenant.PatchTheme(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// deleteTheme is DELETE /branding/themes/{id}.
func (a *api) deleteTheme(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	if err := a.Tenant.DeleteTheme(r.Context(), id, by.event(r)); err != nil {
		return err
	}
	return none(w)
}

// getTemplate is GET /branding/templates/universal-login.
func (a *api) getTemplate(w http.ResponseWriter, r *http.Request, _ *caller) error {
	doc, err := a.Tenant.Template(r.Context())
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// templateBody is UpdateUniversalLoginTemplateRequestContent as an object; a
// string is its other form.
var templateBody = schema.Property{
	Types: schema.String | schema.Object, Closed: true, Required: []string{"template"}, Members: []schema.Property{{Name: "template", Types: schema.String}},
}

// putTemplate is PUT /branding/templates/universal-login.
func (a *api) putTemplate(w http.ResponseWriter, r *http.Request, by *caller) error {
	body, err := readArray(r)
	if err != nil {
		return err
	}
	if err := checkBody(templateBody.Check("", body)); err != nil {
		return err
	}
	text, ok := schema.Text(body)
	if !ok {
		text = strictjson.ParseDocument(body).Text("template")
	}
	created, err := a.Tenant.SetTemplate(r.Context(), text, by.event(r))
	if err != nil {
		return err
	}
	if created {
		w.WriteHeader(http.StatusCreated)
		return nil
	}
	return none(w)
}

// deleteTemplate is DELETE /branding/templates/universal-login.
func (a *api) deleteTemplate(w http.ResponseWriter, r *http.Request, by *caller) error {
	if err := a.Tenant.DeleteTemplate(r.Context(), by.event(r)); err != nil {
		return err
	}
	return none(w)
}
