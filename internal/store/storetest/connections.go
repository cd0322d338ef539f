package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/job"
	"mangrove/internal/resourceserver"
	"mangrove/internal/store"
)

func conn(id, name, strategy string, clients ...string) *connection.Connection {
	return &connection.Connection{
		ID: id, Name: name, Strategy: strategy, Options: json.RawMessage(`{"client_secret":"s"}`), EnabledClients: clients,
		Realms: []string{name}, Extra: json.RawMessage(`{"display_name":"D"}`), CreatedAt: day, UpdatedAt: day,
	}
}

func runConnections(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("life of a connection", func(t *testing.T) {
		s := open(t)
		c := conn(ourConnection, "users", "auth0", "client-b", "client-a", "client-b")
		c.Realms = []string{"users", "staff"}
		must(t, s.CreateConnection(bg, c, event("")))
		for name, find := range map[string]func() (*connection.Connection, error){
			"id":    func() (*connection.Connection, error) { return s.Connection(bg, c.ID) },
			"name":  func() (*connection.Connection, error) { return s.ConnectionByName(bg, "users") },
			"realm": func() (*connection.Connection, error) { return s.ConnectionByRealm(bg, "staff") },
		} {
			got, err := find()
			if err != nil {
				t.Fatalf("by %s: %v", name, err)
			}
			if got.ID != c.ID || got.Name != "users" || got.Strategy != "auth0" || string(got.Options) != string(c.Options) ||
				string(got.Extra) != string(c.Extra) || !slices.Equal(got.EnabledClients, []string{"client-b", "client-a"}) ||
				!slices.Equal(got.Realms, c.Realms) || got.CreatedAt != day || got.Version != 1 {
				t.Errorf("by %s: %+v", name, got)
			}
		}
		got, err := s.UpdateConnection(bg, c.ID, func(c *connection.Connection) error {
			c.Options, c.EnabledClients, c.Realms = json.RawMessage(`{"new":1}`), []string{"client-c"}, []string{"users"}
			return nil
		}, audit.Event{})
		must(t, err)
		if got.Version != 2 {
			t.Errorf("version %d", got.Version)
		}
		got, err = s.Connection(bg, c.ID) // a local write is seen at once
		must(t, err)
		if string(got.Options) != `{"new":1}` || !slices.Equal(got.EnabledClients, []string{"client-c"}) || got.Version != 2 {
			t.Errorf("after the update: %+v", got)
		}
		if _, err := s.ConnectionByRealm(bg, "staff"); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("a realm that was given up: %v", err)
		}
		must(t, s.DeleteConnection(bg, c.ID, 0, day, event("")))
		for _, err := range []error{
			second(s.Connection(bg, c.ID)), second(s.ConnectionByName(bg, "users")), second(s.ConnectionByRealm(bg, "users")),
			s.DeleteConnection(bg, c.ID, 0, day, audit.Event{}),
			second(s.UpdateConnection(bg, c.ID, func(*connection.Connection) error { return nil }, audit.Event{})),
		} {
			if !errors.Is(err, connection.ErrNotFound) {
				t.Errorf("after deletion: %v", err)
			}
		}
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0"), event("")))
	})

	t.Run("names and realms are unique", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn("con_1", "one", "auth0"), event("")))
		withRealm := conn("con_3", "three", "auth0")
		withRealm.Realms = []string{"one"}
		if err := s.CreateConnection(bg, conn("con_2", "one", "sms"), event("")); !errors.Is(err, connection.ErrExists) {
			t.Errorf("name: %v", err)
		}
		if err := s.CreateConnection(bg, withRealm, event("")); !errors.Is(err, connection.ErrRealm) {
			t.Errorf("realm: %v", err)
		}
		if _, err := s.Connection(bg, "con_3"); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("a refused connection is there: %v", err)
		}
		must(t, s.CreateConnection(bg, conn("con_4", "One", "auth0"), event(""))) // names differ by case
		if _, err := s.UpdateConnection(bg, "con_4", func(c *connection.Connection) error { c.Name = "one"; return nil }, audit.Event{}); !errors.Is(err, connection.ErrExists) {
			t.Errorf("renamed: %v", err)
		}
	})

	t.Run("a deleted connection keeps its name until its users are gone", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0"), event("")))
		for _, id := range numbered("u%d", 5) {
			create(t, s, ourUser(id, id+"@example.com"))
		}
		create(t, s, upstreamUser("stays", "s@example.com"))
		if has, err := s.HasUsers(bg, ourConnection); err != nil || !has {
			t.Errorf("has users: %v, %v", has, err)
		}
		must(t, s.DeleteConnection(bg, ourConnection, 0, day, event("")))
		if err := s.CreateConnection(bg, conn("con_new", "users", "auth0"), event("")); !errors.Is(err, connection.ErrDeleting) {
			t.Errorf("the name while deleting: %v", err)
		}
		j, lease, err := s.Claim(bg, "node", day, day+10)
		if err != nil || j == nil || j.Type != job.ConnectionDelete || j.ConnectionID != ourConnection || j.Connection != "users" {
			t.Fatalf("job %+v, %v", j, err)
		}
		total := 0
		for {
			n, err := s.DeleteUsersOf(bg, ourConnection, 2)
			must(t, err)
			if total += n; n < 2 {
				break
			}
		}
		must(t, s.Finish(bg, *lease, job.Completed, "", day))
		has, err := s.HasUsers(bg, ourConnection)
		if total != 5 || has || err != nil {
			t.Errorf("deleted %d, left: %v, %v", total, has, err)
		}
		must(t, s.CreateConnection(bg, conn("con_new", "users", "auth0"), event("")))
		_, err = s.View(bg, "google-oauth2|stays")
		must(t, err)
		create(t, s, ourUser("u0", "u0@example.com"))
	})

	t.Run("lists", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn("con_b", "b", "oidc", "x"), event("")))
		must(t, s.CreateConnection(bg, conn("con_a", "a", "auth0", "x", "y"), event("")))
		must(t, s.CreateConnection(bg, conn("con_c", "c", "sms", "y"), event("")))
		for name, c := range map[string]struct {
			f     connection.Filter
			p     connection.Page
			want  []string
			total int
		}{
			"all":               {connection.Filter{}, connection.Page{Limit: 10}, []string{"con_a", "con_b", "con_c"}, 3},
			"after":             {connection.Filter{}, connection.Page{After: "con_a", Limit: 1}, []string{"con_b"}, 3},
			"offset":            {connection.Filter{}, connection.Page{Offset: 2, Limit: 5}, []string{"con_c"}, 3},
			"name":              {connection.Filter{Name: "b"}, connection.Page{Limit: 5}, []string{"con_b"}, 1},
			"strategies":        {connection.Filter{Strategies: []string{"sms", "oidc", "ad"}}, connection.Page{Limit: 5}, []string{"con_b", "con_c"}, 2},
			"client":            {connection.Filter{ClientID: "y"}, connection.Page{Limit: 1}, []string{"con_a"}, 2},
			"client and more":   {connection.Filter{ClientID: "x", Strategies: []string{"oidc"}}, connection.Page{Limit: 5}, []string{"con_b"}, 1},
			"nothing":           {connection.Filter{Name: "z"}, connection.Page{Limit: 5}, nil, 0},
			"total without any": {connection.Filter{}, connection.Page{}, nil, 3},
		} {
			list, total, err := s.Connections(bg, c.f, c.p)
			var got []string
			for _, c := range list {
				got = append(got, c.ID)
				if len(c.EnabledClients) == 0 || len(c.Realms) != 1 {
					t.Errorf("%s: %+v", name, c)
				}
			}
			if err != nil || !slices.Equal(got, c.want) || total != c.total {
				t.Errorf("%s: %v, %d, %v", name, got, total, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func runApplications(t *testing.T, open func(testing.TB) *store.Store) {
	doc := json.RawMessage(`{"a":1}`)
	newClient := func(id string) *client.Client {
		return &client.Client{ID: id, Secret: "secret of " + id, Name: "Name", Doc: doc, CreatedAt: day, UpdatedAt: day}
	}

	t.Run("clients", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"c2", "c1", "global"} {
			c := newClient(id)
			c.Global = id == "global"
			must(t, s.CreateClient(bg, c, event("")))
		}
		got, err := s.Client(bg, "c1")
		if err != nil || got.Secret != "secret of c1" || string(got.Doc) != string(doc) || got.Version != 1 || got.Name != "Name" || got.CreatedAt != day {
			t.Errorf("got %+v, %v", got, err)
		}
		_, err = s.UpdateClient(bg, "c1", func(c *client.Client) error { c.Secret, c.Name = "new", "N"; return nil }, audit.Event{})
		must(t, err)
		if again, err := s.Client(bg, "c1"); err != nil || again.Secret != "new" || again.Version != 2 || got.Name != "Name" {
			t.Errorf("after the update: %+v, %v; the value read before is %q", again, err, got.Name)
		}
		no := false
		list, total, err := s.Clients(bg, client.Filter{Global: &no}, client.Page{Limit: 1, After: "c1"})
		if err != nil || total != 2 || len(list) != 1 || list[0].ID != "c2" {
			t.Errorf("list: %v, %d, %v", list, total, err)
		}
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0", "c1", "c2"), event("")))
		must(t, s.CreateGrant(bg, &grant.Grant{ID: "cgr_1", ClientID: "c1", Audience: "api"}, event("")))
		must(t, s.DeleteClient(bg, "c1", event("")))
		if _, err := s.Client(bg, "c1"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
		if c, err := s.Connection(bg, ourConnection); err != nil || !slices.Equal(c.EnabledClients, []string{"c2"}) {
			t.Errorf("the connection keeps %v, %v", c, err)
		}
		if _, err := s.GrantFor(bg, "c1", "api"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("its grant: %v", err)
		}
		for _, err := range []error{s.DeleteClient(bg, "c1", audit.Event{}), second(s.UpdateClient(bg, "c1", func(*client.Client) error { return nil }, audit.Event{}))} {
			if !errors.Is(err, client.ErrNotFound) {
				t.Errorf("gone: %v", err)
			}
		}
	})

	t.Run("grants", func(t *testing.T) {
		s := open(t)
		g := &grant.Grant{ID: "cgr_1", ClientID: "c", Audience: "api", Scope: []string{"read", "write"}, Extra: doc}
		must(t, s.CreateGrant(bg, g, event("")))
		if err := s.CreateGrant(bg, &grant.Grant{ID: "cgr_2", ClientID: "c", Audience: "api"}, event("")); !errors.Is(err, grant.ErrExists) {
			t.Errorf("the same pair: %v", err)
		}
		must(t, s.CreateGrant(bg, &grant.Grant{ID: "cgr_3", ClientID: "c", Audience: "other"}, event("")))
		got, err := s.GrantFor(bg, "c", "api")
		if err != nil || got.ID != "cgr_1" || !slices.Equal(got.Scope, g.Scope) || string(got.Extra) != string(doc) {
			t.Errorf("got %+v, %v", got, err)
		}
		_, err = s.UpdateGrant(bg, "cgr_1", func(g *grant.Grant) error { g.Scope = []string{"read"}; return nil }, audit.Event{})
		must(t, err)
		if got, err = s.Grant(bg, "cgr_1"); err != nil || !slices.Equal(got.Scope, []string{"read"}) || got.Version != 2 {
			t.Errorf("after the update: %+v, %v", got, err)
		}
		list, total, err := s.Grants(bg, grant.Filter{ClientID: "c", Audience: "other"}, grant.Page{Limit: 5})
		if err != nil || total != 1 || list[0].ID != "cgr_3" {
			t.Errorf("list: %v, %d, %v", list, total, err)
		}
		must(t, s.DeleteGrant(bg, "cgr_1", event("")))
		for _, err := range []error{second(s.Grant(bg, "cgr_1")), second(s.GrantFor(bg, "c", "api")), s.DeleteGrant(bg, "cgr_1", audit.Event{})} {
			if !errors.Is(err, grant.ErrNotFound) {
				t.Errorf("gone: %v", err)
			}
		}
	})

	t.Run("resource servers", func(t *testing.T) {
		s := open(t)
		rs := &resourceserver.ResourceServer{ID: "r1", Identifier: "api", System: true, Doc: doc, CreatedAt: day, UpdatedAt: day}
		must(t, s.CreateResourceServer(bg, rs, event("")))
		if err := s.CreateResourceServer(bg, &resourceserver.ResourceServer{ID: "r2", Identifier: "api"}, event("")); !errors.Is(err, resourceserver.ErrExists) {
			t.Errorf("the same identifier: %v", err)
		}
		must(t, s.CreateResourceServer(bg, &resourceserver.ResourceServer{ID: "r3", Identifier: "other"}, event("")))
		must(t, s.CreateGrant(bg, &grant.Grant{ID: "cgr_1", ClientID: "c", Audience: "api"}, event("")))
		got, err := s.ResourceServerByIdentifier(bg, "api")
		if err != nil || got.ID != "r1" || !got.System || string(got.Doc) != string(doc) {
			t.Errorf("got %+v, %v", got, err)
		}
		_, err = s.UpdateResourceServer(bg, "r1", func(r *resourceserver.ResourceServer) error { r.Doc = json.RawMessage(`{}`); return nil }, audit.Event{})
		must(t, err)
		if got, err = s.ResourceServer(bg, "r1"); err != nil || string(got.Doc) != `{}` || got.Version != 2 {
			t.Errorf("after the update: %+v, %v", got, err)
		}
		list, total, err := s.ResourceServers(bg, []string{"other", "none"}, resourceserver.Page{Limit: 5})
		if err != nil || total != 1 || list[0].ID != "r3" {
			t.Errorf("list: %v, %d, %v", list, total, err)
		}
		must(t, s.DeleteResourceServer(bg, "r1", event("")))
		if _, err := s.GrantFor(bg, "c", "api"); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("its grant: %v", err)
		}
		for _, err := range []error{second(s.ResourceServer(bg, "r1")), second(s.ResourceServerByIdentifier(bg, "api")), s.DeleteResourceServer(bg, "r1", audit.Event{})} {
			if !errors.Is(err, resourceserver.ErrNotFound) {
				t.Errorf("gone: %v", err)
			}
		}
	})
}
