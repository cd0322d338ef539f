package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/web"
)

// defaultProviderFields are what GET /emails/provider shows unless it is asked for
// more, as the contract has it.
var defaultProviderFields = fields{names: []string{"name", "enabled"}}

// getEmailProvider is GET /emails/provider.
func (a *api) getEmailProvider(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	doc, err := a.Letters.Provider(r.Context())
	if err != nil {
		return err
	}
	if len(f.names) == 0 {
		f = defaultProviderFields
	}
	b, err := f.apply(doc)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(b))
	return nil
}

// createEmailProvider is POST /emails/provider.
func (a *api) createEmailProvider(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Letters.CreateProvider(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	a.mailChanged(r)
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, doc)
	return nil
}

// patchEmailProvider is PATCH /emails/provider.
func (a *api) patchEmailProvider(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	doc, err := a.Letters.PatchProvider(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	a.mailChanged(r)
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
	return nil
}

// deleteEmailProvider is DELETE /emails/provider.
func (a *api) deleteEmailProvider(w http.ResponseWriter, r *http.Request, by *caller) error {
	if err := a.Letters.DeleteProvider(r.Context(), by.event(r)); err != nil {
		return err
	}
	a.mailChanged(r)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mailChanged tells the rest of this node at once.
func (a *api) mailChanged(r *http.Request) {
	if a.MailChanged != nil {
		a.MailChanged(r.Context())
	}
}
