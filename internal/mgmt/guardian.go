package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

// guardianRoutes are the second factors of the installation (reference/authentication.md §7.6).
func (a *api) guardianRoutes() []route {
	read, update := oneOf("read:guardian_factors"), oneOf("update:guardian_factors")
	return []route{
		{"GET", "/guardian/factors", read, a.listFactors},
		{"PUT", "/guardian/factors/{name}", update, a.setFactor},
		{"GET", "/guardian/policies", oneOf("read:mfa_policies"), a.policies},
		{"PUT", "/guardian/policies", oneOf("update:mfa_policies"), a.setPolicies},

		{"GET", "/guardian/factors/push-notification/providers/sns", read, constant(`{}`)},
		{"GET", "/guardian/factors/sms/providers/twilio", read, constant(`{}`)},
		{"GET", "/guardian/factors/sms/templates", read, constant(`{}`)},
		{"GET", "/guardian/factors/phone/selected-provider", read, constant(`{"provider":"auth0"}`)},
		{"GET", "/guardian/factors/phone/message-types", read, constant(`{"message_types":[]}`)},
	}
}

// listFactors is GET /guardian/factors.
func (a *api) listFactors(w http.ResponseWriter, r *http.Request, _ *caller) error {
	list, err := a.Tenant.Factors(r.Context())
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(list))
	for i, f := range list {
		var o object
		o.text("name", f.Name)
		o.raw("enabled", truth(f.Enabled))
		o.raw("trial_expired", truth(false))
		items[i] = o.end()
	}
	return shown(w, array(items))
}

func truth(b bool) json.RawMessage {
	if b {
		return json.RawMessage("true")
	}
	return json.RawMessage("false")
}

// setFactor is PUT /guardian/factors/{name}.
func (a *api) setFactor(w http.ResponseWriter, r *http.Request, by *caller) error {
	name, err := web.Param(r, "name")
	if err != nil {
		return err
	}
	if !tenant.IsFactor(name) {
		return errNoRoute
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	on, err := a.Tenant.SetFactor(r.Context(), name, members, by.event(r))
	if err != nil {
		return err
	}
	var o object
	o.raw("enabled", truth(on))
	return shown(w, o.end())
}

// policies is GET /guardian/policies.
func (a *api) policies(w http.ResponseWriter, r *http.Request, _ *caller) error {
	doc, err := a.Tenant.Policies(r.Context())
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// setPolicies is PUT /guardian/policies.
func (a *api) setPolicies(w http.ResponseWriter, r *http.Request, by *caller) error {
	body, err := readArray(r)
	if err != nil {
		return err
	}
	doc, err := a.Tenant.SetPolicies(r.Context(), body, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, doc)
}
