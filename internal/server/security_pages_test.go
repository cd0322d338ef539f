package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/store/storetest"
)

// each walks all routes of the endpoints and pages.
func (s *stage) each(visit func(method, path string)) {
	s.t.Helper()
	n := 0
	err := chi.Walk(s.routes, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method == "" || strings.HasPrefix(path, "/api/v2") {
			return nil
		}
		n++
		visit(method, strings.NewReplacer("{id}", "x", "{script}", s.app.oauth.ClientID+".js", "{client}", s.app.oauth.ClientID, "{file}", "x").Replace(path))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if n < 60 {
		s.t.Fatalf("only %d routes", n)
	}
}

// security.md 20, 21, 24, 29, 50, 115, 119: whatever is sent to whatever route, no
// answer is a failure of ours, and each page has its headers (watch.go judges
// them), and repeats nothing as markup.
func TestEveryRouteWithstandsAnything(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	const markup = `<img src=x onerror=alert(1)>"'</script>`
	names := []string{
		"client_id", "redirect_uri", "state", "response_type", "connection", "ticket", "user_code", "username", "password", "code", "login_ticket", "error_description",
		"returnTo", "post_logout_redirect_uri", "id_token_hint", "request_uri", "verification_code", "email", "wa", "wctx", "wresult", "ui_locales", "token",
		"mfa_token", "otp", "grant_type", "refresh_token", "device_code", "passkey", "decision", "id", "realm", "audience", "acr_values", "client_assertion",
	}
	form := func(value string) string {
		v := url.Values{}
		for _, name := range names {
			v.Set(name, value)
		}
		return v.Encode()
	}
	known := pairsOf("client_id", s.app.oauth.ClientID, "redirect_uri", s.app.oauth.RedirectURL, "response_type", "code", "state", markup+"\r\nX-Evil: 1", "connection", database,
		"username", markup, "email", markup, "password", markup, "scope", markup, "ui_locales", markup, "login_hint", markup, "realm", database, "audience", markup).Encode()
	bodies := []string{
		"", form(""), form(markup), form("\x00"), form("\xc3\x28"), "state=" + strings.Repeat("a", 9000) + "&client_id=" + s.app.oauth.ClientID, "a=1&a=2", "%zz", known,
		"{", "[]", `{"client_id":{}}`, `{"client_id":[]}`, `{"client_id":"a\u0000"}`, `{"client_id":"\ud800"}`, `{"a":1,"a":2}`, `{"client_id":"x"}{}`,
		`{"client_id":"` + s.app.oauth.ClientID + `","connection":"` + database + `","email":1e400,"username":{},"password":[],"user_metadata":[],"authParams":[]}`,
		`{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	}
	s.each(func(method, path string) {
		for _, body := range bodies {
			to := path
			if method == "GET" || method == "DELETE" || method == "OPTIONS" {
				if !strings.HasPrefix(body, "{") {
					to, body = path+"?"+body, ""
				}
			}
			status, text, h := s.send(method, to, body, "Accept", "text/html", "Cookie", "auth0="+markup+"; __Host-mangrove_login="+strings.Repeat("a", 43))
			if strings.HasPrefix(h.Get("Content-Type"), "text/html") && strings.Contains(text, "<img src=x") {
				t.Errorf("%s %s repeats markup", method, to)
			}
			if h.Get("X-Evil") != "" {
				t.Errorf("%s %s lets a header be set", method, to)
			}
			if to := h.Get("Location"); to != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, s.url+"/") && !strings.HasPrefix(to, s.app.oauth.RedirectURL+"?") && to != "http://app.example/bye" {
				t.Errorf("%s %s leads to %s", method, path, to)
			}
			if status == 200 && handedOut.MatchString(text) {
				t.Errorf("%s %s hands something out: %s", method, path, text)
			}
		}
	})
	if s.watch.answers < 1000 {
		t.Errorf("only %d answers", s.watch.answers)
	}
}

// security.md 122: a page elsewhere reads nothing that is not meant for everybody.
func TestNoOriginIsTrustedUnasked(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	// What is public, or answers to a bearer token alone, may be read from anywhere,
	// without cookies.
	public := []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/userinfo",
		"/mfa/authenticators", "/mfa/authenticators/x", "/mfa/associate", "/passwordless/verify", "/oidc/register",
	}
	for _, origin := range []string{"https://evil.test", "null", "http://app.example.evil.test", "http://app.exampl", "https://app.example", "http://app.example:81", "http://evil.app.example"} {
		s.each(func(method, path string) {
			if method == "OPTIONS" {
				return // says what may be asked; the answer itself says who may read it
			}
			body := ""
			to := path
			if method == "POST" {
				body = pairsOf("client_id", s.app.oauth.ClientID, "client_secret", s.app.oauth.ClientSecret, "grant_type", "client_credentials", "connection", database,
					"realm", database, "credential_type", realmGrant, "username", "x@example.test", "password", "y", "email", "x@example.test").Encode()
			} else {
				to += "?client_id=" + s.app.oauth.ClientID
			}
			_, _, h := s.send(method, to, body, "Origin", origin)
			allowed, credentials := h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials")
			if allowed != "" && (!slices.Contains(public, path) || origin == "null") || credentials != "" {
				t.Errorf("%s %s from %s: %q, credentials %q", method, path, origin, allowed, credentials)
			}
		})
		_, _, h := s.send("GET", "/api/v2/users", "", "Origin", origin)
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the Management API from %s: %v", origin, h)
		}
	}
	// The application's own page may read what is meant for it.
	_, _, h := s.send("POST", "/oauth/token", pairsOf("client_id", s.app.oauth.ClientID, "client_secret", s.app.oauth.ClientSecret, "grant_type", "x").Encode(), "Origin", "http://app.example")
	_, _, h2 := s.send("POST", "/co/authenticate", pairsOf("client_id", s.app.oauth.ClientID, "credential_type", "x").Encode(), "Origin", "http://app.example")
	if h2.Get("Access-Control-Allow-Origin") != "http://app.example" || h2.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("its own: %v %v", h, h2)
	}
}

// security.md 121: a form of another site is refused at every page, and at every
// door that takes a password, before anything is looked at.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	// These are meant to be sent to from other sites.
	open := []string{"/authorize", "/login/callback", "/oidc/logout"}
	s.newUser("victim@example.test")
	for _, row := range [][]string{
		{"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"},
		{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site", "Origin", "https://evil.localhost"},
	} {
		s.each(func(method, path string) {
			if method != "POST" || slices.Contains(open, path) || !(strings.HasPrefix(path, "/u/") || path == "/activate" || path == "/passwordless/verify_redirect" || path == "/usernamepassword/login") {
				return
			}
			body := pairsOf("client_id", s.app.oauth.ClientID, "connection", database, "username", "victim@example.test", "password", goodPassword, "user_code", "BBBB-BBBB").Encode()
			status, text, h := s.send(method, path, body, row...)
			if status != 403 || len(h.Values("Set-Cookie")) > 0 {
				t.Errorf("%s %v: %d %.200s %v", path, row, status, text, h.Values("Set-Cookie"))
			}
		})
	}
	// A sandboxed frame of an old browser has no site, and there is no state to tell.
	status, text, h := s.send("POST", "/usernamepassword/login",
		pairsOf("client_id", s.app.oauth.ClientID, "connection", database, "username", "victim@example.test", "password", goodPassword).Encode(), "Origin", "null")
	if status != 403 || len(h.Values("Set-Cookie")) > 0 {
		t.Errorf("without a site: %d %s", status, text)
	}
	status, text, _ = s.send("POST", "/usernamepassword/login",
		pairsOf("client_id", s.app.oauth.ClientID, "connection", database, "username", "victim@example.test", "password", goodPassword).Encode(), "Origin", s.url, "Sec-Fetch-Site", "same-origin")
	if status != 200 {
		t.Errorf("of our own: %d %s", status, text)
	}
}

// everyPage signs in through as many pages as there are: password, enrollment of a
// second factor and its recovery code, a second factor, consent, a device.
func everyPage(t *testing.T, s *stage, address string, visit func(p *person, page string, at *url.URL, form url.Values) url.Values) (pages []string) {
	t.Helper()
	seed := ""
	p := s.newPerson(address, &seed)
	note := func(page string, at *url.URL, form url.Values) url.Values {
		pages = append(pages, at.Path)
		return visit(p, page, at, form)
	}
	p.visit = note
	for _, acr := range []string{multiFactor, multiFactor} {
		query, at := p.walk(s.authorize("acr_values", acr))
		if query.Get("code") == "" {
			t.Fatalf("ended at %s: %v", at, query)
		}
		if at.Host != "app.example" || query.Get("state") != "the state" {
			t.Errorf("led to %s", at)
		}
		in := s.granted("grant_type", "authorization_code", "code", query.Get("code"), "redirect_uri", s.app.oauth.RedirectURL)
		_, info, _ := s.send("GET", "/userinfo", "", "Authorization", "Bearer "+s.field(in, "access_token"))
		if s.field(info, "email") != address {
			t.Errorf("%s was signed in", info)
		}
		p.b = s.newBrowser()
	}
	_, body := s.post("/oauth/device/code", "client_id", s.native, "scope", "openid")
	if _, at := p.walk(s.url + "/activate?user_code=" + url.QueryEscape(s.field(body, "user_code"))); at.Path != "/device/success" {
		t.Errorf("the device ended at %s", at)
	}
	for _, path := range []string{
		"/u/login/identifier", "/u/login/password", "/u/mfa-otp-enrollment", "/u/mfa-recovery-code-enrollment", "/u/mfa-otp-challenge", "/u/consent", "/activate", "/u/device/confirmation",
	} {
		if !slices.Contains(pages, path) {
			t.Errorf("%s was not visited: %v", path, pages)
		}
	}
	return pages
}

func newPages(t *testing.T) *stage {
	s := newStage(t, storetest.SQLite)
	s.must("PATCH", "/api/v2/clients/"+s.app.oauth.ClientID, `{"is_first_party":false}`)
	s.must("PUT", "/api/v2/guardian/factors/otp", `{"enabled":true}`)
	s.must("PUT", "/api/v2/guardian/factors/recovery-code", `{"enabled":true}`)
	// A third party at the token endpoint has no password grants, but codes.
	return s
}

// security.md 55: what a form says beside its answer has no effect, and an answer
// that comes twice is none.
func TestFormsDecideNothing(t *testing.T) {
	s := newPages(t)
	s.newUser("ada@example.test")
	victim := s.newUser("victim@example.test")
	everyPage(t, s, "ada@example.test", func(p *person, _ string, at *url.URL, form url.Values) url.Values {
		for name, value := range map[string]string{
			"user_id": victim, "sub": victim, "subject": victim, "connection": "email", "connection_id": s.email, "client_id": s.native, "realm": "email",
			"redirect_uri": "https://evil.test/", "response_type": "token", "response_mode": "fragment", "scope": "openid offline_access", "audience": "https://evil.test",
			"state": "evil", "nonce": "evil", "email": "victim@example.test", "username": "victim@example.test", "prompt": "none", "acr_values": "",
			"session_id": "x", "methods": "mfa", "step": "done", "device_code": "x", "trust": "0", "login_ticket": "x", "to": "https://evil.test/", "returnTo": "https://evil.test/",
		} {
			if !form.Has(name) {
				form.Set(name, value)
			}
		}
		for name := range form {
			doubled := url.Values{}
			for k, v := range form {
				doubled[k] = v
			}
			doubled[name] = append([]string{"x"}, doubled[name]...)
			status, text, _ := send(t, p.b.client, "POST", at.String(), doubled.Encode(), "Origin", s.url)
			if status != 400 {
				t.Errorf("%s with two of %s: %d %.200s", at.Path, name, status, text)
			}
		}
		return form
	})
	_, body := s.call("GET", "/api/v2/users/"+url.PathEscape(victim), "")
	if strings.Contains(body, "last_login") {
		t.Errorf("the other was signed in: %s", body)
	}
}

// security.md 55: the state of a page is of no use in another browser, with the
// session of somebody else, without a cookie, changed, or once it has passed.
func TestStatesBelongToTheirBrowser(t *testing.T) {
	s := newPages(t)
	s.newUser("ada@example.test")
	s.newUser("mallory@example.test")
	seed := ""
	mallory := s.newPerson("mallory@example.test", &seed)
	if query, at := mallory.walk(s.authorize("scope", "openid")); query.Get("code") == "" {
		t.Fatalf("ended at %s: %v", at, query)
	}
	nobody := s.newBrowser()
	var all []string
	var former string
	s.each(func(method, path string) {
		if method != "GET" || !strings.HasPrefix(path, "/u/") {
			return
		}
		// A page that is there for everybody tells nothing of a login.
		if status, _, _ := send(t, nobody.client, "GET", s.url+path, ""); status >= 400 {
			all = append(all, path)
		}
	})
	if len(all) < 25 {
		t.Errorf("only %v", all)
	}
	everyPage(t, s, "ada@example.test", func(p *person, _ string, at *url.URL, form url.Values) url.Values {
		state := at.Query().Get("state")
		if state == "" {
			return form
		}
		for name, who := range map[string]*http.Client{"another browser": mallory.b.client, "no cookie": nobody.client} {
			for _, path := range all {
				for _, method := range []string{"GET", "POST"} {
					body := ""
					if method == "POST" {
						body = form.Encode()
					}
					status, text, h := send(t, who, method, s.url+path+"?state="+url.QueryEscape(state), body, "Origin", s.url)
					if path == "/u/mfa-enrollment-ticket" || status == 405 { // it has a ticket for its state
						continue
					}
					if status < 400 || strings.Contains(text, "ada@") || strings.Contains(h.Get("Location"), "code=") {
						t.Errorf("%s %s by %s: %d %s %.200s", method, path, name, status, h.Get("Location"), text)
					}
				}
			}
		}
		if former != "" && former != state {
			for _, path := range []string{at.Path, "/u/login/password", "/u/consent"} {
				if status, text, _ := send(t, p.b.client, "POST", s.url+path+"?state="+url.QueryEscape(former), form.Encode(), "Origin", s.url); status != 400 {
					t.Errorf("%s with a state that has passed: %d %.200s", path, status, text)
				}
			}
		}
		former = state
		return form
	})
}
