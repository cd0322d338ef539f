package user_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/opt"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func TestMigrateByLogin(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "a guess", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Fatalf("a wrong password: %v", err)
		}
		if _, err := h.store.UserByIdentity(t.Context(), c.ID, "legacy|42"); !errors.Is(err, user.ErrNotFound) {
			t.Fatalf("a wrong password made somebody: %v", err)
		}
		u, err := h.Authenticate(t.Context(), c, "KAI@shop.example", "old secret", admin)
		if err != nil {
			t.Fatal(err)
		}
		stored := h.read("auth0|legacy|42")
		if u.ID != stored.ID || stored.Logins.Count != 1 || stored.Logins.IP != admin.IP {
			t.Errorf("login record: %+v", stored.Logins)
		}
		for name, want := range map[string]string{
			"email": `"kai@shop.example"`, "email_verified": "true", "name": `"Kai Aho"`, "given_name": `"Kai"`, "family_name": `"Aho"`, "nickname": `"kai"`,
			"picture": `"https://cdn.shop.example/42.png"`, "user_metadata": `{"lang":"fi"}`, "app_metadata": `{"plan":"full"}`,
		} {
			a, _ := stored.Profile.Get(name)
			if string(a.Value) != want || a.Source.Origin != profile.FromScript || a.Source.Connection != c.ID {
				t.Errorf("%s is %s from %+v, want %s", name, a.Value, a.Source, want)
			}
		}
		if string(stored.MFAFactors) != `[{"phone":{"value":"+358401234567"}}]` {
			t.Errorf("factors: %s", stored.MFAFactors)
		}
		if got := old.asked(); got != "login login" {
			t.Errorf("asked %q", got)
		}
		// From now on the old store is not asked, and does not count.
		old.people = nil
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Errorf("the second login: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "a guess", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("a wrong password afterwards: %v", err)
		}
		if got := old.asked(); got != "" {
			t.Errorf("asked %q about somebody who is here", got)
		}
		// The profile is ours: edits stay.
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("name", `"Kai A."`)}, admin); err != nil {
			t.Fatal(err)
		}
		if u, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil || u.Profile.Text("name") != "Kai A." {
			t.Errorf("after the edit: %v", err)
		}
		p, err := h.store.Progress(t.Context(), c.ID)
		if err != nil || p.Migrated != 1 || p.Failing != 0 {
			t.Errorf("progress %+v, %v", p, err)
		}
		types := typesOf(t, h)
		for kind, want := range map[string]int{audit.WrongPassword: 2, audit.LoginOK: 3} {
			if types[kind] != want {
				t.Errorf("%d records %s, want %d: %v", types[kind], kind, want, types)
			}
		}
	})
}

func typesOf(t *testing.T, h *house) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, e := range eventsOf(t, h) {
		n[e.Type]++
	}
	return n
}

// Whatever the old store does, the person sees an ordinary refusal, nobody is made, and
// the record says what it was.
func TestMigrationFails(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		other := h.custom("other", importing, old)
		answer := func(profile string) { old.people["kai@shop.example"].profile = profile }
		if _, err := h.Create(t.Context(), user.CreateRequest{Connection: other.Name, Password: "Correct-horse-4-battery", UserID: "taken", Changes: changes("email", `"kim@shop.example"`)}, admin); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name    string
			answer  string
			fails   error
			want    error
			failing bool
		}{
			{"nobody", "null", nil, user.ErrWrongPassword, false},
			{"wrong credentials", kai, &customdb.Failure{Kind: customdb.Wrong, Message: "no such person"}, user.ErrWrongPassword, false},
			{"an error", kai, &customdb.Failure{Kind: customdb.Failed, Message: "table locked"}, user.ErrStoreDown, true},
			{"a limit", kai, &customdb.Failure{Kind: customdb.Broken, Detail: "too long"}, user.ErrStoreDown, true},
			{"for the person to read", kai, &customdb.Failure{Kind: customdb.Unauthorized, Message: "Please call us."}, errs.New(errs.Forbidden, "unauthorized", "Please call us."), false},
			{"no id", `{"email":"kai@shop.example"}`, nil, user.ErrStoreDown, true},
			{"an empty id", `{"user_id":"","email":"kai@shop.example"}`, nil, user.ErrStoreDown, true},
			{"an id that is an object", `{"user_id":{},"email":"kai@shop.example"}`, nil, user.ErrStoreDown, true},
			{"no object", `[1]`, nil, user.ErrStoreDown, true},
			{"an id of another connection", `{"user_id":"taken","email":"kai@shop.example"}`, nil, user.ErrWrongPassword, true},
			{"no identifier", `{"user_id":"7","name":"K"}`, nil, errs.New(errs.Forbidden, "access_denied", "The old database has no identifier of the person that a user of this connection can have."), true},
		} {
			old.mu.Lock()
			old.fails[customdb.Login] = row.fails
			answer(row.answer)
			old.mu.Unlock()
			before, users := len(eventsOf(t, h)), count(t, h)
			_, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin)
			if !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", row.name, err, row.want)
			}
			if n := count(t, h); n != users {
				t.Errorf("%s: %d users, had %d", row.name, n, users)
			}
			if n := len(eventsOf(t, h)); n != before+1 {
				t.Errorf("%s: %d records", row.name, n-before)
			}
			list, err := h.store.Stragglers(t.Context(), c.ID, customdb.Failing, "", 10)
			if err != nil || (len(list) == 1) != row.failing {
				t.Errorf("%s: failing %+v, %v", row.name, list, err)
			}
			old.mu.Lock()
			old.fails[customdb.Login] = nil
			answer(kai)
			old.mu.Unlock()
			if err := h.store.Note(t.Context(), customdb.Note{ConnectionID: c.ID, Name: "kai@shop.example", At: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Errorf("in the end: %v", err)
		}
	})
}

