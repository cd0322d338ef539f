package op

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/tenant"
	"mangrove/internal/token"
)

func TestNeedsPress(t *testing.T) {
	for _, row := range []struct {
		name              string
		signedIn          bool
		hinted            string
		prompt, navigated bool
		want              bool
	}{
		{"nobody is signed in", false, "", true, true, false},
		{"no hint", true, "", true, true, true},
		{"hint at this session", true, "sid-1", true, true, false},
		{"hint at another", true, "sid-2", true, true, true},
		{"no hint, the tenant does not mind", true, "", false, true, false},
		{"no hint, an image", true, "", false, false, true},
		{"hint, an image", true, "sid-1", true, false, false},
	} {
		if got := needsPress(row.signedIn, row.hinted, "sid-1", row.prompt, row.navigated); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// TestSecurity59: where a logout may lead, and who has to confirm it.
func TestSecurity59(t *testing.T) {
	w := newWorld(t)
	w.tune = func(s *tenant.Settings) { s.LogoutPrompt = true }
	const bye = "https://app.example.test/bye"
	w.setClient(t, webApp, "allowed_logout_urls", `["`+bye+`","https://app.example.test/bye2?a=b"]`)
	hint := func(client, sid string) string {
		text, err := w.mint.IDToken(t.Context(), token.Identity{Subject: "auth0|ann", ClientID: client, SessionID: sid, Lifetime: -time.Hour})
		must(t, err)
		return text
	}
	access, err := w.mint.AccessToken(t.Context(), token.Access{Subject: "auth0|ann", ClientID: webApp, Audience: []string{webApp}, Lifetime: time.Hour})
	must(t, err)
	mine := hint(webApp, "sid-1")
	for _, row := range []struct {
		name  string
		pairs []string
		want  string // address, "told", "press", or "refused"
	}{
		{"expired hint", []string{"id_token_hint", mine, "post_logout_redirect_uri", bye, "state", "s p"}, bye + "?state=s+p"},
		{"hint, no address", []string{"id_token_hint", mine}, "told"},
		{"hint and client", []string{"id_token_hint", mine, "client_id", webApp, "post_logout_redirect_uri", bye}, bye},
		{"query as registered", []string{"id_token_hint", mine, "post_logout_redirect_uri", "https://app.example.test/bye2?a=b", "state", "s"}, "https://app.example.test/bye2?a=b&state=s"},
		{"logout_hint", []string{"logout_hint", "sid-1", "client_id", webApp, "post_logout_redirect_uri", bye}, bye},
		{"logout_hint alone, tenant's address", []string{"logout_hint", "sid-1", "post_logout_redirect_uri", "https://tenant.example.test/"}, "https://tenant.example.test/"},
		{"no hint", []string{"client_id", webApp, "post_logout_redirect_uri", bye}, "press"},
		{"nothing", nil, "press"},
		{"hint at another session", []string{"id_token_hint", hint(webApp, "sid-2"), "post_logout_redirect_uri", bye}, "press"},
		{"hint without session", []string{"id_token_hint", hint(webApp, ""), "post_logout_redirect_uri", bye}, "press"},
		{"two hints at different sessions", []string{"id_token_hint", mine, "logout_hint", "sid-2"}, "press"},
		{"hint of another client", []string{"id_token_hint", hint(spaApp, "sid-1"), "client_id", webApp}, "refused"},
		{"address of another client", []string{"id_token_hint", hint(spaApp, "sid-1"), "post_logout_redirect_uri", bye}, "refused"},
		{"no hint of ours", []string{"id_token_hint", "a.b.c"}, "refused"},
		{"access token", []string{"id_token_hint", access}, "refused"},
		{"not listed", []string{"id_token_hint", mine, "post_logout_redirect_uri", "https://evil.test/"}, "refused"},
		{"prefix of a listed one", []string{"id_token_hint", mine, "post_logout_redirect_uri", "https://app.example.test/by"}, "refused"},
		{"other query", []string{"id_token_hint", mine, "post_logout_redirect_uri", "https://app.example.test/bye2?a=c"}, "refused"},
		{"added query", []string{"id_token_hint", mine, "post_logout_redirect_uri", bye + "?x=1"}, "refused"},
		{"relative to the scheme", []string{"id_token_hint", mine, "post_logout_redirect_uri", "//evil"}, "refused"},
		{"script", []string{"id_token_hint", mine, "post_logout_redirect_uri", "javascript:alert(1)"}, "refused"},
		{"unknown client", []string{"client_id", "x"}, "refused"},
		{"client's address with logout_hint alone", []string{"logout_hint", "sid-1", "post_logout_redirect_uri", bye}, "refused"},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+" "+row.name, func(t *testing.T) {
				w.signIn()
				w.events.list, w.pressed, w.page, w.told = nil, nil, "", false
				target, body := "/oidc/logout?"+form(row.pairs...), ""
				if method == "POST" {
					target, body = "/oidc/logout", form(append(row.pairs, "x", "y")...)
				}
				rec := w.send(t, method, target, body)
				got := rec.Header().Get("Location")
				switch {
				case w.pressed != nil:
					got = "press"
				case w.page != "":
					got = "refused"
				case w.told:
					got = "told"
				}
				ended := w.session.UserID == ""
				if got != row.want || ended != (got != "press" && got != "refused") {
					t.Errorf("%q, want %q; ended %v; %s", got, row.want, ended, rec.Body)
				}
				wanted := map[string]string{"press": "", "refused": "flo"}
				want, ok := wanted[got]
				if !ok {
					want = "slo"
				}
				if w.events.types() != want {
					t.Errorf("recorded %q, want %q", w.events.types(), want)
				}
			})
		}
	}

	// The button brings back what was asked, and then it is done.
	w.signIn()
	w.events.list = nil
	w.send(t, "GET", "/oidc/logout?"+form("client_id", webApp, "post_logout_redirect_uri", bye, "state", "s", "other", "x"), "")
	fields := map[string]string{}
	for _, f := range w.pressed {
		fields[f.Name] = f.Value
	}
	if len(fields) != 3 || fields["state"] != "s" {
		t.Errorf("fields %v", fields)
	}
	rec := httptest.NewRecorder()
	must(t, w.ConfirmedLogout(rec, httptest.NewRequest("POST", "/u/logout", nil), fields))
	if rec.Code != 303 || rec.Header().Get("Location") != bye+"?state=s" || w.session.UserID != "" || w.events.types() != "slo" {
		t.Errorf("%d %s", rec.Code, rec.Header().Get("Location"))
	}
	w.signIn()
	fields["post_logout_redirect_uri"] = "https://evil.test/"
	if err := w.ConfirmedLogout(httptest.NewRecorder(), httptest.NewRequest("POST", "/u/logout", nil), fields); err == nil || w.session.UserID == "" {
		t.Error("the form was believed")
	}

	// What a page embeds signs nobody out.
	for _, row := range []struct {
		dest  string
		ended bool
	}{{"image", false}, {"script", false}, {"empty", false}, {"document", true}, {"iframe", true}} {
		w.signIn()
		rec := w.send(t, "GET", "/v2/logout?"+form("client_id", webApp, "returnTo", bye), "", "Sec-Fetch-Dest", row.dest)
		if (w.session.UserID == "") != row.ended || (rec.Header().Get("Location") != "") != row.ended {
			t.Errorf("/v2/logout, %s: %d", row.dest, rec.Code)
		}
		w.signIn()
		w.tune = func(s *tenant.Settings) { s.LogoutPrompt = false }
		w.send(t, "GET", "/oidc/logout?client_id="+webApp, "", "Sec-Fetch-Dest", row.dest)
		if (w.session.UserID == "") != row.ended {
			t.Errorf("/oidc/logout, %s", row.dest)
		}
	}
}

