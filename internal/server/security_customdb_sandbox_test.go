package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/script"
	"mangrove/internal/store/storetest"
)

// security.md 108–109: whatever more runs of a script than it may have do at once, with the
// processor, the memory, hashes of the host and the console, people sign in at other
// connections meanwhile, by scripts as well.
func TestOthersSignInBesideHogs(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	if status, body := w.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`); status != 200 {
		t.Fatal(body)
	}
	ours := w.newApplication(database)
	w.made("/api/v2/users", map[string]any{"connection": database, "email": "ann@shop.example", "password": goodPassword})
	custom := func(name, body string) *application {
		w.laid("auth0", name, map[string]any{
			"enabledDatabaseCustomization": true, "customScripts": map[string]any{"login": "function login(email, password, callback) {" + body + "\n}"}, "configuration": map[string]any{"NAME": name},
			"brute_force_protection": false,
		}, nil)
		return w.newApplication(name)
	}
	const hash = `$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy`
	scripted := custom("Scripted", `require('bcrypt').compare(password, '`+hash+`', (err, ok) => callback(err, {user_id: 'scripted', email, name: configuration.NAME + typeof globalThis.left}))`)
	const runs = script.DefaultAtOnce * 5 / 8 // a script has the half
	for i, hog := range []struct{ name, body string }{
		{"a loop", `for (;;);`},
		{"memory", `globalThis.left = 1; const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))`},
		{"PBKDF2", `for (let i = 0; i < 200; i++) require('crypto').pbkdf2(password, 's', 5e6, 64, 'sha512', () => {})`},
		{"the console", `for (;;) console.log('x'.repeat(1 << 16))`},
		{"an answer, and on", `callback(null, {user_id: 'hog', email}); for (;;) require('bcrypt').hashSync(password, 10)`},
	} {
		name := fmt.Sprint("Hog", i)
		hogs := custom(name, strings.Replace(hog.body, "'hog'", "'"+name+"'", 1))
		ctx, enough := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for n := range runs {
			all.Go(func() { hogs.guess(ctx, name, fmt.Sprintf("hog%d@shop.example", n)) })
		}
		var took []time.Duration
		for _, one := range []struct {
			a           *application
			realm, pass string
		}{{ours, database, goodPassword}, {scripted, "Scripted", "password"}} {
			began := time.Now()
			status, body := one.a.grant(one.realm, "ann@shop.example", one.pass)
			if status != 200 {
				t.Errorf("beside %s, at %s: %d %s", hog.name, one.realm, status, body)
			}
			took = append(took, time.Since(began).Round(time.Millisecond))
		}
		enough()
		all.Wait()
		t.Logf("beside %d of %s: %s at a database, %s by a script", runs, hog.name, took[0], took[1])
	}
	if p := w.profileOf("auth0|scripted"); p["name"] != "Scriptedundefined" {
		t.Errorf("another run can be seen: %v", p)
	}
}

// guess is a sign-in of which nobody waits for the end.
func (a *application) guess(ctx context.Context, realm, name string) {
	form := url.Values{
		"grant_type": {realmGrant}, "client_id": {a.oauth.ClientID}, "client_secret": {a.oauth.ClientSecret}, "realm": {realm}, "username": {name}, "password": {"a guess"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.w.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		a.w.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := a.w.client.Do(req)
	if err == nil {
		_ = res.Body.Close() // what came of it is nobody's concern
	}
}
