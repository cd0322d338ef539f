package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/key"
	"mangrove/internal/resourceserver"
	"mangrove/internal/store"
	"mangrove/internal/tenant"
)

// Credentials of the management client, which a first start creates.
type Credentials struct {
	ClientID, Secret string
	Given            bool // by the environment, not made up
}

// Bootstrapped are the credentials if this start created them; they are not
// told again.
func (s *Server) Bootstrapped() (c Credentials, ok bool) {
	if s.made == nil {
		return Credentials{}, false
	}
	return *s.made, true
}

// bootstrap fills a fresh database: the default database connection, the
// Management API, the global client, the management client with all scopes, a
// signing key. signingKey may be nil; the key is then made here.
func (s *Server) bootstrap(ctx context.Context, host string, signingKey <-chan generated) error {
	made := Credentials{ClientID: s.cfg.BootstrapClientID, Secret: s.cfg.BootstrapClientSecret, Given: true}
	if made.ClientID == "" {
		made = Credentials{ClientID: client.NewID(), Secret: client.NewSecret()}
	}
	created, err := s.store.Bootstrap(ctx, func() (store.Seed, error) {
		if signingKey == nil {
			signingKey = generateKey(host, s.now())
		}
		k := <-signingKey
		if k.err != nil {
			return store.Seed{}, k.err
		}
		at := s.now().UnixMicro()
		database := connection.Default(at)
		// A connection without clients counts as disabled: no import, no change of
		// an e-mail address.
		database.EnabledClients = []string{made.ClientID}
		api := resourceserver.ManagementAPI(s.cfg.PublicURL, at)
		return store.Seed{
			Connection:     *database,
			ResourceServer: *api,
			Clients: []client.Client{
				*client.Global(client.NewID(), client.NewSecret(), at),
				*client.Management(made.ClientID, made.Secret, at),
			},
			Grants:   []grant.Grant{*grant.Management(made.ClientID, api.Identifier, api.Settings().ScopeValues())},
			Keys:     []key.Key{k.key},
			Settings: tenant.Fresh(),
		}, nil
	})
	if err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	if created {
		s.made = &made
		s.log.Info("a fresh database was set up", "client", made.ClientID)
	}
	return nil
}

// generated is a key on its way.
type generated struct {
	key key.Key
	err error
}

// generateKey makes a signing key in the background. How long the search for
// primes takes varies by a factor of ten; of two searches one is soon done.
func generateKey(host string, now time.Time) <-chan generated {
	found := make(chan generated, 2)
	for range min(2, runtime.GOMAXPROCS(0)) {
		go func() {
			k, err := key.Generate(host, now)
			found <- generated{k, err}
		}()
	}
	return found
}

// pageSize of the loops below.
const pageSize = 100

// followPublicURL moves the Management API to the public URL when that was
// changed since the last start: its identifier and the grants on it are made
// from the URL, and without them nobody could ask for a token any more. Tokens
// of the old issuer are no longer valid either way.
//
// The API itself is moved last, so that a start that was cut short begins again.
func (s *Server) followPublicURL(ctx context.Context) error {
	want := s.cfg.ManagementAudience()
	api, err := s.systemAPI(ctx)
	if err != nil || api == nil || api.Identifier == want {
		return err
	}
	old := api.Identifier
	for after := ""; ; {
		list, _, err := s.store.Grants(ctx, grant.Filter{Audience: old}, grant.Page{After: after, Limit: pageSize})
		if err != nil {
			return err
		}
		for _, g := range list {
			after = g.ID
			moved := *g
			moved.ID, moved.Audience, moved.Version = grant.NewID(), want, 1
			if err := s.store.CreateGrant(ctx, &moved, audit.Event{}); err != nil && !errors.Is(err, grant.ErrExists) {
				return err
			}
			if err := s.store.DeleteGrant(ctx, g.ID, audit.Event{}); err != nil {
				return err
			}
		}
		if len(list) < pageSize {
			break
		}
	}
	_, err = s.store.UpdateResourceServer(ctx, api.ID, func(r *resourceserver.ResourceServer) error {
		r.Identifier, r.UpdatedAt = want, s.now().UnixMicro()
		return nil
	}, audit.Event{})
	if err != nil {
		return fmt.Errorf("moving the Management API to the new public URL: %w", err)
	}
	s.log.Warn("the public URL was changed: the Management API has a new audience, and tokens issued before are no longer valid",
		"was", old, "is", want)
	return nil
}

// followScopes gives the Management API the scopes that this version adds, and
// every grant that had all of them before has all of them afterwards: the client
// that administers the installation goes on to be able to.
//
// The API itself is extended last, so that a start that was cut short begins again.
func (s *Server) followScopes(ctx context.Context) error {
	api, err := s.systemAPI(ctx)
	if err != nil || api == nil {
		return err
	}
	defined := api.Settings()
	var missing []resourceserver.Scope
	for _, sc := range resourceserver.ManagementScopes() {
		if !defined.Has(sc.Value) {
			missing = append(missing, sc)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	before := defined.ScopeValues()
	for after := ""; ; {
		list, _, err := s.store.Grants(ctx, grant.Filter{Audience: api.Identifier}, grant.Page{After: after, Limit: pageSize})
		if err != nil {
			return err
		}
		for _, g := range list {
			after = g.ID
			if !hasAll(g.Scope, before) {
				continue
			}
			_, err := s.store.UpdateGrant(ctx, g.ID, func(g *grant.Grant) error {
				for _, sc := range missing {
					if !slices.Contains(g.Scope, sc.Value) {
						g.Scope = append(g.Scope, sc.Value)
					}
				}
				return nil
			}, audit.Event{})
			if err != nil && !errors.Is(err, grant.ErrNotFound) {
				return err
			}
		}
		if len(list) < pageSize {
			break
		}
	}
	_, err = s.store.UpdateResourceServer(ctx, api.ID, func(r *resourceserver.ResourceServer) error {
		r.UpdatedAt = s.now().UnixMicro()
		return r.AddScopes(missing)
	}, audit.Event{})
	if err != nil {
		return fmt.Errorf("adding scopes to the Management API: %w", err)
	}
	s.log.Info("the Management API has new scopes", "count", len(missing))
	return nil
}

func hasAll(list, wanted []string) bool {
	for _, v := range wanted {
		if !slices.Contains(list, v) {
			return false
		}
	}
	return true
}

// systemAPI is the Management API as stored; nil: there is none.
func (s *Server) systemAPI(ctx context.Context) (*resourceserver.ResourceServer, error) {
	for after := ""; ; {
		list, _, err := s.store.ResourceServers(ctx, nil, resourceserver.Page{After: after, Limit: pageSize})
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(r *resourceserver.ResourceServer) bool { return r.System }); i >= 0 {
			return list[i], nil
		}
		if len(list) < pageSize {
			return nil, nil
		}
		after = list[len(list)-1].ID
	}
}
