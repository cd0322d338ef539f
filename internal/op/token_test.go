package op

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/token"
)

// claimsOf reads the payload of a JWT.
func claimsOf(tb testing.TB, jwt string) map[string]any {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	must(tb, err)
	var m map[string]any
	must(tb, json.Unmarshal(b, &m))
	return m
}

func TestTokenErrors(t *testing.T) {
	w := newWorld(t)
	cc := []string{"grant_type", "client_credentials", "client_id", machine, "client_secret", secret}
	realm := func(pairs ...string) string {
		m := map[string]string{"grant_type": passwordRealm, "client_id": webApp, "client_secret": secret, "username": "ann@example.com", "password": secretPW, "realm": "Users"}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
			if pairs[i+1] == "" {
				delete(m, pairs[i])
			}
		}
		var list []string
		for k, v := range m {
			list = append(list, k, v)
		}
		return form(list...)
	}
	const unauthorized = `{"error":"access_denied","error_description":"Unauthorized"}`
	for _, row := range []struct {
		name   string
		body   string
		header string // Authorization
		status int
		want   string
		events string // recorded
	}{
		{"no body", "", "", 400, `{"error":"invalid_request","error_description":"Missing required parameter: grant_type"}`, ""},
		{"no grant_type", "client_id=x", "", 400, `{"error":"invalid_request","error_description":"Missing required parameter: grant_type"}`, ""},
		{"unknown grant_type", "grant_type=foo&client_id=" + machine, "", 403, `{"error":"unsupported_grant_type","error_description":"Unsupported grant type: foo"}`, ""},
		{"grant_type twice", "grant_type=client_credentials&grant_type=client_credentials", "", 400, `"error":"invalid_request"`, ""},
		{"JSON with a double", `{"grant_type":"client_credentials","grant_type":"password"}`, "", 400, `"error":"invalid_request"`, ""},
		{"no JSON object", `{"grant_type":`, "", 400, `"error":"invalid_request"`, ""},

		{"unknown client", form("grant_type", "client_credentials", "client_id", "nobody", "client_secret", secret), "", 401, unauthorized, "feccft"},
		{"no client", form("grant_type", "client_credentials"), "", 401, unauthorized, "feccft"},
		{"wrong secret", form("grant_type", "client_credentials", "client_id", machine, "client_secret", "x"), "", 401, unauthorized, "feccft"},
		{"no secret", form("grant_type", "client_credentials", "client_id", machine, "audience", apiID), "", 401, unauthorized, "feccft"},
		{"wrong secret, basic", "grant_type=client_credentials", basic(machine + ":x"), 401, unauthorized, "feccft"},
		{"header and body differ", form("grant_type", "client_credentials", "client_id", webApp), basic(machine + ":" + secret), 401, unauthorized, "feccft"},
		{"header and secret in the body", form(cc...), basic(machine + ":" + secret), 401, unauthorized, "feccft"},
		{"assertion", form(append(cc, "client_assertion", "x.y.z", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...), "", 401, `{"error":"invalid_client","error_description":"The client assertion is not valid."}`, "feccft"},
		{"global client", form("grant_type", "client_credentials", "client_id", allApps, "client_secret", secret), "", 401, unauthorized, "feccft"},
		{"public client for itself", form("grant_type", "client_credentials", "client_id", spaApp, "audience", apiID), "", 401, unauthorized, "feccft"},
		{"public client shows a secret", form("grant_type", "client_credentials", "client_id", spaApp, "client_secret", secret, "audience", apiID), "", 401, unauthorized, "feccft"},
		{"grant not listed", form("grant_type", "client_credentials", "client_id", lameApp, "client_secret", secret), "", 403, `{"error":"unauthorized_client","error_description":"Grant type 'client_credentials' not allowed for the client."}`, "feccft"},

		{"no audience", form(cc...), "", 403, `{"error":"access_denied","error_description":"No audience parameter was provided, and no default audience has been configured"}`, "feccft"},
		{"unknown audience", form(append(cc, "audience", "https://x")...), "", 403, `{"error":"access_denied","error_description":"Service not enabled within domain: https://x"}`, "feccft"},
		{"no grant for it", form("grant_type", "client_credentials", "client_id", webApp, "client_secret", secret, "audience", rbacID), "", 403,
			`{"error":"access_denied","error_description":"Client is not authorized to access \"https://rbac.example.test/\". You might probably want to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"}`, "feccft"},
		{"grant for users only", form("grant_type", "client_credentials", "client_id", webApp, "client_secret", secret, "audience", apiID), "", 403, `Client is not authorized`, "feccft"},
		{"API denies clients", form(append(cc, "audience", "urn:deny")...), "", 403, `Client is not authorized`, "feccft"},
		{"HS256", form(append(cc, "audience", "urn:hs256")...), "", 403, `"error":"access_denied"`, "feccft"},
		{"scope object", `{"grant_type":"client_credentials","client_id":"` + machine + `","client_secret":"` + secret + `","audience":"` + apiID + `","scope":{"a":1}}`, "", 400, `{"error":"invalid_scope","error_description":"Scope must be an array or a string"}`, ""},
		{"scope number", `{"grant_type":"client_credentials","client_id":"` + machine + `","client_secret":"` + secret + `","audience":"` + apiID + `","scope":5}`, "", 400, `{"error":"invalid_scope","error_description":"Scope must be an array or a string"}`, ""},
		{"scope boolean", `{"grant_type":"client_credentials","client_id":"` + machine + `","client_secret":"` + secret + `","audience":"` + apiID + `","scope":true}`, "", 400, `{"error":"invalid_scope","error_description":"Scope must be an array or a string"}`, ""},

		{"password", form("grant_type", "password", "client_id", webApp, "client_secret", secret, "username", "a", "password", "b"), "", 500, `{"error":"server_error","error_description":"Authorization server not configured with default connection."}`, "fepft"},
		{"realm missing", realm("realm", ""), "", 400, `{"error":"invalid_request","error_description":"Missing required parameter: realm"}`, "fepft"},
		{"username missing", realm("username", ""), "", 400, `Missing required parameter: username`, "fepft"},
		{"password missing", realm("password", ""), "", 400, `Missing required parameter: password`, "fepft"},
		{"realm unknown", realm("realm", "x"), "", 400, `{"error":"invalid_request","error_description":"unknown or invalid realm"}`, "fepft"},
		{"realm without passwords", realm("realm", "google"), "", 400, `unknown or invalid realm`, "fepft"},
		{"realm of others", realm("realm", "Elsewhere"), "", 400, `{"error":"invalid_request","error_description":"the connection was disabled"}`, "fepft"},
		{"wrong password", realm("password", "x"), "", 403, `{"error":"invalid_grant","error_description":"Wrong email or password."}`, "fp"},
		{"nobody", realm("username", "nobody@example.com"), "", 403, `{"error":"invalid_grant","error_description":"Wrong email or password."}`, "fu"},
		{"third party", realm("client_id", thirdApp), "", 403, `"error":"access_denied"`, "fepft"},
		{"unknown audience for a user", realm("audience", "https://x"), "", 403, `Service not enabled within domain: https://x`, "fepft"},
		{"API denies users", realm("audience", "urn:deny"), "", 403, `"error":"access_denied"`, "fepft"},

		{"code missing", form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret), "", 400, `{"error":"invalid_request","error_description":"Missing required parameter: code"}`, "feacft"},
		{"code unknown", form("grant_type", "authorization_code", "client_id", webApp, "client_secret", secret, "code", "x"), "", 403, `{"error":"invalid_grant","error_description":"Invalid authorization code"}`, "feacft"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			var headers []string
			if row.header != "" {
				headers = []string{"Authorization", row.header}
			}
			rec := w.post(t, row.body, headers...)
			if body := rec.Body.String(); rec.Code != row.status || !strings.Contains(body, row.want) {
				t.Errorf("%d %s\nwant %d %s", rec.Code, body, row.status, row.want)
			}
			h := rec.Header()
			if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
				t.Errorf("headers = %v", h)
			}
			if got := w.events.types(); got != row.events {
				t.Errorf("recorded %q, want %q", got, row.events)
			}
			if (h.Get("WWW-Authenticate") != "") != (row.header != "" && row.status == 401) {
				t.Errorf("WWW-Authenticate = %q", h.Get("WWW-Authenticate"))
			}
		})
	}
	rec := w.send(t, "POST", "/oauth/token", "grant_type=client_credentials", "Content-Type", "text/plain")
	if rec.Code != 415 || answer(t, rec)["error"] != "invalid_request" {
		t.Errorf("text/plain: %d %s", rec.Code, rec.Body)
	}
	if rec := w.send(t, "GET", "/oauth/token?"+form(cc...), ""); rec.Code != 405 {
		t.Errorf("GET: %d", rec.Code)
	}
}

