package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/coreos/go-oidc/v3/oidc"
)

// profileOf reads a user's document.
func (w *world) profileOf(id string) map[string]any {
	w.t.Helper()
	status, body := w.call("GET", "/api/v2/users/"+url.PathEscape(id), "")
	if status != 200 {
		w.t.Fatalf("GET %s: %d %s", id, status, body)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc
}

func (w *world) setSync(name, mode string) {
	w.t.Helper()
	con, err := w.sdk.Connection.ReadByName(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	status, body := w.call("GET", "/api/v2/connections/"+con.GetID(), "")
	if status != 200 {
		w.t.Fatal(body)
	}
	var doc struct {
		Options map[string]any `json:"options"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		w.t.Fatal(err)
	}
	doc.Options["set_user_root_attributes"] = mode
	b, err := json.Marshal(doc)
	if err != nil {
		w.t.Fatal(err)
	}
	if status, body := w.call("PATCH", "/api/v2/connections/"+con.GetID(), string(b)); status != 200 {
		w.t.Fatalf("%d %s", status, body)
	}
}

// want compares members; nil means absent.
func want(t *testing.T, what string, got, expect map[string]any) {
	t.Helper()
	for k, v := range expect {
		g, there := got[k]
		if v == nil {
			if there {
				t.Errorf("%s: %s is %v, want none", what, k, g)
			}
			continue
		}
		if fmt.Sprint(g) != fmt.Sprint(v) {
			t.Errorf("%s: %s is %v, want %v", what, k, g, v)
		}
	}
}

// TestDatabaseSignInPage: sign up in public, sign in on the page, be signed in
// again without a page, sign out.
func TestDatabaseSignInPage(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		a := w.newApplication(database)
		res, err := w.client.Post(w.url+"/dbconnections/signup", "application/json", strings.NewReader(fmt.Sprintf(
			`{"client_id":%q,"connection":%q,"email":"Bo@example.com","password":%q,"name":"Bo Ek","given_name":"Bo","nickname":"bo","email_verified":true,"app_metadata":{"admin":true}}`,
			a.oauth.ClientID, database, goodPassword)))
		if err != nil {
			t.Fatal(err)
		}
		var made map[string]any
		if err := json.NewDecoder(res.Body).Decode(&made); err != nil || res.StatusCode != 200 {
			t.Fatalf("%d %v", res.StatusCode, err)
		}
		res.Body.Close()
		id, _ := made["_id"].(string)
		if len(id) != 24 || made["email"] != "bo@example.com" || made["email_verified"] != false || made["given_name"] != "Bo" {
			t.Fatalf("signed up: %v", made)
		}
		want(t, "signed up", w.profileOf("auth0|"+id), map[string]any{"name": "Bo Ek", "app_metadata": nil, "email_verified": false, "logins_count": nil})

		b := w.newBrowser()
		verifier := oauth2.GenerateVerifier()
		start := a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"))
		query, page, at := b.follow(start)
		if query != nil || !strings.Contains(page, "<form") || !strings.HasPrefix(at.Path, "/u/login") {
			t.Fatalf("no sign-in page: %v at %s: %.200s", query, at, page)
		}
		form := formOf(t, page)
		form.Set(identifierField(t, page), "BO@example.com")
		if query, page, at = b.submit(at.String(), form); query != nil || !strings.HasPrefix(at.Path, "/u/login/password") {
			t.Fatalf("no page for the password: %v at %s: %.200s", query, at, page)
		}
		form = formOf(t, page)
		form.Set("password", "wrong")
		if query, page, _ = b.submit(at.String(), form); query != nil || !strings.Contains(page, "Wrong email") {
			t.Fatalf("a wrong password: %v %.300s", query, page)
		}
		form.Set("password", goodPassword)
		if query, page, _ = b.submit(at.String(), form); query == nil {
			t.Fatalf("the right password: %.300s", page)
		}
		in, q := a.exchange(query, verifier)
		if in == nil || in.subject != "auth0|"+id || in.claims["given_name"] != "Bo" || in.info["nickname"] != "bo" {
			t.Fatalf("signed in: %+v %v", in, q)
		}

		verifier = oauth2.GenerateVerifier()
		silent := a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("prompt", "none"))
		if query, page, _ = b.follow(silent); query.Get("code") == "" {
			t.Fatalf("signing in silently: %v %.300s", query, page)
		}
		b.follow(w.url + "/v2/logout?client_id=" + a.oauth.ClientID)
		if query, _, _ = b.follow(silent); query.Get("error") != "login_required" {
			t.Fatalf("after the logout: %v", query)
		}
	})
}

var (
	inputs = regexp.MustCompile(`<input[^>]*>`)
	attr   = func(tag, name string) string {
		m := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(tag)
		if m == nil {
			return ""
		}
		return m[1]
	}
)

// formOf collects the hidden fields of a page.
func formOf(t *testing.T, page string) url.Values {
	t.Helper()
	form := url.Values{}
	for _, tag := range inputs.FindAllString(page, -1) {
		if attr(tag, "type") == "hidden" {
			form.Set(attr(tag, "name"), attr(tag, "value"))
		}
	}
	return form
}

// identifierField is the name of the first field that a person sees.
func identifierField(t *testing.T, page string) string {
	t.Helper()
	for _, tag := range inputs.FindAllString(page, -1) {
		if ty := attr(tag, "type"); ty != "hidden" && ty != "password" {
			return attr(tag, "name")
		}
	}
	t.Fatalf("the page has no field for an identifier: %s", page)
	return ""
}
