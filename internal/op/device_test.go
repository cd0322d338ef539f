package op

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/device"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/token"
)

// television is a world with a native application that may use the device flow.
func television(tb testing.TB) *world {
	tb.Helper()
	w, _ := refreshing(tb, "")
	w.setClient(tb, spaApp, "app_type", `"native"`)
	w.setClient(tb, spaApp, "grant_types", `["`+deviceGrant+`","refresh_token"]`)
	return w
}

func (w *world) askDevice(tb testing.TB, pairs ...string) *httptest.ResponseRecorder {
	tb.Helper()
	return w.send(tb, "POST", "/oauth/device/code", form(append([]string{"client_id", spaApp}, pairs...)...))
}

func (w *world) poll(tb testing.TB, code string) (int, string, map[string]any) {
	tb.Helper()
	rec := w.post(tb, form("grant_type", deviceGrant, "client_id", spaApp, "device_code", code))
	return rec.Code, strings.TrimSpace(rec.Body.String()), answer(tb, rec)
}

// decide is what the login does once the person has confirmed, or not.
func (w *world) decide(tb testing.TB, code string, refusal *oauth.AuthorizeError) *httptest.ResponseRecorder {
	tb.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(tb.Context(), "POST", publicURL+"/u/device/confirmation", nil)
	d, err := w.store.Device(tb.Context(), token.HashOf(code))
	must(tb, err)
	req := oauth.AuthorizeRequest{ClientID: d.ClientID, Scope: d.Scope, Audience: d.Audience, DeviceCode: d.Hash}
	if refusal != nil {
		must(tb, w.RespondError(rec, r, req, refusal))
	} else {
		must(tb, w.Respond(rec, r, req, w.session))
	}
	return rec
}

const pendingBody = `{"error":"authorization_pending","error_description":"User has yet to authorize device code."}`

