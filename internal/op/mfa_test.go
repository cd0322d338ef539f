package op

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// guarded is a world in which second factors are on.
type guarded struct {
	*world
	mu    sync.Mutex
	codes []string // by mail and by SMS
}

func (g *guarded) SendLetters(ctx context.Context, letters []letter.Letter, events ...audit.Event) error {
	for _, l := range letters {
		g.keep(l.Code)
	}
	return g.store.AppendEvents(ctx, events...)
}

func (g *guarded) keep(code string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.codes = append(g.codes, code)
}

func (g *guarded) lastCode() string { return g.codes[len(g.codes)-1] }

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{world: newWorld(t)}
	g.tune = func(s *tenant.Settings) {
		s.MFA = tenant.MFA{OTP: true, SMS: true, Email: true, RecoveryCode: true}
	}
	g.d.Factors = &factor.Service{
		Store: g.store, Users: g.store, Tenant: tuned{g.store, g.world}, Letters: g, Audit: g.events, PublicURL: publicURL,
		Now: func() time.Time { return g.at }, DeviceKey: []byte("k"),
		SMS: func(_ context.Context, _, code, _ string) error { g.keep(code); return nil },
	}
	all := []string{"authorization_code", "password", passwordRealm, passwordlessOTP, mfaOTP, mfaOOB, mfaRecovery}
	b, err := json.Marshal(all)
	must(t, err)
	g.setClient(t, webApp, "grant_types", string(b))
	return g
}

// imports gives ann the factors of an import.
func (g *guarded) imports(t *testing.T, factors string) {
	t.Helper()
	u, err := g.store.UpdateUser(t.Context(), g.ann.ID, func(u *user.User) (user.Effect, error) {
		u.MFAFactors = profile.Value(factors)
		return user.Effect{}, nil
	})
	must(t, err)
	g.ann = u
}

const annSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func (g *guarded) otp(t *testing.T, seed string) string {
	t.Helper()
	code, err := totp.GenerateCode(seed, g.at)
	must(t, err)
	return code
}

var annPassword = []string{
	"grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW,
	"realm", "Users", "scope", "openid profile", "audience", apiID,
}

