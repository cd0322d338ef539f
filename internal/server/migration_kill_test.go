package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mangrove/internal/foreigndb/legacytest"
	"mangrove/internal/seal"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// envMigrationKills is how often the server is killed while people migrate; once unless it
// is set.
const envMigrationKills = "MANGROVE_MIGRATION_KILLS"

// migratingInARound is how many people move in between two kills, at most.
const migratingInARound = 8

// TestKill9DuringAMigration kills the server at random moments while people come out of
// the old database, and starts it again: whoever was told that they are signed in is
// there, whole, once, and signs in with what they typed; and the count of who has come
// is that of who is there.
func TestKill9DuringAMigration(t *testing.T) {
	kills := 1
	if v := os.Getenv(envMigrationKills); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	old := shops["postgres"](t)
	people := legacytest.People(t, kills*migratingInARound, 4)
	old.Fill(t, people)
	t.Setenv("MANGROVE_OUTBOUND_ALLOW", "127.0.0.0/8")
	bin := builtProgram(t)
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			m := &crashedMigration{crashRig: newCrashRig(t, bin, storetest.EmptyURL(t, engine)), shop: old, in: map[int]legacytest.Person{}}
			m.start()
			m.open()
			for n := range kills {
				m.round(people[n*migratingInARound : (n+1)*migratingInARound])
				t.Logf("kill %d: %d sign-ins acknowledged so far, none lost", n+1, len(m.in))
			}
			m.finish(people)
		})
	}
}

// crashedMigration is a server that is killed while it takes people out of a shop.
type crashedMigration struct {
	*crashRig
	shop                 shop
	client, secret, conn string

	mu sync.Mutex
	in map[int]legacytest.Person // who was told that they are signed in
}

