package op

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/tenant"
)

// TestSecurity58: nothing is fetched; a pushed request is its client's, used once,
// and counts alone.
func TestSecurity58(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	auth := []string{"client_id", webApp, "client_secret", secret}
	base := append([]string{"response_type", "code", "redirect_uri", webCB, "scope", "openid", "state", "s"}, auth...)
	push := func(pairs ...string) *httptest.ResponseRecorder {
		w.events.list = nil
		return w.send(t, "POST", "/oauth/par", form(pairs...))
	}
	if rec := push(base...); rec.Code != 404 || !strings.Contains(rec.Body.String(), `"error":"invalid_request"`) {
		t.Errorf("switched off: %d %s", rec.Code, rec.Body)
	}
	w.tune = func(s *tenant.Settings) { s.PARSupported, s.PublicClientsNeedS256 = true, true }
	reference := func(pairs ...string) string {
		t.Helper()
		rec := push(pairs...)
		m := answer(t, rec)
		uri, _ := m["request_uri"].(string)
		if rec.Code != 201 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || m["expires_in"] != 30.0 || rec.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		return uri
	}
	use := func(clientID, uri string, more ...string) (string, string) {
		w.page = ""
		rec := w.send(t, "GET", "/authorize?"+form(append([]string{"client_id", clientID, "request_uri", uri}, more...)...), "")
		return rec.Header().Get("Location"), w.page
	}
	const over = "Invalid request uri"

	uri := reference(base...)
	if to, page := use(spaApp, uri); to != "" || page != over {
		t.Errorf("another client: %q %q", to, page)
	}
	// What stands beside the reference does not count.
	if to, _ := use(webApp, uri, "redirect_uri", "https://evil.test/", "state", "other", "scope", "email"); !strings.HasPrefix(to, webCB+"?code=") || !strings.HasSuffix(to, "&state=s") {
		t.Errorf("used: %q", to)
	}
	if to, page := use(webApp, uri); to != "" || page != over {
		t.Errorf("used twice: %q %q", to, page)
	}
	uri = reference(base...)
	w.at = w.at.Add(30 * time.Second)
	if to, page := use(webApp, uri); to != "" || page != over {
		t.Errorf("late: %q %q", to, page)
	}
	if _, page := use("", reference(base...)); page != "Invalid request" {
		t.Errorf("without client: %q", page)
	}
	for _, other := range []string{"https://evil.test/r", "http://127.0.0.1/", "urn:x"} {
		to, _ := use(webApp, other, "response_type", "code", "redirect_uri", webCB)
		if !strings.HasPrefix(to, webCB+"?error=request_uri_not_supported") {
			t.Errorf("%s: %q", other, to)
		}
	}

	for _, row := range []struct {
		name   string
		pairs  []string
		status int
		want   string
	}{
		{"wrong secret", []string{"response_type", "code", "client_id", webApp, "client_secret", "x"}, 401, `"error":"access_denied"`},
		{"no client", []string{"response_type", "code"}, 401, `"error":"access_denied"`},
		{"other redirect", append([]string{"response_type", "code", "redirect_uri", "https://evil.test"}, auth...), 400, errCallback.Text},
		{"a reference", append([]string{"response_type", "code", "request_uri", "urn:ietf:params:oauth:request_uri:x"}, auth...), 400, "request_uri cannot be pushed."},
		{"a request object", append([]string{"response_type", "code", "request", "a.b.c"}, auth...), 400, `"error":"request_not_supported"`},
		{"no response_type", auth, 400, "Missing required parameter: response_type"},
		{"unknown audience", append([]string{"response_type", "code", "audience", "urn:none"}, auth...), 403, "Service not found: urn:none"},
		{"token", append([]string{"response_type", "token"}, auth...), 403, `"error":"unauthorized_client"`},
		{"public without PKCE", []string{"response_type", "code", "client_id", spaApp}, 400, errNeedsS256.Description},
	} {
		rec := push(row.pairs...)
		if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) || w.events.types() != "fpar" {
			t.Errorf("%s: %d %s, recorded %q", row.name, rec.Code, rec.Body, w.events.types())
		}
	}
	if rec := push("response_type", "code", "client_id", spaApp, "code_challenge", s256, "code_challenge_method", "S256"); rec.Code != 201 {
		t.Errorf("public: %d %s", rec.Code, rec.Body)
	}

	w.setClient(t, webApp, "require_pushed_authorization_requests", "true")
	w.setClient(t, webApp, "par_request_expiry", "600")
	if _, v := sentTo(w.send(t, "GET", "/authorize?"+form("client_id", webApp, "response_type", "code"), "")); v.Get("error_description") != "Pushed authorization requests are required for this client." {
		t.Errorf("required: %v", v)
	}
	rec := push(base...)
	if m := answer(t, rec); m["expires_in"] != 600.0 {
		t.Errorf("expiry: %s", rec.Body)
	} else if to, _ := use(webApp, m["request_uri"].(string)); !strings.Contains(to, "code=") {
		t.Errorf("required and pushed: %q", to)
	}
}
