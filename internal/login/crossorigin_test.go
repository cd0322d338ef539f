package login_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/oauth"
)

const appOrigin = "https://app.example"

// embed lets pages of the application's own origin ask for passwords.
func (r *rig) embed(doc string) {
	r.t.Helper()
	if _, err := r.store.UpdateClient(r.t.Context(), appID, func(c *client.Client) error { c.Doc = json.RawMessage(doc); return nil }, audit.Event{}); err != nil {
		r.t.Fatal(err)
	}
}

// across posts credentials as a page of another origin does.
func (b *browser) across(path, origin string, body map[string]string) (answer, map[string]any) {
	b.r.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.r.t.Fatal(err)
	}
	header := map[string]string{}
	if origin != "" {
		header["Origin"] = origin
	}
	a := b.postWith(path, "application/json", string(raw), header)
	var got map[string]any
	_ = json.Unmarshal([]byte(a.body), &got) // an answer that is no JSON has no members
	return a, got
}

const realmType = "http://auth0.com/oauth/grant-type/password-realm"

func credentials(change ...string) map[string]string {
	m := map[string]string{
		"client_id": appID, "username": "ada@example.test", "password": password, "realm": "db", "credential_type": realmType,
	}
	for i := 0; i < len(change); i += 2 {
		m[change[i]] = change[i+1]
	}
	return m
}

func TestCrossOriginAuthentication(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.embed(`{"web_origins":["` + appOrigin + `"],"cross_origin_authentication":true}`)
	b := r.browser()
	a, got := b.across("/co/authenticate", appOrigin, credentials())
	ticket, _ := got["login_ticket"].(string)
	if a.status != 200 || ticket == "" || got["co_verifier"] == "" || got["co_id"] == "" ||
		a.header.Get("Access-Control-Allow-Origin") != appOrigin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	if b.whoami() != "" {
		t.Error("a session began before /authorize")
	}
	r.request = func(q *oauth.AuthorizeRequest) { q.LoginTicket = ticket }
	// Another browser has not the cookie, and the attempt costs the ticket nothing.
	if a := r.browser().get("/authorize"); a.app != nil || a.at.Path != "/u/login" {
		t.Errorf("another browser: %s %v", a.at, a.app)
	}
	b.get("/authorize").wantUser(t, string(id))
	if b.whoami() != string(id) {
		t.Error("no session")
	}
	if a := b.get("/authorize"); a.app != nil || a.at.Path != "/u/login" {
		t.Errorf("used twice: %s %v", a.at, a.app)
	}
	if list, err := r.store.Events(t.Context(), audit.Span{Type: audit.CrossOriginOK, Limit: 9}); err != nil || len(list) != 1 || list[0].UserID != string(id) {
		t.Errorf("on record: %+v, %v", list, err)
	}
}

func TestCrossOriginTicketEnds(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.embed(`{"web_origins":["` + appOrigin + `"],"cross_origin_authentication":true}`)
	b := r.browser()
	_, got := b.across("/co/authenticate", appOrigin, credentials())
	r.request = func(q *oauth.AuthorizeRequest) { q.LoginTicket = got["login_ticket"].(string) }
	r.pass(15 * time.Minute)
	if a := b.get("/authorize"); a.app != nil {
		t.Errorf("late: %v", a.app)
	}
	// A ticket of one client is worth nothing to another.
	_, got = b.across("/co/authenticate", appOrigin, credentials())
	other := &client.Client{ID: "OtherOtherOtherOtherOtherOther01", Name: "Other", Doc: json.RawMessage(`{}`)}
	if err := r.store.CreateClient(t.Context(), other, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	r.request = func(q *oauth.AuthorizeRequest) { q.LoginTicket, q.ClientID = got["login_ticket"].(string), other.ID }
	if a := b.get("/authorize"); a.app.Has("user") {
		t.Errorf("another client: %v", a.app)
	}
}

func TestCrossOriginRefusals(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.block(r.person("bad@example.test"))
	allowed := `{"web_origins":["` + appOrigin + `"],"cross_origin_authentication":true}`
	for _, row := range []struct {
		name, doc, origin string
		body              map[string]string
		status            int
		code, text        string
	}{
		{"switched off", `{"web_origins":["` + appOrigin + `"]}`, appOrigin, credentials(), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"a foreign origin", allowed, "https://evil.example", credentials(), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"a prefix of the origin", allowed, appOrigin + ".evil.example", credentials(), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"origin null", allowed, "null", credentials(), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"no origin", allowed, "", credentials(), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"an unknown client", allowed, appOrigin, credentials("client_id", "nobody"), 403, "unauthorized_client", "Cross origin login not allowed."},
		{"a wrong password", allowed, appOrigin, credentials("password", "wrong"), 403, "access_denied", "Wrong email or password."},
		{"nobody", allowed, appOrigin, credentials("username", "nob@example.test"), 403, "access_denied", "Wrong email or password."},
		{"a blocked user", allowed, appOrigin, credentials("username", "bad@example.test"), 403, "unauthorized", "user is blocked"},
		{"another realm", allowed, appOrigin, credentials("realm", "none"), 400, "invalid_request", "unknown or invalid realm"},
		{"another type", allowed, appOrigin, credentials("credential_type", "magic"), 400, "invalid_request", "Unknown credential_type."},
		{"no default directory", allowed, appOrigin, credentials("credential_type", "password"), 400, "server_error", "Authorization server not configured with default connection."},
		{"a code for a database", allowed, appOrigin, credentials("credential_type", "http://auth0.com/oauth/grant-type/passwordless/otp"), 400, "invalid_request", "unknown or invalid realm"},
	} {
		r.embed(row.doc)
		a, got := r.browser().across("/co/authenticate", row.origin, row.body)
		if a.status != row.status || got["error"] != row.code || got["error_description"] != row.text {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		if origin := a.header.Get("Access-Control-Allow-Origin"); origin != "" && origin != appOrigin || origin == "" && a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: readable by %q", row.name, origin)
		}
		if strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "mangrove_co") {
			t.Errorf("%s: a cookie was set", row.name)
		}
	}
}