func count(t *testing.T, h *house) int {
	t.Helper()
	list, err := h.store.Users(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Two first sign-ins at once make one user, and both are in.
func TestMigrateTwiceAtOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		old.block = make(chan struct{})
		var both sync.WaitGroup
		results := make([]error, 2)
		for i := range results {
			both.Go(func() { _, results[i] = h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin) })
		}
		close(old.block)
		both.Wait()
		if err := errors.Join(results...); err != nil {
			t.Errorf("one was refused: %v", err)
		}
		if u := h.read("auth0|legacy|42"); u.Logins.Count != 2 {
			t.Errorf("%d logins", u.Logins.Count)
		}
		if p, err := h.store.Progress(t.Context(), c.ID); err != nil || p.Migrated != 1 {
			t.Errorf("progress %+v, %v", p, err)
		}
	})
}

// Whom the old store knows by a name that we do not is told apart by the id; the
// password that counts is ours.
func TestMigratedUnderAnotherName(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		old.people["kai"] = old.people["kai@shop.example"]
		c := h.custom("legacy", importing, old)
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Fatal(err)
		}
		req := user.PatchRequest{Password: opt.Of("a new secret of Kai")}
		if _, err := h.Patch(t.Context(), "auth0|legacy|42", req, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Authenticate(t.Context(), c, "kai", "old secret", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("the old password still counts: %v", err)
		}
		if n := count(t, h); n != 1 {
			t.Errorf("%d users", n)
		}
	})
}

// A deleted user does not come again out of the old store, unless that is allowed.
func TestDeletedStaysDeleted(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		lax := h.custom("lax", `{"enabledDatabaseCustomization":true,"import_mode":true,"migration":{"recreate_deleted":true},`+everyAction+`}`, old)
		for _, c := range []struct {
			name string
			want error
		}{{c.Name, user.ErrWrongPassword}, {lax.Name, nil}} {
			conn, err := h.store.ConnectionByName(t.Context(), c.name)
			if err != nil {
				t.Fatal(err)
			}
			u, err := h.Authenticate(t.Context(), conn, "kai@shop.example", "old secret", admin)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Delete(t.Context(), u.ID, admin); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Authenticate(t.Context(), conn, "kai@shop.example", "old secret", admin); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if c.want != nil {
				if !slices.ContainsFunc(eventsOf(t, h), func(e audit.Event) bool { return e.Type == audit.LoginFailed && e.ConnectionID == conn.ID }) {
					t.Errorf("%s: the record does not say why", c.name)
				}
			}
		}
	})
}

// People of an external store become ours when import mode is switched on: they keep
// their profiles, and get the password with which they sign in.
func TestImportModeSwitchedOn(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", external, old)
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Fatal(err)
		}
		c = h.options(c, importing)
		if _, err := h.Patch(t.Context(), "auth0|legacy|42", user.PatchRequest{Changes: changes("name", `"Edited"`)}, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Fatal(err)
		}
		old.asked()
		u, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin)
		if err != nil || old.asked() != "" {
			t.Errorf("the old store is still asked: %v", err)
		}
		if u != nil && u.Profile.Text("name") != "Edited" {
			t.Errorf("name is %q", u.Profile.Text("name"))
		}
	})
}

