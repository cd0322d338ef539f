package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/client"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// credentialRoutes are the keys of clients (reference/authentication.md §7.1).
func (a *api) credentialRoutes() []route {
	return []route{
		{"GET", "/clients/{id}/credentials", oneOf("read:client_credentials"), a.listCredentials},
		{"POST", "/clients/{id}/credentials", oneOf("create:client_credentials"), a.createCredential},
		{"GET", "/clients/{id}/credentials/{credential}", oneOf("read:client_credentials"), a.getCredential},
		{"PATCH", "/clients/{id}/credentials/{credential}", oneOf("update:client_credentials"), a.patchCredential},
		{"DELETE", "/clients/{id}/credentials/{credential}", oneOf("delete:client_credentials"), a.deleteCredential},
	}
}

// credentialJSON is the wire form. The key itself is not in it.
func credentialJSON(c *client.Credential) json.RawMessage {
	var o object
	o.text("id", c.ID)
	if c.Name != "" {
		o.text("name", c.Name)
	}
	o.text("kid", c.KID)
	o.text("alg", c.Alg)
	o.text("credential_type", "public_key")
	o.raw("created_at", stamp(c.CreatedAt))
	o.raw("updated_at", stamp(c.UpdatedAt))
	if c.ExpiresAt != 0 {
		o.raw("expires_at", stamp(c.ExpiresAt))
	}
	return o.end()
}

// stamp is a moment as a JSON string.
func stamp(micro int64) []byte { return append(user.AppendISO([]byte{'"'}, micro), '"') }

// credentialOf are the parameters of a path to a credential.
func credentialOf(r *http.Request) (clientID, id string, err error) {
	if clientID, err = web.Param(r, "id"); err != nil {
		return "", "", err
	}
	id, err = web.Param(r, "credential")
	return clientID, id, err
}

// listCredentials is GET /clients/{id}/credentials: always the bare array of all.
func (a *api) listCredentials(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	list, err := a.Credentials.List(r.Context(), id)
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(list))
	for i, c := range list {
		items[i] = credentialJSON(c)
	}
	return shown(w, array(items))
}

// createCredential is POST /clients/{id}/credentials.
func (a *api) createCredential(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	c, err := a.Credentials.Create(r.Context(), id, members, by.event(r))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, credentialJSON(c))
	return nil
}

// getCredential is GET /clients/{id}/credentials/{credential}.
func (a *api) getCredential(w http.ResponseWriter, r *http.Request, _ *caller) error {
	clientID, id, err := credentialOf(r)
	if err != nil {
		return err
	}
	c, err := a.Credentials.Get(r.Context(), clientID, id)
	if err != nil {
		return err
	}
	return shown(w, credentialJSON(c))
}

// patchCredential is PATCH /clients/{id}/credentials/{credential}.
func (a *api) patchCredential(w http.ResponseWriter, r *http.Request, by *caller) error {
	clientID, id, err := credentialOf(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	c, err := a.Credentials.Patch(r.Context(), clientID, id, members, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, credentialJSON(c))
}

// deleteCredential is DELETE /clients/{id}/credentials/{credential}.
func (a *api) deleteCredential(w http.ResponseWriter, r *http.Request, by *caller) error {
	clientID, id, err := credentialOf(r)
	if err != nil {
		return err
	}
	if err := a.Credentials.Delete(r.Context(), clientID, id, by.event(r)); err != nil {
		return err
	}
	return none(w)
}
