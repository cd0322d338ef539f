package server_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/fakeidp"
	"mangrove/internal/store/storetest"
)

// house is a provider that says what a test wants, with its connections.
type house struct {
	*fakeidp.IdP
	w *world
}

func newHouse(t *testing.T, w *world) *house {
	idp := fakeidp.New(fakeidp.Options{Clients: []fakeidp.Client{{ID: "mangrove", Secret: "s", RedirectURIs: []string{w.url + "/login/callback"}}}})
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetIssuer(server.URL)
	return &house{idp, w}
}

// connect makes a connection to it; the options are added.
func (h *house) connect(name, strategy string, more map[string]any) {
	h.w.t.Helper()
	options := map[string]any{
		"type": "back_channel", "issuer": h.Issuer(), "discovery_url": h.Issuer() + "/.well-known/openid-configuration",
		"client_id": "mangrove", "client_secret": "s",
	}
	for k, v := range more {
		options[k] = v
	}
	h.w.made("/api/v2/connections", map[string]any{"name": name, "strategy": strategy, "options": options})
}

// made creates something by the Management API.
func (w *world) made(path string, body map[string]any) map[string]any {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	status, text := w.call("POST", path, string(b))
	if status != 201 {
		w.t.Fatalf("POST %s: %d %s", path, status, text)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc
}

// as signs somebody in through a connection in a browser of their own.
func (h *house) as(a *application, connection, sub string, claims map[string]any) *signedIn {
	h.w.t.Helper()
	h.SetPerson(sub, claims)
	h.Next(sub)
	in, refused := a.signIn(h.w.newBrowser(), connection, "")
	if in == nil {
		h.w.t.Fatalf("%s through %s: %v", sub, connection, refused)
	}
	return in
}

// security.md 88: only the boolean proves an address, and an unproven one counts
// for nothing.
func TestOnlyABooleanVerifies(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	h.connect("corp", "oidc", map[string]any{"domain_aliases": []string{"corp.example"}})
	a := w.newApplication("acme", "corp")
	for i, row := range []struct {
		said any
		want bool
	}{{nil, false}, {false, false}, {"false", false}, {"true", false}, {0, false}, {1, false}, {[]any{true}, false}, {true, true}} {
		sub := fmt.Sprint("u", i)
		claims := map[string]any{"name": "U", "email": sub + "@corp.example", "email_verified": row.said}
		for _, connection := range []string{"acme", "corp"} {
			if in := h.as(a, connection, sub, claims); w.profileOf(in.subject)["email_verified"] != row.want {
				t.Errorf("%s said %v: %v", connection, row.said, w.profileOf(in.subject)["email_verified"])
			}
		}
	}
	// security.md 90: an enterprise vouches for its own domains.
	for _, email := range []string{"a@elsewhere.example", "a@sub.corp.example", "a@corp.example@elsewhere.example"} {
		in := h.as(a, "corp", "stranger", map[string]any{"email": email, "email_verified": true})
		if w.profileOf(in.subject)["email_verified"] != false {
			t.Errorf("%s is verified", email)
		}
	}
}

// security.md 89: a person is the connection and the subject, letter by letter.
func TestAPersonIsConnectionAndSubject(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	h.connect("twin", "oidc", nil)
	a := w.newApplication("acme", "twin", database)
	claims := map[string]any{"name": "Ann", "email": "ann@example.com", "email_verified": true}
	made := w.made("/api/v2/users", map[string]any{"connection": database, "email": "ann@example.com", "email_verified": true, "password": goodPassword})
	seen := map[string]bool{made["user_id"].(string): true}
	for _, sub := range []string{"1", "1 ", "01", "1.0", "１", "a|b", "a", "acme|1", "auth0|1", made["user_id"].(string), strings.ToUpper("a"), "a b", "ann@example.com"} {
		for _, connection := range []string{"acme", "twin"} {
			in := h.as(a, connection, sub, claims)
			if want := "oidc|" + connection + "|" + sub; in.subject != want {
				t.Errorf("%q through %s is %q", sub, connection, in.subject)
			}
			if seen[in.subject] {
				t.Errorf("%s is somebody else already", in.subject)
			}
			seen[in.subject] = true
			if again := h.as(a, connection, sub, claims); again.subject != in.subject {
				t.Errorf("%s comes back as %s", in.subject, again.subject)
			}
		}
	}
	status, body := w.call("GET", "/api/v2/users-by-email?email=ann%40example.com", "")
	var list []map[string]any
	if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil || len(list) != len(seen) {
		t.Errorf("%d users by that address, want %d: %d", len(list), len(seen), status)
	}
}

// An address that changes at the provider moves no account, and reaches none.
func TestAChangedAddressMovesNobody(t *testing.T) {
	for _, mode := range []string{"on_each_login", "on_first_login"} {
		w := newWorld(t, storetest.SQLite)
		h := newHouse(t, w)
		h.connect("acme", "oidc", map[string]any{"set_user_root_attributes": mode})
		a := w.newApplication("acme", database)
		victim := w.made("/api/v2/users", map[string]any{"connection": database, "email": "victim@example.com", "email_verified": true, "password": goodPassword})["user_id"].(string)
		other := h.as(a, "acme", "victim", map[string]any{"email": "victim@example.com", "email_verified": true}).subject
		attacker := map[string]any{"name": "Eve", "email": "eve@example.com", "email_verified": true}
		first := h.as(a, "acme", "eve", attacker)
		attacker["email"] = "victim@example.com"
		if again := h.as(a, "acme", "eve", attacker); again.subject != first.subject {
			t.Errorf("%s: %s became %s", mode, first.subject, again.subject)
		}
		for _, id := range []string{victim, other} {
			got := w.profileOf(id)
			if got["email"] != "victim@example.com" || len(got["identities"].([]any)) != 1 || got["name"] == "Eve" {
				t.Errorf("%s: the victim is %v", mode, got)
			}
		}
		wantEmail := map[string]string{"on_each_login": "victim@example.com", "on_first_login": "eve@example.com"}[mode]
		if got := w.profileOf(first.subject); got["email"] != wantEmail {
			t.Errorf("%s: the attacker is %v", mode, got)
		}
	}
}

// security.md 94, and the reverse of it: who signed an address up first gets no part
// of whoever proves it later.
func TestPreHijack(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	a := w.newApplication("acme", database)
	res, err := w.client.Post(w.url+"/dbconnections/signup", "application/json", strings.NewReader(fmt.Sprintf(
		`{"client_id":%q,"connection":%q,"email":"victim@example.com","password":%q}`, a.oauth.ClientID, database, goodPassword)))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	in := h.as(a, "acme", "v", map[string]any{"name": "Victim", "email": "victim@example.com", "email_verified": true})
	if in.subject != "oidc|acme|v" || len(w.profileOf(in.subject)["identities"].([]any)) != 1 {
		t.Errorf("the victim became %v", w.profileOf(in.subject))
	}
	status, body := w.call("GET", "/api/v2/users-by-email?email=victim%40example.com", "")
	var list []map[string]any
	if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil || len(list) != 2 {
		t.Fatalf("%d %s", status, body)
	}
	for _, u := range list {
		if u["user_id"] != in.subject && u["email_verified"] != false {
			t.Errorf("the planted account is %v", u)
		}
	}
}

// security.md 92: a login neither unblocks nor verifies nor brings anybody back who
// belongs to another identity, and never touches what is ours.
func TestALoginGivesNothingBack(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	a := w.newApplication("acme")
	claims := map[string]any{
		"name": "Ann", "email": "ann@example.com", "email_verified": false, "blocked": false, "app_metadata": map[string]any{"admin": true},
		"user_metadata": map[string]any{"x": 1}, "user_id": "auth0|1", "identities": []any{}, "logins_count": 0, "created_at": "x", "_id": "y", "roles": []string{"admin"},
	}
	in := h.as(a, "acme", "ann", claims)
	id := url.PathEscape(in.subject)
	want(t, "first", w.profileOf(in.subject), map[string]any{"app_metadata": nil, "user_metadata": nil, "roles": nil, "logins_count": 1.0, "user_id": in.subject})
	if status, body := w.call("PATCH", "/api/v2/users/"+id, `{"blocked":true,"app_metadata":{"plan":"free"}}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	h.SetPerson("ann", claims)
	if again, refused := a.signIn(w.newBrowser(), "acme", ""); again != nil || refused.Get("error") != "unauthorized" {
		t.Errorf("blocked: %v %v", again, refused)
	}
	want(t, "blocked", w.profileOf(in.subject), map[string]any{"blocked": true, "app_metadata": map[string]any{"plan": "free"}, "email_verified": false})
}

// security.md 93: never_on_login is obeyed in a connection of any class.
func TestNeverOnLoginCreatesNobody(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", map[string]any{"set_user_root_attributes": "never_on_login"})
	a := w.newApplication("acme")
	h.SetPerson("stranger", map[string]any{"name": "S"})
	in, refused := a.signIn(w.newBrowser(), "acme", "")
	if in != nil || refused.Get("error") != "access_denied" || !strings.Contains(refused.Get("error_description"), "creates no users") {
		t.Fatalf("%v %v", in, refused)
	}
	if status, _ := w.call("GET", "/api/v2/users/oidc%7Cacme%7Cstranger", ""); status != 404 {
		t.Errorf("the stranger is there: %d", status)
	}
	status, body := w.call("GET", "/api/v2/logs?q="+url.QueryEscape(`type:f`), "")
	if status != 200 || !strings.Contains(body, "creates no users") {
		t.Errorf("the log says nothing of it: %d %s", status, body)
	}
}

// What no profile can hold is dropped, and the log says what and why; the login
// goes on and the stored profile stays whole.
func TestRudeClaims(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.connect("acme", "oidc", nil)
	a := w.newApplication("acme")
	good := map[string]any{"name": "Ann", "given_name": "Ann", "picture": "https://idp.example/1.png", "email": "ann@example.com", "email_verified": true, "dept": "R"}
	in := h.as(a, "acme", "ann", good)
	h.as(a, "acme", "ann", map[string]any{
		"name": strings.Repeat("x", 10_000), "given_name": "A\u0007nn", "picture": "javascript:alert(1)", "email": "no address", "email_verified": "yes",
		"dept": strings.Repeat("d", 300_000), strings.Repeat("k", 300): 1, "b\u202e": 2, "fine": "yes",
	})
	want(t, "after rude claims", w.profileOf(in.subject), map[string]any{
		"name": "Ann", "given_name": "Ann", "picture": "https://idp.example/1.png", "email": "ann@example.com", "email_verified": true, "dept": "R", "fine": "yes",
	})
	status, body := w.call("GET", "/api/v2/logs?q="+url.QueryEscape(`type:w`), "")
	if status != 200 {
		t.Fatal(body)
	}
	for _, name := range []string{"name", "given_name", "picture", "email", "dept", `b\u202e`} {
		if !strings.Contains(body, `{"name":"`+strings.ReplaceAll(name, `\`, `\\`)+`","why":`) {
			t.Errorf("the log does not name %s: %s", name, body)
		}
	}
	if strings.Contains(body, "javascript:") || strings.Contains(body, "no address") {
		t.Errorf("the log repeats values: %s", body)
	}
}