// Until they have brought their password, nobody else gets their names; and a password
// that is set here is theirs from then on.
func TestBeforeTheFirstLoginInImportMode(t *testing.T) {
	for name, set := range map[string]func(t *testing.T, h *house, c *connection.Connection) error{
		"by an administrator": func(t *testing.T, h *house, _ *connection.Connection) error {
			_, err := h.Patch(t.Context(), "auth0|legacy|42", user.PatchRequest{Password: opt.Of(anotherPassword)}, admin)
			return err
		},
		"by a ticket": func(t *testing.T, h *house, c *connection.Connection) error {
			secret, err := h.reset(c, "kai@shop.example")
			if err != nil {
				return err
			}
			res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin)
			return errors.Join(err, res.Err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, h *house) {
				old := shop()
				c := h.custom("legacy", external, old)
				if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
					t.Fatal(err)
				}
				c = h.options(c, importing)
				_, err := h.Create(t.Context(), user.CreateRequest{Connection: c.Name, Password: strongPassword, Changes: changes("email", `"kai@shop.example"`)}, admin)
				if !errors.Is(err, user.ErrExists) {
					t.Errorf("somebody else by the same address: %v", err)
				}
				if err := set(t, h, c); err != nil {
					t.Fatal(err)
				}
				old.asked()
				if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", anotherPassword, admin); err != nil {
					t.Errorf("the new password: %v", err)
				}
				if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); !errors.Is(err, user.ErrWrongPassword) {
					t.Errorf("the old password: %v", err)
				}
				if asked := old.asked(); asked != "" || count(t, h) != 1 {
					t.Errorf("asked %q, %d users", asked, count(t, h))
				}
			})
		})
	}
}

// Whoever comes by one request while another fails is not listed as failing.
func TestComesWhileAnotherTryFails(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", importing, shop())
		asked := 0
		h.External = answering(func(customdb.Call) (customdb.Answer, error) {
			if asked++; asked > 1 {
				return customdb.Answer{Value: json.RawMessage(kai)}, nil
			}
			if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
				t.Error(err)
			}
			return customdb.Answer{}, &customdb.Failure{Kind: customdb.Broken, Message: "timeout"}
		})
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); !errors.Is(err, user.ErrStoreDown) {
			t.Error(err)
		}
		p, err := h.store.Progress(t.Context(), c.ID)
		if err != nil || p.Migrated != 1 || p.Failing != 0 || p.LastError != "timeout" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// An old store that knows people by a name that we have not lets them sign in by it, with
// the password that is here; and somebody who is deleted meanwhile does not come back.
func TestDeletedWhileTheOldStoreAnswers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		u, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin)
		if err != nil {
			t.Fatal(err)
		}
		old.people["k.aho"] = old.people["kai@shop.example"]
		if _, err := h.Authenticate(t.Context(), c, "k.aho", "old secret", admin); err != nil {
			t.Errorf("by another name: %v", err)
		}
		h.External = answering(func(call customdb.Call) (customdb.Answer, error) {
			if err := h.Delete(t.Context(), u.ID, admin); err != nil {
				t.Error(err)
			}
			return customdb.Answer{Value: json.RawMessage(kai)}, nil
		})
		if _, err := h.Authenticate(t.Context(), c, "k.aho", "old secret", admin); !errors.Is(err, user.ErrWrongPassword) || count(t, h) != 0 {
			t.Errorf("%v, %d users", err, count(t, h))
		}
	})
}

// A username by which nobody signs in comes along, and keeps nobody out.
func TestMigrateWithAUsername(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		old.people["kai@shop.example"] = &oldPerson{"old secret", `{"user_id":"1","email":"kai@shop.example","username":"Kai"}`}
		old.people["kim@shop.example"] = &oldPerson{"old secret", `{"user_id":"2","email":"kim@shop.example","username":"kai"}`}
		c := h.custom("legacy", importing, old)
		for i, want := range []string{`"kai"`, ""} {
			u, err := h.Authenticate(t.Context(), c, []string{"kai@shop.example", "kim@shop.example"}[i], "old secret", admin)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(u.Profile.Value("username")); got != want {
				t.Errorf("username %s, want %s", got, want)
			}
		}
		if !slices.ContainsFunc(eventsOf(t, h), func(e audit.Event) bool { return e.Type == audit.Warning }) {
			t.Error("that a username was dropped is not recorded")
		}
		if _, err := h.Authenticate(t.Context(), c, "kai", "a guess", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("signing in by a username: %v", err)
		}
	})
}

// Old stores have passwords that are longer than ours may be: they come along, every byte
// of them.
func TestMigrateWithALongPassword(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		long := strings.Repeat("a very long passphrase ", 10)
		old.people["kai@shop.example"].password = long
		c := h.custom("legacy", importing, old)
		for range 2 {
			if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", long, admin); err != nil {
				t.Fatal(err)
			}
		}
		if got := old.asked(); got != "login" {
			t.Errorf("asked %q", got)
		}
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", long[:len(long)-1]+"!", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("another end: %v", err)
		}
		old.people["kim@shop.example"] = &oldPerson{"a\x00b", `{"user_id":"2","email":"kim@shop.example"}`}
		if _, err := h.Authenticate(t.Context(), c, "kim@shop.example", "a\x00b", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("a password that cannot be kept: %v", err)
		}
	})
}
