package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/management"

	"mangrove/internal/browsertest"
	"mangrove/internal/parttest"
	"mangrove/internal/store/storetest"
)

const envApps = "MANGROVE_TEST_APPS"

// apps is the directory test/apps with its packages installed.
func apps(t *testing.T) string {
	t.Helper()
	return parttest.Need(t, "applications", envApps)
}

// site is a page of a test's own on an origin of its own: it loads an SDK and
// does nothing by itself.
func site(t *testing.T, script string) (origin string) {
	t.Helper()
	file := filepath.Join(apps(t), "node_modules", script)
	return serveSite(t, `<script src="/sdk.js"></script>`, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
}

// serveSite serves a page with that in it, at / and /callback, and a script.
func serveSite(t *testing.T, inside string, script http.HandlerFunc) (origin string) {
	t.Helper()
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>An application</title><link rel="icon" href="data:,"></head>`+
			`<body><main><h1>An application</h1></main>`+inside+`</body></html>`)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /callback", page)
	if script != nil {
		mux.HandleFunc("GET /sdk.js", script)
	}
	s := httptest.NewUnstartedServer(mux)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of a browser that looks twice at the certificate
	s.StartTLS()
	t.Cleanup(s.Close)
	return "https://localhost:" + s.URL[strings.LastIndexByte(s.URL, ':')+1:]
}

// browserClient registers an application that runs in browsers.
func (w *world) browserClient(origin string, grants ...string) *management.Client {
	w.t.Helper()
	c := &management.Client{
		Name: ptr("Tide Tables"), AppType: ptr("spa"), TokenEndpointAuthMethod: ptr("none"),
		Callbacks: &[]string{origin, origin + "/"}, WebOrigins: &[]string{origin}, AllowedOrigins: &[]string{origin},
		AllowedLogoutURLs: &[]string{origin + "/?out"}, GrantTypes: &grants, CrossOriginAuth: ptr(true),
	}
	if err := w.sdk.Client.Create(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	con, err := w.sdk.Connection.ReadByName(w.t.Context(), database)
	if err != nil {
		w.t.Fatal(err)
	}
	enable := []management.ConnectionEnabledClient{{ClientID: c.ClientID, Status: ptr(true)}}
	if err := w.sdk.Connection.UpdateEnabledClients(w.t.Context(), con.GetID(), enable); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// grace is a person in the default database.
func (w *world) grace() *management.User {
	w.t.Helper()
	u := &management.User{
		Connection: ptr(database), Email: ptr("grace@example.test"), Password: ptr(goodPassword), EmailVerified: ptr(true),
		Name: ptr("Grace Hopper"), GivenName: ptr("Grace"), FamilyName: ptr("Hopper"), Nickname: ptr("amazing"), Picture: ptr("https://img.example/grace.png"),
	}
	if err := w.sdk.User.Create(w.t.Context(), u); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// typeIn answers the pages for the identifier and the password, up to the
// application's page, and waits for what its script does.
func typeIn(b *browsertest.Browser, email, password, back string) {
	b.Fill(`input[name="username"]`, email)
	b.Follow(`button[type="submit"]`)
	b.Fill(`input[name="password"]`, password)
	b.Click(`button[type="submit"]`)
	b.WaitURL(back)
}

// The single-page SDK logs in by redirect, reads the root attributes from the ID
// token, renews its token without a word, by a frame and by a refresh token,
// and logs out.
func TestSinglePageSDK(t *testing.T) {
	for _, refresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("refresh tokens %v", refresh), func(t *testing.T) {
			origin := site(t, "@auth0/auth0-spa-js/dist/auth0-spa-js.production.js")
			w := newWorld(t, storetest.SQLite)
			c := w.browserClient(origin, "authorization_code", "refresh_token")
			user := w.grace()
			b := browsertest.Open(t, browsertest.Options{})
			create := fmt.Sprintf(`(async () => { window.app = await auth0.createAuth0Client({domain: %q, clientId: %q, useRefreshTokens: %v,
				authorizationParams: {redirect_uri: %q, scope: "openid profile email%s"}}); return true })()`,
				w.url, c.GetClientID(), refresh, origin, map[bool]string{true: " offline_access"}[refresh])
			b.Goto(origin + "/")
			b.Eval(create, nil)
			var in bool
			if b.Eval(`app.isAuthenticated()`, &in); in {
				t.Fatal("signed in before the login")
			}
			b.Eval(`(app.loginWithRedirect(), true)`, nil)
			b.WaitURL(w.url + "/u/login")
			typeIn(b, "grace@example.test", goodPassword, origin+"/?code=")
			b.Eval(create, nil)
			b.Eval(`app.handleRedirectCallback()`, nil)
			var claims map[string]any
			b.Eval(`app.getIdTokenClaims()`, &claims)
			for name, want := range map[string]any{
				"sub": user.GetID(), "name": "Grace Hopper", "given_name": "Grace", "family_name": "Hopper", "nickname": "amazing",
				"picture": "https://img.example/grace.png", "email": "grace@example.test", "email_verified": true,
			} {
				if claims[name] != want {
					t.Errorf("%s: %v, want %v", name, claims[name], want)
				}
			}
			var first, second string
			b.Eval(`app.getTokenSilently()`, &first)
			b.Eval(`app.getTokenSilently({cacheMode: "off"})`, &second)
			if first == "" || second == "" || first == second {
				t.Errorf("tokens: %q, then %q", first, second)
			}
			if refresh {
				// The frame is the way out when the refresh token is worth nothing any more.
				if err := w.sdk.User.DeleteRefreshTokens(t.Context(), user.GetID()); err != nil {
					t.Fatal(err)
				}
				b.Eval(`app.getTokenSilently({cacheMode: "off"}).catch((e) => e.error)`, &second)
				if second != "invalid_grant" && second != "missing_refresh_token" && len(second) < 30 {
					t.Errorf("without a refresh token: %q", second)
				}
			}
			b.Eval(`(app.logout({logoutParams: {returnTo: window.location.origin + "/?out"}}), true)`, nil)
			b.WaitURL(origin + "/?out")
			b.Eval(create, nil)
			var problem string
			b.Eval(`app.getTokenSilently({cacheMode: "off"}).then(() => "a token").catch((e) => e.error)`, &problem)
			if problem != "login_required" && problem != "missing_refresh_token" {
				t.Errorf("after the logout: %q", problem)
			}
			if list := b.Complaints(); len(list) > 0 {
				t.Errorf("the console says %q", list)
			}
		})
	}
}

// The classic SDK signs in across origins, from a form of the application's own.
func TestClassicSDK(t *testing.T) {
	origin := site(t, "auth0-js/dist/auth0.js")
	w := newWorld(t, storetest.SQLite)
	c := w.browserClient(origin, "authorization_code", "implicit")
	user := w.grace()
	b := browsertest.Open(t, browsertest.Options{})
	b.Goto(origin + "/")
	create := fmt.Sprintf(`(window.web = new auth0.WebAuth({domain: %q, clientID: %q, redirectUri: %q, responseType: "token id_token", scope: "openid profile email",
		overrides: {__token_issuer: %q, __jwks_uri: %q}}), true)`,
		strings.TrimPrefix(w.url, "https://"), c.GetClientID(), origin+"/", w.url+"/", w.url+"/.well-known/jwks.json")
	b.Eval(create, nil)
	var problem map[string]any
	b.Eval(fmt.Sprintf(`new Promise((done) => web.login({realm: %q, username: "grace@example.test", password: "wrong"}, done))`, database), &problem)
	if problem["code"] != "access_denied" || problem["description"] != "Wrong email or password." {
		t.Errorf("a wrong password: %v", problem)
	}
	b.Eval(fmt.Sprintf(`(web.login({realm: %q, username: "grace@example.test", password: %q}, () => {}), true)`, database, goodPassword), nil)
	b.WaitURL(origin + "/#")
	b.Eval(create, nil)
	var got struct {
		Payload map[string]any `json:"idTokenPayload"`
		Access  string         `json:"accessToken"`
	}
	b.Eval(`new Promise((done, failed) => web.parseHash((err, r) => err ? failed(new Error(JSON.stringify(err))) : done(r)))`, &got)
	if got.Payload["sub"] != user.GetID() || got.Payload["nickname"] != "amazing" || got.Access == "" {
		t.Errorf("%+v", got)
	}
	// The session that came of it renews the tokens in a frame.
	b.Eval(`new Promise((done, failed) => web.checkSession({}, (err, r) => err ? failed(new Error(JSON.stringify(err))) : done(r)))`, &got)
	if got.Payload["sub"] != user.GetID() {
		t.Errorf("renewed: %+v", got)
	}
}
