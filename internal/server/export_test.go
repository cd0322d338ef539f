package server

import "github.com/go-chi/chi/v5"

// Routes are those of the endpoints and pages, for tests that walk them all.
func (s *Server) Routes() chi.Routes { return s.routes }
