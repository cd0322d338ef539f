package server

import (
	"net/http"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/upstream/saml"
	"mangrove/internal/web"
)

// samlMetadata is GET /samlp/metadata?connection=NAME: what an administrator gives
// to the identity provider. It says nothing that a login there would not.
func (s *Server) samlMetadata(missing http.HandlerFunc) http.HandlerFunc {
	show := func(w http.ResponseWriter, r *http.Request) error {
		q, err := web.FormParams(r.URL.RawQuery)
		if err != nil {
			return err
		}
		c, err := s.store.ConnectionByName(r.Context(), q["connection"])
		if err != nil {
			return err
		}
		k, ok := s.connectors[c.Strategy].(*saml.Connector)
		if !ok {
			return connection.ErrNotFound
		}
		document, err := k.Metadata(r.Context(), c)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/xml")
		_, err = w.Write(document)
		return err
	}
	return web.Serve(show, func(w http.ResponseWriter, r *http.Request, err error) {
		if errs.KindOf(err) == errs.Internal {
			web.WriteJSON(w, http.StatusInternalServerError, web.TypeJSON, map[string]any{
				"statusCode": http.StatusInternalServerError, "error": "Internal Server Error", "message": errs.From(err).Text,
			})
			return
		}
		missing(w, r)
	}).ServeHTTP
}