func TestDeviceFlow(t *testing.T) {
	w := television(t)
	rec := w.askDevice(t, "scope", "openid offline_access read:a write:x", "audience", offlineID)
	m := answer(t, rec)
	code, shown := text(m, "device_code"), text(m, "user_code")
	if rec.Code != 200 || len(code) < 40 || len(shown) != 9 || shown[4] != '-' || m["expires_in"] != float64(900) || m["interval"] != float64(5) ||
		m["verification_uri"] != publicURL+"/activate" || m["verification_uri_complete"] != publicURL+"/activate?user_code="+url.QueryEscape(shown) {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if h := rec.Header(); h.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", h)
	}
	w.events.list = nil
	if status, body, _ := w.poll(t, code); status != 403 || body != pendingBody {
		t.Errorf("%d %s", status, body)
	}
	if status, body, _ := w.poll(t, code); status != 429 || body != `{"error":"slow_down","error_description":"You are polling faster than the specified interval of 5 seconds."}` {
		t.Errorf("%d %s", status, body)
	}
	if got := w.events.types(); got != "" {
		t.Errorf("recorded %q: nothing has happened yet", got)
	}
	w.signIn()
	w.session.Methods = []string{session.Password}
	if rec := w.decide(t, code, nil); rec.Code != 303 || rec.Header().Get("Location") != "/device/success" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	w.at = w.at.Add(5 * time.Second)
	status, body, m := w.poll(t, code)
	if status != 200 || text(m, "scope") != "openid offline_access read:a" || text(m, "id_token") == "" || text(m, "refresh_token") == "" {
		t.Fatalf("%d %s", status, body)
	}
	if got := claimsOf(t, text(m, "access_token")); got["sub"] != string(w.ann.ID) || got["gty"] != nil {
		t.Errorf("%v", got)
	}
	if got := w.events.types(); got != audit.DeviceExchangeOK {
		t.Errorf("recorded %q", got)
	}
	if status, body, _ := w.poll(t, code); status != 403 || body != `{"error":"invalid_grant","error_description":"Invalid or expired device code."}` {
		t.Errorf("again: %d %s", status, body)
	}
	// The person cannot decide again either.
	if rec := w.decide(t, code, nil); rec.Header().Get("Location") != "/device/failure" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	rec = w.post(t, form("grant_type", "refresh_token", "client_id", spaApp, "refresh_token", text(m, "refresh_token")))
	if rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestDeviceOutcomes(t *testing.T) {
	w := television(t)
	w.signIn()
	begin := func(t *testing.T) string {
		t.Helper()
		return text(answer(t, w.askDevice(t, "scope", "openid")), "device_code")
	}
	unknown := `{"error":"invalid_grant","error_description":"Invalid or expired device code."}`
	t.Run("cancelled", func(t *testing.T) {
		code := begin(t)
		if rec := w.decide(t, code, authorizeError("access_denied", "User cancelled the confirmation prompt.")); rec.Header().Get("Location") != "/device/failure" {
			t.Errorf("%v", rec.Header())
		}
		for _, want := range []string{`{"error":"access_denied","error_description":"User cancelled the confirmation prompt."}`, unknown} {
			if status, body, _ := w.poll(t, code); status != 403 || body != want {
				t.Errorf("%d %s", status, body)
			}
			w.at = w.at.Add(6 * time.Second)
		}
	})
	t.Run("expired", func(t *testing.T) {
		code := begin(t)
		w.at = w.at.Add(device.Lifetime)
		if rec := w.decide(t, code, nil); rec.Header().Get("Location") != "/device/failure" {
			t.Errorf("confirmed too late: %v", rec.Header())
		}
		if status, body, _ := w.poll(t, code); status != 403 || !strings.Contains(body, `"error":"expired_token"`) {
			t.Errorf("%d %s", status, body)
		}
		if status, body, _ := w.poll(t, code); status != 403 || body != unknown {
			t.Errorf("told twice: %d %s", status, body)
		}
	})
	t.Run("blocked in between", func(t *testing.T) {
		code := begin(t)
		w.decide(t, code, nil)
		w.block(t)
		if status, body, _ := w.poll(t, code); status != 403 || !strings.Contains(body, "user is blocked") {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestDeviceRefusals(t *testing.T) {
	w := television(t)
	w.setClient(t, lameApp, "token_endpoint_auth_method", `"none"`)
	w.setClient(t, webApp, "grant_types", `["`+deviceGrant+`"]`)
	for _, row := range []struct {
		name  string
		pairs []string
		want  string // of the body
		code  int
	}{
		{"unknown client", []string{"client_id", "x"}, `{"error":"access_denied","error_description":"Unauthorized"}`, 401},
		{"no client", nil, `{"error":"access_denied","error_description":"Unauthorized"}`, 401},
		{"without the grant", []string{"client_id", lameApp}, `Grant type 'urn:ietf:params:oauth:grant-type:device_code' not allowed for the client.`, 403},
		{"with a secret", []string{"client_id", webApp, "client_secret", secret}, `"error":"unauthorized_client"`, 403},
		{"unknown API", []string{"client_id", spaApp, "audience", "x"}, `Service not enabled within domain: x`, 403},
		{"API without users", []string{"client_id", spaApp, "audience", "urn:deny"}, `Client is not authorized to access`, 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			rec := w.send(t, "POST", "/oauth/device/code", form(row.pairs...))
			if rec.Code != row.code || !strings.Contains(rec.Body.String(), row.want) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if got := w.events.types(); got != audit.DeviceNotAsked {
				t.Errorf("recorded %q", got)
			}
		})
	}
	if rec := w.post(t, form("grant_type", deviceGrant, "client_id", spaApp)); rec.Code != 400 || !strings.Contains(rec.Body.String(), "Missing required parameter: device_code") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if status, body, _ := w.poll(t, "x"); status != 403 || !strings.Contains(body, "Invalid or expired device code.") {
		t.Errorf("%d %s", status, body)
	}
}

func TestDeviceClient(t *testing.T) {
	for _, row := range []struct {
		name string
		s    client.Settings
		ok   bool
	}{
		{"native", client.Settings{GrantTypes: []string{deviceGrant}, AppType: client.Native, AuthMethod: client.AuthNone}, true},
		{"no grant", client.Settings{AppType: client.Native, AuthMethod: client.AuthNone}, false},
		{"a secret", client.Settings{GrantTypes: []string{deviceGrant}, AppType: client.Native, AuthMethod: client.AuthPost}, false},
		{"a page", client.Settings{GrantTypes: []string{deviceGrant}, AppType: client.SPA, AuthMethod: client.AuthNone}, false},
	} {
		if err := deviceClient(&row.s); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
