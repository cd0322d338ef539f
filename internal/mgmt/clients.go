package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// clientRoutes are the routes of clients (reference/authentication.md §7.1).
func (a *api) clientRoutes() []route {
	read := oneOf("read:clients", "read:client_keys", "read:client_credentials", "read:client_summary")
	update := oneOf("update:clients", "update:client_keys", "update:client_credentials", "update:client_token_vault_privileged_access")
	return []route{
		{"GET", "/clients", read, a.listClients},
		{"POST", "/clients", oneOf("create:clients"), a.createClient},
		{"GET", "/clients/{id}", read, a.getClient},
		{"PATCH", "/clients/{id}", update, a.patchClient},
		{"DELETE", "/clients/{id}", oneOf("delete:clients"), a.deleteClient},
		{"POST", "/clients/{id}/rotate-secret", oneOf("update:client_keys"), a.rotateSecret},
	}
}

// listClients is GET /clients.
func (a *api) listClients(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	p := q.resourcePaging(50)
	var find client.Query
	find.Global = q.tristate("is_global", "Optional filter on the global client parameter.")
	find.FirstParty = q.tristate("is_first_party", "Optional filter on whether or not a client is a first-party client.")
	if s := q.text(schema.Property{Name: "app_type", Max: 1000, Description: "Optional filter by a comma-separated list of application types."}); s != "" {
		find.AppTypes = strings.Split(s, ",")
	}
	for _, name := range []string{"q", "external_client_id"} {
		// Ignoring a filter would answer with clients that were not asked for.
		if q.values.Has(name) {
			q.refuse(name, "", "UNSUPPORTED", "This filter is not supported")
		}
	}
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	view := clientView(by, false)
	return listing[*client.Client]{
		key:  "clients",
		name: listName("clients", flagText(find.Global), flagText(find.FirstParty), strings.Join(find.AppTypes, ",")),
		fetch: func(after string, offset, limit int) ([]*client.Client, int, error) {
			return a.Clients.List(r.Context(), find, client.Page{After: after, Offset: offset, Limit: limit})
		},
		id:   func(c *client.Client) string { return c.ID },
		show: func(c *client.Client) ([]byte, error) { return shownClient(c, view, f) },
	}.write(w, a, p)
}

// tristate is a boolean parameter that may be absent.
func (q *query) tristate(name, description string) *bool {
	if !q.values.Has(name) {
		return nil
	}
	v := q.flag(name, description, false)
	return &v
}

func flagText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func writeClient(w http.ResponseWriter, status int, c *client.Client, view, f fields) error {
	b, err := shownClient(c, view, f)
	if err != nil {
		return err
	}
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(b))
	return nil
}

// createClient is POST /clients.
func (a *api) createClient(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	c, err := a.Clients.Create(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	return writeClient(w, http.StatusCreated, c, clientView(by, true), fields{})
}

// getClient is GET /clients/{id}.
func (a *api) getClient(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	c, err := a.Clients.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeClient(w, http.StatusOK, c, clientView(by, false), f)
}

// patchClient is PATCH /clients/{id}.
func (a *api) patchClient(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	if err := by.mayUpdateClient(members); err != nil {
		return err
	}
	c, err := a.Clients.Patch(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	return writeClient(w, http.StatusOK, c, clientView(by, false), fields{})
}

// mayUpdateClient refuses members that need a scope of their own; all others need
// update:clients. client_authentication_methods may be set with either.
func (c *caller) mayUpdateClient(members []strictjson.Member) error {
	var refused []string
	for _, m := range members {
		need := oneOf("update:clients")
		switch m.Name {
		case "client_secret", "encryption_key":
			need = oneOf("update:client_keys")
		case "client_authentication_methods":
			need = oneOf("update:clients", "update:client_credentials")
		case "token_vault_privileged_access":
			need = oneOf("update:clients", "update:client_token_vault_privileged_access")
		}
		if !c.hasAny(need) && len(refused) < 20 {
			refused = append(refused, shorten(m.Name))
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &errs.Error{
		Kind: errs.Forbidden, Code: "insufficient_scope",
		Text: "You cannot update the following fields: " + strings.Join(refused, ", "),
	}
}

// deleteClient is DELETE /clients/{id}; deleting none is no error.
func (a *api) deleteClient(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	if err := a.Clients.Delete(r.Context(), id, by.event(r)); err != nil && !errors.Is(err, client.ErrNotFound) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotateSecret is POST /clients/{id}/rotate-secret; a body is ignored.
func (a *api) rotateSecret(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	c, err := a.Clients.RotateSecret(r.Context(), id, by.event(r))
	if err != nil {
		return err
	}
	return writeClient(w, http.StatusOK, c, clientView(by, true), fields{})
}
