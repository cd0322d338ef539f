package op

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/token"
)

const webCB = "https://app.example.test/cb"

// sentTo splits the address of a redirect from its parameters.
func sentTo(rec *httptest.ResponseRecorder) (string, url.Values) {
	to := rec.Header().Get("Location")
	base, query, _ := strings.Cut(strings.Replace(to, "#", "?", 1), "?")
	v, _ := url.ParseQuery(query)
	return base, v
}

func TestAuthorizeStaysOnThePage(t *testing.T) {
	w := newWorld(t)
	w.signIn() // not even the signed-in are sent on
	for _, row := range []struct {
		name, query, title string
		status             int
	}{
		{"no client", "response_type=code", "Invalid request", 400},
		{"unknown client", "response_type=code&client_id=x&redirect_uri=" + webCB, "Invalid request", 400},
		{"global client", "response_type=code&client_id=" + allApps + "&redirect_uri=" + webCB, "Invalid request", 400},
		{"client twice", "response_type=code&client_id=" + webApp + "&client_id=" + webApp, "Invalid request", 400},
		{"redirect twice", "response_type=code&client_id=" + webApp + "&redirect_uri=" + webCB + "&redirect_uri=" + webCB, "Invalid request", 400},
		{"other redirect", "response_type=code&client_id=" + webApp + "&redirect_uri=https%3A%2F%2Fevil.test%2F", "Callback URL mismatch.", 403},
		{"redirect with more", "response_type=code&client_id=" + webApp + "&redirect_uri=" + webCB + "%2F", "Callback URL mismatch.", 403},
		{"another client's redirect", "response_type=code&client_id=" + webApp + "&redirect_uri=https%3A%2F%2Fspa.example.test", "Callback URL mismatch.", 403},
		{"bad escape", "response_type=code&client_id=" + webApp + "&state=%", "Invalid request", 400},
		{"NUL", "response_type=code&client_id=" + webApp + "&state=%00", "Invalid request", 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.page = ""
			rec := w.send(t, "GET", "/authorize?"+row.query, "")
			if rec.Code != row.status || w.page != row.title || rec.Header().Get("Location") != "" || strings.Contains(rec.Body.String(), "evil") {
				t.Errorf("%d %q %q %s", rec.Code, w.page, rec.Header().Get("Location"), rec.Body)
			}
		})
	}
}

func TestAuthorizeErrorsGoBack(t *testing.T) {
	w := newWorld(t)
	base := "client_id=" + webApp + "&redirect_uri=" + webCB + "&response_type=code"
	for _, row := range []struct{ name, query, code, text string }{
		{"no response_type", "client_id=" + webApp + "&redirect_uri=" + webCB, "invalid_request", "Missing required parameter: response_type"},
		{"response_type foo", "client_id=" + webApp + "&redirect_uri=" + webCB + "&response_type=foo", "unsupported_response_type", "Unsupported response type: foo"},
		{"request_uri", base + "&request_uri=https%3A%2F%2Fevil.test", "request_uri_not_supported", "Request URIs are not supported."},
		{"request", base + "&request=a.b.", "request_not_supported", "Request objects are not supported."},
		{"scope twice", base + "&scope=a&scope=b", "invalid_request", "Parameter sent more than once: scope"},
		{"unknown audience", base + "&audience=https%3A%2F%2Fx", "access_denied", "Service not found: https://x"},
		{"API denies users", base + "&audience=urn%3Adeny", "access_denied", `Client is not authorized to access "urn:deny".`},
		{"unknown connection", base + "&connection=x", "invalid_request", "the connection was not found"},
		{"connection of others", base + "&connection=Elsewhere", "invalid_request", "the connection was disabled"},
		{"nobody, prompt none", base + "&prompt=none", "login_required", "Login required"},
		{"no grant", "client_id=" + lameApp + "&response_type=code", "unauthorized_client", "Grant type 'authorization_code' not allowed for the client."},
		{"nobody at a third party, prompt none", "client_id=" + thirdApp + "&response_type=code&prompt=none", "login_required", "Login required"},
		{"organization", base + "&organization=org_1", "invalid_request", "parameter organization is not allowed for this client"},
		{"implicit", base + "+token", "unauthorized_client", "Grant type 'implicit' not allowed for the client."},
		{"public without PKCE", "client_id=" + spaApp + "&response_type=code", "invalid_request", errNeedsS256.Description},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			rec := w.send(t, "GET", "/authorize?"+row.query+"&state=%22%3E%0D%0A%E2%82%AC%20%2B", "")
			to, v := sentTo(rec)
			if rec.Code != 302 || !strings.HasSuffix(to, ".test/cb") && to != "https://spa.example.test" || v.Get("error") != row.code || v.Get("error_description") != row.text {
				t.Errorf("%d %s", rec.Code, rec.Header().Get("Location"))
			}
			if v.Get("state") != "\">\r\n€ +" {
				t.Errorf("state = %q", v.Get("state"))
			}
			if h := rec.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers = %v", h)
			}
			want := "f"
			if row.code == "login_required" {
				want = "fsa"
			}
			if got := w.events.types(); got != want {
				t.Errorf("recorded %q", got)
			}
		})
	}
}

