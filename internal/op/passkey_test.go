package op

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/factor/factortest"
	"mangrove/internal/profile"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// keyed is a world with passkeys in the database Users.
func keyed(t *testing.T) *guarded {
	t.Helper()
	g := newGuarded(t)
	keys, err := factor.NewKeys(publicURL)
	must(t, err)
	g.d.Factors.Keys = keys
	g.setClient(t, webApp, "grant_types", `["`+webauthnGrant+`","`+passwordRealm+`","`+mfaOTP+`"]`)
	g.passkeys(t, `{"authentication_methods":{"passkey":{"enabled":true}}}`)
	return g
}

func (g *guarded) passkeys(t *testing.T, options string) {
	t.Helper()
	_, err := g.store.UpdateConnection(t.Context(), "con_0000000000000000", func(c *connection.Connection) error {
		c.Options = json.RawMessage(options)
		return nil
	}, audit.Event{})
	must(t, err)
}

func phoneKey() *factortest.Authenticator {
	return &factortest.Authenticator{Origin: publicURL, RPID: "id.example.test", Count: 1}
}

const asWebApp = `"client_id":"` + webApp + `","client_secret":"` + secret + `"`

// begun is the answer of a passkey endpoint.
type begun struct {
	Session string          `json:"auth_session"`
	Options json.RawMessage `json:"authn_params_public_key"`
}

func (g *guarded) begin(t *testing.T, path, members string) begun {
	t.Helper()
	code, body := g.send2(t, path, "{"+asWebApp+members+"}")
	wants(t, path, code, body, 200, `{"auth_session":"`, `"authn_params_public_key":{`, `"timeout":300000`)
	var b begun
	must(t, json.Unmarshal([]byte(body), &b))
	return b
}

// byPasskey sends the answer as the SDKs do: an object in a JSON body.
func (g *guarded) byPasskey(t *testing.T, b begun, response, members string) (int, string) {
	t.Helper()
	return g.send2(t, "/oauth/token", `{"grant_type":"`+webauthnGrant+`",`+asWebApp+`,"auth_session":"`+b.Session+`","authn_response":`+response+members+`}`)
}

// events recorded so far, of the log as a whole.
func (g *guarded) recorded(t *testing.T) string {
	t.Helper()
	list, err := g.store.Events(t.Context(), audit.Span{Limit: 200})
	must(t, err)
	var out []string
	for _, e := range list {
		out = append(out, e.Type)
	}
	return strings.Join(out, " ")
}

