package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/store/storetest"
)

func passwordGrant(a *application, realm, name, password string) url.Values {
	return url.Values{
		"grant_type": {"http://auth0.com/oauth/grant-type/password-realm"}, "client_id": {a.oauth.ClientID}, "client_secret": {a.oauth.ClientSecret},
		"realm": {realm}, "username": {name}, "password": {password}, "scope": {"openid"},
	}
}

// in and out are sign-ins that have to succeed, and to be refused as any wrong password.
func (a *application) in(connection, name, password string) {
	a.w.t.Helper()
	if status, body := a.grant(connection, name, password); status != 200 {
		a.w.t.Errorf("%s: %d %s", name, status, body)
	}
}

func (a *application) out(connection, name, password string) {
	a.w.t.Helper()
	if status, body := a.grant(connection, name, password); status != 403 || !strings.Contains(body, "Wrong email or password.") {
		a.w.t.Errorf("%s: %d %s", name, status, body)
	}
}

// compared waits until so many comparisons have been noted; the API has no other signal.
func (w *world) compared(id string, n float64) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if w.progress(id)["compared"] == n {
			return
		}
		<-tick.C
	}
	w.t.Fatalf("never compared: %v", w.progress(id))
}

// patched changes a user, or is refused.
func (w *world) patched(id string, status int, change map[string]any) string {
	w.t.Helper()
	b, err := json.Marshal(change)
	if err != nil {
		w.t.Fatal(err)
	}
	got, body := w.call("PATCH", "/api/v2/users/"+url.PathEscape(id), string(b))
	if got != status {
		w.t.Errorf("PATCH %v: %d %s", change, got, body)
	}
	return body
}

// A migration from its rehearsal to its end: in shadow mode nothing changes and
// differences are told; on, people come; whoever is deleted stays away until that is
// allowed; off, the old database is never asked again, as its own log says.
func TestMigrationModes(t *testing.T) {
	old := newClub(t, 6)
	w := newWorld(t, storetest.SQLite)
	importing := func(migration map[string]any) map[string]any {
		return old.options(old.address(), map[string]any{"import_mode": true, "migration": migration})
	}
	id := w.customDatabase("Old", importing(map[string]any{"mode": "shadow"}))
	app := w.newApplication("Old")
	for n, row := range []struct{ name, password string }{{"Member 1", passwordOf(1)}, {"Somebody", passwordOf(2)}, {"Member 3", "another one of theirs"}} {
		w.made("/api/v2/users", map[string]any{"connection": "Old", "user_id": fmt.Sprint("m", n+1), "email": member(n + 1), "name": row.name, "password": row.password})
	}
	users := w.users()
	app.in("Old", member(1), passwordOf(1))
	app.in("Old", member(2), passwordOf(2))
	app.out("Old", member(3), passwordOf(3))
	app.out("Old", member(4), passwordOf(4))
	w.compared(id, 4)
	app.out("Old", member(4), "wrong in both")
	if n := w.users(); n != users {
		t.Errorf("a comparison made %d users of %d", n, users)
	}
	want(t, "shadow", w.progress(id), map[string]any{"mode": "shadow", "compared": 4, "same": 1, "differing": 3, "migrated": 0})
	_, people := w.call("GET", "/api/v2/connections/"+id+"/migration/people?state=differing", "")
	for _, reason := range []string{"these attributes differ: name", "accepts a password that is wrong here", "knows the person, who is not here"} {
		if !strings.Contains(people, reason) {
			t.Errorf("nobody is said to differ so: %s: %s", reason, people)
		}
	}
	if w.profileOf(memberID(2))["name"] != "Somebody" {
		t.Error("a comparison changed somebody")
	}

	w.setOptions(id, importing(map[string]any{"mode": "on"}))
	app.in("Old", member(4), passwordOf(4))
	want(t, "on", w.progress(id), map[string]any{"mode": "on", "migrated": 1, "differing": 2})
	app.out("Old", member(3), passwordOf(3)) // is here: the password here counts
	w.deleteUser(memberID(4))
	app.out("Old", member(4), passwordOf(4))
	want(t, "deleted", w.progress(id), map[string]any{"migrated": 1, "deleted": 1})
	w.setOptions(id, importing(map[string]any{"recreate_deleted": true}))
	app.in("Old", member(4), passwordOf(4))
	want(t, "come again", w.progress(id), map[string]any{"migrated": 2})

	w.setOptions(id, importing(map[string]any{"mode": "off"}))
	asked := old.asks(func() {
		for n := 1; n <= 4; n++ {
			if n != 3 {
				app.in("Old", member(n), passwordOf(n))
			}
		}
		app.out("Old", member(5), passwordOf(5))
		if status, body := app.signUp("Old", member(5), "a new password of theirs"); status != 200 {
			t.Errorf("a sign-up after the end: %d %s", status, body)
		}
		w.patched(memberID(1), 200, map[string]any{"email": "elsewhere@new.example"})
		if status, body := w.posted("/dbconnections/change_password", `{"client_id":"`+app.oauth.ClientID+`","connection":"Old","email":"`+member(6)+`"}`); status != 200 {
			t.Errorf("a reset after the end: %d %s", status, body)
		}
		w.stop()
	})
	if asked != "" {
		t.Errorf("the old database was asked:\n%s", asked)
	}
}

