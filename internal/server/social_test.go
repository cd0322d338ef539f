package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/coreos/go-oidc/v3/oidc"

	"mangrove/internal/connection"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/social/socialtest"
)

// socialWorld is a server with an administrator who may read upstream tokens and a
// machine that may not.
type socialWorld struct {
	*world
	machine string // access token with read:users
}

func newSocialWorld(w *world) *socialWorld {
	w.t.Helper()
	c := w.made("/api/v2/clients", map[string]any{"name": "A reader", "app_type": "non_interactive", "grant_types": []string{"client_credentials"}})
	w.made("/api/v2/client-grants", map[string]any{"client_id": c["client_id"], "audience": w.url + "/api/v2/", "scope": []string{"read:users"}})
	res, err := w.client.PostForm(w.url+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {w.url + "/api/v2/"},
		"client_id": {fmt.Sprint(c["client_id"])}, "client_secret": {fmt.Sprint(c["client_secret"])},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Scope != "read:users" {
		w.t.Fatalf("a machine's token: %+v %v", got, err)
	}
	return &socialWorld{w, got.AccessToken}
}

// person reads a user as the machine does; nil: there is none.
func (s *socialWorld) person(t *testing.T, id string) (doc map[string]any, etag string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/v2/users/"+url.PathEscape(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.machine)
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return nil, ""
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v", id, res.StatusCode, err)
	}
	return doc, res.Header.Get("ETag")
}

// signInAt is signIn through a double that may answer with a page that posts.
func (a *application) signInAt(t *testing.T, d *socialtest.Double, name string) (*signedIn, url.Values) {
	t.Helper()
	b := a.w.newBrowser()
	verifier := oauth2.GenerateVerifier()
	query, page, at := b.follow(a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"),
		oauth2.SetAuthURLParam("connection", name)))
	if query == nil && strings.HasPrefix(at.String(), d.URL) && strings.Contains(page, "<form") {
		form := formOf(t, page)
		for name := range form {
			form.Set(name, html.UnescapeString(form.Get(name)))
		}
		query, page, at = b.submit(a.w.url+"/login/callback", form)
	}
	if query == nil {
		t.Fatalf("ended at %s with a page: %.300s; the double says %q", at, page, d.Complaints())
	}
	return a.exchange(query, verifier)
}

// mustSignIn is a login that has to succeed.
func (a *application) mustSignIn(t *testing.T, d *socialtest.Double, name, id string) *signedIn {
	t.Helper()
	in, refused := a.signInAt(t, d, name)
	if in == nil {
		t.Fatalf("%s: %v; the double says %q", name, refused, d.Complaints())
	}
	if in.subject != id {
		t.Fatalf("%s: signed in as %s, not as %s", name, in.subject, id)
	}
	return in
}

// connectTo makes the connection as an administrator does.
func (s *socialWorld) connectTo(t *testing.T, d *socialtest.Double, name, sync string) string {
	t.Helper()
	d.Redirect(s.url + "/login/callback")
	var options map[string]any
	if err := json.Unmarshal(d.Options(), &options); err != nil {
		t.Fatal(err)
	}
	if sync != "" {
		options["set_user_root_attributes"] = sync
	}
	made := s.made("/api/v2/connections", map[string]any{"name": name, "strategy": d.Strategy, "options": options})
	return fmt.Sprint(made["id"])
}

// attributesOf is the document without what the server itself says of a user.
func attributesOf(doc map[string]any) map[string]any {
	doc = maps.Clone(doc)
	for _, name := range []string{
		"user_id", "identities", "created_at", "updated_at", "last_login", "last_ip", "logins_count", "user_metadata", "app_metadata",
	} {
		delete(doc, name)
	}
	return doc
}

func wantAttributes(t *testing.T, what string, doc map[string]any, golden json.RawMessage) {
	t.Helper()
	var expect map[string]any
	if err := json.Unmarshal(golden, &expect); err != nil {
		t.Fatal(err)
	}
	got := attributesOf(doc)
	for _, name := range slices.Sorted(maps.Keys(maps.Collect(both(got, expect)))) {
		if !reflect.DeepEqual(got[name], expect[name]) {
			t.Errorf("%s: %s is %v, want %v", what, name, got[name], expect[name])
		}
	}
}

