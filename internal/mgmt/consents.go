package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/consent"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// consentRoutes are what people allowed applications; the contract calls it grants
// (reference/authentication.md §2.2).
func (a *api) consentRoutes() []route {
	return []route{
		{"GET", "/grants", oneOf("read:grants"), a.listConsents},
		{"DELETE", "/grants", oneOf("delete:grants"), a.revokeConsents},
		{"DELETE", "/grants/{id}", oneOf("delete:grants"), a.revokeConsent},
	}
}

// consentJSON is the wire form.
func consentJSON(c *consent.Consent) []byte {
	var o object
	o.text("id", c.ID)
	o.text("clientID", c.ClientID)
	o.text("user_id", c.UserID)
	o.text("audience", c.Audience)
	o.texts("scope", c.Scope)
	return o.end()
}

// listConsents is GET /grants.
func (a *api) listConsents(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := q.offsetPaging()
	f := consent.Filter{
		UserID:   q.text(schema.Property{Name: "user_id", Description: "user_id of the grants to retrieve."}),
		ClientID: q.text(schema.Property{Name: "client_id", Description: "client_id of the grants to retrieve."}),
		Audience: q.text(schema.Property{Name: "audience", Description: "audience of the grants to retrieve."}),
	}
	if err := q.err(); err != nil {
		return err
	}
	if p.page > 0 && p.offset()+p.perPage > maxOffset {
		return errPaging
	}
	list, total, err := a.Consents.Consents(r.Context(), f, consent.Page{Offset: p.offset(), Limit: p.perPage})
	if err != nil {
		return err
	}
	shown := make([]json.RawMessage, len(list))
	for i := range list {
		shown[i] = consentJSON(&list[i])
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(p.envelope("grants", array(shown), total, "")))
	return nil
}

// revokeConsent is DELETE /grants/{id}; revoking none is no error.
func (a *api) revokeConsent(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	event := by.event(r)
	event.Description = "Delete a grant by id"
	if err := a.Consents.RevokeConsent(r.Context(), id, event); err != nil && !errors.Is(err, consent.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revokeConsents is DELETE /grants?user_id=….
func (a *api) revokeConsents(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	id := q.required(schema.Property{Name: "user_id", Description: "user_id of the grant to delete.", Min: 1})
	if err := q.err(); err != nil {
		return err
	}
	event := by.event(r)
	event.Description, event.UserID = "Delete a grant by user_id", id
	if err := a.Consents.RevokeConsents(r.Context(), id, event); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