// A connection with people becomes one of import mode and an external store again; and
// what a person and an administrator change in an external store is changed there.
func TestExternalStoreOverHTTP(t *testing.T) {
	old := newClub(t, 5)
	w := newWorld(t, storetest.SQLite)
	external, importing := old.options(old.address(), nil), old.options(old.address(), map[string]any{"import_mode": true})
	id := w.customDatabase("Old", external)
	app := w.newApplication("Old")
	for n := 1; n <= 2; n++ {
		app.in("Old", member(n), passwordOf(n))
	}
	if body := w.patched(memberID(1), 400, map[string]any{"name": "Edited"}); !strings.Contains(body, "cannot be updated: name") {
		t.Errorf("%s", body)
	}

	w.setOptions(id, importing)
	app.out("Old", member(1), "not it")
	app.in("Old", member(1), passwordOf(1))
	if asked := old.asks(func() { app.in("Old", member(1), passwordOf(1)) }); asked != "" {
		t.Errorf("who has come is asked about:\n%s", asked)
	}
	w.patched(memberID(1), 200, map[string]any{"name": "Edited"})
	app.in("Old", member(1), passwordOf(1))
	app.in("Old", member(3), passwordOf(3))
	want(t, "import", w.profileOf(memberID(1)), map[string]any{"name": "Edited"})
	want(t, "progress", w.progress(id), map[string]any{"migrated": 2, "failing": 0})

	w.setOptions(id, external)
	for n := 1; n <= 3; n++ {
		app.in("Old", member(n), passwordOf(n))
		want(t, "external again", w.profileOf(memberID(n)), map[string]any{"name": fmt.Sprint("Member ", n)})
	}
	if n := w.users(); n != 3 {
		t.Errorf("%d users", n)
	}

	// The links of tickets.
	eye := old.sit()
	holds := func(what, where string) {
		t.Helper()
		if eye.ask("SELECT id FROM members WHERE "+where) != 1 {
			t.Errorf("%s: not so in the old database: %s", what, where)
		}
	}
	link := func(path string, form url.Values) string {
		t.Helper()
		to, _ := w.made(path, map[string]any{"user_id": memberID(2)})["ticket"].(string)
		b := w.newBrowser()
		_, page, _ := b.follow(to)
		all := formOf(t, page)
		for name, values := range form {
			all[name] = values
		}
		to, _, _ = strings.Cut(to, "#")
		_, page, _ = b.submit(to, all)
		return page
	}
	link("/api/v2/tickets/email-verification", nil)
	holds("verified", "id = 2 AND verified")
	want(t, "verified", w.profileOf(memberID(2)), map[string]any{"email_verified": true})
	const second, third = "a second password of theirs", "a third password of theirs"
	link("/api/v2/tickets/password-change", url.Values{"password": {second}, "again": {second}})
	app.out("Old", member(2), passwordOf(2))
	app.in("Old", member(2), second)

	// Changes by an administrator.
	w.patched(memberID(2), 200, map[string]any{"password": third})
	app.out("Old", member(2), second)
	app.in("Old", member(2), third)
	w.patched(memberID(2), 400, map[string]any{"email": member(3)})
	holds("taken", "id = 2 AND email = '"+member(2)+"'")
	w.patched(memberID(2), 200, map[string]any{"email": "moved@old.example"})
	holds("moved", "id = 2 AND email = 'moved@old.example' AND NOT verified")
	app.in("Old", "moved@old.example", third)
	app.out("Old", member(2), third)
	w.deleteUser(memberID(2))
	holds("deleted", "id = 3 AND NOT EXISTS (SELECT 1 FROM members WHERE id = 2)")
	app.out("Old", "moved@old.example", third)
}
