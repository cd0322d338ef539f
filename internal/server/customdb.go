package server

import (
	"crypto/rand"

	"mangrove/internal/action"
	"mangrove/internal/foreigndb"
	"mangrove/internal/outbound"
	"mangrove/internal/script"
	"mangrove/internal/user"
)

// customDatabases makes what runs the actions of custom databases. Its sandbox is also
// that of the scripts of other connections: one bound holds for all.
func (s *Server) customDatabases(hashing *user.Hashing) *action.Runner {
	web := outbound.New(s.cfg.OutboundAllow, s.providers...)
	s.databases = foreigndb.New(outbound.Dialer(s.cfg.OutboundAllow).DialContext)
	s.scripts = script.New(web, rand.Reader, 0)
	s.scripts.Databases = s.databases
	return action.New(action.Options{Scripts: s.scripts, Databases: s.databases, Hashing: hashing, Web: web, Now: s.now})
}