// interrupted begins a password grant that a second factor interrupts.
func (g *guarded) interrupted(t *testing.T) (token string, needs string) {
	t.Helper()
	rec := g.post(t, form(annPassword...))
	var body struct {
		Error, Token string
		Needs        json.RawMessage
	}
	var raw map[string]json.RawMessage
	must(t, json.Unmarshal(rec.Body.Bytes(), &raw))
	must(t, json.Unmarshal(raw["error"], &body.Error))
	must(t, json.Unmarshal(raw["mfa_token"], &body.Token))
	if rec.Code != http.StatusForbidden || body.Error != "mfa_required" ||
		!strings.Contains(rec.Body.String(), `"error_description":"Multifactor authentication required"`) {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return body.Token, string(raw["mfa_requirements"])
}

func (g *guarded) grant(t *testing.T, kind string, pairs ...string) (int, string) {
	t.Helper()
	rec := g.post(t, form(append([]string{"grant_type", kind, "client_id", webApp, "client_secret", secret}, pairs...)...))
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

// wants checks an answer.
func wants(t *testing.T, name string, code int, body string, status int, has ...string) {
	t.Helper()
	if code != status {
		t.Errorf("%s: %d %s", name, code, body)
	}
	for _, s := range has {
		if !strings.Contains(body, s) {
			t.Errorf("%s lacks %s: %s", name, s, body)
		}
	}
}

func TestMFAByOTP(t *testing.T) {
	g := newGuarded(t)
	g.imports(t, `[{"totp":{"secret":"`+annSeed+`"}}]`)
	token, needs := g.interrupted(t)
	if needs != `{"challenge":[{"type":"otp"}]}` {
		t.Errorf("needs %s", needs)
	}
	if !strings.HasSuffix(g.events.types(), audit.MFARequired) && !slices.Contains(strings.Fields(g.logTypes(t)), audit.MFARequired) {
		t.Errorf("recorded %s", g.logTypes(t))
	}
	for _, row := range []struct {
		name   string
		pairs  []string
		status int
		body   string
	}{
		{"no token", []string{"otp", "123456"}, 400, `{"error":"invalid_request","error_description":"Missing required parameter: mfa_token"}`},
		{"no code", []string{"mfa_token", token}, 400, `{"error":"invalid_request","error_description":"Missing required parameter: otp"}`},
		{"garbage", []string{"mfa_token", "Fe26.2*x", "otp", "123456"}, 401, `{"error":"invalid_grant","error_description":"Malformed mfa_token"}`},
		{"a wrong code", []string{"mfa_token", token, "otp", "000000"}, 403, `{"error":"invalid_grant","error_description":"Invalid otp_code."}`},
	} {
		if code, body := g.grant(t, mfaOTP, row.pairs...); code != row.status || body != row.body {
			t.Errorf("%s: %d %s", row.name, code, body)
		}
	}
	g.setClient(t, spaApp, "grant_types", `["`+mfaOTP+`"]`)
	rec := g.post(t, form("grant_type", mfaOTP, "client_id", spaApp, "mfa_token", token, "otp", g.otp(t, annSeed)))
	wants(t, "another client's token", rec.Code, rec.Body.String(), 401, "Malformed mfa_token")

	code, body := g.grant(t, mfaOTP, "mfa_token", token, "otp", g.otp(t, annSeed))
	wants(t, "the right code", code, body, 200, `"access_token":"ey`, `"id_token":"ey`, `"scope":"openid profile"`)
	g.at = g.at.Add(31 * time.Second)
	code, body = g.grant(t, mfaOTP, "mfa_token", token, "otp", g.otp(t, annSeed))
	wants(t, "the token again", code, body, 401, "Malformed mfa_token")
	if got := g.logTypes(t); !strings.Contains(got, audit.MFAOTPExchangeOK) || !strings.Contains(got, audit.MFAOTPExchangeNo) {
		t.Errorf("recorded %s", got)
	}

	token, _ = g.interrupted(t)
	g.at = g.at.Add(10 * time.Minute)
	code, body = g.grant(t, mfaOTP, "mfa_token", token, "otp", g.otp(t, annSeed))
	wants(t, "after ten minutes", code, body, 401, `{"error":"expired_token","error_description":"mfa_token is expired"}`)
}

// logTypes are the types of what was recorded of ann, in the store.
func (g *guarded) logTypes(t *testing.T) string {
	t.Helper()
	list, err := g.store.Events(t.Context(), audit.Span{UserID: string(g.ann.ID), Limit: 200})
	must(t, err)
	var out []string
	for _, e := range list {
		out = append(out, e.Type)
	}
	return strings.Join(out, " ")
}

func TestMFAGuessesAreLimited(t *testing.T) {
	g := newGuarded(t)
	g.imports(t, `[{"totp":{"secret":"`+annSeed+`"}}]`)
	token, _ := g.interrupted(t)
	for range 10 {
		code, body := g.grant(t, mfaOTP, "mfa_token", token, "otp", "000000")
		wants(t, "a guess", code, body, 403, "Invalid otp_code.")
	}
	again, _ := g.interrupted(t)
	code, body := g.grant(t, mfaOTP, "mfa_token", again, "otp", g.otp(t, annSeed))
	wants(t, "the right code with another token", code, body, 429, "too_many_attempts")
	if !strings.Contains(g.logTypes(t), audit.FactorLimited) {
		t.Errorf("recorded %s", g.logTypes(t))
	}
}

// api sends a request of the MFA API.
func (g *guarded) api(t *testing.T, method, path, bearer, body string) (int, string) {
	t.Helper()
	rec := g.send(t, method, path, body, "Authorization", "Bearer "+bearer)
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

func TestAssociating(t *testing.T) {
	g := newGuarded(t)
	old := g.tune
	g.tune = func(s *tenant.Settings) { old(s); s.MFA.Always = true }
	token, needs := g.interrupted(t)
	if needs != `{"enroll":[{"type":"otp"},{"type":"phone"},{"type":"email"}]}` {
		t.Errorf("needs %s", needs)
	}
	code, body := g.api(t, "GET", "/mfa/authenticators", token, "")
	wants(t, "none yet", code, body, 200, "[]")
	code, body = g.send2(t, "/mfa/challenge", `{"client_id":"`+webApp+`","client_secret":"`+secret+`","mfa_token":"`+token+`","challenge_type":"otp"}`)
	wants(t, "a challenge before", code, body, 403, `{"error":"association_required","error_description":"User is not enrolled. You can use /mfa/associate endpoint to enroll the first authenticator."}`)
	for _, row := range []struct{ name, body, want string }{
		{"nothing", `{}`, "Missing required parameter: authenticator_types"},
		{"another type", `{"authenticator_types":["push"]}`, "Unsupported authenticator_types"},
		{"no channel", `{"authenticator_types":["oob"]}`, "Missing required parameter: oob_channels"},
		{"another channel", `{"authenticator_types":["oob"],"oob_channels":["auth0"]}`, "Unsupported authenticator_types"},
		{"no number", `{"authenticator_types":["oob"],"oob_channels":["sms"]}`, "E.164"},
		{"no address", `{"authenticator_types":["oob"],"oob_channels":["email"],"email":"x"}`, "valid email"},
	} {
		code, body := g.api(t, "POST", "/mfa/associate", token, row.body)
		wants(t, row.name, code, body, 400, "invalid_request", row.want)
	}
	code, body = g.api(t, "POST", "/mfa/associate", "garbage", `{"authenticator_types":["otp"]}`)
	wants(t, "a strange token", code, body, 401, "Malformed mfa_token")

	code, body = g.api(t, "POST", "/mfa/associate", token, `{"authenticator_types":["otp"]}`)
	wants(t, "otp", code, body, 200, `{"authenticator_type":"otp","secret":"`, `"barcode_uri":"otpauth://totp/`, `"recovery_codes":["`)
	var made struct {
		Secret, Barcode_URI string
		Recovery_Codes      []string
	}
	must(t, json.Unmarshal([]byte(body), &made))
	if u, err := url.Parse(made.Barcode_URI); err != nil || u.Query().Get("secret") != made.Secret || u.Query().Get("digits") != "6" {
		t.Errorf("%s", made.Barcode_URI)
	}
	code, body = g.api(t, "GET", "/mfa/authenticators", token, "")
	wants(t, "waiting", code, body, 200, `"authenticator_type":"otp","active":false`)
	code, body = g.grant(t, mfaOTP, "mfa_token", token, "otp", g.otp(t, made.Secret))
	wants(t, "the first code", code, body, 200, `"access_token"`)

	token, needs = g.interrupted(t)
	if needs != `{"challenge":[{"type":"otp"}]}` {
		t.Errorf("needs %s", needs)
	}
	code, body = g.api(t, "POST", "/mfa/associate", token, `{"authenticator_types":["otp"]}`)
	wants(t, "another one", code, body, 403, `{"error":"access_denied","error_description":"User is already enrolled."}`)
	code, body = g.grant(t, mfaRecovery, "mfa_token", token, "recovery_code", "AAAABBBBCCCCDDDDEEEEFFFF")
	wants(t, "a wrong recovery code", code, body, 403, `{"error":"invalid_grant","error_description":"MFA Authorization rejected."}`)
	code, body = g.grant(t, mfaRecovery, "mfa_token", token, "recovery_code", made.Recovery_Codes[0])
	wants(t, "the recovery code", code, body, 200, `"recovery_code":"`, `"access_token"`)
	token, _ = g.interrupted(t)
	code, body = g.grant(t, mfaRecovery, "mfa_token", token, "recovery_code", made.Recovery_Codes[0])
	wants(t, "the recovery code again", code, body, 403, "MFA Authorization rejected.")

	code, body = g.api(t, "GET", "/mfa/authenticators", token, "")
	wants(t, "listed", code, body, 200, `"id":"totp|dev_`, `"authenticator_type":"otp","active":true`, `"authenticator_type":"recovery-code","active":true`)
	var list []struct{ ID string }
	must(t, json.Unmarshal([]byte(body), &list))
	code, body = g.api(t, "DELETE", "/mfa/authenticators/"+url.PathEscape(list[0].ID), token, "")
	wants(t, "an mfa_token removes nothing", code, body, 403, "insufficient_scope")
}

// send2 posts without a bearer.
func (g *guarded) send2(t *testing.T, path, body string) (int, string) {
	t.Helper()
	rec := g.send(t, "POST", path, body)
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

func TestMFAOutOfBand(t *testing.T) {
	g := newGuarded(t)
	g.imports(t, `[{"phone":{"value":"+15551239167"}},{"email":{"value":"ann@example.com"}}]`)
	token, needs := g.interrupted(t)
	if needs != `{"challenge":[{"type":"phone"},{"type":"email"}]}` {
		t.Errorf("needs %s", needs)
	}
	ask := func(more string) (int, string) {
		t.Helper()
		return g.send2(t, "/mfa/challenge", `{"client_id":"`+webApp+`","client_secret":"`+secret+`","mfa_token":"`+token+`"`+more+`}`)
	}
	code, body := ask(`,"challenge_type":"otp"`)
	wants(t, "a type that ann has not", code, body, 403, `{"error":"unsupported_challenge_type","error_description":"User does not have any of the specified challenge types enrolled"}`)
	if list := g.events.types(); !strings.HasSuffix(list, audit.FactorFailed) {
		t.Errorf("the refusal has no record: %s", list)
	}
	code, body = g.send2(t, "/mfa/challenge", `{"client_id":"`+webApp+`","client_secret":"wrong","mfa_token":"`+token+`"}`)
	wants(t, "a wrong secret", code, body, 401, "access_denied")
	code, body = ask(`,"challenge_type":"otp oob","oob_channel":"email"`)
	wants(t, "by mail", code, body, 200, `{"challenge_type":"oob","oob_code":"`, `"binding_method":"prompt"}`)
	var sent struct{ OOB_Code string }
	must(t, json.Unmarshal([]byte(body), &sent))
	code, body = g.grant(t, mfaOOB, "mfa_token", token, "oob_code", sent.OOB_Code)
	wants(t, "no binding code", code, body, 400, "Missing required parameter: binding_code")
	wrong := "000000"
	if g.lastCode() == wrong {
		wrong = "000001"
	}
	code, body = g.grant(t, mfaOOB, "mfa_token", token, "oob_code", sent.OOB_Code, "binding_code", wrong)
	wants(t, "a wrong binding code", code, body, 403, `{"error":"invalid_grant","error_description":"Invalid binding_code."}`)
	code, body = g.grant(t, mfaOOB, "mfa_token", token, "oob_code", "other", "binding_code", g.lastCode())
	wants(t, "another challenge", code, body, 403, "Invalid binding_code.")
	code, body = g.grant(t, mfaOOB, "mfa_token", token, "oob_code", sent.OOB_Code, "binding_code", g.lastCode())
	wants(t, "the right one", code, body, 200, `"access_token"`)

	token, _ = g.interrupted(t)
	code, body = g.api(t, "GET", "/mfa/authenticators", token, "")
	wants(t, "listed", code, body, 200, `"id":"sms|dev_`, `"oob_channel":"sms","name":"XXXXXXXX9167"`, `"id":"email|dev_`, `"oob_channel":"email","name":"a***@***.com"`)
	var list []struct{ ID string }
	must(t, json.Unmarshal([]byte(body), &list))
	code, body = ask(`,"challenge_type":"oob","authenticator_id":"` + list[0].ID + `"`)
	wants(t, "by its id", code, body, 200, `"oob_code"`)
	must(t, json.Unmarshal([]byte(body), &sent))
	code, body = g.grant(t, mfaOOB, "mfa_token", token, "oob_code", sent.OOB_Code, "binding_code", g.lastCode())
	wants(t, "the message's code", code, body, 200, `"access_token"`)
}

func TestNobodyIsAskedInVain(t *testing.T) {
	g := newGuarded(t)
	g.imports(t, `[{"totp":{"secret":"`+annSeed+`"}}]`)
	rec := g.post(t, form(slices.Concat(annPassword, []string{"password2", "x"})...))
	wants(t, "asked", rec.Code, rec.Body.String(), 403, "mfa_required")
	rec = g.post(t, strings.Replace(form(annPassword...), "battery", "battry", 1))
	if strings.Contains(rec.Body.String(), "mfa") {
		t.Errorf("a wrong password tells of a second factor: %s", rec.Body)
	}
	g.block(t)
	rec = g.post(t, form(annPassword...))
	if strings.Contains(rec.Body.String(), "mfa") {
		t.Errorf("a blocked user is asked: %s", rec.Body)
	}
}

func TestChallengeChoice(t *testing.T) {
	app := factor.Factor{Device: "a", Kind: factor.TOTP, Confirmed: true}
	phone := factor.Factor{Device: "p", Kind: factor.Phone, Confirmed: true}
	mail := factor.Factor{Device: "m", Kind: factor.Email, Confirmed: true}
	for _, row := range []struct {
		name        string
		enrolled    []factor.Factor
		types       string
		id, channel string
		want        string
	}{
		{"otp goes before oob", []factor.Factor{phone, app}, "oob otp", "", "", "a"},
		{"any type", []factor.Factor{phone}, "", "", "", "p"},
		{"the type", []factor.Factor{app, phone}, "oob", "", "", "p"},
		{"the channel", []factor.Factor{phone, mail}, "oob", "", "email", "m"},
		{"the id", []factor.Factor{phone, mail}, "oob", "email|m", "", "m"},
		{"the id of a phone", []factor.Factor{mail, phone}, "oob", "sms|p", "", "p"},
		{"an id of another type", []factor.Factor{app, mail}, "otp", "email|m", "", ""},
		{"a type that nobody knows", []factor.Factor{app}, "push", "", "", ""},
		{"a key", []factor.Factor{{Device: "k", Kind: factor.Roaming}}, "otp oob", "", "", ""},
	} {
		f, err := challenged(row.enrolled, strings.Fields(row.types), row.id, row.channel)
		if f.Device != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q %v", row.name, f.Device, err)
		}
	}
}