func TestUnknownClientLooksLikeWrongSecret(t *testing.T) {
	w := newWorld(t)
	for _, headers := range [][2]string{{"", ""}, {basic("nobody:x"), basic(machine + ":x")}} {
		a, b := "grant_type=client_credentials", "grant_type=client_credentials"
		var ha, hb []string
		if headers[0] == "" {
			a += "&client_id=nobody&client_secret=x"
			b += "&client_id=" + machine + "&client_secret=x"
		} else {
			ha, hb = []string{"Authorization", headers[0]}, []string{"Authorization", headers[1]}
		}
		ra, rb := w.post(t, a, ha...), w.post(t, b, hb...)
		if ra.Code != rb.Code || ra.Body.String() != rb.Body.String() || !sameHeader(ra.Header(), rb.Header()) {
			t.Errorf("%d %s %v\n%d %s %v", ra.Code, ra.Body, ra.Header(), rb.Code, rb.Body, rb.Header())
		}
	}
}

func sameHeader(a, b http.Header) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name     string
		audience string
		scope    string
		headers  []string
		body     string // instead
		wantAud  string
		want     string // scope
		seconds  float64
	}{
		{name: "management", audience: publicURL + "/api/v2/", wantAud: publicURL + "/api/v2/", want: "read:users update:users", seconds: 86400},
		{name: "management by the host of the request", audience: "http://id.example.test/api/v2/", wantAud: publicURL + "/api/v2/", want: "read:users update:users", seconds: 86400},
		{name: "some scopes", audience: publicURL + "/api/v2/", scope: "update:users delete:users", wantAud: publicURL + "/api/v2/", want: "update:users", seconds: 86400},
		{name: "no scope that is granted", audience: apiID, scope: "write:a", wantAud: apiID, want: "", seconds: 600},
		{name: "API", audience: apiID, wantAud: apiID, want: "read:a", seconds: 600},
		{name: "all scopes", audience: "urn:user-grant", wantAud: "urn:user-grant", want: "read:a write:a", seconds: 86400},
		{name: "JSON with an array", body: `{"grant_type":"client_credentials","client_id":"` + machine + `","client_secret":"` + secret + `","audience":"` + apiID + `","scope":["read:a","x"],"organization":null,"extra":{"a":1}}`, wantAud: apiID, want: "read:a", seconds: 600},
		{name: "basic", body: form("grant_type", clientCredentials, "audience", apiID), headers: []string{"Authorization", basic(machine + ":" + secret)}, wantAud: apiID, want: "read:a", seconds: 600},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.events.list = nil
			body := row.body
			if body == "" {
				body = form("grant_type", clientCredentials, "client_id", machine, "client_secret", secret, "audience", row.audience, "scope", row.scope)
			}
			rec := w.post(t, body, row.headers...)
			if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
			}
			a := answer(t, rec)
			if s, _ := a["scope"].(string); s != row.want || a["expires_in"] != row.seconds || a["token_type"] != "Bearer" || a["id_token"] != nil || a["refresh_token"] != nil {
				t.Errorf("answer = %v", a)
			}
			if !regexp.MustCompile(`^\{"access_token":"[^"]+",("scope":"[^"]+",)?"expires_in":\d+,"token_type":"Bearer"\}$`).Match(rec.Body.Bytes()) {
				t.Errorf("body = %s", rec.Body)
			}
			b, err := w.verifier.VerifyFor(t.Context(), a["access_token"].(string), row.wantAud)
			if err != nil || b.Subject != machine+"@clients" || b.ClientID != machine || b.GrantType != token.GrantClientCredentials || strings.Join(b.Scopes, " ") != row.want {
				t.Errorf("bearer = %+v, %v", b, err)
			}
			if len(w.events.list) != 1 || w.events.list[0].Type != "seccft" || w.events.list[0].ClientID != machine || !strings.Contains(string(w.events.list[0].Details), row.wantAud) {
				t.Errorf("recorded %+v", w.events.list)
			}
		})
	}
	// Dialects.
	get := func(audience string) map[string]any {
		rec := w.post(t, form("grant_type", clientCredentials, "client_id", machine, "client_secret", secret, "audience", audience))
		return claimsOf(t, answer(t, rec)["access_token"].(string))
	}
	if c := get(rbacID); len(c["permissions"].([]any)) != 1 || c["gty"] != "client-credentials" {
		t.Errorf("access_token_authz: %v", c)
	}
	if c := get("urn:rfc9068"); c["client_id"] != machine || c["jti"] == nil || c["azp"] != nil || c["gty"] != nil {
		t.Errorf("rfc9068_profile: %v", c)
	}
}

