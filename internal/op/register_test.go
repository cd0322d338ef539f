package op

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/tenant"
)

// openWorld is a tenant where clients register themselves.
func openWorld(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb)
	w.tune = func(s *tenant.Settings) { s.DynamicClientRegistration = true }
	return w
}

const registration = `{"client_name":"Tides","redirect_uris":["https://tides.example.test/cb"]}`

func TestRegister(t *testing.T) {
	w := openWorld(t)
	rec := w.send(t, "POST", "/oidc/register", registration)
	m := answer(t, rec)
	id, given := text(m, "client_id"), text(m, "client_secret")
	if rec.Code != 201 || !strings.HasPrefix(id, "tpc_") || len(id) != 36 || len(given) != 64 || m["client_secret_expires_at"] != float64(0) || m["client_name"] != "Tides" ||
		m["token_endpoint_auth_method"] != "client_secret_post" || len(m) != 7 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	c, err := w.store.Client(t.Context(), id)
	must(t, err)
	if s := c.Settings(); s.IsFirstParty || !s.Strict || !s.RefreshToken.Rotating || s.IDTokenAlg != "RS256" || !s.OIDCConformant || s.Allows("implicit") {
		t.Errorf("%+v", s)
	}
	// The controls hold at /authorize: PKCE, a response type, the core's parameters, known scopes.
	base := []string{"client_id", id, "redirect_uri", "https://tides.example.test/cb", "scope", "openid"}
	good := append(slices.Clip(base), "response_type", "code", "code_challenge", strings.Repeat("A", 43), "code_challenge_method", "S256")
	for _, row := range []struct {
		name  string
		pairs []string
		code  string
	}{
		{"no PKCE", append(slices.Clip(base), "response_type", "code"), "invalid_request"},
		{"implicit", append(slices.Clip(base), "response_type", "token"), "unauthorized_client"},
		{"screen_hint", append(slices.Clip(good), "screen_hint", "signup"), "invalid_request"},
		{"id_token_hint", append(slices.Clip(good), "id_token_hint", "x"), "invalid_request"},
		{"unknown scope", append(slices.Concat(base[:4], good[6:]), "scope", "openid read:x"), "invalid_scope"},
	} {
		w.login = nil
		rec := w.send(t, "GET", "/authorize?"+form(row.pairs...), "")
		if w.login != nil || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), title(row.code)) {
			t.Errorf("%s: %d %s %s", row.name, rec.Code, rec.Header(), rec.Body)
		}
	}
	if w.send(t, "GET", "/authorize?"+form(good...), ""); w.login == nil {
		t.Error("no login")
	}
	rec = w.send(t, "POST", "/oidc/register", `{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code"]}`)
	m = answer(t, rec)
	if _, secret := m["client_secret"]; rec.Code != 201 || secret || m["client_secret_expires_at"] != nil || m["client_name"] != "com.example.app" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if m := answer(t, w.send(t, "GET", "/.well-known/openid-configuration", "")); m["registration_endpoint"] != publicURL+"/oidc/register" {
		t.Errorf("%v", m["registration_endpoint"])
	}
	w.tune = func(s *tenant.Settings) { s.DynamicClientRegistration, s.RegistersPermissive = true, true }
	m = answer(t, w.send(t, "POST", "/oidc/register", registration))
	if c, err = w.store.Client(t.Context(), text(m, "client_id")); err != nil || c.Settings().Strict || c.Settings().IsFirstParty {
		t.Errorf("%+v %v", c, err)
	}
}

func TestRegisterRefusals(t *testing.T) {
	w := openWorld(t)
	count := func() int {
		_, n, err := w.store.Clients(t.Context(), client.Filter{}, client.Page{Limit: 1})
		must(t, err)
		return n
	}
	before := count()
	for body, code := range map[string]string{
		`{"redirect_uris":["javascript:alert(1)"]}`:                                   "invalid_redirect_uri",
		`{"redirect_uris":["https://a.example/"],"grant_types":["password"]}`:         "invalid_client_metadata",
		`{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.test"]}`: "invalid_request",
		`{`: "invalid_request",
	} {
		w.events.list = nil
		rec := w.send(t, "POST", "/oidc/register", body)
		if rec.Code != 400 || text(answer(t, rec), "error") != code {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
		if got := w.events.types(); got != audit.Warning {
			t.Errorf("recorded %q", got)
		}
	}
	if rec := w.send(t, "POST", "/oidc/register", form("redirect_uris", "https://a.example/")); rec.Code != 415 {
		t.Errorf("a form: %d %s", rec.Code, rec.Body)
	}
	if rec := w.send(t, "POST", "/oidc/register", registration); rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("the sixth: %d %s", rec.Code, rec.Body)
	}
	w.at = w.at.Add(time.Minute)
	w.tune = nil
	rec := w.send(t, "POST", "/oidc/register", registration)
	if rec.Code != 403 || text(answer(t, rec), "error") != "access_denied" {
		t.Errorf("switched off: %d %s", rec.Code, rec.Body)
	}
	if m := answer(t, w.send(t, "GET", "/.well-known/openid-configuration", "")); m["registration_endpoint"] != nil {
		t.Errorf("%v", m["registration_endpoint"])
	}
	if n := count(); n != before {
		t.Errorf("%d clients, before %d", n, before)
	}
}
