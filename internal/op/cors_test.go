package op

import (
	"net/http"
	"testing"
)

// TestOrigins is the table of reference/authentication.md §0.5 (security.md 122).
func TestOrigins(t *testing.T) {
	w := newWorld(t)
	w.setClient(t, webApp, "web_origins", `["https://web.example.test"]`)
	token := form("grant_type", clientCredentials, "client_id", webApp, "client_secret", secret, "audience", "urn:none")
	for _, row := range []struct {
		name, method, path, body, origin string
		allowed                          bool
		recorded                         string
	}{
		{"callback", "POST", "/oauth/token", token, "https://app.example.test", true, "feccft"},
		{"allowed origin", "POST", "/oauth/token", token, "https://other.example.test", true, "feccft"},
		{"web origin", "POST", "/oauth/token", token, "https://web.example.test", true, "feccft"},
		{"revoke", "POST", "/oauth/revoke", form("client_id", webApp, "client_secret", secret, "token", "x"), "https://web.example.test", true, ""},
		{"evil", "POST", "/oauth/token", token, "https://evil.test", false, "feccft fco"},
		{"suffix", "POST", "/oauth/token", token, "https://app.example.test.evil.test", false, "feccft fco"},
		{"prefix", "POST", "/oauth/token", token, "https://app.example.tes", false, "feccft fco"},
		{"other scheme", "POST", "/oauth/token", token, "http://app.example.test", false, "feccft fco"},
		{"null", "POST", "/oauth/token", token, "null", false, "feccft"},
		{"our own pages", "POST", "/oauth/token", token, publicURL, false, "feccft"},
		{"another client's origin", "POST", "/oauth/token", token, "https://spa.example.test", false, "feccft fco"},
		{"a client that proves nothing", "POST", "/oauth/token", form("grant_type", clientCredentials, "client_id", webApp, "client_secret", "x"), "https://app.example.test", false, "feccft"},
		{"documents", "GET", "/.well-known/jwks.json", "", "https://anybody.test", true, ""},
		{"userinfo", "GET", "/userinfo", "", "https://anybody.test", true, ""},
		{"pages", "GET", "/authorize?client_id=" + webApp, "", "https://app.example.test", false, "f"},
		{"pushed requests", "POST", "/oauth/par", token, "https://app.example.test", false, ""},
	} {
		w.events.list = nil
		rec := w.send(t, row.method, row.path, row.body, "Origin", row.origin)
		h := rec.Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != map[bool]string{true: row.origin}[row.allowed] || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %q %v", row.name, got, h)
		}
		if w.events.types() != row.recorded {
			t.Errorf("%s: recorded %q, want %q", row.name, w.events.types(), row.recorded)
		}
	}
	for path, want := range map[string]int{
		"/oauth/token": 204, "/oauth/revoke": 204, "/userinfo": 204, "/dbconnections/signup": 204, "/dbconnections/change_password": 204,
		"/passwordless/start": 204, "/passwordless/verify": 204, "/mfa/challenge": 204, "/mfa/associate": 204, "/mfa/authenticators": 204, "/.well-known/openid-configuration": 204,
		"/authorize": 405, "/oauth/par": 405, "/v2/logout": 405, "/oidc/logout": 405,
	} {
		rec := w.send(t, http.MethodOptions, path, "", "Origin", "https://app.example.test", "Access-Control-Request-Method", "POST")
		if rec.Code != want || rec.Header().Get("Access-Control-Allow-Credentials") != "" || (rec.Header().Get("Access-Control-Allow-Origin") != "") != (want == 204) {
			t.Errorf("OPTIONS %s: %d %v", path, rec.Code, rec.Header())
		}
	}
}