// The form of /usernamepassword/login takes the proof to /login/callback, with
// the request that is to be answered.
func TestClassicSignIn(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	var asked url.Values
	r.validate = func(v url.Values) (oauth.AuthorizeRequest, error) {
		asked = v
		req := oauth.AuthorizeRequest{ClientID: appID, ResponseMode: "query", RedirectURI: redirect, State: v.Get("state")}
		if v.Get("redirect_uri") != redirect {
			return req, &oauth.AuthorizeError{Code: "invalid_request", Description: "elsewhere"}
		}
		return req, nil
	}
	b := r.browser()
	body := map[string]string{
		"client_id": appID, "connection": "db", "username": "ada@example.test", "password": password, "redirect_uri": redirect,
		"response_type": "code", "state": "app-state", "scope": "openid", "tenant": "x", "_csrf": "y",
	}
	a, _ := b.across("/usernamepassword/login", "", body)
	form := fields(t, a.body)
	if a.status != 200 || form.Get("wa") != "wsignin1.0" || strings.Contains(a.body, password) || strings.Contains(a.body, "ada@") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b.whoami() != "" {
		t.Error("a session began before the form was posted")
	}
	stranger := r.browser()
	if a := stranger.post("/login/callback", form); a.app.Has("user") {
		t.Error("another browser used the form")
	}
	a, _ = b.across("/usernamepassword/login", "", body)
	form = fields(t, a.body)
	b.post("/login/callback", form).wantUser(t, string(id))
	if asked.Get("scope") != "openid" || asked.Has("password") || asked.Has("username") || asked.Has("_csrf") {
		t.Errorf("the request was read as %v", asked)
	}
	if a := b.post("/login/callback", form); a.app.Has("user") {
		t.Error("the form was used twice")
	}
	body["redirect_uri"] = "https://evil.example/"
	a, _ = b.across("/usernamepassword/login", "", body)
	b.post("/login/callback", fields(t, a.body)).wantError(t, "invalid_request", "elsewhere")
	for _, wctx := range []string{"", "[]", `{"a":1,"a":2}`, "{"} {
		form.Set("wctx", wctx)
		b.post("/login/callback", form).wantPage(t, http.StatusBadRequest, "malformed")
	}
}

func TestClassicRefusals(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.block(r.person("bad@example.test"))
	for _, row := range []struct {
		username, password, connection string
		status                         int
		code                           string
	}{
		{"ada@example.test", "wrong", "db", 401, "invalid_user_password"},
		{"nob@example.test", "wrong", "db", 401, "invalid_user_password"},
		{"bad@example.test", "wrong", "db", 401, "invalid_user_password"},
		{"bad@example.test", password, "db", 401, "blocked_user"},
		{"ada@example.test", password, "none", 400, "invalid_request"},
	} {
		a, got := r.browser().across("/usernamepassword/login", "", map[string]string{
			"client_id": appID, "connection": row.connection, "username": row.username, "password": row.password,
		})
		if a.status != row.status || got["code"] != row.code || got["name"] != "ValidationError" || got["statusCode"] != float64(row.status) {
			t.Errorf("%+v: %d %s", row, a.status, a.body)
		}
	}
	a, _ := r.browser().across("/usernamepassword/login", "https://evil.example", map[string]string{"client_id": appID, "connection": "db"})
	if a.status != 403 {
		t.Errorf("a foreign page: %d", a.status)
	}
}

func TestSSOData(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.embed(`{"web_origins":["` + appOrigin + `"]}`)
	b := r.browser()
	ask := func(origin string) string {
		q, err := http.NewRequest(http.MethodGet, r.url+"/user/ssodata?ldaps=1&client_id="+appID, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Origin", origin)
		return strings.TrimSpace(b.do(q).body)
	}
	const none = `{"sso":false}`
	if got := ask(appOrigin); got != none {
		t.Errorf("before: %s", got)
	}
	b.signIn("ada@example.test", password).wantUser(t, string(id))
	if got := ask(appOrigin); !strings.Contains(got, `"sso":true`) || !strings.Contains(got, string(id)) || !strings.Contains(got, `"strategy":"auth0"`) {
		t.Errorf("signed in: %s", got)
	}
	if got := ask("https://evil.example"); got != none {
		t.Errorf("to a foreign page: %s", got)
	}
}

func TestClientScript(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	b := r.browser()
	a := b.get("/client/" + appID + ".js")
	if a.status != 200 || !strings.HasPrefix(a.body, `Auth0.setClient({"id":"`+appID+`"`) || !strings.HasSuffix(a.body, "});\n") ||
		!strings.Contains(a.body, `{"name":"auth0","connections":[{"name":"db"`) || !strings.Contains(a.body, `Acme \u0026 Sons`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/client/nobody.js", "/client/" + appID} {
		if a := b.get(path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a, got := b.across("/usernamepassword/challenge", "", map[string]string{"client_id": appID}); a.status != 200 || got["required"] != false {
		t.Errorf("challenge: %d %s", a.status, a.body)
	}
}