func TestSigningUpByPasskey(t *testing.T) {
	g := keyed(t)
	old := g.tune
	g.tune = func(s *tenant.Settings) { old(s); s.MFA.Always, s.DefaultDirectory = true, "Users" }
	key := phoneKey()
	b := g.begin(t, "/passkey/register", `,"realm":"Users","user_profile":{"email":"Dora@example.com","name":"Dora","app_metadata":{"a":1},"user_metadata":{"a":"b"}}`)
	var o struct {
		Challenge string
		RP        struct{ ID string }
		User      struct{ ID, Name string }
		Selection struct{ ResidentKey, UserVerification string } `json:"authenticatorSelection"`
		Params    []struct{ Alg int }                            `json:"pubKeyCredParams"`
	}
	must(t, json.Unmarshal(b.Options, &o))
	if o.RP.ID != "id.example.test" || o.User.ID == "" || o.Challenge == "" || !strings.EqualFold(o.User.Name, "dora@example.com") ||
		o.Selection.ResidentKey != "required" || o.Selection.UserVerification != "required" || len(o.Params) == 0 {
		t.Errorf("options %s", b.Options)
	}
	if strings.Contains(g.recorded(t), " "+audit.SignupOK+" ") {
		t.Error("somebody was created by the question")
	}
	made, err := key.Create(string(b.Options))
	must(t, err)
	code, body := g.byPasskey(t, b, made, `,"scope":"openid profile email"`)
	wants(t, "signing up", code, body, 200, `"access_token":"`, `"id_token":"ey`, `"scope":"openid profile email"`)
	var res struct{ ID_Token string }
	must(t, json.Unmarshal([]byte(body), &res))
	c := claimsIn(t, res.ID_Token)
	if c["email"] != "dora@example.com" || c["email_verified"] != false || c["amr"] == nil {
		t.Errorf("claims %v", c)
	}
	u, err := g.store.User(t.Context(), user.ID(c["sub"].(string)))
	must(t, err)
	if u.Password.Hash != "" || u.Profile.Text(profile.Name) != "Dora" || u.Profile.Value(profile.AppMetadata) != nil || string(u.Profile.Value(profile.UserMetadata)) != `{"a":"b"}` {
		t.Errorf("%+v", u)
	}
	got := g.recorded(t)
	for _, kind := range []string{audit.SignupOK, audit.LoginOK} {
		if !slices.Contains(strings.Fields(got), kind) {
			t.Errorf("%s is not recorded: %s", kind, got)
		}
	}
	code, body = g.byPasskey(t, b, made, "")
	wants(t, "the same answer again", code, body, 403, `{"error":"invalid_grant","error_description":"Invalid or expired auth_session."}`)
	// There is no password.
	rec := g.post(t, form("grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "dora@example.com", "password", secretPW, "realm", "Users"))
	wants(t, "a password", rec.Code, rec.Body.String(), 403, "Wrong email or password.")

	// The passkey signs in; tokens for the MFA endpoints come with the proof.
	b = g.begin(t, "/passkey/challenge", "")
	shown, err := key.Get(string(b.Options))
	must(t, err)
	code, body = g.byPasskey(t, b, shown, `,"realm":"people","scope":"openid enroll","audience":"`+mfaAudience+`"`)
	wants(t, "signing in", code, body, 200, `"access_token":"ey`)
	var access struct{ Access_Token string }
	must(t, json.Unmarshal([]byte(body), &access))
	if c := claimsIn(t, access.Access_Token); c["sub"] != string(u.ID) || c["amr"] == nil {
		t.Errorf("claims %v", c)
	}

	// Somebody else with the same address is not told, and changes nothing.
	b = g.begin(t, "/passkey/register", `,"user_profile":{"email":"dora@example.com"}`)
	made, err = phoneKey().Create(string(b.Options))
	must(t, err)
	code, body = g.byPasskey(t, b, made, "")
	wants(t, "taken", code, body, 400, `{"error":"invalid_request","error_description":"Invalid sign up"}`)
	g.tune = func(s *tenant.Settings) { old(s); s.SignupTellsUserExists = true }
	b = g.begin(t, "/passkey/register", `,"realm":"Users","user_profile":{"email":"dora@example.com"}`)
	made, err = phoneKey().Create(string(b.Options))
	must(t, err)
	code, body = g.byPasskey(t, b, made, "")
	wants(t, "taken, and told", code, body, 400, "The user already exists.")
	all, err := g.store.Factors(t.Context(), string(u.ID), g.at.UnixMicro())
	must(t, err)
	if len(all) != 1 || !strings.Contains(g.recorded(t), audit.SignupFailed) {
		t.Errorf("factors %v, recorded %s", all, g.recorded(t))
	}
}

func TestPasskeysAreRefused(t *testing.T) {
	g := keyed(t)
	g.tune = func(s *tenant.Settings) { s.DefaultDirectory = "" }
	for _, row := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no client", "/passkey/challenge", `{}`, 401, `"access_denied"`},
		{"a wrong secret", "/passkey/register", `{"client_id":"` + webApp + `","client_secret":"x"}`, 401, `"access_denied"`},
		{"a client without the grant", "/passkey/challenge", `{"client_id":"` + spaApp + `","realm":"Users"}`, 403, `"unauthorized_client"`},
		{"no realm and no directory", "/passkey/challenge", `{` + asWebApp + `}`, 400, "Missing required parameter: realm"},
		{"an unknown realm", "/passkey/challenge", `{` + asWebApp + `,"realm":"x"}`, 400, "unknown or invalid realm"},
		{"no database", "/passkey/challenge", `{` + asWebApp + `,"realm":"google"}`, 400, "unknown or invalid realm"},
		{"another's connection", "/passkey/challenge", `{` + asWebApp + `,"realm":"Elsewhere"}`, 400, "the connection was disabled"},
		{"no passkeys there", "/passkey/challenge", `{` + asWebApp + `,"realm":"Named"}`, 403, "Passkeys are not enabled"},
		{"no profile", "/passkey/register", `{` + asWebApp + `,"realm":"Users"}`, 400, "Missing required parameter: user_profile"},
		{"a profile of another type", "/passkey/register", `{` + asWebApp + `,"realm":"Users","user_profile":["x"]}`, 400, "user_profile must be an object"},
		{"no address", "/passkey/register", `{` + asWebApp + `,"realm":"Users","user_profile":{"name":"x"}}`, 400, "email"},
		{"no such address", "/passkey/register", `{` + asWebApp + `,"realm":"Users","user_profile":{"email":"x"}}`, 400, "email"},
		{"large metadata", "/passkey/register", `{` + asWebApp + `,"realm":"Users","user_profile":{"email":"x@example.com"},"user_metadata":{"a":1}}`, 400, "only strings are allowed"},
	} {
		code, body := g.send2(t, row.path, row.body)
		wants(t, row.name, code, body, row.status, row.want)
	}
	if got := g.recorded(t); !strings.Contains(got, audit.SignupFailed) || !slices.Contains(strings.Fields(got), audit.LoginFailed) {
		t.Errorf("recorded %s", got)
	}
	g.setClient(t, webApp, "is_first_party", "false")
	code, body := g.send2(t, "/passkey/challenge", `{`+asWebApp+`,"realm":"Users"}`)
	wants(t, "a third party", code, body, 403, "Third-party")
	g.setClient(t, webApp, "is_first_party", "true")
	g.passkeys(t, `{"disable_signup":true,"authentication_methods":{"passkey":{"enabled":true}}}`)
	code, body = g.send2(t, "/passkey/register", `{`+asWebApp+`,"realm":"Users","user_profile":{"email":"x@example.com"}}`)
	wants(t, "sign-up is off", code, body, 400, "public signup is disabled")
}

func TestPasskeyGrantRefusals(t *testing.T) {
	g := keyed(t)
	rec := g.post(t, form("grant_type", webauthnGrant, "client_id", webApp, "client_secret", secret, "authn_response", "{}"))
	wants(t, "no session", rec.Code, rec.Body.String(), 400, "Missing required parameter: auth_session")
	rec = g.post(t, form("grant_type", webauthnGrant, "client_id", webApp, "client_secret", secret, "auth_session", "x"))
	wants(t, "no answer", rec.Code, rec.Body.String(), 400, "Missing required parameter: authn_response")

	key := phoneKey()
	b := g.begin(t, "/passkey/register", `,"realm":"Users","user_profile":{"email":"eve@example.com"}`)
	made, err := key.Create(string(b.Options))
	must(t, err)
	code, body := g.byPasskey(t, b, made, "")
	wants(t, "signing up", code, body, 200, `"access_token"`)

	challenge := func() (begun, string) {
		t.Helper()
		b := g.begin(t, "/passkey/challenge", `,"realm":"Users"`)
		shown, err := key.Get(string(b.Options))
		must(t, err)
		return b, shown
	}
	b, shown := challenge()
	code, body = g.byPasskey(t, b, "{}", "")
	wants(t, "no credential", code, body, 403, `{"error":"invalid_grant","error_description":"Invalid authn_response."}`)
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "a session is good for one answer", code, body, 403, "Invalid or expired auth_session.")
	b, _ = challenge()
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "the answer to another challenge", code, body, 403, "Invalid authn_response.")
	b, _ = challenge()
	code, body = g.byPasskey(t, b, made, "")
	wants(t, "a creation where a signature belongs", code, body, 403, "Invalid authn_response.")
	b, shown = challenge()
	code, body = g.byPasskey(t, b, shown, `,"realm":"Closed"`)
	wants(t, "another realm", code, body, 400, "unknown or invalid realm")
	b, shown = challenge()
	g.setClient(t, spaApp, "grant_types", `["`+webauthnGrant+`"]`)
	code, body = g.send2(t, "/oauth/token", `{"grant_type":"`+webauthnGrant+`","client_id":"`+spaApp+`","auth_session":"`+b.Session+`","authn_response":`+shown+`}`)
	wants(t, "another client's session", code, body, 403, "Invalid or expired auth_session.")
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "which its own client can use still", code, body, 200, `"access_token"`)
	b, shown = challenge()
	g.at = g.at.Add(5 * time.Minute)
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "late", code, body, 403, "Invalid or expired auth_session.")

	key.Origin = "https://evil.test"
	b, shown = challenge()
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "another origin", code, body, 403, "Invalid authn_response.")
	sum := strings.Repeat("0A:", 31) + "0a"
	g.setClient(t, webApp, "mobile", `{"android":{"app_package_name":"a.b","sha256_cert_fingerprints":["`+sum+`"]}}`)
	key.Origin = "android:apk-key-hash:" + strings.Repeat("CgoK", 10) + "Cgo"
	b, shown = challenge()
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "the client's Android application", code, body, 200, `"access_token"`)
	key.Origin = publicURL

	b, shown = challenge()
	g.passkeys(t, `{}`)
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "switched off in between", code, body, 403, "Passkeys are not enabled")
	g.passkeys(t, `{"authentication_methods":{"passkey":{"enabled":true}}}`)

	u, err := g.store.UserByIdentifier(t.Context(), "con_0000000000000000", user.ByEmail, "eve@example.com")
	must(t, err)
	_, err = g.store.UpdateUser(t.Context(), u.ID, func(u *user.User) (user.Effect, error) {
		u.Profile.Set(profile.Blocked, profile.Bool(true), profile.Source{Origin: profile.FromManagement})
		return user.Effect{}, nil
	})
	must(t, err)
	b, shown = challenge()
	code, body = g.byPasskey(t, b, shown, "")
	wants(t, "blocked", code, body, 403, "user is blocked")
}

