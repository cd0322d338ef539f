package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

func runMigrations(t *testing.T, open func(testing.TB) *store.Store) {
	progress := func(t *testing.T, s *store.Store) customdb.Progress {
		t.Helper()
		p, err := s.Progress(bg, ourConnection)
		must(t, err)
		return p
	}
	people := func(t *testing.T, s *store.Store, state customdb.State) string {
		t.Helper()
		list, err := s.Stragglers(bg, ourConnection, state, "", 5000)
		must(t, err)
		var b strings.Builder
		for _, p := range list {
			fmt.Fprintf(&b, "%s %s %s %d; ", p.Name, p.State, p.Reason, p.At-day)
		}
		return strings.TrimSuffix(b.String(), "; ")
	}
	note := func(change func(*customdb.Note)) customdb.Note {
		n := customdb.Note{ConnectionID: ourConnection, Name: "ann@example.com", At: day}
		change(&n)
		return n
	}
	failing := func(name, reason string, at int64) customdb.Note {
		return note(func(n *customdb.Note) {
			n.Name, n.State, n.Reason, n.At = name, customdb.Failing, reason, day+at
		})
	}
	migrated := func(name string, at int64, aliases ...string) customdb.Note {
		return note(func(n *customdb.Note) { n.Name, n.Migrated, n.At, n.Aliases = name, true, day+at, aliases })
	}

	t.Run("a person goes from state to state", func(t *testing.T) {
		s := open(t)
		if p := progress(t, s); p != (customdb.Progress{}) {
			t.Fatalf("before: %+v", p)
		}
		for i, row := range []struct {
			note   customdb.Note
			want   customdb.Progress
			people string
		}{
			{
				note(func(n *customdb.Note) { n.State = customdb.Known }),
				customdb.Progress{Known: 1, FirstAt: day}, "ann@example.com known  0",
			},
			{
				failing("ann@example.com", "no profile", 1),
				customdb.Progress{Failing: 1, FirstAt: day, LastError: "no profile", LastErrorAt: day + 1}, "ann@example.com failing no profile 1",
			},
			{
				failing("ann@example.com", "again", 2),
				customdb.Progress{Failing: 1, FirstAt: day, LastError: "again", LastErrorAt: day + 2}, "ann@example.com failing again 2",
			},
			{
				failing("ben", "older news", -5),
				customdb.Progress{Failing: 2, FirstAt: day - 5, LastError: "again", LastErrorAt: day + 2}, "ann@example.com failing again 2; ben failing older news -5",
			},
			{
				migrated("ann", 3, "ann@example.com", "nobody"),
				customdb.Progress{Migrated: 1, Failing: 1, FirstAt: day - 5, LastMigration: day + 3, LastError: "again", LastErrorAt: day + 2}, "ben failing older news -5",
			},
			{
				note(func(n *customdb.Note) {
					n.Name, n.State, n.Reason, n.Compared, n.At = "ann", customdb.Differing, "name", true, day+4
				}),
				customdb.Progress{
					Migrated: 1, Failing: 1, Differing: 1, Compared: 1,
					FirstAt: day - 5, LastMigration: day + 3, LastError: "again", LastErrorAt: day + 2,
				},
				"ann differing name 4; ben failing older news -5",
			},
			{
				note(func(n *customdb.Note) { n.Name, n.Compared, n.At = "ann", true, day+5 }),
				customdb.Progress{
					Migrated: 1, Failing: 1, Compared: 2, Same: 1,
					FirstAt: day - 5, LastMigration: day + 3, LastError: "again", LastErrorAt: day + 2,
				},
				"ben failing older news -5",
			},
			{ // nothing to tell
				note(func(n *customdb.Note) { n.Name, n.At = "carl", day-9 }),
				customdb.Progress{
					Migrated: 1, Failing: 1, Compared: 2, Same: 1,
					FirstAt: day - 5, LastMigration: day + 3, LastError: "again", LastErrorAt: day + 2,
				},
				"ben failing older news -5",
			},
		} {
			must(t, s.Note(bg, row.note))
			if p := progress(t, s); p != row.want {
				t.Errorf("note %d: %+v, want %+v", i, p, row.want)
			}
			if got := people(t, s, ""); got != row.people {
				t.Errorf("note %d: %s, want %s", i, got, row.people)
			}
		}
		other, err := s.Progress(bg, otherConnection)
		if must(t, err); other != (customdb.Progress{}) {
			t.Errorf("of another connection: %+v", other)
		}
	})

	t.Run("stragglers by state and page", func(t *testing.T) {
		s := open(t)
		for _, name := range []string{"dora", "ann", "carl", "ben"} {
			must(t, s.Note(bg, failing(name, "no", 0)))
		}
		must(t, s.Note(bg, note(func(n *customdb.Note) { n.Name, n.State = "bob", customdb.Known })))
		for _, row := range []struct {
			state customdb.State
			after string
			limit int
			want  string
		}{
			{"", "", 3, "ann ben bob"},
			{"", "bob", 3, "carl dora"},
			{customdb.Failing, "", 2, "ann ben"},
			{customdb.Failing, "ben", 2, "carl dora"},
			{customdb.Known, "", 9, "bob"},
			{customdb.Differing, "", 9, ""},
		} {
			list, err := s.Stragglers(bg, ourConnection, row.state, row.after, row.limit)
			must(t, err)
			var names []string
			for _, p := range list {
				names = append(names, p.Name)
			}
			if got := strings.Join(names, " "); got != row.want {
				t.Errorf("%s behind %q: %s, want %s", row.state, row.after, got, row.want)
			}
		}
	})

	t.Run("what a stranger says is kept within bounds", func(t *testing.T) {
		s := open(t)
		for _, name := range []string{"", strings.Repeat("x", 256), "a\x00b", "a\xff"} {
			must(t, s.Note(bg, failing(name, "no", 0)))
		}
		if p := progress(t, s); p.Failing != 0 || !p.Truncated || people(t, s, "") != "" {
			t.Errorf("names: %+v, %s", p, people(t, s, ""))
		}
		must(t, s.Note(bg, failing("ann", "\x00\xff"+strings.Repeat("é", 400), 1)))
		list, err := s.Stragglers(bg, ourConnection, "", "", 9)
		must(t, err)
		if len(list) != 1 || len(list[0].Reason) > 500 || !strings.HasPrefix(list[0].Reason, "\uFFFD\uFFFDé") || !strings.HasSuffix(list[0].Reason, "é") {
			t.Errorf("reason: %+v", list)
		}
		if p := progress(t, s); p.LastError != list[0].Reason {
			t.Errorf("last error: %+v", p)
		}
	})

	t.Run("there is room for 10,000 people", func(t *testing.T) {
		s := open(t)
		const many = 11_000
		names := numbered("person%05d", many)
		left := race(64, func(k int) error {
			for i := k; i < many; i += 64 {
				if err := s.Note(bg, failing(names[i], "no", 0)); err != nil {
					return err
				}
			}
			return nil
		})
		p := progress(t, s)
		if left["ok"] != 64 || p.Failing > 10_000+64 || p.Failing < 9_900 || !p.Truncated {
			t.Fatalf("%v, %+v", left, p)
		}
		var after string
		var n int64
		for {
			list, err := s.Stragglers(bg, ourConnection, "", after, 1000)
			must(t, err)
			if len(list) == 0 {
				break
			}
			n, after = n+int64(len(list)), list[len(list)-1].Name
		}
		if n != p.Failing {
			t.Errorf("%d names, counted %d", n, p.Failing)
		}
		must(t, s.Note(bg, migrated(names[0], 1)))
		if now := progress(t, s); now.Failing != p.Failing-1 || now.Migrated != 1 {
			t.Errorf("after one has gone: %+v", now)
		}
	})

	t.Run("notes at once are counted once each", func(t *testing.T) {
		s := open(t)
		got := race(60, func(i int) error {
			name := fmt.Sprintf("n%d", i%3)
			if err := s.Note(bg, failing(name, "no", int64(i))); err != nil {
				return err
			}
			return s.Note(bg, note(func(n *customdb.Note) { n.Name, n.Compared = fmt.Sprintf("m%d", i), true }))
		})
		p := progress(t, s)
		if got["ok"] != 60 || p.Failing != 3 || p.Compared != 60 || p.Same != 60 || p.LastErrorAt == 0 {
			t.Errorf("%v, %+v", got, p)
		}
		got = race(60, func(i int) error { return s.Note(bg, migrated(fmt.Sprintf("n%d", i%3), 0, "n0", "n1", "n2")) })
		if p = progress(t, s); got["ok"] != 60 || p.Failing != 0 || p.Migrated != 60 || people(t, s, "") != "" {
			t.Errorf("%v, %+v, %s", got, p, people(t, s, ""))
		}
	})

	t.Run("a note is part of the change that it comes with", func(t *testing.T) {
		s := open(t)
		with := func(n customdb.Note) user.Effect { return user.Effect{Migration: &n} }
		must(t, s.CreateUser(bg, ourUser("ann", "ann@example.com"), with(migrated("ann", 0))))
		if err := s.CreateUser(bg, ourUser("ann2", "ann@example.com"), with(migrated("ann2", 1))); !errors.Is(err, user.ErrExists) {
			t.Fatalf("taken: %v", err)
		}
		if p := progress(t, s); p.Migrated != 1 {
			t.Errorf("created: %+v", p)
		}
		step := func(what string, err error, want int64) {
			t.Helper()
			must(t, err)
			if p := progress(t, s); p.Migrated != want {
				t.Errorf("%s: %+v", what, p)
			}
		}
		step("updated", second(s.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text("Ann"), src(day+1))
			return with(migrated("ann", 2)), nil
		})), 2)
		if _, err := s.UpdateUser(bg, "auth0|ann", func(*user.User) (user.Effect, error) { return with(migrated("ann", 3)), errors.New("no") }); err == nil {
			t.Error("updated")
		}
		step("refused", nil, 2)
		step("signed in", s.RecordLogin(bg, "auth0|ann", user.Logins{Last: day, Count: 1}, "", "", with(migrated("ann", 4))), 3)
		login := user.Logins{Last: day, Count: 1}
		ben := ourUser("ben", "ben@example.com")
		step("came", second(s.Federate(bg, ourConnection, "ben", login, func(*user.User) (*user.User, user.Effect, error) {
			return ben, with(migrated("ben", 5)), nil
		})), 4)
		step("came again", second(s.Federate(bg, ourConnection, "ben", login, func(u *user.User) (*user.User, user.Effect, error) {
			e := with(migrated("ben", 6))
			e.Unchanged = true
			return u, e, nil
		})), 5)
		step("came with news", second(s.Federate(bg, ourConnection, "ben", login, func(u *user.User) (*user.User, user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text("Ben"), src(day+1))
			return u, with(migrated("ben", 7)), nil
		})), 6)
	})

	t.Run("the key of graves is made once", func(t *testing.T) {
		s := open(t)
		keys := make(chan string, 20)
		got := race(20, func(int) error {
			key, err := s.GraveKey(bg)
			keys <- string(key)
			return err
		})
		first := <-keys
		for range 19 {
			if next := <-keys; next != first || len(next) != 32 {
				t.Fatalf("keys of %d and %d bytes differ", len(first), len(next))
			}
		}
		if got["ok"] != 20 {
			t.Error(got)
		}
	})

	t.Run("whoever comes without a login", func(t *testing.T) {
		s := open(t)
		ann := ourUser("ann", "ann@example.com")
		pulled := func(u *user.User) (*user.User, user.Effect, error) {
			if u == nil {
				return ann, user.Effect{}, nil
			}
			u.Profile.Set(profile.Name, profile.Text("Ann"), src(day+1))
			return u, user.Effect{}, nil
		}
		must(t, second(s.Federate(bg, ourConnection, "ann", user.Logins{}, pulled)))
		u, err := s.User(bg, "auth0|ann")
		if must(t, err); u.Logins != (user.Logins{}) {
			t.Errorf("made: %+v", u.Logins)
		}
		login := user.Logins{Last: day + 5, IP: "203.0.113.9", Count: 1}
		must(t, s.RecordLogin(bg, "auth0|ann", login, "", "", user.Effect{}))
		must(t, second(s.Federate(bg, ourConnection, "ann", user.Logins{}, pulled)))
		u, err = s.User(bg, "auth0|ann")
		if must(t, err); u.Logins != login || u.Profile.Text(profile.Name) != "Ann" {
			t.Errorf("changed: %+v", u.Logins)
		}
	})

	t.Run("a ticket is used up with the person who comes by it", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateTicket(bg, &ticket.Ticket{Hash: "h", Purpose: ticket.ChangePassword, UserID: "auth0|ann", ExpiresAt: day + 9, KeptUntil: day + 9}, audit.Event{}))
		comes := func(id string) error {
			n := migrated(id, 0)
			_, err := s.Federate(bg, ourConnection, id, user.Logins{}, func(*user.User) (*user.User, user.Effect, error) {
				return ourUser(id, id+"@example.com"), user.Effect{Redeems: user.Redemption{Ticket: "h", At: day}, Migration: &n}, nil
			})
			return err
		}
		must(t, comes("ann"))
		if err := comes("ben"); !errors.Is(err, user.ErrTicketUsed) {
			t.Errorf("again: %v", err)
		}
		if p := progress(t, s); p.Migrated != 1 {
			t.Errorf("%+v", p)
		}
		if _, err := s.User(bg, "auth0|ben"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("made: %v", err)
		}
	})

	t.Run("graves", func(t *testing.T) {
		s := open(t)
		buried := func(connectionID string, graves ...string) bool {
			t.Helper()
			yes, err := s.Buried(bg, connectionID, graves)
			must(t, err)
			return yes
		}
		effect := user.Effect{Graves: map[string][]string{ourConnection: {"g2", "g1", "g2"}, otherConnection: {"g3"}}}
		create(t, s, ourUser("ann", "ann@example.com"))
		if err := s.DeleteUser(bg, "auth0|nobody", 0, effect); !errors.Is(err, user.ErrNotFound) {
			t.Fatal(err)
		}
		if buried(ourConnection, "g1", "g2") {
			t.Error("buried without a death")
		}
		must(t, s.DeleteUser(bg, "auth0|ann", 0, effect))
		for _, row := range []struct {
			connection string
			graves     []string
			want       bool
		}{
			{ourConnection, nil, false},
			{ourConnection, []string{"g1"}, true},
			{ourConnection, []string{"x", "y", "g2"}, true},
			{ourConnection, []string{"g3"}, false},
			{otherConnection, []string{"g3"}, true},
			{upstream, []string{"g1", "g2", "g3"}, false},
		} {
			if got := buried(row.connection, row.graves...); got != row.want {
				t.Errorf("%s %v: %v", row.connection, row.graves, got)
			}
		}
		n := migrated("ann@example.com", 0)
		n.Graves = []string{"x", "g1"}
		err := second(s.Federate(bg, ourConnection, "ann", user.Logins{}, func(*user.User) (*user.User, user.Effect, error) {
			return ourUser("ann", "ann@example.com"), user.Effect{Migration: &n}, nil
		}))
		if !errors.Is(err, customdb.ErrBuried) || progress(t, s).Migrated != 0 {
			t.Errorf("brought back: %v", err)
		}
		if _, err := s.User(bg, "auth0|ann"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("brought back: %v", err)
		}
		create(t, s, ourUser("ann", "ann@example.com"))
		must(t, s.DeleteUser(bg, "auth0|ann", 0, effect))
		if p := progress(t, s); p.Deleted != 1 {
			t.Errorf("buried twice, counted %d times", p.Deleted)
		}
	})

	t.Run("all of it goes with the connection", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{ourConnection, otherConnection} {
			must(t, s.CreateConnection(bg, &connection.Connection{ID: id, Name: id, Strategy: "auth0", Realms: []string{id}, Version: 1}, audit.Event{}))
		}
		for _, name := range numbered("n%04d", 600) {
			must(t, s.Note(bg, failing(name, "no", 0)))
		}
		other := failing("ben", "no", 0)
		other.ConnectionID = otherConnection
		must(t, s.Note(bg, other))
		create(t, s, ourUser("ann", ""))
		must(t, s.DeleteUser(bg, "auth0|ann", 0, user.Effect{Graves: map[string][]string{ourConnection: numbered("g%d", 9), otherConnection: {"g"}}}))
		must(t, s.Sweep(bg, day))
		if p := progress(t, s); p.Failing != 600 || p.Deleted != 1 {
			t.Fatalf("too early: %+v", p)
		}
		must(t, s.DeleteConnection(bg, ourConnection, 0, day, audit.Event{}))
		must(t, s.Sweep(bg, day))
		yes, err := s.Buried(bg, ourConnection, numbered("g%d", 9))
		must(t, err)
		if p := progress(t, s); p != (customdb.Progress{}) || people(t, s, "") != "" || yes {
			t.Errorf("left: %+v, %v", p, yes)
		}
		kept, err := s.Stragglers(bg, otherConnection, "", "", 9)
		must(t, err)
		yes, err = s.Buried(bg, otherConnection, []string{"g"})
		if must(t, err); !yes || !slices.ContainsFunc(kept, func(p customdb.Straggler) bool { return p.Name == "ben" }) {
			t.Errorf("of another connection: %+v, %v", kept, yes)
		}
	})
}
