package op

import (
	"net/http"

	"mangrove/internal/connection"
	"mangrove/internal/web"
)

// connectionKeys is GET /oauth/connection/{name}/.well-known/jwks.json: the keys
// by which a connection proves itself to its provider (private_key_jwt), for the
// provider to fetch. A name without keys is not found, whether there is such a
// connection or not.
func (e *Endpoints) connectionKeys(w http.ResponseWriter, r *http.Request) error {
	name, err := web.Param(r, "name")
	if err != nil {
		return err
	}
	if e.d.ConnectionKeys == nil {
		return connection.ErrNoKeys
	}
	keys, err := e.d.ConnectionKeys.Published(r.Context(), name)
	if err != nil {
		return err
	}
	doc, err := connection.KeySet(keys)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", publicCache)
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, doc)
	return nil
}