func TestPasskeyCORS(t *testing.T) {
	g := keyed(t)
	for _, row := range []struct{ origin, allowed string }{{"https://other.example.test", "https://other.example.test"}, {"https://evil.test", ""}} {
		rec := g.send(t, "POST", "/passkey/challenge", `{`+asWebApp+`,"realm":"Users"}`, "Origin", row.origin)
		if got := rec.Header().Get("Access-Control-Allow-Origin"); rec.Code != http.StatusOK || got != row.allowed {
			t.Errorf("%s: %d %q", row.origin, rec.Code, got)
		}
	}
}

func TestAppOrigins(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for _, row := range []struct {
		name, doc string
		want      []string
	}{
		{"nothing", `{}`, nil},
		{"a fingerprint", `{"mobile":{"android":{"sha256_cert_fingerprints":["` + sum + `","xx","0A:0B"]}}}`, []string{"android:apk-key-hash:" + strings.Repeat("CgoK", 10) + "Cgo"}},
		{"pages below the domain", `{"web_origins":["https://app.id.example","https://id.example:8443","https://id.example.evil.test","http://x.id.example","https://xid.example","https://*.id.example"]}`,
			[]string{"https://app.id.example", "https://id.example:8443"}},
	} {
		if got := appOrigins(&client.Client{Doc: json.RawMessage(row.doc)}, "id.example"); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}

// TestOneSignUpByPasskey: of many answers at once one creates the user.
func TestOneSignUpByPasskey(t *testing.T) {
	g := keyed(t)
	b := g.begin(t, "/passkey/register", `,"realm":"Users","user_profile":{"email":"fay@example.com"}`)
	made, err := phoneKey().Create(string(b.Options))
	must(t, err)
	const many = 8
	codes := make(chan int, many)
	for range many {
		go func() {
			rec := g.send(t, "POST", "/oauth/token", `{"grant_type":"`+webauthnGrant+`",`+asWebApp+`,"auth_session":"`+b.Session+`","authn_response":`+made+`}`)
			codes <- rec.Code
		}()
	}
	good := 0
	for range many {
		if <-codes == http.StatusOK {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d succeeded", good)
	}
	_, err = g.store.UserByIdentifier(context.Background(), "con_0000000000000000", user.ByEmail, "fay@example.com")
	must(t, err)
}
