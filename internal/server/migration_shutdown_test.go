package server_test

import (
	"fmt"
	"testing"
	"time"

	"mangrove/internal/store/storetest"
)

// The server ends while an old store owes it answers: to a sign-in, to somebody who
// forgot the password, to a comparison. It does not wait for longer than for any other
// request, nothing is left half, and the next start goes on.
func TestEndWithoutTheOldStore(t *testing.T) {
	old := newClub(t, 2)
	way := newLine(t, old.address())
	dir, database := t.TempDir(), storetest.EmptyURL(t, storetest.SQLite)
	w := newWorldIn(t, dir, database)
	connect := func(name, mode string) string {
		options := old.options(way.address(), map[string]any{"import_mode": true, "migration": map[string]any{"mode": mode}})
		statements, _ := options["sql"].(map[string]any)
		statements["url"] = fmt.Sprint(statements["url"], "&connect_timeout=2")
		return w.customDatabase(name, options)
	}
	id, shadow := connect("Old", "on"), connect("Shadow", "shadow")
	app := w.newApplication("Old", "Shadow")
	w.made("/api/v2/users", map[string]any{"connection": "Shadow", "user_id": "m2", "email": member(2), "password": passwordOf(2)})
	way.hold(true)
	signedIn := make(chan int, 1)
	go func() {
		res, err := w.client.PostForm(w.url+"/oauth/token", passwordGrant(app, "Old", member(1), passwordOf(1)))
		if err != nil {
			signedIn <- 0
			return
		}
		_ = res.Body.Close()
		signedIn <- res.StatusCode
	}()
	if status, body := w.posted("/dbconnections/change_password", `{"client_id":"`+app.oauth.ClientID+`","connection":"Old","email":"`+member(1)+`"}`); status != 200 {
		t.Errorf("the reset: %d %s", status, body)
	}
	if status, body := app.grant("Shadow", member(2), passwordOf(2)); status != 200 {
		t.Errorf("the shadow: %d %s", status, body)
	}
	way.holds(3)
	began := time.Now()
	w.stop()
	if status := <-signedIn; status != 503 && status != 0 {
		t.Errorf("the sign-in: %d", status)
	}
	t.Logf("the end took %s", time.Since(began).Round(time.Millisecond))

	way.hold(false)
	w = newWorldIn(t, dir, database)
	if n := w.users(); n != 1 {
		t.Errorf("%d users", n)
	}
	want(t, "progress", w.progress(id), map[string]any{"migrated": 0})
	want(t, "the shadow", w.progress(shadow), map[string]any{"compared": 0})
	if status, body := (&application{w: w, oauth: app.oauth}).grant("Old", member(1), passwordOf(1)); status != 200 {
		t.Errorf("after the start: %d %s", status, body)
	}
	want(t, "progress", w.progress(id), map[string]any{"migrated": 1, "failing": 0, "known": 0})
}
