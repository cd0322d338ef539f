package server

import (
	"net/http"
	"strings"

	"mangrove/internal/page"
	"mangrove/internal/web"
)

// notFound answers paths that nobody serves: with a page for browsers, with
// JSON for everybody else. No family of the wire format owns them; the members
// are those that most clients look for.
func (s *Server) notFound(renderer *page.Renderer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			s.drawn(r, renderer.Show(w, r, http.StatusNotFound, page.Error{Title: "Not found", Text: "There is nothing at this address."}))
			return
		}
		web.WriteJSON(w, http.StatusNotFound, web.TypeJSON, map[string]any{
			"statusCode": http.StatusNotFound, "error": "Not Found", "message": "Not Found", "error_description": "There is nothing at this address.",
		})
	}
}
