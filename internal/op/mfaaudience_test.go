package op

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
)

const mfaAudience = publicURL + "/mfa/"

// forMFA is a password grant for the MFA endpoints.
func forMFA(scope string) []string {
	return []string{
		"grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW,
		"realm", "Users", "scope", scope, "audience", mfaAudience,
	}
}

const everyMFAScope = "enroll read:authenticators remove:authenticators"

// mfaAccess gets an access token by password and, where asked for, a code.
func (g *guarded) mfaAccess(t *testing.T, scope, seed string) string {
	t.Helper()
	rec := g.post(t, form(forMFA(scope)...))
	body := answer(t, rec)
	if seed != "" {
		wants(t, "without a second factor", rec.Code, rec.Body.String(), 403, "mfa_required")
		g.at = g.at.Add(31 * time.Second)
		code, text := g.grant(t, mfaOTP, "mfa_token", body["mfa_token"].(string), "otp", g.otp(t, seed))
		wants(t, "with one", code, text, 200, `"access_token":"ey`)
		must(t, json.Unmarshal([]byte(text), &body))
	}
	if body["access_token"] == nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return body["access_token"].(string)
}

// claimsIn reads a token without looking at its signature.
func claimsIn(t *testing.T, raw string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(b, &m))
	return m
}

func TestTokensForTheMFAEndpoints(t *testing.T) {
	g := newGuarded(t)
	g.setClient(t, webApp, "grant_types", `["refresh_token","password","`+passwordRealm+`","client_credentials","`+mfaOTP+`"]`)
	rec := g.post(t, form(forMFA("openid enroll offline_access read:authenticators write:a")...))
	body := answer(t, rec)
	if rec.Code != 200 || body["expires_in"] != 600.0 || body["scope"] != "openid enroll read:authenticators" || body["refresh_token"] != nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	access := body["access_token"].(string)
	c := claimsIn(t, access)
	if c["aud"] != mfaAudience || c["gty"] != "password" || c["amr"] != nil || c["exp"].(float64)-c["iat"].(float64) != 600 {
		t.Errorf("claims %v", c)
	}
	if rec := g.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+access); rec.Code != http.StatusUnauthorized {
		t.Errorf("at /userinfo: %d", rec.Code)
	}
	code, text := g.api(t, "GET", "/mfa/authenticators", access, "")
	wants(t, "its scope", code, text, 200, "[]")
	code, text = g.api(t, "DELETE", "/mfa/authenticators/totp%7Cdev_x", access, "")
	wants(t, "a scope that it lacks", code, text, 403, "insufficient_scope")
	g.at = g.at.Add(10 * time.Minute)
	code, text = g.api(t, "GET", "/mfa/authenticators", access, "")
	wants(t, "after ten minutes", code, text, 401, "invalid_token")

	// Tokens for other APIs are none.
	other := answer(t, g.post(t, form(annPassword...)))["access_token"].(string)
	code, text = g.api(t, "GET", "/mfa/authenticators", other, "")
	wants(t, "a token of another API", code, text, 401, "invalid_token")
	// Machines, third parties and devices get none.
	rec = g.post(t, form("grant_type", "client_credentials", "client_id", webApp, "client_secret", secret, "audience", mfaAudience))
	wants(t, "a machine", rec.Code, rec.Body.String(), 403, "is not authorized to access")
	g.setClient(t, webApp, "grant_types", `["authorization_code"]`)
	g.setClient(t, webApp, "is_first_party", "false")
	rec = g.send(t, "GET", "/authorize?"+form("client_id", webApp, "response_type", "code", "redirect_uri", "https://app.example.test/cb",
		"audience", mfaAudience, "scope", everyMFAScope, "code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256"), "")
	if !strings.Contains(rec.Header().Get("Location"), "error=access_denied") {
		t.Errorf("a third party: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	g.setClient(t, webApp, "is_first_party", "true")
	g.setClient(t, webApp, "grant_types", `["`+deviceGrant+`"]`)
	rec = g.send(t, "POST", "/oauth/device/code", form("client_id", webApp, "client_secret", secret, "audience", mfaAudience))
	if rec.Code == 200 {
		t.Errorf("a device: %s", rec.Body)
	}
}

// TestFactorsNeedAFactor: whoever has the password alone neither adds nor removes
// factors of somebody who has one, whatever token they got before (security.md 55).
func TestFactorsNeedAFactor(t *testing.T) {
	g := newGuarded(t)
	early := g.mfaAccess(t, everyMFAScope, "") // ann has none yet
	g.imports(t, `[{"totp":{"secret":"`+annSeed+`"}}]`)

	code, body := g.api(t, "GET", "/mfa/authenticators", early, "")
	wants(t, "listing", code, body, 200, `"active":true`)
	var list []struct{ ID string }
	must(t, json.Unmarshal([]byte(body), &list))
	one := "/mfa/authenticators/" + url.PathEscape(list[0].ID)
	code, body = g.api(t, "POST", "/mfa/associate", early, `{"authenticator_types":["otp"]}`)
	wants(t, "adding", code, body, 403, `{"error":"access_denied","error_description":"User is already enrolled."}`)
	code, body = g.api(t, "DELETE", one, early, "")
	wants(t, "removing", code, body, 403, `{"error":"access_denied","error_description":"Multifactor authentication required"}`)
	if all := g.factors(t); len(all) != 1 {
		t.Fatalf("factors %v", all)
	}
	if !strings.Contains(g.logTypes(t), audit.FactorFailed) {
		t.Errorf("recorded %s", g.logTypes(t))
	}

	// Switching the second factor off for the connection opens no door.
	_, err := g.store.UpdateConnection(t.Context(), "con_0000000000000000", func(c *connection.Connection) error {
		c.Options = json.RawMessage(`{"mfa":{"active":false}}`)
		return nil
	}, audit.Event{})
	must(t, err)
	wants(t, "another API", g.post(t, form(annPassword...)).Code, "", 200)

	// With it, everything works; the further factor is confirmed by the same token.
	access := g.mfaAccess(t, everyMFAScope, annSeed)
	if c := claimsIn(t, access); !slices.Equal(c["amr"].([]any), []any{"mfa"}) || c["aud"] != mfaAudience {
		t.Errorf("claims %v", c)
	}
	code, body = g.api(t, "POST", "/mfa/associate", access, `{"authenticator_types":["oob"],"oob_channels":["sms"],"phone_number":"+15551239167"}`)
	wants(t, "a phone", code, body, 200, `"oob_code":"`, `"recovery_codes":["`)
	var made struct {
		OOB_Code       string
		Recovery_Codes []string
	}
	must(t, json.Unmarshal([]byte(body), &made))
	code, body = g.grant(t, mfaOOB, "mfa_token", early, "oob_code", made.OOB_Code, "binding_code", g.lastCode())
	wants(t, "confirmed without proof", code, body, 403, "Invalid binding_code.")
	code, body = g.grant(t, mfaRecovery, "mfa_token", access, "recovery_code", made.Recovery_Codes[0])
	wants(t, "a recovery code confirms nothing", code, body, 401, "Malformed mfa_token")
	code, body = g.grant(t, mfaOOB, "mfa_token", "a.b.c", "oob_code", made.OOB_Code, "binding_code", g.lastCode())
	wants(t, "a strange token", code, body, 401, "Malformed mfa_token")
	code, body = g.grant(t, mfaOOB, "mfa_token", access, "oob_code", made.OOB_Code, "binding_code", g.lastCode())
	wants(t, "confirmed", code, body, 200, `"access_token":"ey`, `"scope":"`+everyMFAScope+`"`, `"expires_in":600`)
	g.at = g.at.Add(31 * time.Second)
	code, body = g.grant(t, mfaOTP, "mfa_token", access, "otp", g.otp(t, annSeed))
	wants(t, "what is enrolled confirms nothing", code, body, 403, "Invalid otp_code.")
	kinds := func() string {
		var out []string
		for _, f := range g.factors(t) {
			out = append(out, string(f.Kind))
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if got := kinds(); got != "phone recovery-code totp" {
		t.Fatalf("factors %s", got)
	}

	// The last one takes the recovery code with it.
	code, body = g.api(t, "DELETE", one, access, "")
	wants(t, "the imported one", code, body, 204)
	if got := kinds(); body != "" || got != "phone recovery-code" {
		t.Errorf("%q, factors %s", body, got)
	}
	code, body = g.api(t, "DELETE", one, access, "")
	wants(t, "again", code, body, 404, "invalid_request")
	for _, f := range g.factors(t) {
		if f.Kind == factor.Phone {
			code, body = g.api(t, "DELETE", "/mfa/authenticators/sms%7C"+f.Device, access, "")
			wants(t, "the phone", code, body, 204)
		}
	}
	if got := kinds(); got != "" {
		t.Errorf("left: %s", got)
	}
	if n := strings.Count(g.logTypes(t), audit.Unenrolled); n != 2 {
		t.Errorf("%d removals recorded: %s", n, g.logTypes(t))
	}
}

func (g *guarded) factors(t *testing.T) []factor.Factor {
	t.Helper()
	u, err := g.store.User(t.Context(), g.ann.ID)
	must(t, err)
	all, err := g.d.Factors.All(t.Context(), u)
	must(t, err)
	return all
}

// TestFirstFactorByAccessToken: somebody without a factor enrolls the first with
// the token alone, as with an mfa_token.
func TestFirstFactorByAccessToken(t *testing.T) {
	g := newGuarded(t)
	access := g.mfaAccess(t, "enroll", "")
	code, body := g.api(t, "POST", "/mfa/associate", access, `{"authenticator_types":["otp"]}`)
	wants(t, "otp", code, body, 200, `"recovery_codes":["`)
	var made struct{ Secret string }
	must(t, json.Unmarshal([]byte(body), &made))
	code, body = g.grant(t, mfaOTP, "mfa_token", access, "otp", "000000")
	wants(t, "a wrong code", code, body, 403, "Invalid otp_code.")
	code, body = g.grant(t, mfaOTP, "mfa_token", access, "otp", g.otp(t, made.Secret))
	wants(t, "the first code", code, body, 200, `"access_token":"ey`)
	var res struct{ Access_Token string }
	must(t, json.Unmarshal([]byte(body), &res))
	if c := claimsIn(t, res.Access_Token); c["amr"] == nil || c["scope"] != "enroll" {
		t.Errorf("claims %v", c)
	}
	g.setClient(t, spaApp, "grant_types", `["`+mfaOTP+`"]`)
	rec := g.post(t, form("grant_type", mfaOTP, "client_id", spaApp, "mfa_token", res.Access_Token, "otp", "123456"))
	wants(t, "another client's token", rec.Code, rec.Body.String(), 401, "Malformed mfa_token")
	rec = g.send(t, "POST", "/oauth/token", form("grant_type", mfaOTP, "client_id", webApp, "client_secret", secret, "otp", "123456", "mfa_token",
		g.mfaAccess(t, "read:authenticators", made.Secret)))
	wants(t, "without the scope", rec.Code, rec.Body.String(), 403, "insufficient_scope")
}

// TestMFATokensByCode: a code gives such a token for a sign-in that is fresh.
func TestMFATokensByCode(t *testing.T) {
	g := newGuarded(t)
	request := []string{
		"client_id", webApp, "response_type", "code", "redirect_uri", "https://app.example.test/cb", "audience", mfaAudience, "scope", "openid " + everyMFAScope,
	}
	g.signIn()
	g.session.Methods = []string{session.Password, session.MFA}
	code := g.code(t, request...)
	rec := g.post(t, form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret, "code", code, "redirect_uri", "https://app.example.test/cb"))
	body := answer(t, rec)
	if rec.Code != 200 || body["expires_in"] != 600.0 || claimsIn(t, body["access_token"].(string))["amr"] == nil {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	g.session.Methods = []string{session.Password}
	code = g.code(t, request...)
	body = answer(t, g.post(t, form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret, "code", code, "redirect_uri", "https://app.example.test/cb")))
	if claimsIn(t, body["access_token"].(string))["amr"] != nil {
		t.Error("a proof that was not shown")
	}
	g.at = g.at.Add(11 * time.Minute)
	rec = g.send(t, "GET", "/authorize?"+form(append(request, "prompt", "none")...), "")
	if !strings.Contains(rec.Header().Get("Location"), "error=login_required") {
		t.Errorf("an old sign-in: %s", rec.Header().Get("Location"))
	}
	g.login = nil
	g.send(t, "GET", "/authorize?"+form(append(request, "max_age", "86400")...), "")
	if g.login == nil {
		t.Error("an old sign-in passes with max_age")
	}
	g.factor = true
	g.session.AuthTime = g.at.UnixMicro()
	rec = g.send(t, "GET", "/authorize?"+form(append(request, "prompt", "none")...), "")
	if !strings.Contains(rec.Header().Get("Location"), url.QueryEscape("Multifactor authentication required")) {
		t.Errorf("silent, with a factor due: %s", rec.Header().Get("Location"))
	}
}

// TestMFAAfterACode: whoever came by a one-time code is asked as others are.
func TestMFAAfterACode(t *testing.T) {
	g := newGuarded(t)
	at := g.at.UnixMicro()
	must(t, g.store.CreateConnection(t.Context(), &connection.Connection{
		ID: "con_0000000000000009", Name: "email", Strategy: "email", Options: json.RawMessage(`{"brute_force_protection":true}`), Realms: []string{"email"},
		EnabledClients: []string{webApp}, Extra: json.RawMessage(`{}`), Version: 1, CreatedAt: at, UpdatedAt: at,
	}, audit.Event{}))
	old := g.tune
	g.tune = func(s *tenant.Settings) { old(s); s.MFA.Always = true }
	start := `{"client_id":"` + webApp + `","client_secret":"` + secret + `","connection":"email","email":"cleo@example.com","send":"code"}`
	wants(t, "start", g.send(t, "POST", "/passwordless/start", start).Code, "", 200)
	code, body := g.grant(t, passwordlessOTP, "username", "cleo@example.com", "realm", "email", "otp", g.mailbox.last(t).Code, "scope", "openid")
	wants(t, "a factor is to be enrolled", code, body, 403, "mfa_required", `"enroll":[`)
	var m struct{ MFA_Token string }
	must(t, json.Unmarshal([]byte(body), &m))
	code, body = g.api(t, "POST", "/mfa/associate", m.MFA_Token, `{"authenticator_types":["otp"]}`)
	wants(t, "associating", code, body, 200, `"secret"`)
	var made struct{ Secret string }
	must(t, json.Unmarshal([]byte(body), &made))
	code, body = g.grant(t, mfaOTP, "mfa_token", m.MFA_Token, "otp", g.otp(t, made.Secret))
	wants(t, "the code of the application", code, body, 200, `"id_token":"ey`)
	var res struct{ ID_Token string }
	must(t, json.Unmarshal([]byte(body), &res))
	if c := claimsIn(t, res.ID_Token); c["amr"] == nil || c["acr"] == nil {
		t.Errorf("claims %v", c)
	}
}
