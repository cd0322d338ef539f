package op

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

var userActor = user.Actor{ClientID: machine}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	want := `{"issuer":"https://id.example.test/","authorization_endpoint":"https://id.example.test/authorize","token_endpoint":"https://id.example.test/oauth/token","device_authorization_endpoint":"https://id.example.test/oauth/device/code",` +
		`"userinfo_endpoint":"https://id.example.test/userinfo","mfa_challenge_endpoint":"https://id.example.test/mfa/challenge","jwks_uri":"https://id.example.test/.well-known/jwks.json","revocation_endpoint":"https://id.example.test/oauth/revoke",` +
		`"end_session_endpoint":"https://id.example.test/oidc/logout","backchannel_authentication_endpoint":"https://id.example.test/bc-authorize","backchannel_token_delivery_modes_supported":["poll"],"scopes_supported":["openid","profile","email","address","phone","offline_access"],"response_types_supported":["code","token","id_token","code token","code id_token","token id_token","code token id_token"],` +
		`"code_challenge_methods_supported":["S256","plain"],"response_modes_supported":["query","fragment","form_post"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["HS256","RS256","RS512","PS256"],` +
		`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt","none"],"token_endpoint_auth_signing_alg_values_supported":["RS256","RS384","PS256"],` +
		`"claims_supported":["acr","address","amr","aud","auth_time","birthdate","email","email_verified","exp","family_name","gender","given_name","iat","iss","locale","middle_name","name","nickname","phone_number","phone_number_verified","picture","preferred_username","profile","sid","sub","updated_at","website","zoneinfo"],` +
		`"request_uri_parameter_supported":false,"request_parameter_supported":false,"grant_types_supported":[`
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		rec := w.send(t, "GET", path, "")
		if rec.Code != 200 || !strings.HasPrefix(rec.Body.String(), want) || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		for g := range w.grants {
			if (g != password) != strings.Contains(rec.Body.String(), `"`+g+`"`) {
				t.Errorf("%s: %s", g, rec.Body)
			}
		}
	}
	rec := w.send(t, "GET", "/.well-known/jwks.json", "")
	if rec.Code != 200 || !strings.HasPrefix(rec.Body.String(), `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"`+signingKey().ID) {
		t.Errorf("jwks: %d %s", rec.Code, rec.Body)
	}
}