// open makes the application and the connection. Everybody in the shop has a second
// factor, which comes along.
func (m *crashedMigration) open() {
	m.t.Helper()
	var c struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	m.must(m.call("POST", "/api/v2/clients", "application/json", strings.NewReader(
		`{"name":"Shop","app_type":"regular_web","grant_types":["http://auth0.com/oauth/grant-type/password-realm"]}`), &c))
	m.client, m.secret = c.ID, c.Secret
	const plan = "app_metadata: { plan: user.plan }"
	login := strings.Replace(m.shop.script(m.t, m.shop.scripts[0]), plan, plan+", mfa_factors: [{ phone: { value: '+3584' + (10000000 + user.id) } }]", 1)
	options := m.shop.options(m.t, true)
	options["customScripts"] = map[string]any{"login": login, "get_user": m.shop.script(m.t, m.shop.scripts[1])}
	body, err := json.Marshal(map[string]any{"name": "Shop", "strategy": "auth0", "enabled_clients": []string{c.ID}, "options": options})
	if err != nil {
		m.t.Fatal(err)
	}
	var made struct {
		ID string `json:"id"`
	}
	m.must(m.call("POST", "/api/v2/connections", "application/json", bytes.NewReader(body), &made))
	m.conn = made.ID
	// Whoever repeats a sign-in that a kill has cut off is no attack.
	m.must(m.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", "application/json", strings.NewReader(`{"enabled":false}`), nil))
}

// signIn is one sign-in; the status is zero where there was no answer. That the second
// factor is asked for says that the password was right.
func (m *crashedMigration) signIn(p legacytest.Person) int {
	res, err := m.http.PostForm("http://"+m.addr+"/oauth/token", url.Values{
		"grant_type": {"http://auth0.com/oauth/grant-type/password-realm"}, "client_id": {m.client}, "client_secret": {m.secret},
		"realm": {"Shop"}, "username": {p.Email}, "password": {p.Password}, "scope": {"openid"},
	})
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var body struct {
		Error string `json:"error"`
		Token string `json:"mfa_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return 0
	}
	if res.StatusCode == 403 && body.Error == "mfa_required" && body.Token != "" {
		return 200
	}
	return res.StatusCode
}

// come has people sign in, four at a time, until somebody gets no answer; after is told
// of each answer.
func (m *crashedMigration) come(people []legacytest.Person, after func(acknowledged int)) {
	queue := make(chan legacytest.Person, len(people))
	for _, p := range people {
		queue <- p
	}
	close(queue)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for p := range queue {
				status := m.signIn(p)
				if status == 0 {
					return
				}
				if status != 200 {
					m.t.Errorf("the sign-in of %d: %d", p.ID, status)
					continue
				}
				m.mu.Lock()
				m.in[p.ID] = p
				n := len(m.in)
				m.mu.Unlock()
				after(n)
			}
		})
	}
	all.Wait()
}

// round lets people come until the server is killed, starts it again and looks for
// everybody who was acknowledged.
func (m *crashedMigration) round(people []legacytest.Person) {
	m.t.Helper()
	last := len(m.in) + 1 + rand.IntN(len(people)/2)
	var once sync.Once
	m.come(people, func(n int) {
		if n >= last {
			once.Do(func() { _ = m.cmd.Process.Signal(syscall.SIGKILL) })
		}
	})
	m.kill()
	m.start()
	m.check()
}

// check reads everybody who was acknowledged.
func (m *crashedMigration) check() {
	m.t.Helper()
	for _, p := range m.in {
		var doc map[string]any
		m.must(m.call("GET", "/api/v2/users/"+url.PathEscape("auth0|"+p.UserID()), "", nil, &doc))
		sameAsRow(m.t, doc, p)
		if n, _ := doc["logins_count"].(float64); n < 1 {
			m.t.Errorf("%d has %v logins", p.ID, doc["logins_count"])
		}
	}
}

// sameAsRow compares a profile with the row of the old table.
func sameAsRow(t *testing.T, doc map[string]any, p legacytest.Person) {
	t.Helper()
	want(t, fmt.Sprint("the profile of ", p.ID), doc, map[string]any{
		"email": strings.ToLower(p.Email), "email_verified": p.Verified, "name": p.Name, "given_name": p.GivenName, "family_name": p.FamilyName,
		"nickname": p.Nickname, "picture": p.Picture,
		"user_metadata": map[string]any{"city": p.City}, "app_metadata": map[string]any{"plan": p.Plan},
	})
}

// finish lets the others come, and everybody sign in again without the old store; then
// it counts what is in the database.
func (m *crashedMigration) finish(people []legacytest.Person) {
	m.t.Helper()
	var left []legacytest.Person
	for _, p := range people {
		if _, in := m.in[p.ID]; !in {
			left = append(left, p)
		}
	}
	m.come(left, func(int) {})
	if len(m.in) != len(people) {
		m.t.Fatalf("%d of %d have come", len(m.in), len(people))
	}
	m.check()
	asked := len(m.shop.Asked(m.t))
	m.come(people, func(int) {})
	if more := m.shop.Asked(m.t)[asked:]; strings.Contains(more, "shop.example") {
		m.t.Errorf("the old database was asked about somebody who is here:\n%.2000s", more)
	}
	var progress map[string]any
	m.must(m.call("GET", "/api/v2/connections/"+m.conn+"/migration", "", nil, &progress))
	want(m.t, "progress", progress, map[string]any{"migrated": len(people), "failing": 0, "known": 0, "differing": 0, "deleted": 0})
	m.kill()
	m.count(people)
}

// count finds each person once in the database, with the second factor.
func (m *crashedMigration) count(people []legacytest.Person) {
	m.t.Helper()
	box, err := seal.New(m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	s, err := store.Open(m.t.Context(), store.Options{URL: m.db, Box: box, Now: time.Now})
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.Close()
	expected := map[user.ID]string{}
	for _, p := range people {
		expected[user.ID("auth0|"+p.UserID())] = fmt.Sprintf(`[{"phone":{"value":"+3584%d"}}]`, 10000000+p.ID)
	}
	left := maps.Clone(expected)
	for after := user.ID(""); ; {
		page, err := s.Users(m.t.Context(), after, 1000)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, v := range page {
			u, err := s.User(m.t.Context(), v.ID)
			if err != nil {
				m.t.Fatal(err)
			}
			if factors := expected[u.ID]; string(u.MFAFactors) != factors {
				m.t.Errorf("%s has the factors %s, not %s", u.ID, u.MFAFactors, factors)
			}
			if _, there := left[u.ID]; !there {
				m.t.Errorf("%s is there twice, or should not be", u.ID)
			}
			delete(left, u.ID)
		}
		after = page[len(page)-1].ID
	}
	if len(left) > 0 {
		m.t.Errorf("%d are missing", len(left))
	}
}
