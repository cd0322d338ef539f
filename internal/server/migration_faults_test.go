package server_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mangrove/internal/foreigndb"
	"mangrove/internal/store/storetest"
)

// envSilentLogins is how many sign-ins wait for an old store that never answers; a few
// unless it is set.
const envSilentLogins = "MANGROVE_SILENT_LOGINS"

// A custom database that misbehaves in every way: whoever signs in by it is told that it
// gave no answer, in bounded time, nobody is made, sign-ins of other connections go on,
// and once it is well again the next sign-in works.
func TestOldStoreMisbehaves(t *testing.T) {
	old := newClub(t, 12)
	engines := storetest.Engines(t)
	w := newWorld(t, engines[len(engines)-1])
	if status, body := w.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	way, other := newLine(t, old.address()), newLine(t, old.address())
	importing, external := map[string]any{"import_mode": true}, map[string]any{}
	w.customDatabase("Statements", old.options(way.address(), importing))
	w.customDatabase("Script", old.scripted(way.address(), external))
	w.customDatabase("Others", old.options(other.address(), external))
	w.customDatabase("OtherScript", old.scripted(other.address(), external))
	w.customDatabase("Local", map[string]any{"passwordPolicy": "none"})
	app := w.newApplication("Statements", "Script", "Others", "OtherScript", "Local")
	w.made("/api/v2/users", map[string]any{"connection": "Local", "email": "kai@here.example", "password": goodPassword})
	next := 0
	// well: the next newcomer, and everybody else, signs in at the first try.
	well := func(what string) {
		t.Helper()
		next++
		for _, name := range []string{"Statements", "Script"} {
			n := next
			if name == "Script" {
				n = 12
			}
			if status, body := app.grant(name, member(n), passwordOf(n)); status != 200 {
				t.Errorf("%s, %s: %d %s", what, name, status, body)
			}
		}
	}
	ill := func(what, record string) {
		t.Helper()
		for _, name := range []string{"Statements", "Script"} {
			users := w.users()
			status, body := app.grant(name, member(11), passwordOf(11))
			if status != 503 || !strings.Contains(body, "gave no answer") {
				t.Errorf("%s, %s: %d %s", what, name, status, body)
			}
			if n := w.users(); n != users {
				t.Errorf("%s, %s: %d users, had %d", what, name, n, users)
			}
			if last := fmt.Sprint(w.failures()[0]); !strings.Contains(last, record) {
				t.Errorf("%s, %s: the record does not say %q: %s", what, name, record, last)
			}
		}
	}
	well("at first")

	// The server ends our sessions, as one that restarts does.
	eye := old.sit()
	const sessions = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
	ended := func() {
		t.Helper()
		eye.ask("SELECT pg_terminate_backend(pid) " + sessions)
		eye.until("SELECT 1 WHERE NOT EXISTS (SELECT pid " + sessions + ")")
	}
	ended()
	well("after the sessions were ended")
	way.cut()
	well("after the network was cut")

	// It lets nobody in.
	ours := old.User
	old.Do(t, "CREATE ROLE landlord SUPERUSER LOGIN PASSWORD '"+old.Password+"'")
	t.Cleanup(func() { old.User = ours })
	old.User = "landlord"
	old.Do(t, "ALTER ROLE "+ours+" NOSUPERUSER")
	old.Do(t, "GRANT ALL ON members, members_id_seq TO "+ours)
	for _, row := range []struct{ what, before, after, record string }{
		{"too many connections", "ALTER ROLE " + ours + " CONNECTION LIMIT 0", "ALTER ROLE " + ours + " CONNECTION LIMIT -1", "too many connections"},
		{"a wrong password", "ALTER ROLE " + ours + " PASSWORD 'another'", "ALTER ROLE " + ours + " PASSWORD '" + old.Password + "'", "password authentication failed"},
		{"no right to read", "REVOKE ALL ON members FROM " + ours, "GRANT ALL ON members TO " + ours, "permission denied"},
		{"no table", "ALTER TABLE members RENAME TO gone", "ALTER TABLE gone RENAME TO members", "does not exist"},
	} {
		old.Do(t, row.before)
		ended()
		ill(row.what, row.record)
		old.Do(t, row.after)
		well(row.what + ", over")
	}

	// It has no TLS, and TLS is asked for.
	secure := old.options(way.address(), importing)
	statements, _ := secure["sql"].(map[string]any)
	statements["url"] = strings.Replace(fmt.Sprint(statements["url"]), "disable", "verify-full", 1)
	w.customDatabase("Secure", secure)
	if status, body := w.newApplication("Secure").grant("Secure", member(11), passwordOf(11)); status != 503 || !strings.Contains(body, "gave no answer") {
		t.Errorf("without TLS: %d %s", status, body)
	}
	if last := fmt.Sprint(w.failures()[0]); !strings.Contains(last, "does not support SSL") {
		t.Errorf("without TLS: %s", last)
	}

	// The session ends in the middle of a statement, which waits for a lock.
	lock := old.sit()
	eye = old.sit()
	lock.ask("BEGIN")
	lock.ask("LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
	waiting := "FROM pg_stat_activity WHERE usename = '" + ours + "' AND wait_event_type = 'Lock'"
	type answer struct {
		status int
		body   string
	}
	torn := make(chan answer, 1)
	go func() {
		status, body := app.grant("Statements", member(11), passwordOf(11))
		torn <- answer{status, body}
	}()
	eye.until("SELECT pg_terminate_backend(pid) " + waiting)
	if a := <-torn; a.status != 503 || !strings.Contains(a.body, "gave no answer") {
		t.Errorf("a session that ended in the middle: %+v", a)
	}

	// It waits for the lock until nobody waits for it any more, while another line is
	// open and silent: neither takes anything away from the others.
	locked := make(chan answer, 1)
	go func() {
		status, body := app.grant("Others", member(9), passwordOf(9))
		locked <- answer{status, body}
	}()
	eye.until("SELECT pid " + waiting)
	silent(t, w, app, way)
	if a := <-locked; a.status != 503 || !strings.Contains(a.body, "gave no answer") {
		t.Errorf("behind a lock: %+v", a)
	}
	lock.ask("ROLLBACK")
	well("after the silence")
	if status, body := app.grant("Others", member(9), passwordOf(9)); status != 200 {
		t.Errorf("behind the lock, over: %d %s", status, body)
	}
	if status, body := app.grant("OtherScript", member(10), passwordOf(10)); status != 200 {
		t.Errorf("the other script: %d %s", status, body)
	}
}

// silent has many people sign in by a line that says nothing, and others meanwhile by
// connections of their own.
func silent(t *testing.T, w *world, app *application, way *line) {
	t.Helper()
	n := 12
	if v := os.Getenv(envSilentLogins); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	w.customDatabase("Beside", map[string]any{
		"enabledDatabaseCustomization": true, "customScripts": map[string]any{"login": `(email, password, callback) => callback(null, {user_id: 'w' + email, email})`},
	})
	free := w.newApplication("Beside")
	way.cut()
	way.hold(true)
	var all sync.WaitGroup
	began := time.Now()
	var slowest atomic.Int64
	for i := range n {
		all.Go(func() {
			name := []string{"Statements", "Script"}[i%2]
			if status, body := app.grant(name, fmt.Sprintf("nobody%d@old.example", i), "whatever it is"); status != 503 || !strings.Contains(body, "gave no answer") {
				t.Errorf("in the silence, %s: %d %s", name, status, body)
			}
			for took := int64(time.Since(began)); ; {
				if was := slowest.Load(); took <= was || slowest.CompareAndSwap(was, took) {
					break
				}
			}
		})
	}
	way.holds(foreigndb.PoolSize + min(n/2, 16))
	var took []time.Duration
	for range 5 {
		for _, one := range []func() (int, string){
			func() (int, string) { return app.grant("Local", "kai@here.example", goodPassword) },
			func() (int, string) { return free.grant("Beside", "kai@there.example", "whatever it is") },
		} {
			at := time.Now()
			if status, body := one(); status != 200 {
				t.Errorf("beside the silence: %d %s", status, body)
			}
			took = append(took, time.Since(at).Round(time.Millisecond))
		}
	}
	way.hold(false)
	all.Wait()
	t.Logf("%d sign-ins waited up to %s for a store that says nothing; beside them, ours and by a script: %s", n, time.Duration(slowest.Load()).Round(time.Millisecond), took)
}
