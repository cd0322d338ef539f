package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/foreigndb/legacytest"
	"mangrove/internal/store/storetest"
)

// envLegacyPeople is how many people leave the old shop; a few unless it is set.
const envLegacyPeople = "MANGROVE_LEGACY_PEOPLE"

// shop is an old database and the options of a connection to it, by scripts written the
// way people have them.
type shop struct {
	*legacytest.Server
	scripts       [2]string // login, get_user
	configuration map[string]any
}

func (s shop) script(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "legacy", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s shop) options(t *testing.T, importMode bool) map[string]any {
	t.Helper()
	return map[string]any{
		"enabledDatabaseCustomization": true, "import_mode": importMode, "configuration": s.configuration,
		"customScripts":  map[string]any{"login": s.script(t, s.scripts[0]), "get_user": s.script(t, s.scripts[1])},
		"passwordPolicy": "none",
	}
}

// shops are the old databases, by engine.
var shops = map[string]func(t *testing.T) shop{
	"postgres": func(t *testing.T) shop {
		s := legacytest.StartPostgres(t)
		return shop{s, [2]string{"pg_login.js", "pg_get_user.js"}, map[string]any{"DATABASE_URL": s.URL(s.Password) + "?sslmode=disable"}}
	},
	"mariadb": func(t *testing.T) shop {
		s := legacytest.StartMariaDB(t)
		return shop{s, [2]string{"mysql_login.js", "mysql_get_user.js"}, map[string]any{
			"DB_HOST": s.Host, "DB_PORT": strconv.Itoa(s.Port), "DB_USER": s.User, "DB_PASSWORD": s.Password, "DB_NAME": s.DB,
		}}
	},
}

// TestLeaveTheOldDatabase: people migrate by signing in, with the passwords that they
// have; what the old database said of them is their profile; the second sign-in does not
// reach it; and then it is gone and everybody still signs in.
func TestLeaveTheOldDatabase(t *testing.T) {
	n, cost := 12, 4
	if v := os.Getenv(envLegacyPeople); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
		cost = 10
	}
	for engine, start := range shops {
		t.Run(engine, func(t *testing.T) {
			old := start(t)
			people := legacytest.People(t, n, cost)
			old.Fill(t, people)
			w := newWorld(t, storetest.SQLite)
			id, _ := w.made("/api/v2/connections", map[string]any{"name": "Shop", "strategy": "auth0", "options": old.options(t, true)})["id"].(string)
			app := w.newApplication("Shop")
			m := migrants{t: t, app: app, people: people}

			stranger := people[0]
			if status, body := app.grant("Shop", stranger.Email, "not it"); status != 403 || !strings.Contains(body, "Wrong email or password.") {
				t.Errorf("a wrong password: %d %s", status, body)
			}
			if status, _ := w.call("GET", "/api/v2/users/"+url.PathEscape("auth0|"+stranger.UserID()), ""); status != 404 {
				t.Errorf("a wrong password made somebody: %d", status)
			}
			status, there := app.signUp("Shop", strings.ToUpper(stranger.Email), "a new password of theirs")
			if status != 400 || !strings.Contains(there, `"invalid_signup"`) {
				t.Errorf("the sign-up of somebody in the old database: %d %s", status, there)
			}
			first := m.signIn("first")
			if t.Failed() {
				t.Fatalf("the last error: %v", w.progress(id)["last_error"])
			}
			if _, here := app.signUp("Shop", strings.ToUpper(stranger.Email), "a new password of theirs"); here != there {
				t.Errorf("who is here is told %s, who is there %s", here, there)
			}
			for _, p := range people {
				m.same(p)
			}
			if got := w.progress(id)["migrated"]; got != float64(n) {
				t.Errorf("%v of %d have migrated: %v", got, n, w.progress(id)["last_error"])
			}

			asked := len(old.Asked(t))
			second := m.signIn("second")
			if more := old.Asked(t)[asked:]; strings.Contains(strings.ToLower(more), "shop.example") {
				t.Errorf("the old database was asked about somebody who is here:\n%.2000s", more)
			}
			old.Stop()
			third := m.signIn("third")
			if status, body := app.grant("Shop", "somebody.else@shop.example", "whatever"); status != 503 || !strings.Contains(body, "gave no answer") {
				t.Errorf("a stranger, after the end: %d %s", status, body)
			}

			// The people are ours: an edit stays.
			who := "auth0|" + people[1].UserID()
			if status, body := w.call("PATCH", "/api/v2/users/"+url.PathEscape(who), `{"name":"Edited"}`); status != 200 {
				t.Errorf("PATCH: %d %s", status, body)
			}
			if status, body := app.grant("Shop", people[1].Email, people[1].Password); status != 200 {
				t.Errorf("after the edit: %d %s", status, body)
			}
			if got := w.profileOf(who)["name"]; got != "Edited" {
				t.Errorf("name is %v after the next sign-in", got)
			}
			t.Logf("%d people: first sign-ins %s, second %s, without the old database %s", n, first, second, third)
		})
	}
}

// migrants are people on their way.
type migrants struct {
	t      *testing.T
	app    *application
	people []legacytest.Person
}

// signIn has everybody sign in, four at a time.
func (m migrants) signIn(which string) time.Duration {
	m.t.Helper()
	began := time.Now()
	queue := make(chan legacytest.Person)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for p := range queue {
				if status, body := m.app.grant("Shop", p.Email, p.Password); status != 200 {
					m.t.Errorf("the %s sign-in of %d (%s): %d %s", which, p.ID, p.Kind, status, body)
				}
			}
		})
	}
	for _, p := range m.people {
		queue <- p
	}
	close(queue)
	all.Wait()
	return time.Since(began).Round(time.Millisecond)
}

// same compares a profile with the row of the old table.
func (m migrants) same(p legacytest.Person) {
	m.t.Helper()
	doc := m.app.w.profileOf("auth0|" + p.UserID())
	for name, want := range map[string]any{
		"email": strings.ToLower(p.Email), "email_verified": p.Verified, "name": p.Name, "given_name": p.GivenName, "family_name": p.FamilyName,
		"nickname": p.Nickname, "picture": p.Picture, "logins_count": 1.0,
	} {
		if doc[name] != want {
			m.t.Errorf("%s of %d is %v, want %v", name, p.ID, doc[name], want)
		}
	}
	for member, want := range map[string]string{"user_metadata": fmt.Sprintf("map[city:%s]", p.City), "app_metadata": fmt.Sprintf("map[plan:%s]", p.Plan)} {
		if got := fmt.Sprint(doc[member]); got != want {
			m.t.Errorf("%s of %d is %s, want %s", member, p.ID, got, want)
		}
	}
}

// signUp is a public sign-up.
func (a *application) signUp(connection, email, password string) (int, string) {
	a.w.t.Helper()
	body, err := json.Marshal(map[string]string{"client_id": a.oauth.ClientID, "connection": connection, "email": email, "password": password})
	if err != nil {
		a.w.t.Fatal(err)
	}
	return a.w.posted("/dbconnections/signup", string(body))
}

// posted is a POST of JSON without a token.
func (w *world) posted(path, body string) (int, string) {
	w.t.Helper()
	res, err := w.client.Post(w.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// progress is the migration of a connection.
func (w *world) progress(connectionID string) map[string]any {
	w.t.Helper()
	status, body := w.call("GET", "/api/v2/connections/"+connectionID+"/migration", "")
	if status != 200 {
		w.t.Fatalf("progress: %d %s", status, body)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc
}