func TestAuthorizeDecides(t *testing.T) {
	w := newWorld(t)
	base := "client_id=" + webApp + "&redirect_uri=" + webCB + "&response_type=code&scope=openid&state=s"
	hint := func(subject string) string {
		text, err := w.mint.IDToken(t.Context(), token.Identity{Subject: subject, ClientID: webApp, Lifetime: time.Hour})
		must(t, err)
		return text
	}
	for _, row := range []struct {
		name   string
		signed bool
		query  string
		want   string // code, login, or the error
	}{
		{"nobody", false, "", "login"},
		{"signed in", true, "", "code"},
		{"nobody, sign-up", false, "&screen_hint=signup", "login"},
		{"prompt login", true, "&prompt=login", "login"},
		{"prompt none", true, "&prompt=none", "code"},
		{"max_age over", true, "&max_age=5", "login"},
		{"max_age over, none", true, "&max_age=5&prompt=none", "login_required"},
		{"max_age", true, "&max_age=10000", "code"},
		{"same connection", true, "&connection=Users", "code"},
		{"other connection", true, "&connection=google", "login"},
		{"hint", true, "&prompt=none&id_token_hint=" + hint("auth0|ann"), "code"},
		{"other's hint", true, "&prompt=none&id_token_hint=" + hint("auth0|bob"), "login_required"},
		{"bad hint", true, "&prompt=none&id_token_hint=x", "login_required"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.login, w.session.UserID = nil, ""
			if row.signed {
				w.signIn()
				w.session.AuthTime -= 60_000_000
			}
			rec := w.send(t, "GET", "/authorize?"+base+row.query, "")
			_, v := sentTo(rec)
			got := v.Get("error")
			switch {
			case w.login != nil:
				got = "login"
			case v.Get("code") != "" && v.Get("state") == "s":
				got = "code"
			}
			if got != row.want {
				t.Errorf("%q, want %q: %s", got, row.want, rec.Header().Get("Location"))
			}
		})
	}
	w.login = nil
	w.session.UserID = ""
	w.send(t, "GET", "/authorize?"+base+"&audience=http%3A%2F%2Fid.example.test%2Fapi%2Fv2%2F&login_hint=a", "")
	if w.login == nil || w.login.Audience != publicURL+"/api/v2/" || w.login.LoginHint != "a" || !w.login.RedirectSent || w.login.State != "s" {
		t.Errorf("request = %+v", w.login)
	}
}