// both yields the members of two maps.
func both(a, b map[string]any) func(func(string, any) bool) {
	return func(yield func(string, any) bool) {
		for _, m := range []map[string]any{a, b} {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// identityOf is the only identity of a user.
func identityOf(t *testing.T, doc map[string]any) map[string]any {
	t.Helper()
	list, _ := doc["identities"].([]any)
	if len(list) != 1 {
		t.Fatalf("identities: %v", doc["identities"])
	}
	m, _ := list[0].(map[string]any)
	return m
}

// upstreamTokens are the tokens that an administrator sees of a user.
func (s *socialWorld) upstreamTokens(t *testing.T, id string) string {
	t.Helper()
	token, _ := identityOf(t, s.profileOf(id))["access_token"].(string)
	if token == "" {
		t.Fatalf("%s has no access_token for who may read it", id)
	}
	return token
}

// TestEverySocialStrategy: somebody signs in through each social provider, twice with
// one profile and once with another, under each sync mode.
func TestEverySocialStrategy(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		s := newSocialWorld(w)
		cases := socialtest.Cases(t)
		for _, name := range connection.Strategies() {
			kind, _ := connection.StrategyOf(name)
			if kind.IsSocial() && !slices.ContainsFunc(cases, func(c string) bool { return socialtest.StrategyOf(c) == name }) {
				t.Errorf("nobody signs in through %s", name)
			}
		}
		for _, name := range cases {
			t.Run(name, func(t *testing.T) {
				if !socialtest.HasGolden(name) {
					t.Fatal("no golden profiles")
				}
				for _, mode := range []string{"on_each_login", "on_first_login", "never_on_login"} {
					s.syncs(t, name, mode)
				}
				if name == "github" {
					s.syncs(t, name, "") // not set: each login
				}
			})
		}
		w.stop()
		for _, secret := range []string{socialtest.ClientSecret, `"code"`, "access_token"} {
			if bytes.Contains(w.logs.Bytes(), []byte(secret)) {
				t.Errorf("the process log holds %q", secret)
			}
		}
	})
}

// syncs is one provider under one mode; empty: the option is not set.
func (s *socialWorld) syncs(t *testing.T, name, mode string) {
	t.Helper()
	one, two := socialtest.Golden(t, name)
	d := socialtest.Start(t, name)
	conn := strings.Trim(strings.NewReplacer(".", "-", "_", "-").Replace(name+"-"+mode), "-")
	first, after := mode, two.EachLogin
	switch mode {
	case "on_first_login":
		after = two.FirstLogin
	case "never_on_login":
		first, after = "on_first_login", two.NeverLogin // somebody has to be known to be left alone
	}
	connectionID := s.connectTo(t, d, conn, first)
	a := s.newApplication(conn)
	id := d.Strategy + "|" + connection.IdentityUserID(d.Strategy, conn, one.Subject)

	in := a.mustSignIn(t, d, conn, id)
	doc, etag := s.person(t, id)
	wantAttributes(t, conn+" created", doc, one.Profile)
	want(t, conn+" created", doc, map[string]any{"user_id": id, "logins_count": 1.0, "last_ip": "127.0.0.1"})
	if in.claims["name"] != doc["name"] {
		t.Errorf("%s: the ID token says %v, the profile %v", conn, in.claims["name"], doc["name"])
	}
	s.wantIdentity(t, doc, d.Strategy, conn, one)
	token := s.upstreamTokens(t, id)

	a.mustSignIn(t, d, conn, id)
	doc, again := s.person(t, id)
	if etag == "" || again != etag {
		t.Errorf("%s: the same profile again made version %s of %s", conn, again, etag)
	}
	want(t, conn+" again", doc, map[string]any{"logins_count": 2.0})

	if mode == "never_on_login" {
		s.setSync(conn, mode)
	}
	d.Use(2)
	a.mustSignIn(t, d, conn, id)
	doc, _ = s.person(t, id)
	wantAttributes(t, conn+" changed", doc, after)
	want(t, conn+" changed", doc, map[string]any{"logins_count": 3.0})
	s.wantIdentity(t, doc, d.Strategy, conn, one)
	if s.upstreamTokens(t, id) == token {
		t.Errorf("%s: the tokens are those of the first login", conn)
	}

	s.edits(t, conn, id, mode)
	if mode == "on_first_login" || mode == "never_on_login" {
		a.mustSignIn(t, d, conn, id)
		if doc, _ = s.person(t, id); doc["name"] != "Edited" {
			t.Errorf("%s: a login took the edited name away: %v", conn, doc["name"])
		}
	}

	if status, body := s.call("DELETE", "/api/v2/users/"+url.PathEscape(id), ""); status != 204 {
		t.Fatalf("%s: deleting the user: %d %s", conn, status, body)
	}
	if mode == "never_on_login" {
		in, refused := a.signInAt(t, d, conn)
		if in != nil || refused.Get("error") != "access_denied" || !strings.Contains(refused.Get("error_description"), "creates no users") {
			t.Errorf("%s: a stranger: %v %v", conn, in, refused)
		}
		if doc, _ := s.person(t, id); doc != nil {
			t.Errorf("%s: the stranger is there", conn)
		}
	}
	if status, body := s.call("DELETE", "/api/v2/connections/"+connectionID, ""); status != 202 {
		t.Fatalf("%s: deleting the connection: %d %s", conn, status, body)
	}
	if c := d.Complaints(); len(c) > 0 && !slices.ContainsFunc(c, func(s string) bool { return strings.Contains(s, "has no ") }) {
		t.Errorf("%s: the provider complains: %q", conn, c)
	}
}

// wantIdentity checks the one identity, and that who may not read tokens sees none.
func (s *socialWorld) wantIdentity(t *testing.T, doc map[string]any, strategy, conn string, one socialtest.First) {
	t.Helper()
	got := identityOf(t, doc)
	var shown any = connection.IdentityUserID(strategy, conn, one.Subject)
	if kind, _ := connection.StrategyOf(strategy); !kind.NamedIDs {
		if err := json.Unmarshal(one.UserID, &shown); err != nil {
			t.Fatal(err)
		}
	}
	expect := map[string]any{"provider": strategy, "connection": conn, "user_id": shown, "isSocial": true}
	if !reflect.DeepEqual(got, expect) {
		t.Errorf("%s: the identity is %v, want %v", conn, got, expect)
	}
}

// edits has an administrator change the name (reference/connections.md §3.6).
func (s *socialWorld) edits(t *testing.T, conn, id, mode string) {
	t.Helper()
	const refusal = `{"statusCode":400,"error":"Bad Request","message":"The following user attributes cannot be updated: name. The connection (%s) must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync","errorCode":"operation_not_supported"}`
	before, _ := s.person(t, id)
	status, body := s.call("PATCH", "/api/v2/users/"+url.PathEscape(id), `{"name":"Edited"}`)
	after, _ := s.person(t, id)
	switch {
	case mode == "" || mode == "on_each_login":
		if status != 400 || body != fmt.Sprintf(refusal, conn) || !reflect.DeepEqual(before, after) {
			t.Errorf("%s: PATCH of the name: %d %s", conn, status, body)
		}
	case status != 200 || after["name"] != "Edited":
		t.Errorf("%s: PATCH of the name: %d %s", conn, status, body)
	}
	if status, body := s.call("PATCH", "/api/v2/users/"+url.PathEscape(id), `{"user_metadata":{"kept":true}}`); status != 200 {
		t.Errorf("%s: PATCH of metadata: %d %s", conn, status, body)
	}
}

// TestRudeSocialProvider: whatever a provider does, a login fails with access_denied
// or goes on without one attribute, and who was known stays who they were.
func TestRudeSocialProvider(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	s := newSocialWorld(w)
	for _, name := range []string{"yahoo", "github", "apple"} { // a profile, a profile and a list, an ID token alone
		t.Run(name, func(t *testing.T) {
			d := socialtest.Start(t, name)
			s.connectTo(t, d, name, "")
			a := s.newApplication(name)
			one, _ := socialtest.Golden(t, name)
			id := d.Strategy + "|" + one.Subject
			a.mustSignIn(t, d, name, id)
			known, etag := s.person(t, id)

			refusedBy := func(what, endpoint string) {
				t.Helper()
				in, refused := a.signInAt(t, d, name)
				if in != nil || refused.Get("error") != "access_denied" || refused.Get("code") != "" {
					t.Errorf("%s at %s: %v %v", what, endpoint, in, refused)
				}
				if text := refused.Get("error_description"); strings.Contains(text, "127.0.0.1") || strings.Contains(text, "ada@") || len(text) > 300 {
					t.Errorf("%s at %s: the application is told %q", what, endpoint, text)
				}
				if doc, now := s.person(t, id); now != etag || !reflect.DeepEqual(doc, known) {
					t.Errorf("%s at %s: the profile is another one: %v", what, endpoint, doc)
				}
			}
			ends := []string{"token", "profile"}
			if name == "apple" {
				ends = []string{"token", "jwks"}
			}
			for _, m := range rudeModes {
				for _, endpoint := range ends {
					if endpoint == "jwks" {
						continue // the keys are known already
					}
					d.Rude(m.mode, endpoint)
					refusedBy(m.what, endpoint)
					d.Rude(socialtest.Polite, endpoint)
				}
			}
			d.Rude(socialtest.WrongType, "token")
			refusedBy("a token of another type", "token")
			d.Rude(socialtest.Polite, "token")
			if name != "apple" {
				d.Rude(socialtest.NoID, "profile")
				refusedBy("nobody", "profile")
				d.Rude(socialtest.Polite, "profile")
			}
			a.mustSignIn(t, d, name, id)
		})
	}
	if status, body := s.call("GET", "/api/v2/logs?per_page=100&q="+url.QueryEscape("type:f"), ""); status != 200 || strings.Count(body, `"type":"f"`) < 30 {
		t.Errorf("the refusals left %d records: %d", strings.Count(body, `"type":"f"`), status)
	}
	w.stop()
	if bytes.Contains(w.logs.Bytes(), []byte("ada@x.example")) || bytes.Contains(w.logs.Bytes(), []byte(socialtest.ClientSecret)) {
		t.Error("the process log repeats what a provider said, or a secret")
	}
}

var rudeModes = []struct {
	what string
	mode socialtest.Mode
}{
	{"garbage", socialtest.Garbage},
	{"50 MB", socialtest.Huge},
	{"a redirect to itself", socialtest.Loop},
	{"status 500", socialtest.Failure},
	{"an error", socialtest.Refusal},
	{"an error with status 200", socialtest.QuietError},
}

// TestHangingSocialProvider: the login ends, and ends without the provider.
func TestHangingSocialProvider(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	s := newSocialWorld(w)
	d := socialtest.Start(t, "yahoo")
	s.connectTo(t, d, "yahoo", "")
	a := s.newApplication("yahoo")
	d.Rude(socialtest.Hang, "token")
	in, refused := a.signInAt(t, d, "yahoo")
	if in != nil || refused.Get("error") != "access_denied" {
		t.Errorf("%v %v", in, refused)
	}
	one, _ := socialtest.Golden(t, "yahoo")
	if doc, _ := s.person(t, "yahoo|"+one.Subject); doc != nil {
		t.Errorf("somebody was made: %v", doc)
	}
}

// TestUnsayableSocialName: a name that no profile can hold is dropped, the login goes
// on and the log names what was dropped.
func TestUnsayableSocialName(t *testing.T) {
	for _, m := range []struct {
		what string
		mode socialtest.Mode
	}{
		{"10,000 characters", socialtest.LongName},
		{"control characters", socialtest.ControlName},
	} {
		t.Run(m.what, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite)
			s := newSocialWorld(w)
			d := socialtest.Start(t, "shop")
			s.connectTo(t, d, "shop", "")
			a := s.newApplication("shop")
			one, _ := socialtest.Golden(t, "shop")
			id := "shop|" + one.Subject

			d.Rude(m.mode, "profile")
			a.mustSignIn(t, d, "shop", id)
			doc, _ := s.person(t, id)
			want(t, "somebody new", doc, map[string]any{"name": doc["email"]}) // made up
			s.wantWarning(t, 1)

			d.Rude(socialtest.Polite, "profile")
			a.mustSignIn(t, d, "shop", id)
			good, etag := s.person(t, id)
			wantAttributes(t, "with manners", good, one.Profile)

			d.Rude(m.mode, "profile")
			a.mustSignIn(t, d, "shop", id)
			doc, now := s.person(t, id)
			wantAttributes(t, "known", doc, one.Profile)
			if now != etag {
				t.Errorf("the profile was written: %s, then %s", etag, now)
			}
			s.wantWarning(t, 2)
		})
	}
}

// wantWarning: so many records of type w name the name, and none repeats it.
func (s *socialWorld) wantWarning(t *testing.T, count int) {
	t.Helper()
	status, body := s.call("GET", "/api/v2/logs?q="+url.QueryEscape("type:w"), "")
	if status != 200 || strings.Count(body, `{"name":"name","why":`) != count {
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(body, "ää") || strings.Contains(body, "Lovelace") {
		t.Errorf("the log repeats the name: %.300s", body)
	}
}