type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTellLogout(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.TellLogout(ctx, webApp, "auth0|ann", "sid-1"); !errors.Is(err, job.ErrNobody) {
		t.Errorf("nobody listens: %v", err)
	}
	w.setClient(t, webApp, "oidc_logout", `{"backchannel_logout_urls":["https://app.example.test/backchannel"]}`)
	status, sent := 200, ""
	w.d.Outbound = &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
		must(t, r.ParseForm())
		sent = r.PostForm.Get("logout_token")
		if r.URL.String() != "https://app.example.test/backchannel" || len(r.PostForm) != 1 {
			t.Errorf("%s %v", r.URL, r.PostForm)
		}
		if status == 0 {
			return nil, http.ErrHandlerTimeout
		}
		return &http.Response{StatusCode: status, Body: http.NoBody}, nil
	})}
	must(t, w.TellLogout(ctx, webApp, "auth0|ann", "sid-1"))
	p := payload(t, sent)
	events, _ := p["events"].(map[string]any)
	if p["iss"] != publicURL+"/" || p["sub"] != "auth0|ann" || p["aud"] != webApp || p["sid"] != "sid-1" || p["jti"] == "" || p["nonce"] != nil ||
		p["exp"].(float64)-p["iat"].(float64) != 120 || len(events) != 1 || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("%v", p)
	}
	// It is no token of any other kind.
	if _, err := w.verifier.Verify(ctx, sent); err == nil {
		t.Error("a logout token passes for an access token")
	}
	for s, kind := range map[int]errs.Kind{0: errs.Unavailable, 500: errs.Unavailable, 429: errs.Unavailable, 400: errs.Invalid, 302: errs.Invalid, 404: errs.Invalid} {
		status = s
		if err := w.TellLogout(ctx, webApp, "auth0|ann", "sid-1"); errs.KindOf(err) != kind {
			t.Errorf("%d: %v", s, err)
		}
	}
	if err := w.TellLogout(ctx, "gone", "auth0|ann", "sid-1"); !errors.Is(err, job.ErrNobody) {
		t.Errorf("client deleted: %v", err)
	}
}

