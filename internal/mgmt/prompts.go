package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// promptRoutes are the login experience and its texts (reference/authentication.md §7.6).
func (a *api) promptRoutes() []route {
	read, update := oneOf("read:prompts"), oneOf("update:prompts")
	return []route{
		{"GET", "/prompts", read, a.showDocument(tenant.Prompts)},
		{"PATCH", "/prompts", update, a.patchDocument(tenant.Prompts)},
		{"GET", "/prompts/rendering", read, a.renderings},
		{"GET", "/prompts/{prompt}/custom-text/{language}", read, a.getCustomText},
		{"PUT", "/prompts/{prompt}/custom-text/{language}", update, a.putCustomText},
		{"GET", "/prompts/{prompt}/partials", read, a.getPartials},
		{"PUT", "/prompts/{prompt}/partials", update, a.putPartials},
	}
}

// oneIn is a path parameter that is one of the values.
func oneIn(r *http.Request, name, description string, values []string) (string, error) {
	s, err := web.Param(r, name)
	if err != nil {
		return "", err
	}
	p := schema.Property{Types: schema.String, Enum: values, Description: description}
	if bad := p.Check(name, profile.Text(s)); len(bad) > 0 {
		return "", pathError(bad[0])
	}
	return s, nil
}

func promptAndLanguage(r *http.Request) (prompt, language string, err error) {
	if prompt, err = oneIn(r, "prompt", "Name of the prompt.", tenant.PromptNames); err != nil {
		return "", "", err
	}
	language, err = oneIn(r, "language", "Language to update.", tenant.Languages)
	return prompt, language, err
}

// renderings is GET /prompts/rendering: every screen is rendered by the server.
func (a *api) renderings(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := paging{
		page:    q.number("page", "Page index of the results to return. First page is 0.", 0, 1000, 0),
		perPage: q.number("per_page", "Number of results per page. Maximum value is 100, default value is 50.", 1, MaxPage, 50),
		totals:  q.totals(),
	}
	if err := q.err(); err != nil {
		return err
	}
	return shown(w, json.RawMessage(p.envelope("configs", array(nil), 0, "")))
}

// getCustomText is GET /prompts/{prompt}/custom-text/{language}.
func (a *api) getCustomText(w http.ResponseWriter, r *http.Request, _ *caller) error {
	prompt, language, err := promptAndLanguage(r)
	if err != nil {
		return err
	}
	doc, err := a.Tenant.CustomText(r.Context(), prompt, language)
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// putCustomText is PUT /prompts/{prompt}/custom-text/{language}.
func (a *api) putCustomText(w http.ResponseWriter, r *http.Request, by *caller) error {
	prompt, language, err := promptAndLanguage(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Tenant.SetCustomText(r.Context(), prompt, language, members, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// getPartials is GET /prompts/{prompt}/partials: there are none.
func (a *api) getPartials(w http.ResponseWriter, r *http.Request, _ *caller) error {
	if _, err := oneIn(r, "prompt", "Name of the prompt.", tenant.PartialNames); err != nil {
		return err
	}
	return shown(w, json.RawMessage("{}"))
}

// errPartials refuses what would be shown on no page.
var errPartials = errs.New(errs.Invalid, "operation_not_supported", "Partials are not available: the pages have no insertion points.")

// putPartials is PUT /prompts/{prompt}/partials: only none can be set.
func (a *api) putPartials(w http.ResponseWriter, r *http.Request, _ *caller) error {
	if _, err := oneIn(r, "prompt", "Name of the prompt.", tenant.PartialNames); err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		return errPartials
	}
	return shown(w, json.RawMessage("{}"))
}
