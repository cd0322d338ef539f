package server_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/management"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

// TestConsentToLogout walks a third party through the pages of a running server:
// sign-in, consent, a silent answer to the window around, logout.
func TestConsentToLogout(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		a := w.newApplication(database)
		id := a.oauth.ClientID
		if status, body := w.call("PATCH", "/api/v2/clients/"+id, `{"is_first_party":false,"web_origins":["http://app.example"],"allowed_logout_urls":["http://app.example/bye"]}`); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if err := w.sdk.User.Create(t.Context(), &management.User{Connection: ptr(database), Email: ptr("ada@example.test"), Password: ptr(goodPassword)}); err != nil {
			t.Fatal(err)
		}
		b := w.newBrowser()
		press := func(page string, at *url.URL, form url.Values) (url.Values, string, *url.URL) {
			t.Helper()
			m := formAction.FindStringSubmatch(page)
			if m == nil {
				t.Fatalf("no form at %s: %.400s", at, page)
			}
			to, err := at.Parse(html.UnescapeString(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			return b.submit(to.String(), form)
		}
		verifier := oauth2.GenerateVerifier()
		query, page, at := b.follow(a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce")))
		for _, form := range []url.Values{{"username": {"ada@example.test"}}, {"username": {"ada@example.test"}, "password": {goodPassword}}} {
			if query != nil {
				t.Fatalf("answered too early: %v", query)
			}
			query, page, at = press(page, at, form)
		}
		if at.Path != "/u/consent" || !strings.Contains(page, "An application") {
			t.Fatalf("no consent page: %s %.400s", at, page)
		}
		query, page, at = press(page, at, url.Values{"decision": {"accept"}})
		if query == nil {
			t.Fatalf("ended at %s: %.400s", at, page)
		}
		if in, refused := a.exchange(query, verifier); in == nil || in.claims["email"] != "ada@example.test" {
			t.Fatalf("%+v %v", in, refused)
		}
		status, body := w.call("GET", "/api/v2/grants?client_id="+id, "")
		if status != 200 || !strings.Contains(body, `"clientID":"`+id+`"`) || !strings.Contains(body, `"audience":"`+w.url+`/userinfo","scope":["openid","profile","email"]`) {
			t.Errorf("grants: %d %s", status, body)
		}

		silent := w.url + "/authorize?" + url.Values{
			"client_id": {id}, "response_type": {"code"}, "response_mode": {"web_message"}, "prompt": {"none"}, "state": {"</script>"},
			"redirect_uri": {a.oauth.RedirectURL}, "scope": {"openid profile"},
		}.Encode()
		say := func() (*http.Response, string) {
			res, err := b.client.Get(silent)
			if err != nil {
				t.Fatal(err)
			}
			_, text, _ := b.answer(res, nil)
			return res, text
		}
		res, text := say()
		if res.StatusCode != 200 || !strings.Contains(text, `"http://app.example"`) || !strings.Contains(text, `"code":`) || strings.Count(text, "</script>") != 1 {
			t.Errorf("message: %d %s", res.StatusCode, text)
		}
		if h := res.Header; h.Get("X-Frame-Options") != "" || strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors") || !strings.Contains(h.Get("Content-Security-Policy"), "nonce-") || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}

		// Nobody proves to mean it: the button has to be pressed.
		query, page, at = b.follow(w.url + "/oidc/logout?client_id=" + id + "&state=x&post_logout_redirect_uri=" + url.QueryEscape("http://app.example/bye"))
		if query != nil || !strings.Contains(page, `action="/u/logout"`) {
			t.Fatalf("no question: %v %s %.400s", query, at, page)
		}
		if _, text = say(); !strings.Contains(text, `"code":`) {
			t.Error("signed out without the button")
		}
		query, _, at = press(page, at, url.Values{"client_id": {id}, "state": {"x"}, "post_logout_redirect_uri": {"http://app.example/bye"}})
		if at.Path != "/bye" || query.Get("state") != "x" {
			t.Errorf("after the logout: %s", at)
		}
		if _, text = say(); !strings.Contains(text, `"login_required"`) || strings.Contains(text, `"code":`) {
			t.Errorf("after the logout: %s", text)
		}
	})
}
