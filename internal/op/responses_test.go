package op

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/consent"
	"mangrove/internal/resourceserver"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
)

// payload of a JWT, unverified.
func payload(tb testing.TB, raw string) map[string]any {
	tb.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		tb.Fatalf("no JWT: %q", raw)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(tb, err)
	var m map[string]any
	must(tb, json.Unmarshal(b, &m))
	return m
}

func allowImplicit(tb testing.TB, w *world) {
	tb.Helper()
	w.setClient(tb, webApp, "grant_types", `["authorization_code","implicit"]`)
}

func names(v url.Values) string {
	var list []string
	for _, n := range []string{"code", "access_token", "token_type", "expires_in", "id_token", "scope", "state", "iss", "error"} {
		if v.Has(n) {
			list = append(list, n)
		}
	}
	return strings.Join(list, " ")
}

func TestFrontChannel(t *testing.T) {
	w := newWorld(t)
	allowImplicit(t, w)
	w.signIn()
	w.session.Methods = []string{"pwd"}
	for _, row := range []struct{ kind, scope, audience, want string }{
		{"token", "openid", "", "access_token token_type expires_in state"},
		{"token", "openid unknown", "", "access_token token_type expires_in scope state"},
		{"id_token", "openid email unknown", "", "id_token state"},
		{"token id_token", "openid", "", "access_token token_type expires_in id_token state"},
		{"code token", "openid read:a", apiID, "code access_token token_type expires_in state"},
		{"code id_token", "openid", "", "code id_token state"},
		{"id_token code token", "openid read:a", apiID, "code access_token token_type expires_in id_token state"},
	} {
		t.Run(row.kind+" "+row.scope, func(t *testing.T) {
			rec := w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", webCB, "response_type", row.kind,
				"scope", row.scope, "audience", row.audience, "nonce", "n", "state", "s", "max_age", "1000"), "")
			to, v := sentTo(rec)
			if to != webCB || !strings.Contains(rec.Header().Get("Location"), webCB+"#") || names(v) != row.want || len(strings.Fields(row.want)) != len(v) {
				t.Fatalf("%d %s", rec.Code, rec.Header().Get("Location"))
			}
			access := v.Get("access_token")
			if access != "" {
				want := "7200"
				if v.Get("expires_in") != want {
					t.Errorf("expires_in = %s", v.Get("expires_in"))
				}
				if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+access); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"sub":"auth0|ann"`) {
					t.Errorf("userinfo: %d %s", rec.Code, rec.Body)
				}
				if row.audience != "" {
					p := payload(t, access)
					if p["exp"].(float64)-p["iat"].(float64) != 7200 || p["sub"] != "auth0|ann" || p["gty"] != nil {
						t.Errorf("access token: %v", p)
					}
				}
			}
			if id := v.Get("id_token"); id != "" {
				p := payload(t, id)
				if p["nonce"] != "n" || p["sid"] != "sid-1" || p["aud"] != webApp || p["auth_time"] == nil || (p["at_hash"] != nil) != (access != "") || (p["c_hash"] != nil) != v.Has("code") {
					t.Errorf("ID token: %v", p)
				}
				if access != "" && p["at_hash"] != token.AccessHash(access) || v.Has("code") && p["c_hash"] != token.AccessHash(v.Get("code")) {
					t.Errorf("hashes: %v", p)
				}
			}
			if code := v.Get("code"); code != "" {
				rec := w.post(t, form("grant_type", authorizationCode, "client_id", webApp, "client_secret", secret, "code", code, "redirect_uri", webCB))
				if m := answer(t, rec); rec.Code != 200 || m["expires_in"].(float64) == 7200 || m["id_token"] == nil {
					t.Errorf("code: %d %s", rec.Code, rec.Body)
				}
			}
		})
	}
	// No such answer has a refresh token, and none travels in a query.
	rec := w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", webCB, "response_type", "token", "scope", "openid offline_access", "response_mode", "query"), "")
	if to := rec.Header().Get("Location"); !strings.HasPrefix(to, webCB+"#error=invalid_request") {
		t.Errorf("query: %s", to)
	}
	rec = w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", webCB, "response_type", "token", "scope", "openid offline_access"), "")
	if to := rec.Header().Get("Location"); !strings.Contains(to, "access_token=") || strings.Contains(to, "refresh_token") {
		t.Errorf("offline_access: %s", to)
	}
	// The lifetime of the API for the front channel rules.
	_, err := w.store.UpdateResourceServer(t.Context(), apiOf(t, w).ID, func(rs *resourceserver.ResourceServer) error {
		rs.Doc = json.RawMessage(`{"skip_consent_for_verifiable_first_party_clients":true,"token_lifetime":600,"token_lifetime_for_web":60,"scopes":[{"value":"read:a"}]}`)
		return nil
	}, audit.Event{Type: audit.APIOperation, At: 1})
	must(t, err)
	rec = w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", webCB, "response_type", "token", "scope", "read:a", "audience", apiID), "")
	if _, v := sentTo(rec); v.Get("expires_in") != "60" {
		t.Errorf("expires_in = %s", v.Get("expires_in"))
	}
}

func apiOf(tb testing.TB, w *world) *resourceserver.ResourceServer {
	tb.Helper()
	rs, err := w.store.ResourceServerByIdentifier(tb.Context(), apiID)
	must(tb, err)
	return rs
}

// TestSecurity54 is the nonce of a front-channel ID token, max_age and auth_time.
func TestSecurity54(t *testing.T) {
	w := newWorld(t)
	allowImplicit(t, w)
	w.signIn()
	for _, row := range []struct{ query, want string }{
		{"response_type=id_token&scope=openid", "Missing required parameter: nonce"},
		{"response_type=code+id_token&scope=openid", "Missing required parameter: nonce"},
		{"response_type=id_token&scope=openid&nonce=%22%3C%E2%82%AC", "id_token"},
	} {
		rec := w.send(t, "GET", "/authorize?client_id="+webApp+"&redirect_uri="+webCB+"&"+row.query, "")
		_, v := sentTo(rec)
		if v.Get("error_description") != row.want && !v.Has(row.want) {
			t.Errorf("%s: %s", row.query, rec.Header().Get("Location"))
		}
		if v.Has("id_token") && payload(t, v.Get("id_token"))["nonce"] != "\"<€" {
			t.Errorf("nonce = %v", payload(t, v.Get("id_token"))["nonce"])
		}
	}
	w.session.AuthTime += 3_600_000_000
	if w.send(t, "GET", "/authorize?client_id="+webApp+"&response_type=code&max_age=100", ""); w.login == nil {
		t.Error("a session of the future passes for young")
	}
}

// TestSecurity56: a message goes to the exact origin that is listed, and to no other.
func TestSecurity56(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	ask := func(pairs ...string) *httptest.ResponseRecorder {
		w.message, w.page, w.login = "", "", nil
		return w.send(t, "GET", "/authorize?"+form(append([]string{"client_id", webApp, "redirect_uri", webCB, "response_type", "code", "response_mode", "web_message", "prompt", "none", "state", "s"}, pairs...)...), "")
	}
	foreign := func(name string, rec *httptest.ResponseRecorder) {
		t.Helper()
		if rec.Code != 403 || w.page != "Origin mismatch." || w.message != "" || rec.Header().Get("Location") != "" || strings.Contains(rec.Body.String(), "code=") {
			t.Errorf("%s: %d %q %q %s", name, rec.Code, w.page, w.message, rec.Body)
		}
	}
	for _, origins := range []string{
		`[]`, `["https://other.example.test"]`, `["https://app.example.test.evil.test"]`, `["http://app.example.test"]`, `["https://app.example.test:8443"]`, `["https://*.app.example.test"]`,
	} {
		w.setClient(t, webApp, "web_origins", origins)
		foreign(origins, ask())
		w.session.UserID = ""
		foreign(origins+", an error", ask())
		foreign(origins+", a login", w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", webCB, "response_type", "code", "response_mode", "web_message"), ""))
		if w.login != nil {
			t.Error("a login began whose answer cannot be given")
		}
		w.signIn()
	}
	w.setClient(t, webApp, "web_origins", `["https://app.example.test"]`)
	if rec := ask(); rec.Code != 200 || !strings.HasPrefix(w.message, "https://app.example.test code=") || !strings.HasSuffix(w.message, "&state=s") {
		t.Errorf("listed: %d %q", rec.Code, w.message)
	}
	w.session.UserID = ""
	if ask(); w.message != "https://app.example.test error=login_required&error_description=Login+required&state=s" {
		t.Errorf("an error: %q", w.message)
	}
	w.signIn()
	w.message, w.page = "", ""
	foreign("a scheme of its own", w.send(t, "GET", "/authorize?"+form("client_id", webApp, "redirect_uri", "com.example.app://cb", "response_type", "code", "response_mode", "web_message"), ""))
}

// TestSecurity51: with prompt=none there is never a page, and never a success
// that lacks something; each answer is on record.
func TestSecurity51(t *testing.T) {
	w := newWorld(t)
	request := "/authorize?" + form("client_id", webApp, "redirect_uri", webCB, "response_type", "code", "prompt", "none", "scope", "openid read:a", "audience", apiID, "state", "s")
	for _, row := range []struct {
		name   string
		before func()
		want   string
	}{
		{"nobody", func() { w.session.UserID = "" }, "login_required Login required"},
		{"signed in", func() {}, " "},
		{"a second factor is due", func() { w.factor = true }, "login_required Multifactor authentication required"},
		{"a consent is missing", func() { w.factor = false; setAPI(t, w, false) }, "consent_required Consent required"},
	} {
		w.signIn()
		row.before()
		w.events.list = nil
		_, v := sentTo(w.send(t, "GET", request, ""))
		if got := v.Get("error") + " " + v.Get("error_description"); got != row.want || v.Get("state") != "s" || v.Has("code") != (row.want == " ") {
			t.Errorf("%s: %v", row.name, v)
		}
		want := "fsa"
		if row.want == " " {
			want = "ssa"
		}
		if w.events.types() != want || w.login != nil || w.interact != nil || w.page != "" {
			t.Errorf("%s: recorded %q; login %v, page %q", row.name, w.events.types(), w.login, w.page)
		}
	}
	// With prompt=login the same go on with a page.
	w.factor = true
	if w.send(t, "GET", strings.Replace(request, "prompt=none", "prompt=", 1), ""); w.interact == nil {
		t.Error("no page for what is missing")
	}
}

// setAPI says whether the API skips the consent of first parties.
func setAPI(tb testing.TB, w *world, skips bool) {
	tb.Helper()
	_, err := w.store.UpdateResourceServer(tb.Context(), apiOf(tb, w).ID, func(rs *resourceserver.ResourceServer) error {
		rs.Doc = json.RawMessage(`{"name":"The API","token_lifetime":600,"scopes":[{"value":"read:a","description":"Read <b>"},{"value":"write:a"}]}`)
		if skips {
			rs.Doc = json.RawMessage(`{"skip_consent_for_verifiable_first_party_clients":true,"scopes":[{"value":"read:a"},{"value":"write:a"}]}`)
		}
		return nil
	}, audit.Event{Type: audit.APIOperation, At: 1})
	must(tb, err)
}

// TestSecurity60: who is asked, for what, and that a yes holds for it alone.
func TestSecurity60(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.signIn()
	third := []string{"client_id", thirdApp, "response_type", "code", "audience", apiID, "scope", "openid read:a unknown"}
	asks := func(name string, want bool, pairs ...string) {
		t.Helper()
		w.interact = nil
		rec := w.send(t, "GET", "/authorize?"+form(pairs...), "")
		_, v := sentTo(rec)
		if (w.interact != nil) != want || v.Has("code") == want {
			t.Errorf("%s: asked %v; %s", name, w.interact != nil, rec.Header().Get("Location"))
		}
	}
	asks("third party", true, third...)
	q, err := w.Question(ctx, *w.interact, w.ann)
	must(t, err)
	if !q.Needed || q.ClientID != thirdApp || q.UserID != string(w.ann.ID) || q.Audience != apiID || q.API != apiOf(t, w).ID ||
		len(q.Scope) != 2 || q.Scope[0] != (consent.Scope{Name: "openid"}) || q.Scope[1].Name != "read:a" {
		t.Errorf("%+v", q)
	}
	// An answer that jumps over the question gets nothing.
	rec := httptest.NewRecorder()
	must(t, w.Respond(rec, httptest.NewRequest("POST", "/u/consent", nil), *w.interact, w.session))
	if _, v := sentTo(rec); v.Get("error") != "consent_required" || v.Has("code") {
		t.Errorf("without consent: %v", v)
	}
	yes := q.Yes(1)
	must(t, w.store.SaveConsent(ctx, yes, yes.Event("", "")))
	asks("allowed", false, third...)
	asks("more scopes", true, "client_id", thirdApp, "response_type", "code", "audience", apiID, "scope", "openid read:a write:a")
	asks("another API", true, "client_id", thirdApp, "response_type", "code", "audience", "urn:rfc9068", "scope", "openid read:a")
	asks("the profile", true, "client_id", thirdApp, "response_type", "code", "scope", "openid")
	asks("asked to ask", true, append([]string{"prompt", "consent"}, third...)...)
	must(t, w.store.RevokeConsents(ctx, string(w.ann.ID), audit.Event{Type: audit.APIOperation, At: 1}))
	asks("revoked", true, third...)

	w.setClient(t, webApp, "callbacks", `["http://localhost:3000/cb","https://app.example.test/cb","com.example.app://cb"]`)
	first := func(redirect, scope string) []string {
		return []string{"client_id", webApp, "response_type", "code", "audience", apiID, "scope", scope, "redirect_uri", redirect}
	}
	asks("first party", false, first(webCB, "openid read:a")...)
	asks("loopback", true, first("http://localhost:3000/cb", "openid read:a")...)
	asks("scheme", true, first("com.example.app://cb", "openid read:a")...)
	asks("loopback, profile alone", false, first("http://localhost:3000/cb", "openid")...)
	w.tune = func(s *tenant.Settings) { s.SkipNonVerifiablePrompt = true }
	asks("loopback, the tenant does not mind", false, first("http://localhost:3000/cb", "openid read:a")...)
	w.tune = nil
	setAPI(t, w, false)
	asks("the API wants to be asked", true, first(webCB, "openid read:a")...)
	q, err = w.Question(ctx, *w.interact, w.ann)
	must(t, err)
	if q.APIName != "The API" || q.Scope[1].Description != "Read <b>" {
		t.Errorf("%+v", q)
	}
}

func TestIssParameterAndErrorsOnThePage(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.tune = func(s *tenant.Settings) { s.IssParameter = true }
	for _, query := range []string{"response_type=code", "response_type=foo"} {
		_, v := sentTo(w.send(t, "GET", "/authorize?client_id="+webApp+"&state=s&"+query, ""))
		if v.Get("iss") != publicURL+"/" || v.Get("state") != "s" {
			t.Errorf("%s: %v", query, v)
		}
	}
	w.tune = nil
	w.setClient(t, thirdApp, "third_party_security_mode", `"strict"`)
	ask := func() *httptest.ResponseRecorder {
		w.page = ""
		return w.send(t, "GET", "/authorize?"+form("client_id", thirdApp, "response_type", "code", "code_challenge", s256, "code_challenge_method", "S256", "audience", "urn:none"), "")
	}
	if rec := ask(); rec.Code != 400 || w.page != "Access denied" || rec.Header().Get("Location") != "" {
		t.Errorf("strict: %d %q %s", rec.Code, w.page, rec.Header().Get("Location"))
	}
	w.setClient(t, thirdApp, "redirection_policy", `"allow_always"`)
	if _, v := sentTo(ask()); v.Get("error") != "access_denied" {
		t.Errorf("strict, redirects allowed: %v", v)
	}
	rec := w.send(t, "GET", "/authorize?"+form("client_id", thirdApp, "response_type", "code", "code_challenge", s256, "code_challenge_method", "S256", "audience", apiID, "scope", "openid other"), "")
	if _, v := sentTo(rec); v.Get("error") != "invalid_scope" {
		t.Errorf("strict, unknown scope: %v", v)
	}
}

func TestTenantErrorPage(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *tenant.Settings) { s.ErrorPageURL = "https://errors.example.test/p?x=1" }
	rec := w.send(t, "GET", "/authorize?"+form("client_id", webApp, "response_type", "code", "redirect_uri", "https://evil.test/", "connection", "Users", "ui_locales", "de en"), "")
	to, v := sentTo(rec)
	if rec.Code != 302 || to != "https://errors.example.test/p" || v.Get("x") != "1" || v.Get("client_id") != webApp || v.Get("connection") != "Users" || v.Get("lang") != "de" ||
		v.Get("error") != "Callback URL mismatch." || v.Get("error_description") != errCallback.Text || !v.Has("tracking") {
		t.Errorf("%d %s", rec.Code, rec.Header().Get("Location"))
	}
}

func TestDefaultAudience(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		tune  func(*tenant.Settings)
		query []string
		want  string
	}{
		{func(s *tenant.Settings) { s.DefaultAudience = apiID }, nil, apiID},
		{func(s *tenant.Settings) { s.DefaultAudience = apiID }, []string{"audience", publicURL + "/userinfo"}, ""},
		{func(s *tenant.Settings) { s.ResourceParameter = true }, []string{"resource", apiID}, apiID},
		{nil, []string{"resource", apiID}, ""},
	} {
		w.tune, w.login = row.tune, nil
		w.send(t, "GET", "/authorize?"+form(append([]string{"client_id", webApp, "response_type", "code"}, row.query...)...), "")
		if w.login == nil || w.login.Audience != row.want {
			t.Errorf("%v: %+v", row.query, w.login)
		}
	}
}

func TestLoginEntry(t *testing.T) {
	w := newWorld(t)
	w.setClient(t, webApp, "initiate_login_uri", `"https://app.example.test/start?a=b"`)
	for _, row := range []struct {
		query, fallback, want string
	}{
		{"client=" + webApp + "&state=over", "", "https://app.example.test/start?a=b&iss=https%3A%2F%2Fid.example.test%2F"},
		{"client_id=" + webApp, "https://tenant.example.test/", "https://app.example.test/start?a=b&iss=https%3A%2F%2Fid.example.test%2F"},
		{"client=" + spaApp, "https://tenant.example.test/", "https://tenant.example.test/?iss=https%3A%2F%2Fid.example.test%2F"},
		{"client=nobody", "https://tenant.example.test/", "https://tenant.example.test/?iss=https%3A%2F%2Fid.example.test%2F"},
		{"", "", ""},
	} {
		w.tune = func(s *tenant.Settings) { s.DefaultRedirectionURI = row.fallback }
		rec := w.send(t, "GET", "/login?"+row.query, "")
		if rec.Header().Get("Location") != row.want || (rec.Code == 302) != (row.want != "") {
			t.Errorf("%q: %d %s", row.query, rec.Code, rec.Header().Get("Location"))
		}
	}
}

// TestClientsOfASession: whoever is answered is noted; a refusal notes nobody.
func TestClientsOfASession(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.session.ExpiresAt = w.at.Add(time.Hour).UnixMicro()
	w.code(t, "client_id", webApp, "response_type", "code")
	w.send(t, "GET", "/authorize?client_id="+webApp+"&response_type=foo", "")
	got, err := w.store.SessionClients(t.Context(), w.session.ID)
	if err != nil || len(got) != 1 || got[0] != webApp || len(w.met) != 0 {
		t.Errorf("with the code: %v, %v; met %v", got, err, w.met)
	}
}
