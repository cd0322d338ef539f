package server

import (
	"context"
	"crypto/rand"
	"maps"

	"mangrove/internal/action"
	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/ip"
	"mangrove/internal/upstream/ldap"
	"mangrove/internal/upstream/oidc"
	"mangrove/internal/upstream/saml"
	"mangrove/internal/upstream/social"
	"mangrove/internal/upstream/wsfed"
)

// connect makes the ways to identity providers, by strategy: what signs people in
// (connectors), and what completes the options of a connection (preparers).
func (s *Server) connect() {
	s.connectors, s.preparers = map[string]upstream.Connector{}, map[string]connection.Preparer{}
	web := outbound.New(s.cfg.OutboundAllow, s.providers...)

	maps.Copy(s.connectors, social.New(web, s.scripts, s.now, rand.Reader).Connectors())
	maps.Copy(s.preparers, social.Preparers())

	openid := oidc.New(web, s.now, rand.Reader)
	openid.Keys = s.connectionKeys()
	for _, strategy := range []string{"oidc", "okta", "auth0-oidc", "office365"} {
		s.connectors[strategy], s.preparers[strategy] = openid, openid
	}
	tokens := wsfed.New(web, s.store, s.now)
	s.connectors["adfs"], s.preparers["adfs"] = tokens, tokens.Preparer("adfs")
	s.connectors["waad"] = tokens.Or(oidc.NewEntra(openid))
	s.preparers["waad"] = tokens.PreparerOr(oidc.EntraPreparer{Connector: openid, Host: s.host()})
	s.connectors["google-apps"], s.preparers["google-apps"] = oidc.NewWorkspace(openid), oidc.WorkspacePreparer{}

	federations := saml.New(s.cfg.PublicURL, web, s.keys, s.store, s.now)
	for _, strategy := range []string{"samlp", "pingfederate"} {
		s.connectors[strategy], s.preparers[strategy] = federations, federations.Preparer(strategy)
	}

	s.preparers["auth0"] = action.Preparer{}

	s.connectors["ip"], s.preparers["ip"] = ip.Connector{}, ip.Connector{}

	s.directories = ldap.New(outbound.Dialer(s.cfg.OutboundAllow, ldap.Ports...), s.now)
	s.connectors["ad"], s.preparers["ad"] = s.directories, s.directories
}

// connectionKeys are the keys by which connections prove themselves to providers.
func (s *Server) connectionKeys() *connection.KeyService {
	return &connection.KeyService{Store: s.store, Connections: s.store, Now: s.now}
}

// directoryStatus is nil when a server of the connection's directory answers.
func (s *Server) directoryStatus(ctx context.Context, c *connection.Connection) error {
	if c.Strategy != "ad" {
		return upstream.ErrConfig
	}
	return s.directories.Status(ctx, c)
}
