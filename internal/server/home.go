package server

import (
	"net/http"

	"mangrove/internal/page"
	"mangrove/internal/web"
)

// home answers the public URL itself, to which no application sends anybody: it
// leads to the tenant's default_redirection_uri, or says what this server is for.
func (s *Server) home(renderer *page.Renderer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		web.NoStore(w)
		// Settings that cannot be read now are as good as none: the page needs no others.
		if t, err := s.store.Settings(r.Context()); err == nil && t.DefaultRedirectionURI != "" {
			http.Redirect(w, r, t.DefaultRedirectionURI, http.StatusFound)
			return
		}
		s.drawn(r, renderer.Show(w, r, http.StatusOK, page.Home{}))
	}
}
