package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mangrove/internal/store/storetest"
)

// oldShop is the webhook of an old store that counts what it is asked.
type oldShop struct {
	url    string
	logins atomic.Int64
	mu     sync.Mutex
	// answer is what a login is told: status and body.
	answer func(identifier, password string) (int, string)
}

func newOldShop(t *testing.T, answer func(identifier, password string) (int, string)) *oldShop {
	t.Helper()
	o := &oldShop{answer: answer}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Action string
			Args   struct{ Identifier, Password string }
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		if q.Action != "login" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		o.logins.Add(1)
		o.mu.Lock()
		status, body := o.answer(q.Args.Identifier, q.Args.Password)
		o.mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	o.url = s.URL
	return o
}

// options are those of a connection that asks it.
func (o *oldShop) options(importMode bool) map[string]any {
	return map[string]any{
		"enabledDatabaseCustomization": true, "import_mode": importMode, "passwordPolicy": "none",
		"webhook": map[string]any{"url": o.url, "actions": []string{"login", "get_user"}},
	}
}

func collates(identifier string) string {
	// As the collations of databases do that know no accents, no case and no control characters.
	return strings.NewReplacer("á", "a", "Á", "a", "\u0301", "", "\u200b", "", "\x01", "", " ", "").Replace(strings.ToLower(identifier))
}

// security.md 48–50: guesses at people of a custom database are counted as those at
// people of ours, before anybody asks the old store: however many come at once, and
// however the name is spelled.
func TestGuessesAtCustomDatabases(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	// The address has its own bound, which comes later here.
	if status, body := w.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`); status != 200 {
		t.Fatal(body)
	}
	var id string
	old := newOldShop(t, func(identifier, password string) (int, string) {
		if collates(identifier) == "kai@shop.example" && password == "the right one" {
			return 200, `{"user_id":"` + id + `","email":"kai@shop.example"}`
		}
		return 401, `{"error":"wrong_credentials","user_id":"` + id + `"}`
	})
	const most = 10
	for i, importMode := range []bool{false, true} {
		name := fmt.Sprint("Guessed", i)
		old.mu.Lock()
		id = name
		old.mu.Unlock()
		w.laid("auth0", name, old.options(importMode), nil)
		a := w.newApplication(name)
		old.logins.Store(0)
		var all sync.WaitGroup
		var wrong, locked atomic.Int64
		for range 8 {
			all.Go(func() {
				for n := range 25 {
					switch status, body := a.grant(name, "kai@shop.example", fmt.Sprint("guess ", n)); status {
					case 403:
						wrong.Add(1)
					case 429:
						locked.Add(1)
					default:
						t.Errorf("%d %s", status, body)
					}
				}
			})
		}
		all.Wait()
		if n := old.logins.Load(); n > most || wrong.Load() > most || locked.Load() < 200-most {
			t.Errorf("%s: of 200 guesses the old store has looked at %d; %d were wrong and %d refused", name, n, wrong.Load(), locked.Load())
		}
		before := old.logins.Load()
		for _, spelling := range []string{
			"KAI@shop.example", " kai@shop.example ", "ｋａｉ@shop.example", "kai@SHOP.example", "ka\u0301i@shop.example", "kái@shop.example", "KÁI@shop.example", "k\u200bai@shop.example",
			"kai@shop.example\u200b", "kai\x01@shop.example", "k ai@shop.example", "\u212aai@shop.example",
		} {
			for _, password := range []string{"another guess", "the right one"} {
				if status, body := a.grant(name, spelling, password); status != 429 {
					t.Errorf("%s: %q: %d %s", name, spelling, status, body)
				}
			}
		}
		if n := old.logins.Load() - before; n > 0 {
			t.Errorf("%s: the old store was asked %d times for other spellings", name, n)
		}
		if status, body := a.grant(name, "fresh@shop.example", "x"); status != 403 { // somebody else
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	// Whoever is let in again by a person is.
	if status, body := w.call("DELETE", "/api/v2/user-blocks?identifier=kai@shop.example", ""); status != 204 {
		t.Fatalf("%d %s", status, body)
	}
	for _, name := range []string{"Guessed0", "Guessed1"} {
		old.mu.Lock()
		id = name
		old.mu.Unlock()
		if status, body := w.newApplication(name).grant(name, "KAI@shop.example", "the right one"); status != 200 {
			t.Errorf("%s: after the block was lifted: %d %s", name, status, body)
		}
	}
}

// The address has one bound for all connections, as security.md 51 has it, and the old
// store is not asked beyond it.
func TestGuessesFromOneAddress(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	if status, body := w.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"stage":{"pre-login":{"max_attempts":10,"rate":864000}}}`); status != 200 {
		t.Fatal(body)
	}
	old := newOldShop(t, func(string, string) (int, string) { return 401, `{"error":"wrong_credentials"}` })
	apps := map[string]*application{}
	for name, importMode := range map[string]bool{"Old": true, "Elsewhere": false} {
		w.laid("auth0", name, old.options(importMode), nil)
		apps[name] = w.newApplication(name)
	}
	refused := 0
	for n := range 10 {
		for name, a := range apps {
			if status, _ := a.grant(name, fmt.Sprintf("person%d@shop.example", n), "a guess"); status == 429 {
				refused++
			} else if status != 403 {
				t.Fatal(status)
			}
		}
	}
	if n := old.logins.Load(); n != 10 || refused != 10 {
		t.Errorf("the old store was asked %d times; %d were refused", n, refused)
	}
}

// Who may try an action: who may write it, and nobody who may do only one of the two.
func TestTryIsForThoseWhoMayWrite(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	old := newOldShop(t, func(string, string) (int, string) { return 200, `{"user_id":"kai"}` })
	id := w.laid("auth0", "Old", old.options(true), nil)
	body := `{"args":{"identifier":"kai@shop.example","password":"x"}}`
	for scopes, want := range map[string]int{
		"": 403, "read:connections": 403, "update:connections": 403, "update:connections_options": 403, "read:connections read:connections_options read:users update:users": 403,
		"update:connections update:connections_options": 200,
	} {
		status, text := w.callAs(scopes, "POST", "/api/v2/connections/"+id+"/actions/login/try", body)
		if status != want {
			t.Errorf("%q: %d %s", scopes, status, text)
		}
	}
	if n := old.logins.Load(); n != 1 {
		t.Errorf("the old store was asked %d times", n)
	}
	if status, text := w.posted("/api/v2/connections/"+id+"/actions/login/try", body); status != 401 {
		t.Errorf("without a token: %d %s", status, text)
	}
}

// callAs is a request with a token that has these scopes alone.
func (w *world) callAs(scopes, method, path, body string) (int, string) {
	w.t.Helper()
	client := w.made("/api/v2/clients", map[string]any{"name": "with " + scopes, "app_type": "non_interactive", "grant_types": []string{"client_credentials"}})
	w.made("/api/v2/client-grants", map[string]any{"client_id": client["client_id"], "audience": w.url + "/api/v2/", "scope": strings.Fields(scopes)})
	_, answer := w.posted("/oauth/token", fmt.Sprintf(`{"grant_type":"client_credentials","client_id":%q,"client_secret":%q,"audience":%q}`, client["client_id"], client["client_secret"], w.url+"/api/v2/"))
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || token.AccessToken == "" {
		w.t.Fatalf("no token: %s", answer)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := w.client.Do(req)
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
