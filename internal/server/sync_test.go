package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/coreos/go-oidc/v3/oidc"

	"mangrove/internal/store/storetest"
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

// TestSyncModesWithACertifiedProvider is the mission's table: a person signs in
// twice, with a profile changed in between, under each mode.
func TestSyncModesWithACertifiedProvider(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t, engine)
			idp := startUpstream(t, w.url+"/login/callback")
			const refusal = `{"statusCode":400,"error":"Bad Request","message":"The following user attributes cannot be updated: family_name, name. The connection (%s) must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync","errorCode":"operation_not_supported"}`

			first := map[string]any{
				"name": "Pia Lind", "given_name": "Pia", "family_name": "Lind", "nickname": "pia", "picture": "https://idp.example/1.png",
				"email": "Pia@Idp.example", "email_verified": true, "locale": "sv", "groups": []string{"a"},
			}
			second := maps.Clone(first)
			second["name"], second["family_name"], second["email"] = "Pia Berg", "Berg", "berg@idp.example"
			delete(second, "given_name")

			for _, c := range []struct {
				mode    string
				shown   string // of the option before the first login; "" is absent
				changes bool   // the second login overwrites
				refused bool   // the PATCH is
			}{
				{mode: "", changes: true, refused: true},
				{mode: "on_each_login", changes: true, refused: true},
				{mode: "on_first_login"},
				{mode: "never_on_login"},
			} {
				name := "acme-" + strings.ReplaceAll(c.mode, "_", "-")
				name = strings.TrimSuffix(name, "-")
				sub := "u|" + name // a bar in a subject must do no harm
				idp.set(sub, first)
				before := c.mode
				if c.mode == "never_on_login" {
					before = "on_first_login" // somebody has to be known to be left alone
				}
				idp.connect(w, name, before)
				a := w.newApplication(name)
				b := w.newBrowser()
				in, refusedQuery := a.signIn(b, name, sub)
				if in == nil {
					t.Fatalf("%s: first login: %v", name, refusedQuery)
				}
				id := "oidc|" + name + "|" + sub
				if in.subject != id || in.claims["name"] != "Pia Lind" || in.info["given_name"] != "Pia" || in.info["email"] != "Pia@Idp.example" {
					t.Fatalf("%s: first login: %+v", name, in)
				}
				created := w.profileOf(id)
				want(t, name+" created", created, map[string]any{
					"name": "Pia Lind", "given_name": "Pia", "family_name": "Lind", "nickname": "pia", "picture": "https://idp.example/1.png",
					"email": "Pia@Idp.example", "email_verified": true, "locale": "sv", "groups": nil, "logins_count": 1.0,
				})

				status, body := w.call("PATCH", "/api/v2/users/"+url.PathEscape(id), `{"name":"Edited","family_name":"By hand","user_metadata":{"kept":true}}`)
				switch {
				case c.refused && (status != 400 || body != fmt.Sprintf(refusal, name)):
					t.Fatalf("%s: PATCH: %d %s", name, status, body)
				case !c.refused && status != 200:
					t.Fatalf("%s: PATCH: %d %s", name, status, body)
				}
				expect := map[string]any{"name": "Pia Lind", "family_name": "Lind", "user_metadata": nil}
				if !c.refused {
					expect = map[string]any{"name": "Edited", "family_name": "By hand", "user_metadata": map[string]any{"kept": true}}
				}
				want(t, name+" after the PATCH", w.profileOf(id), expect)

				if c.mode == "never_on_login" {
					w.setSync(name, c.mode)
				}
				idp.set(sub, second)
				if in, q := a.signIn(w.newBrowser(), name, sub); in == nil {
					t.Fatalf("%s: second login: %v", name, q)
				}
				expect["email"], expect["given_name"], expect["logins_count"] = "Pia@Idp.example", "Pia", 2.0
				if c.changes {
					expect = map[string]any{
						"name": "Pia Berg", "family_name": "Berg", "given_name": nil, "nickname": "pia",
						"email": "berg@idp.example", "email_verified": true, "logins_count": 2.0,
					}
				}
				want(t, name+" after the second login", w.profileOf(id), expect)

				if c.mode == "never_on_login" {
					idp.set("stranger", first)
					in, q := a.signIn(w.newBrowser(), name, "stranger")
					if in != nil || q.Get("error") != "access_denied" || !strings.Contains(q.Get("error_description"), "creates no users") {
						t.Fatalf("%s: a stranger: %v %v", name, in, q)
					}
					if status, _ := w.call("GET", "/api/v2/users/"+url.PathEscape("oidc|"+name+"|stranger"), ""); status != 404 {
						t.Fatalf("%s: the stranger is there: %d", name, status)
					}
				}
			}
		})
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

// TestALoginThatChangesNothingWritesNoProfile: only the login record moves.
func TestALoginThatChangesNothingWritesNoProfile(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	idp := startUpstream(t, w.url+"/login/callback")
	idp.set("u", map[string]any{"name": "Pia", "email": "p@idp.example"})
	idp.connect(w, "acme", "")
	a := w.newApplication("acme")
	etag := func() string {
		req, err := w.sdk.NewRequest(t.Context(), "GET", w.url+"/api/v2/users/oidc%7Cacme%7Cu", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := w.sdk.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.Header.Get("ETag")
	}
	if in, q := a.signIn(w.newBrowser(), "acme", "u"); in == nil {
		t.Fatal(q)
	}
	before := etag()
	if before == "" {
		t.Fatal("a user has no ETag")
	}
	if in, q := a.signIn(w.newBrowser(), "acme", "u"); in == nil {
		t.Fatal(q)
	}
	if after := etag(); after != before {
		t.Errorf("the version went from %s to %s", before, after)
	}
	want(t, "the login record", w.profileOf("oidc|acme|u"), map[string]any{"logins_count": 2.0})
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
