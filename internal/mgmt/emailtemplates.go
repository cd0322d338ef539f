package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// emailRoutes are what mails say, and who sends them (reference/authentication.md
// §7.6, §8.1).
func (a *api) emailRoutes() []route {
	return []route{
		{"POST", "/email-templates", oneOf("create:email_templates"), a.createEmailTemplate},
		{"GET", "/email-templates/{templateName}", oneOf("read:email_templates"), a.getEmailTemplate},
		{"PATCH", "/email-templates/{templateName}", oneOf("update:email_templates"), a.changeEmailTemplate(patchTemplate)},
		{"PUT", "/email-templates/{templateName}", oneOf("update:email_templates"), a.changeEmailTemplate(putTemplate)},

		{"GET", "/emails/provider", oneOf("read:email_provider"), a.getEmailProvider},
		{"POST", "/emails/provider", oneOf("create:email_provider"), a.createEmailProvider},
		{"PATCH", "/emails/provider", oneOf("update:email_provider"), a.patchEmailProvider},
		{"DELETE", "/emails/provider", oneOf("delete:email_provider"), a.deleteEmailProvider},
	}
}

// createEmailTemplate is POST /email-templates; its answer is 200, not 201.
func (a *api) createEmailTemplate(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Letters.CreateTemplate(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
	return nil
}

// getEmailTemplate is GET /email-templates/{templateName}.
func (a *api) getEmailTemplate(w http.ResponseWriter, r *http.Request, _ *caller) error {
	name, err := web.Param(r, "templateName")
	if err != nil {
		return err
	}
	doc, err := a.Letters.Template(r.Context(), name)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
	return nil
}

// templateChange is what PATCH and PUT differ in.
type templateChange func(a *api, r *http.Request, name string, members []strictjson.Member, by audit.Event) (json.RawMessage, error)

func patchTemplate(a *api, r *http.Request, name string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	return a.Letters.PatchTemplate(r.Context(), name, members, by)
}

func putTemplate(a *api, r *http.Request, name string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	return a.Letters.PutTemplate(r.Context(), name, members, by)
}

// changeEmailTemplate is PATCH or PUT /email-templates/{templateName}.
func (a *api) changeEmailTemplate(change templateChange) handler {
	return func(w http.ResponseWriter, r *http.Request, by *caller) error {
		name, err := web.Param(r, "templateName")
		if err != nil {
			return err
		}
		members, err := web.ReadJSON(r)
		if err != nil {
			return err
		}
		doc, err := change(a, r, name, members, by.event(r))
		if err != nil {
			return err
		}
		web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
		return nil
	}
}