func TestSessionOfChangedThings(t *testing.T) {
	request := "/authorize?client_id=" + webApp + "&redirect_uri=" + webCB + "&response_type=code"
	for _, row := range []struct {
		name   string
		change func(*testing.T, *world)
		want   string
	}{
		{"nothing", func(*testing.T, *world) {}, "code"},
		{"user blocked", func(t *testing.T, w *world) { w.block(t) }, "unauthorized user is blocked"},
		{"user deleted", func(t *testing.T, w *world) { must(t, w.d.Users.Delete(t.Context(), w.ann.ID, userActor)) }, "login"},
		{"connection taken away", func(t *testing.T, w *world) {
			_, err := w.store.UpdateConnection(t.Context(), "con_0000000000000000", func(c *connection.Connection) error {
				c.EnabledClients = []string{spaApp}
				return nil
			}, audit.Event{Type: audit.APIOperation, At: 1})
			must(t, err)
		}, "login"},
		{"client now a third party", func(t *testing.T, w *world) { w.setClient(t, webApp, "is_first_party", "false") }, "interact"},
		{"callback taken away", func(t *testing.T, w *world) {
			w.setClient(t, webApp, "callbacks", `["https://new.example.test"]`)
		}, "page"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn()
			row.change(t, w)
			rec := w.send(t, "GET", request, "")
			_, v := sentTo(rec)
			got := strings.TrimSpace(v.Get("error") + " " + v.Get("error_description"))
			switch {
			case w.login != nil:
				got = "login"
			case w.interact != nil:
				got = "interact"
			case v.Get("code") != "":
				got = "code"
			case w.page != "":
				got = "page"
			}
			if got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			// The same at the end of a login that was under way.
			rr := httptest.NewRecorder()
			err := w.Respond(rr, httptest.NewRequest("POST", "/u/login", nil), oauth.AuthorizeRequest{ClientID: webApp, ResponseType: "code", ResponseMode: "query", RedirectURI: webCB}, w.session)
			_, v = sentTo(rr)
			if (err == nil && v.Get("code") != "") != (row.want == "code") {
				t.Errorf("Respond: %v %s", err, rr.Header().Get("Location"))
			}
			if err == nil && rr.Code != http.StatusSeeOther {
				t.Errorf("after a form: %d", rr.Code)
			}
		})
	}
}

func TestDelivery(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	ask := func(redirect, mode, state string) *httptest.ResponseRecorder {
		return w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", redirect, "response_type", "code", "response_mode", mode, "state", state), "")
	}
	for _, row := range []struct{ redirect, mode, want string }{
		{webCB, "", `^https://app\.example\.test/cb\?code=[A-Za-z0-9_-]{43}&state=s$`},
		{webCB, "query", `^https://app\.example\.test/cb\?code=[A-Za-z0-9_-]{43}&state=s$`},
		{webCB, "fragment", `^https://app\.example\.test/cb#code=[A-Za-z0-9_-]{43}&state=s$`},
		{"https://app.example.test/cb2?a=b", "query", `^https://app\.example\.test/cb2\?a=b&code=[A-Za-z0-9_-]{43}&state=s$`},
		{"com.example.app://cb", "query", `^com\.example\.app://cb\?code=[A-Za-z0-9_-]{43}&state=s$`},
	} {
		if to := ask(row.redirect, row.mode, "s").Header().Get("Location"); !regexp.MustCompile(row.want).MatchString(to) {
			t.Errorf("%s %s: %s", row.redirect, row.mode, to)
		}
	}
	rec := ask(webCB, "form_post", "\"><b> €")
	if rec.Code != 200 || !regexp.MustCompile(`^https://app\.example\.test/cb code=[A-Za-z0-9_-]{43}&state=%22%3E%3Cb%3E\+%E2%82%AC$`).MatchString(w.formed) {
		t.Errorf("form_post: %d %s", rec.Code, w.formed)
	}
	// No browser posts a form to an application's own scheme.
	w.formed = ""
	if rec := ask("com.example.app://cb", "form_post", "s"); rec.Code != 400 || rec.Header().Get("Location") != "" || w.formed != "" || !strings.Contains(rec.Body.String(), errFormTarget.Text) {
		t.Errorf("form_post to a native application: %d %v %s", rec.Code, rec.Header(), w.formed)
	}
	// A posted request is the same as one in the query.
	rec = w.send(t, "POST", "/authorize", form("client_id", webApp, "redirect_uri", webCB, "response_type", "code"))
	if to, v := sentTo(rec); rec.Code != 303 || to != webCB || v.Get("code") == "" {
		t.Errorf("POST: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	if rec = w.send(t, "POST", "/authorize", `{"client_id":"x"}`); rec.Code != 415 {
		t.Errorf("POST of JSON: %d", rec.Code)
	}
}
