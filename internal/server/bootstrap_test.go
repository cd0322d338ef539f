package server

import (
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/config"
	"mangrove/internal/grant"
	"mangrove/internal/resourceserver"
)

// A version with more scopes hands them to the API, and to the grants that had all
// of the older version's; nobody else gets more.
func TestNewScopesAfterAnUpgrade(t *testing.T) {
	cfg := config.Config{Data: t.TempDir(), PublicURL: "http://localhost:8080"}
	audience := cfg.ManagementAudience()
	open := func() *Server {
		t.Helper()
		s, err := New(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	closed := func(s *Server) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, by := t.Context(), audit.Event{}

	// What an older version left: an API without the signing keys, and a client that
	// may only read users.
	s := open()
	made, _ := s.Bootstrapped()
	older := func(v string) bool { return !strings.HasSuffix(v, ":signing_keys") }
	api, err := s.systemAPI(ctx)
	must(err)
	old := *api
	old.Doc = []byte(`{"scopes":[]}`)
	var scopes []resourceserver.Scope
	var values []string
	for _, sc := range resourceserver.ManagementScopes() {
		if older(sc.Value) {
			scopes, values = append(scopes, sc), append(values, sc.Value)
		}
	}
	must(old.AddScopes(scopes))
	_, err = s.store.UpdateResourceServer(ctx, api.ID, func(r *resourceserver.ResourceServer) error {
		r.Doc = old.Doc
		return nil
	}, by)
	must(err)
	g, err := s.store.GrantFor(ctx, made.ClientID, audience)
	must(err)
	_, err = s.store.UpdateGrant(ctx, g.ID, func(g *grant.Grant) error { g.Scope = values; return nil }, by)
	must(err)
	must(s.store.CreateClient(ctx, client.Management("reader", "s", 1), by))
	must(s.store.CreateGrant(ctx, &grant.Grant{ID: grant.NewID(), ClientID: "reader", Audience: audience, Scope: []string{"read:users"}, Extra: []byte("{}"), Version: 1}, by))
	closed(s)

	for range 2 {
		s = open()
		api, err = s.systemAPI(ctx)
		must(err)
		if got, want := len(api.Settings().Scopes), len(resourceserver.ManagementScopes()); got != want {
			t.Errorf("the API has %d scopes of %d", got, want)
		}
		g, err = s.store.GrantFor(ctx, made.ClientID, audience)
		must(err)
		if len(g.Scope) != len(resourceserver.ManagementScopes()) || !slices.Contains(g.Scope, "update:signing_keys") {
			t.Errorf("the management client has %d scopes", len(g.Scope))
		}
		reader, err := s.store.GrantFor(ctx, "reader", audience)
		must(err)
		if !slices.Equal(reader.Scope, []string{"read:users"}) {
			t.Errorf("the reader has %v", reader.Scope)
		}
		closed(s)
	}
}

// A fresh installation asks public clients for PKCE with S256.
func TestFreshSettings(t *testing.T) {
	s, err := New(t.Context(), config.Config{Data: t.TempDir(), PublicURL: "http://localhost:8080"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if set, err := s.store.Settings(t.Context()); err != nil || !set.PublicClientsNeedS256 {
		t.Errorf("%+v, %v", set, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