func TestPasswordRealm(t *testing.T) {
	w := newWorld(t)
	ask := func(pairs ...string) map[string]any {
		t.Helper()
		rec := w.post(t, form(append([]string{"grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "Ann@Example.com", "password", secretPW, "realm", "people"}, pairs...)...))
		if rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		return answer(t, rec)
	}
	w.events.list = nil
	a := ask()
	if a["scope"] != "openid profile email address phone" || a["expires_in"] != 86400.0 || strings.Contains(a["access_token"].(string), ".") || len(a["access_token"].(string)) < 32 {
		t.Errorf("answer = %v", a)
	}
	if id := claimsOf(t, a["id_token"].(string)); id["sub"] != "auth0|ann" || id["email"] != "ann@example.com" || id["aud"] != webApp || id["iss"] != publicURL+"/" || id["at_hash"] != token.AccessHash(a["access_token"].(string)) || id["sid"] != nil {
		t.Errorf("ID token = %v", id)
	}
	if a := ask("scope", "read:a"); a["id_token"] != nil || a["scope"] != nil {
		t.Errorf("without openid: %v", a)
	}
	a = ask("audience", apiID)
	if c := claimsOf(t, a["access_token"].(string)); a["scope"] != "openid profile email address phone read:a write:a" || a["expires_in"] != 600.0 ||
		len(c["aud"].([]any)) != 2 || c["aud"].([]any)[1] != publicURL+"/userinfo" || c["gty"] != "password" || c["sub"] != "auth0|ann" || c["email"] != nil {
		t.Errorf("API: %v %v", a, c)
	}
	if c := claimsOf(t, ask("audience", apiID, "scope", "read:a x offline_access")["access_token"].(string)); c["aud"] != apiID || c["scope"] != "read:a" {
		t.Errorf("API without openid: %v", c)
	}
	if c := claimsOf(t, ask("audience", rbacID, "scope", "read:a openid")["access_token"].(string)); c["scope"] != "openid" || len(c["permissions"].([]any)) != 0 {
		t.Errorf("role-based API: %v", c)
	}
	if c := claimsOf(t, ask("audience", "urn:user-grant", "scope", "read:a write:a")["access_token"].(string)); c["scope"] != "read:a" {
		t.Errorf("API that wants a grant: %v", c)
	}
	if c := claimsOf(t, ask("audience", publicURL+"/api/v2/")["access_token"].(string)); strings.Contains(c["scope"].(string), "read:users") || !strings.Contains(c["scope"].(string), "read:current_user") {
		t.Errorf("Management API for a user: %v", c["scope"])
	}
	if a := ask("audience", publicURL+"/userinfo"); strings.Contains(a["access_token"].(string), ".") {
		t.Errorf("audience of userinfo: %v", a)
	}

	w.block(t)
	rec := w.post(t, form("grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW, "realm", "Users"))
	if rec.Code != 403 || rec.Body.String() != `{"error":"unauthorized","error_description":"user is blocked"}` {
		t.Errorf("blocked: %d %s", rec.Code, rec.Body)
	}
	rec = w.post(t, form("grant_type", passwordRealm, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", "x", "realm", "Users"))
	if rec.Code != 403 || rec.Body.String() != `{"error":"invalid_grant","error_description":"Wrong email or password."}` {
		t.Errorf("blocked, wrong password: %d %s", rec.Code, rec.Body)
	}
}

func TestForwardedAddress(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct{ client, header, want string }{
		{webApp, "203.0.113.9", "203.0.113.9"},
		{webApp, "not an address", "192.0.2.1"},
		{machine, "203.0.113.9", "192.0.2.1"}, // not trusted with it
	} {
		w.events.list = nil
		w.post(t, form("grant_type", clientCredentials, "client_id", row.client, "client_secret", secret, "audience", "x"), "auth0-forwarded-for", row.header)
		if got := w.events.list[0].IP; got != row.want {
			t.Errorf("%s %q: %q", row.client, row.header, got)
		}
	}
}

func TestUsable(t *testing.T) {
	for _, row := range []struct {
		c    connection.Connection
		want bool
	}{
		{connection.Connection{Strategy: "auth0", EnabledClients: []string{"c1"}}, true},
		{connection.Connection{Strategy: "auth0", EnabledClients: []string{"c2"}}, false},
		{connection.Connection{Strategy: "auth0", EnabledClients: []string{"c1"}, Extra: json.RawMessage(`{"authentication":{"active":false}}`)}, false},
	} {
		if got := usable(&row.c, "c1"); got != row.want {
			t.Errorf("%+v: %v", &row.c, got)
		}
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	w := newWorld(b)
	body := form("grant_type", clientCredentials, "client_id", machine, "client_secret", secret, "audience", apiID)
	b.ReportAllocs()
	for b.Loop() {
		if rec := w.post(b, body); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}
