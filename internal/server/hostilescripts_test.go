package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// What scripts of custom databases do that they should not: the person sees an ordinary
// refusal, the tenant log says what it was, nobody is made, and the next sign-in finds
// everything as before (security.md 108–112).
func TestHostileScripts(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	w.made("/api/v2/connections", map[string]any{"name": "Elsewhere", "strategy": "auth0", "options": map[string]any{"passwordPolicy": "none"}})
	w.newApplication("Elsewhere")
	w.made("/api/v2/users", map[string]any{"connection": "Elsewhere", "user_id": "theirs", "email": "them@example.com", "password": goodPassword})
	const wrong, silent = 403, 503
	const ok = `callback(null, {user_id: 'x|1', email: email})`
	rows := []struct {
		name, body string
		status     int
		text       string // of the answer
		record     string // of the tenant log, in part; empty: no failure
	}{
		{"an endless loop", `while (true) {}`, silent, "gave no answer", "2s of work"},
		{"recursion", `(function f() { f(); })()`, silent, "gave no answer", "stack overflow"},
		{"a regular expression without end", `/^(a+)+$/.test('a'.repeat(50) + 'b'); ` + ok, silent, "gave no answer", "2s of work"},
		{"a promise that never settles", `new Promise(() => {}).then(() => { ` + ok + ` })`, silent, "gave no answer", "did not call its callback"},
		{"an async function that forgets to answer", `return (async () => { await null; })()`, silent, "gave no answer", "did not call its callback"},
		{"2 GB", `const all = []; for (let i = 0; i < 2048; i++) all.push(new Uint8Array(1 << 20).fill(1)); ` + ok, silent, "gave no answer", "memory"},
		{"a text of 1 GB", `let s = 'x'; while (s.length < 1 << 30) s += s; callback(null, {user_id: s})`, silent, "gave no answer", ""},
		{"10,000 timers", `for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1e6)`, silent, "gave no answer", "1000 timers"},
		{"an answer of 10 MB", `callback(null, {user_id: 'x|1', email, name: 'y'.repeat(10 << 20)})`, silent, "gave no answer", "result"},
		{"a throw", `throw new Error('the table is gone')`, silent, "gave no answer", "the table is gone"},
		{"a throw of nothing", `throw null`, silent, "gave no answer", ""},
		{"the password in an error", `callback(new Error('no match for ' + password + ' or ' + Buffer.from(password).toString('base64') + ' of ' + configuration.KEY))`, silent, "gave no answer", "no match for **** or **** of ****"},
		{"no id", `callback(null, {email: email})`, silent, "gave no answer", "no user_id"},
		{"an id of the wrong type", `callback(null, {user_id: {a: 1}, email: email})`, silent, "gave no answer", "user_id must be"},
		{"an id of another connection", `callback(null, {user_id: 'theirs', email: email})`, wrong, "", ""},
		{"a text", `callback(null, 'kai')`, silent, "gave no answer", "no object"},
		{"nothing", `callback(null, null)`, wrong, "Wrong email or password.", ""},
		{"its own class of error", `callback(new WrongUsernameOrPasswordError(null, 'who is that?'))`, wrong, "Wrong email or password.", "who is that?"},
		{"a refusal for the person", `callback(new UnauthorizedError('Please call us.'))`, wrong, "Please call us.", "Please call us."},
		{"require of the file system", `require('fs')`, silent, "gave no answer", "Cannot find module 'fs'"},
		{"the process", `process.exit(1)`, silent, "gave no answer", "process"},
		{"a walk to the constructor of functions", `const f = callback.constructor('return this')(); callback(new Error(typeof f.__host + typeof f.process))`, silent, "gave no answer", "undefinedundefined"},
		{"syntax that only shows at work", `eval('][')`, silent, "gave no answer", ""},
		{"twice", ok + `; callback(new Error('again')); ` + ok, 200, "", ""},
		{"globals of the run before", `if (globalThis.seen) return callback(new Error('seen')); globalThis.seen = true; Array.prototype.map = null; ` + ok, 200, "", ""},
		{"an address that is no boolean's", `callback(null, {user_id: 'x|1', email: email, email_verified: 'yes', blocked: 'no', roles: ['admin'], identities: []})`, 200, "", ""},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			name := fmt.Sprintf("Hostile%d", i)
			source := "function login(email, password, callback) {\n" + row.body + "\n}"
			for _, importMode := range []bool{true, false} {
				if !importMode {
					name += "X"
				}
				email := fmt.Sprintf("kai%d@shop.example", i)
				w.made("/api/v2/connections", map[string]any{"name": name, "strategy": "auth0", "options": map[string]any{
					"enabledDatabaseCustomization": true, "import_mode": importMode, "customScripts": map[string]any{"login": strings.Replace(source, "x|1", name, 1)},
					"configuration": map[string]any{"KEY": "a-key-nobody-sees"},
				}})
				app := w.newApplication(name)
				before := len(w.failures())
				users := w.users()
				status, body := app.grant(name, email, "hunter2-hunter2")
				if status != row.status || !strings.Contains(body, row.text) {
					t.Errorf("%d %s", status, body)
				}
				if status == 200 {
					continue
				}
				if n := w.users(); n != users {
					t.Errorf("%d users, had %d", n, users)
				}
				list := w.failures()
				if len(list) != before+1 {
					t.Fatalf("%d records of failure", len(list)-before)
				}
				all, _ := json.Marshal(list[0])
				if !strings.Contains(string(all), row.record) || strings.Contains(string(all), "hunter2") || strings.Contains(string(all), "a-key-nobody-sees") {
					t.Errorf("the record does not say %q, or more than that: %s", row.record, all)
				}
			}
		})
	}
	w.stop()
	for _, secret := range []string{"hunter2", "a-key-nobody-sees", "shop.example", "the table is gone", "aHVudGVyMi1odW50ZXIy"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the process log has %q", secret)
		}
	}
}

// users is how many there are.
func (w *world) users() int {
	w.t.Helper()
	status, body := w.call("GET", "/api/v2/users?include_totals=true&per_page=1&q="+url.QueryEscape("_exists_:user_id"), "")
	if status != 200 {
		w.t.Fatal(body)
	}
	var doc struct{ Total int }
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc.Total
}