func TestUserinfo(t *testing.T) {
	w := newWorld(t)
	get := func(pairs ...string) map[string]any {
		rec := w.post(t, form(append([]string{"grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW, "realm", "Users"}, pairs...)...))
		return answer(t, rec)
	}
	opaque := get("scope", "openid email")["access_token"].(string)
	jwt := get("scope", "openid profile email read:a", "audience", apiID)["access_token"].(string)
	noOpenID := get("scope", "email")["access_token"].(string)
	apiOnly := get("scope", "read:a", "audience", apiID)["access_token"].(string)
	id := get("scope", "openid")["id_token"].(string)
	m2m := answer(t, w.post(t, form("grant_type", clientCredentials, "client_id", machine, "client_secret", secret, "audience", apiID)))["access_token"].(string)
	forgedAudience, err := w.mint.AccessToken(t.Context(), token.Access{Subject: machine + "@clients", ClientID: machine, Audience: []string{publicURL + "/userinfo"}, Scopes: []string{"openid"}, Lifetime: time.Hour})
	must(t, err)
	const short = `{"sub":"auth0|ann","email":"ann@example.com","email_verified":false}`
	bearer := func(s string) []string { return []string{"Authorization", "Bearer " + s} }
	for _, row := range []struct {
		name         string
		method, path string
		body         string
		headers      []string
		status       int
		want         string
	}{
		{"GET", "GET", "/userinfo", "", bearer(opaque), 200, short},
		{"bearer in small letters", "GET", "/userinfo", "", []string{"Authorization", "bearer " + opaque}, 200, short},
		{"POST with header", "POST", "/userinfo", "", bearer(opaque), 200, short},
		{"POST with body", "POST", "/userinfo", "access_token=" + opaque, nil, 200, short},
		{"JWT", "GET", "/userinfo", "", bearer(jwt), 200, `"nickname":"an","name":"Ann","picture":`},
		{"none", "GET", "/userinfo", "", nil, 401, `"error":"invalid_token"`},
		{"basic", "GET", "/userinfo", "", []string{"Authorization", basic("a:b")}, 401, `"error":"invalid_token"`},
		{"empty", "GET", "/userinfo", "", bearer(""), 401, `"error":"invalid_token"`},
		{"in the query", "GET", "/userinfo?access_token=" + opaque, "", nil, 401, `"error":"invalid_token"`},
		{"in two ways", "POST", "/userinfo", "access_token=" + opaque, bearer(opaque), 400, `"error":"invalid_request"`},
		{"unknown", "GET", "/userinfo", "", bearer("x"), 401, `"error":"invalid_token"`},
		{"no openid", "GET", "/userinfo", "", bearer(noOpenID), 403, `"error":"insufficient_scope"`},
		{"for an API only", "GET", "/userinfo", "", bearer(apiOnly), 401, `"error":"invalid_token"`},
		{"ID token", "GET", "/userinfo", "", bearer(id), 401, `"error":"invalid_token"`},
		{"M2M token", "GET", "/userinfo", "", bearer(m2m), 401, `"error":"invalid_token"`},
		{"M2M token for userinfo", "GET", "/userinfo", "", bearer(forgedAudience), 401, `"error":"invalid_token"`},
		{"broken JWT", "GET", "/userinfo", "", bearer(jwt[:len(jwt)-4] + "AAAA"), 401, `"error":"invalid_token"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			rec := w.send(t, row.method, row.path, row.body, row.headers...)
			if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if h := rec.Header(); h.Get("Cache-Control") != "no-store" || (h.Get("WWW-Authenticate") != "") != (row.status == 401 || row.status == 403) {
				t.Errorf("headers = %v", h)
			}
		})
	}
	w.at = w.at.Add(24 * time.Hour)
	if rec := w.send(t, "GET", "/userinfo", "", bearer(opaque)...); rec.Code != 401 {
		t.Errorf("expired: %d", rec.Code)
	}
	opaque = get("scope", "openid")["access_token"].(string)
	w.block(t)
	if rec := w.send(t, "GET", "/userinfo", "", bearer(opaque)...); rec.Code != 401 || strings.Contains(rec.Body.String(), "blocked") {
		t.Errorf("blocked: %d %s", rec.Code, rec.Body)
	}
	must(t, w.d.Users.Delete(t.Context(), w.ann.ID, userActor))
	if rec := w.send(t, "GET", "/userinfo", "", bearer(opaque)...); rec.Code != 401 {
		t.Errorf("deleted: %d", rec.Code)
	}
}

func TestUserinfoOfADeletedClient(t *testing.T) {
	w := newWorld(t)
	rec := w.post(t, form("grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW, "realm", "Users"))
	header := []string{"Authorization", "Bearer " + answer(t, rec)["access_token"].(string)}
	if rec := w.send(t, "GET", "/userinfo", "", header...); rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	must(t, w.store.DeleteClient(t.Context(), webApp, audit.Event{Type: audit.APIOperation, At: 1}))
	if rec := w.send(t, "GET", "/userinfo", "", header...); rec.Code != 401 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name, query string
		status      int
		to          string
		ended       bool
	}{
		{"client and address", form("client_id", webApp, "returnTo", "https://app.example.test/bye") + "&federated", 302, "https://app.example.test/bye", true},
		{"client alone", form("client_id", webApp), 302, "https://app.example.test/bye", true},
		{"client without addresses", form("client_id", machine), 200, "", true},
		{"nothing", "", 200, "", true},
		{"tenant's address", form("returnTo", "https://tenant.example.test/"), 302, "https://tenant.example.test/", true},
		{"client's address without client", form("returnTo", "https://app.example.test/bye"), 400, "", false},
		{"tenant's address with client", form("client_id", webApp, "returnTo", "https://tenant.example.test/"), 400, "", false},
		{"evil", form("client_id", webApp, "returnTo", "//evil.test"), 400, "", false},
		{"script", form("client_id", webApp, "returnTo", "javascript:alert(1)"), 400, "", false},
		{"longer", form("client_id", webApp, "returnTo", "https://app.example.test/bye/"), 400, "", false},
		{"unknown client", form("client_id", "x"), 400, "", false},
		{"address twice", "returnTo=https%3A%2F%2Ftenant.example.test%2F&returnTo=https%3A%2F%2Ftenant.example.test%2F", 400, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.signIn()
			w.events.list = nil
			rec := w.send(t, "GET", "/v2/logout?"+row.query, "")
			ended := w.session.UserID == ""
			if rec.Code != row.status || rec.Header().Get("Location") != row.to || ended != row.ended {
				t.Errorf("%d %q, session ended: %v", rec.Code, rec.Header().Get("Location"), ended)
			}
			want := map[bool]string{true: "slo", false: "flo"}[row.ended]
			if got := w.events.types(); got != want {
				t.Errorf("recorded %q", got)
			}
		})
	}
	w.events.list, w.session.UserID = nil, ""
	if rec := w.send(t, "GET", "/v2/logout", ""); rec.Code != 200 || rec.Body.String() != "OK" || w.events.types() != "" {
		t.Errorf("nobody: %d %s %q", rec.Code, rec.Body, w.events.types())
	}
}

func TestSignup(t *testing.T) {
	w := newWorld(t)
	ask := func(members string) string {
		return `{"client_id":"` + webApp + `","connection":"Users","password":"` + secretPW + `",` + members + `}`
	}
	const generic = `{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`
	for _, row := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"JSON", ask(`"email":"Bob@Example.com","app_metadata":{"a":1},"email_verified":true,"blocked":true,"user_id":"bob","_id":"bob","roles":["x"],"identities":[],"created_at":"2000-01-01T00:00:00.000Z","logins_count":5`), 200, `"email":"bob@example.com","email_verified":false}`},
		{"form", form("client_id", webApp, "connection", "Users", "password", secretPW, "email", "cy@example.com", "name", "Cy", "user_metadata", `{"a":"b"}`), 200, `"email":"cy@example.com","email_verified":false,"name":"Cy","user_metadata":{"a":"b"}}`},
		{"taken", ask(`"email":"ann@example.com"`), 400, generic},
		{"taken in other letters", ask(`"email":"ANN@example.com","name":"Mallory"`), 400, generic},
		{"weak", `{"client_id":"` + webApp + `","connection":"Users","password":"x","email":"dan@example.com"}`, 400, `{"name":"PasswordStrengthError","message":"Password is too weak","code":"invalid_password","description":{"rules":[`},
		{"no e-mail", ask(`"name":"x"`), 400, `missing email`},
		{"bad e-mail", ask(`"email":"x"`), 400, `{"error":"invalid email address"}`},
		{"e-mail of another type", ask(`"email":5`), 400, `"code":"bad_request"`},
		{"metadata", ask(`"email":"dan@example.com","user_metadata":{"a":1}`), 400, `"code":"invalid user_metadata.a type (only strings are allowed)"`},
		{"no client", `{"connection":"Users","password":"x"}`, 400, `Missing required parameter: client_id`},
		{"unknown client", strings.Replace(ask(`"email":"dan@example.com"`), webApp, "x", 1), 400, `Unknown client.`},
		{"no connection", `{"client_id":"` + webApp + `","password":"x"}`, 400, `Missing required parameter: connection`},
		{"no password", `{"client_id":"` + webApp + `","connection":"Users"}`, 400, `Missing required parameter: password`},
		{"password is a number", `{"client_id":"` + webApp + `","connection":"Users","password":12345678}`, 400, `"statusCode":400`},
		{"unknown connection", strings.Replace(ask(`"email":"dan@example.com"`), "Users", "x", 1), 400, `{"error":"invalid_request","error_description":"the connection was not found"}`},
		{"social connection", strings.Replace(ask(`"email":"dan@example.com"`), "Users", "google", 1), 400, `{"error":"invalid_request","error_description":"the connection was not found"}`},
		{"connection of others", strings.Replace(ask(`"email":"dan@example.com"`), "Users", "Elsewhere", 1), 400, `{"error":"invalid_request","error_description":"the connection was disabled"}`},
		{"closed", strings.Replace(ask(`"email":"dan@example.com"`), "Users", "Closed", 1), 400, `{"error":"public signup is disabled"}`},
		{"username missing", strings.Replace(ask(`"email":"dan@example.com"`), "Users", "Named", 1), 400, `{"error":"missing username for Named connection with requires_username enabled"}`},
		{"double key", ask(`"email":"dan@example.com","email":"eve@example.com"`), 400, `"statusCode":400`},
		{"no object", `{"a"`, 400, `"statusCode":400`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			rec := w.send(t, "POST", "/dbconnections/signup", row.body)
			if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if strings.Contains(rec.Body.String(), secretPW) {
				t.Error("the answer has the password")
			}
			if rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("headers = %v", rec.Header())
			}
		})
	}
	bob, err := w.store.UserByIdentifier(t.Context(), "con_0000000000000000", user.ByEmail, "bob@example.com")
	must(t, err)
	if bob.ID == "auth0|bob" || bob.Profile.Has("blocked") || bob.Profile.Has("app_metadata") || bob.Profile.True("email_verified") || bob.Profile.Has("roles") || bob.Logins.Count != 0 || len(bob.Identities) != 1 || bob.CreatedAt != w.at.UnixMicro() {
		t.Errorf("stored: %+v", bob)
	}
	ann, err := w.store.User(t.Context(), w.ann.ID)
	must(t, err)
	if !ann.Profile.Equal(w.ann.Profile) || ann.Version != w.ann.Version || ann.UpdatedAt != w.ann.UpdatedAt {
		t.Errorf("a refused sign-up changed the one who was there: %+v", ann)
	}
	w.events.list = nil
	w.send(t, "POST", "/dbconnections/signup", ask(`"email":"ann@example.com"`))
	if len(w.events.list) != 1 || w.events.list[0].Type != "fs" || w.events.list[0].Description != "The user already exists." || w.events.list[0].Connection != "Users" || w.events.list[0].ConnectionID == "" {
		t.Errorf("recorded %+v", w.events.list)
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t)
	good := form("grant_type", clientCredentials, "client_id", webApp, "client_secret", secret)
	for _, row := range []struct{ name, method, path, body, origin, want string }{
		{"token, callback's origin", "POST", "/oauth/token", good, "https://app.example.test", "https://app.example.test"},
		{"token, allowed origin", "POST", "/oauth/token", good, "https://other.example.test", "https://other.example.test"},
		{"token, evil", "POST", "/oauth/token", good, "https://evil.test", ""},
		{"token, suffix", "POST", "/oauth/token", good, "https://app.example.test.evil.test", ""},
		{"token, null", "POST", "/oauth/token", good, "null", ""},
		{"token, unknown client", "POST", "/oauth/token", "grant_type=client_credentials", "https://app.example.test", ""},
		{"sign-up", "POST", "/dbconnections/signup", `{"client_id":"` + webApp + `","connection":"x","password":"x"}`, "https://app.example.test", "https://app.example.test"},
		{"sign-up, evil", "POST", "/dbconnections/signup", `{"client_id":"` + webApp + `","connection":"x","password":"x"}`, "https://evil.test", ""},
		{"userinfo", "GET", "/userinfo", "", "https://any.test", "https://any.test"},
		{"userinfo, null", "GET", "/userinfo", "", "null", ""},
		{"discovery", "GET", "/.well-known/openid-configuration", "", "https://any.test", "https://any.test"},
		{"preflight", "OPTIONS", "/oauth/token", "", "https://any.test", "https://any.test"},
		{"preflight, null", "OPTIONS", "/oauth/token", "", "null", ""},
		{"authorize", "GET", "/authorize", "", "https://app.example.test", ""},
		{"logout", "GET", "/v2/logout", "", "https://app.example.test", ""},
	} {
		rec := w.send(t, row.method, row.path, row.body, "Origin", row.origin)
		h := rec.Header()
		if h.Get("Access-Control-Allow-Origin") != row.want || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", row.name, h)
		}
		if row.path != "/authorize" && row.path != "/v2/logout" && h.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary = %q", row.name, h.Get("Vary"))
		}
	}
}

// TestUnwiredIsSafe: the endpoints without login's functions sign nobody in.
func TestUnwiredIsSafe(t *testing.T) {
	w := newWorld(t)
	e := New(w.d)
	rec := httptest.NewRecorder()
	err := e.authorize(rec, httptest.NewRequest("GET", "/authorize?client_id="+webApp+"&response_type=code", nil))
	if _, v := sentTo(rec); err != nil || v.Get("error") != "temporarily_unavailable" {
		t.Errorf("%v %s", err, rec.Header().Get("Location"))
	}
	rec = httptest.NewRecorder()
	e.renderPage(rec, httptest.NewRequest("GET", "/", nil), errors.New("secret"))
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	e.renderPage(rec, httptest.NewRequest("GET", "/", nil), &oauth.AuthorizeError{Code: "access_denied", Description: "no"})
	if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "Access denied") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestProblems(t *testing.T) {
	for _, row := range []struct {
		err  error
		want problem
	}{
		{errors.New("secret"), problem{500, "server_error", "Internal error."}},
		{errs.New(errs.Unavailable, "", "Later."), problem{503, "temporarily_unavailable", "Later."}},
		{errs.New(errs.TooLarge, "", "Big."), problem{413, "invalid_request", "Big."}},
		{errs.New(errs.Unauthenticated, "", "No."), problem{401, "access_denied", "No."}},
		{user.ErrBusy, problem{429, "too_many_requests", user.ErrBusy.Text}},
		{errors.Join(user.ErrWrongPassword, nil), problem{403, "invalid_grant", "Wrong email or password."}},
	} {
		if got := problemOf(row.err); got != row.want {
			t.Errorf("%v: %+v", row.err, got)
		}
	}
}

// TestContentTypes: three endpoints name no charset, failing or not; all others do.
func TestContentTypes(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct{ method, target, want string }{
		{"POST", "/oauth/token", "application/json"},
		{"POST", "/oauth/revoke", "application/json"},
		{"DELETE", "/mfa/authenticators/x", "application/json"},
		{"GET", "/mfa/authenticators", "application/json; charset=utf-8"},
		{"POST", "/mfa/associate", "application/json; charset=utf-8"},
		{"POST", "/mfa/challenge", "application/json; charset=utf-8"},
		{"POST", "/oauth/device/code", "application/json; charset=utf-8"},
		{"POST", "/oauth/par", "application/json; charset=utf-8"},
		{"POST", "/passwordless/start", "application/json; charset=utf-8"},
		{"POST", "/passwordless/verify", "application/json; charset=utf-8"},
		{"POST", "/dbconnections/signup", "application/json; charset=utf-8"},
		{"POST", "/dbconnections/change_password", "application/json; charset=utf-8"},
		{"GET", "/userinfo", "application/json; charset=utf-8"},
		{"GET", "/.well-known/openid-configuration", "application/json; charset=utf-8"},
		{"GET", "/.well-known/jwks.json", "application/json; charset=utf-8"},
	} {
		if rec := w.send(t, row.method, row.target, ""); rec.Header().Get("Content-Type") != row.want {
			t.Errorf("%s %s: %d %q", row.method, row.target, rec.Code, rec.Header().Get("Content-Type"))
		}
	}
}