func TestDiscoveryFollowsTheTenant(t *testing.T) {
	w := newWorld(t)
	get := func() map[string]any { return answer(t, w.send(t, "GET", "/.well-known/openid-configuration", "")) }
	w.tune = func(s *tenant.Settings) {
		s.EndSessionInDiscovery, s.PARSupported, s.IssParameter, s.ACRValuesSupported, s.DefaultDirectory = false, false, false, nil, ""
	}
	m := get()
	for _, name := range []string{"end_session_endpoint", "pushed_authorization_request_endpoint", "authorization_response_iss_parameter_supported", "acr_values_supported"} {
		if _, ok := m[name]; ok {
			t.Errorf("%s is announced", name)
		}
	}
	if grants := m["grant_types_supported"].([]any); slices.Contains(grants, any("password")) || !slices.Contains(grants, any("implicit")) {
		t.Errorf("grants %v", grants)
	}
	w.tune = func(s *tenant.Settings) {
		s.EndSessionInDiscovery, s.PARSupported, s.IssParameter, s.ACRValuesSupported, s.DefaultDirectory = true, true, true, []string{"urn:a"}, "Users"
	}
	m = get()
	if m["end_session_endpoint"] != publicURL+"/oidc/logout" || m["pushed_authorization_request_endpoint"] != publicURL+"/oauth/par" ||
		m["authorization_response_iss_parameter_supported"] != true || m["backchannel_logout_supported"] != true || len(m["acr_values_supported"].([]any)) != 1 ||
		!slices.Contains(m["grant_types_supported"].([]any), any("password")) || len(m["response_types_supported"].([]any)) != 7 {
		t.Errorf("%v", m)
	}
	// What is announced answers.
	for name, v := range m {
		at, ok := v.(string)
		if !ok || !strings.HasPrefix(at, publicURL) || name == "issuer" {
			continue
		}
		for _, method := range []string{"GET", "POST"} {
			if rec := w.send(t, method, strings.TrimPrefix(at, publicURL), ""); rec.Code != 404 && rec.Code != 405 {
				ok = false
			}
		}
		if ok {
			t.Errorf("%s is not there: %s", name, at)
		}
	}
}
