package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"mangrove/internal/store/storetest"
)

// TestConformanceBasic is the plan oidcc-basic-certification-test-plan, with
// client_secret_basic where a module says nothing else.
func TestConformanceBasic(t *testing.T) {
	if len(basicPlan) != 38 {
		t.Errorf("%d modules", len(basicPlan))
	}
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			runPlan(t, engine, "", slices.Concat(basicPlan, []module{{"oidcc-redirect-uri-query-OK", queryKept}}))
		})
	}
}

var basicPlan = []module{
	{"oidcc-server", func(t *testing.T, p *party) {
		a, k := p.flow(p.newBrowser())
		if k.subject() != p.subject || !a.asked("/u/login") {
			t.Errorf("%q signed in by %v", k.subject(), a.pages)
		}
	}},
	{"oidcc-response-type-missing", func(t *testing.T, p *party) {
		a := p.authorize(p.newBrowser(), p.request("response_type", ""))
		p.refused(a, "invalid_request", "unsupported_response_type")
	}},
	{"oidcc-idtoken-signature", func(t *testing.T, p *party) {
		if !p.meta.has("id_token_signing_alg_values_supported", "RS256") {
			t.Error("RS256 is not announced")
		}
		_, k := p.flow(p.home)
		if header, _ := p.signed(k.ID); header["kid"] == nil {
			t.Errorf("header %v", header)
		}
	}},
	{"oidcc-idtoken-unsigned", func(t *testing.T, p *party) {
		// Skipped by the suite where none is not announced; here it cannot be had.
		if p.meta.has("id_token_signing_alg_values_supported", "none") {
			t.Error("none is announced")
		}
		if status, body := p.call("PATCH", "/api/v2/clients/"+p.id, `{"jwt_configuration":{"alg":"none"}}`); status != http.StatusBadRequest {
			t.Errorf("%d %s", status, body)
		}
		p.flow(p.home)
	}},
	{"oidcc-userinfo-get", func(t *testing.T, p *party) {
		_, k := p.flow(p.home)
		if info := p.userinfo(k.Access); info["sub"] != k.subject() {
			t.Errorf("%v", info)
		}
		for _, header := range [][]string{nil, {"Authorization", "Bearer nonsense"}} {
			res, _ := p.send("GET", p.meta.text("userinfo_endpoint"), nil, header...)
			if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%q: %d %v", header, res.StatusCode, res.Header)
			}
		}
		if res, _ := p.send("GET", p.meta.text("userinfo_endpoint")+"?access_token="+k.Access, nil); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a token in the query: %d", res.StatusCode)
		}
	}},
	{"oidcc-userinfo-post-header", func(t *testing.T, p *party) {
		_, k := p.flow(p.home)
		if info := p.told(p.send("POST", p.meta.text("userinfo_endpoint"), nil, "Authorization", "Bearer "+k.Access)); info["sub"] != k.subject() {
			t.Errorf("%v", info)
		}
	}},
	{"oidcc-userinfo-post-body", func(t *testing.T, p *party) {
		_, k := p.flow(p.home)
		if info := p.told(p.send("POST", p.meta.text("userinfo_endpoint"), url.Values{"access_token": {k.Access}})); info["sub"] != k.subject() {
			t.Errorf("%v", info)
		}
	}},
	{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", func(t *testing.T, p *party) {
		_, k := p.flow(p.home, "nonce", "")
		if _, there := k.claims["nonce"]; there {
			t.Errorf("%v", k.claims)
		}
	}},
	{"oidcc-scope-profile", scopes("profile")},
	{"oidcc-scope-email", scopes("email")},
	{"oidcc-scope-address", scopes("address")},
	{"oidcc-scope-phone", scopes("phone")},
	{"oidcc-scope-all", scopes("profile email address phone")},
	{"oidcc-ensure-other-scope-order-succeeds", func(t *testing.T, p *party) {
		_, k := p.flow(p.home, "scope", "email openid")
		if info := p.userinfo(k.Access); info["email"] != personal || info["name"] != nil {
			t.Errorf("%v", info)
		}
	}},
	{"oidcc-display-page", displayed("page")},
	{"oidcc-display-popup", displayed("popup")},
	{"oidcc-prompt-login", func(t *testing.T, p *party) {
		b := p.newBrowser()
		_, first := p.flow(b)
		p.clock.step(2 * time.Second)
		a, second := p.flow(b, "prompt", "login")
		p.later(first, second)
		if !a.asked("/u/login") || second.seconds("auth_time") < p.clock.now().Unix()-60 {
			t.Errorf("%v by %v", second.claims, a.pages)
		}
	}},
	{"oidcc-prompt-none-not-logged-in", func(t *testing.T, p *party) {
		a := p.authorize(p.newBrowser(), p.request("prompt", "none"))
		p.refused(a, "login_required")
		if a.asked("/u/") {
			t.Errorf("somebody was asked: %v", a.pages)
		}
	}},
	{"oidcc-prompt-none-logged-in", func(t *testing.T, p *party) {
		b := p.newBrowser()
		_, first := p.flow(b)
		p.silently(b, first, "prompt", "none")
	}},
	{"oidcc-max-age-1", func(t *testing.T, p *party) {
		b := p.newBrowser()
		_, first := p.flow(b)
		p.clock.step(2 * time.Second)
		a, second := p.flow(b, "max_age", "1")
		p.later(first, second)
		if age := p.clock.now().Unix() - second.seconds("auth_time"); !a.asked("/u/login") || age < 0 || age > 60 {
			t.Errorf("%v by %v", second.claims, a.pages)
		}
	}},
	{"oidcc-max-age-10000", func(t *testing.T, p *party) {
		b := p.newBrowser()
		_, first := p.flow(b, "max_age", "15000")
		p.clock.step(2 * time.Second)
		second := p.silently(b, first, "max_age", "10000")
		if first.seconds("auth_time") == 0 || first.seconds("auth_time") != second.seconds("auth_time") {
			t.Errorf("auth_time %v, then %v", first.claims["auth_time"], second.claims["auth_time"])
		}
	}},
	{"oidcc-ensure-request-with-unknown-parameter-succeeds", accepted("extra", "foobar")},
	{"oidcc-id-token-hint", func(t *testing.T, p *party) {
		b := p.newBrowser()
		_, first := p.flow(b)
		p.silently(b, first, "prompt", "none", "id_token_hint", first.ID)
		// A hint at somebody else is no leave to sign that person in.
		_, other := p.flow(p.newBrowser(), "connection", elsewise)
		p.refused(p.authorize(b, p.request("prompt", "none", "id_token_hint", other.ID)), "login_required")
	}},
	{"oidcc-login-hint", func(t *testing.T, p *party) {
		a, _ := p.flow(p.newBrowser(), "login_hint", "bob@example.com")
		if !regexp.MustCompile(`<input[^>]*name="username"[^>]*value="bob@example\.com"`).MatchString(a.pages[0].text) {
			t.Errorf("the hint is not shown: %s", a.pages[0].text)
		}
	}},
	{"oidcc-ui-locales", func(t *testing.T, p *party) {
		for _, locales := range []string{"se", "fr-CA fr en", "xx-nonsense"} {
			p.flow(p.newBrowser(), "ui_locales", locales)
		}
	}},
	{"oidcc-claims-locales", accepted("claims_locales", "se")},
	{"oidcc-ensure-request-with-acr-values-succeeds", func(t *testing.T, p *party) {
		// acr tells of second factors alone, and no value is announced.
		if p.meta["acr_values_supported"] != nil {
			t.Errorf("announced: %v", p.meta["acr_values_supported"])
		}
		accepted("acr_values", "1 2")(t, p)
	}},
	{"oidcc-codereuse", func(t *testing.T, p *party) {
		request := p.request()
		a := p.authorize(p.home, request)
		p.redeem(a, request)
		p.spent(a)
	}},
	{"oidcc-codereuse-30seconds", func(t *testing.T, p *party) {
		request := p.request("scope", "openid offline_access")
		a := p.authorize(p.home, request)
		k := p.redeem(a, request)
		p.clock.step(30 * time.Second)
		if p.userinfo(k.Access)["sub"] != k.subject() || k.Refresh == "" {
			t.Fatalf("the tokens are not good: %v", k)
		}
		p.spent(a)
		if !p.dead(k.Access) {
			t.Error("the access token outlives the second use of its code")
		}
		if status, m := p.renew(k.Refresh, p.id, p.secret); status != http.StatusForbidden || m["error"] != "invalid_grant" {
			t.Errorf("the refresh token outlives the second use of its code: %d %v", status, m)
		}
	}},
	{"oidcc-ensure-registered-redirect-uri", func(t *testing.T, p *party) {
		for _, uri := range []string{"https://invalid.example/callback", atApp + "x", atApp + "?x=1", atApp + "/../callback", "https://APP.example.evil.example/callback"} {
			if a := p.authorize(p.newBrowser(), p.request("redirect_uri", uri)); a.Values != nil || a.last().status != http.StatusForbidden || a.asked("/u/login") {
				t.Errorf("%s: %v %+v", uri, a.Values, a.last())
			}
		}
	}},
	{"oidcc-ensure-post-request-succeeds", func(t *testing.T, p *party) {
		request := p.request()
		a := p.walk(p.home, "POST", p.meta.text("authorization_endpoint"), request, request.Get("state"))
		if k := p.redeem(a, request); k.subject() != p.subject {
			t.Errorf("%v", k.claims)
		}
	}},
	{"oidcc-server-client-secret-post", func(t *testing.T, p *party) {
		if !p.meta.has("token_endpoint_auth_methods_supported", "client_secret_post") || !p.meta.has("token_endpoint_auth_methods_supported", "client_secret_basic") {
			t.Errorf("announced: %v", p.meta["token_endpoint_auth_methods_supported"])
		}
		c := p.in(t)
		app := p.application(map[string]any{"callbacks": []string{atApp}, "token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"authorization_code"}})
		c.id, c.secret = app[0], app[1]
		request := c.request()
		a := c.authorize(c.home, request)
		if k := c.redeem(a, request, "client_id", c.id, "client_secret", c.secret); k.subject() != p.subject {
			t.Errorf("%v", k.claims)
		}
		for _, wrong := range []url.Values{{"client_id": {c.id}, "client_secret": {c.secret + "x"}}, {"client_id": {c.id}}} {
			wrong.Set("grant_type", "authorization_code")
			wrong.Set("code", "x")
			if status, m := c.token(wrong); status != http.StatusUnauthorized {
				t.Errorf("%v: %d %v", wrong, status, m)
			}
		}
	}},
	{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", func(t *testing.T, p *party) {
		if v, there := p.meta["request_uri_parameter_supported"]; !there || v != false {
			t.Error("request_uri is announced: where nothing is said it is (Discovery §3)")
		}
		a := p.authorize(p.newBrowser(), p.request("request_uri", "https://app.example/request.jwt"))
		p.refused(a, "request_uri_not_supported")
	}},
	{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", func(t *testing.T, p *party) {
		if p.meta["request_parameter_supported"] == true {
			t.Error("request objects are announced")
		}
		request := p.request()
		request.Set("request", p.requestObject(request))
		p.refused(p.authorize(p.newBrowser(), request), "request_not_supported")
	}},
	{"oidcc-claims-essential", func(t *testing.T, p *party) {
		if p.meta["claims_parameter_supported"] == true {
			t.Error("the parameter is announced")
		}
		accepted("claims", `{"userinfo":{"name":{"essential":true}},"id_token":{"auth_time":{"essential":true}}}`)(t, p)
	}},
	{"oidcc-ensure-request-object-with-redirect-uri", func(t *testing.T, p *party) {
		request := p.request()
		object := p.requestObject(request)
		request.Set("redirect_uri", atApp+"/nowhere")
		request.Set("request", object)
		if a := p.authorize(p.newBrowser(), request); a.Values != nil || a.last().status < 400 {
			t.Errorf("%v %+v", a.Values, a.last())
		}
	}},
	{"oidcc-refresh-token", func(t *testing.T, p *party) {
		if !p.meta.has("grant_types_supported", "refresh_token") || !p.meta.has("scopes_supported", "offline_access") {
			t.Error("not announced")
		}
		a, first := p.flow(p.home, "scope", "openid offline_access", "prompt", "consent")
		if first.Refresh == "" || !a.asked("/u/consent") {
			t.Fatalf("%v by %v", first, a.pages)
		}
		p.clock.step(2 * time.Second)
		status, m := p.renew(first.Refresh, p.id, p.secret)
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, m)
		}
		second := p.checked(m, "")
		for _, name := range []string{"iss", "sub", "aud", "azp", "auth_time"} {
			if first.claims[name] != second.claims[name] {
				t.Errorf("%s: %v, then %v (Core §12.2)", name, first.claims[name], second.claims[name])
			}
		}
		if second.seconds("iat") <= first.seconds("iat") || second.Access == first.Access || p.userinfo(second.Access)["sub"] != p.subject {
			t.Errorf("%v, then %v", first.claims, second.claims)
		}
		if status, m := p.renew(first.Refresh, p.other[0], p.other[1]); status != http.StatusForbidden || m["error"] != "invalid_grant" {
			t.Errorf("for another client: %d %v", status, m)
		}
		if status, m := p.renew(first.Refresh, p.id, p.other[1]); status != http.StatusUnauthorized {
			t.Errorf("with the secret of another: %d %v", status, m)
		}
		if status, m := p.renew(first.Refresh, p.id, p.secret); status != http.StatusOK {
			t.Errorf("the refusals ended it: %d %v", status, m)
		}
	}},
	{"oidcc-ensure-request-with-valid-pkce-succeeds", func(t *testing.T, p *party) {
		if !p.meta.has("code_challenge_methods_supported", "S256") {
			t.Error("S256 is not announced")
		}
		b, verifier := p.home, oauth2.GenerateVerifier()
		request := p.request("code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256")
		if k := p.redeem(p.authorize(b, request), request, "code_verifier", verifier); k.subject() != p.subject {
			t.Errorf("%v", k.claims)
		}
		request.Set("state", random())
		a := p.authorize(b, request)
		status, m := p.token(url.Values{
			"grant_type": {"authorization_code"}, "code": {a.Get("code")}, "redirect_uri": {atApp}, "code_verifier": {oauth2.GenerateVerifier()},
		}, "Authorization", basic(p.id, p.secret))
		if status != http.StatusForbidden || m["error"] != "invalid_grant" {
			t.Errorf("with another verifier: %d %v", status, m)
		}
	}},
}

// queryKept is a module of the dynamic plan: a registered address keeps its query.
func queryKept(t *testing.T, p *party) {
	const uri = atApp + "?dummy1=lorem&dummy2=ipsum"
	c := p.in(t)
	app := p.application(map[string]any{"callbacks": []string{uri}, "token_endpoint_auth_method": "client_secret_basic", "grant_types": []string{"authorization_code"}})
	c.id, c.secret = app[0], app[1]
	a, _ := c.flow(c.home, "redirect_uri", uri)
	if !strings.HasPrefix(a.to, uri) {
		t.Errorf("%v", a)
	}
	c.refused(c.authorize(c.newBrowser(), c.request("redirect_uri", uri, "prompt", "none")), "login_required")
	for _, other := range []string{atApp, atApp + "?dummy1=lorem", uri + "&more=x", atApp + "?dummy2=ipsum&dummy1=lorem"} {
		if a := c.authorize(c.newBrowser(), c.request("redirect_uri", other)); a.Values != nil || a.last().status != http.StatusForbidden {
			t.Errorf("%s: %v", other, a)
		}
	}
}

// accepted is a module that only wants a parameter to do no harm.
func accepted(name, value string) func(t *testing.T, p *party) {
	return func(t *testing.T, p *party) {
		if _, k := p.flow(p.home, name, value); k.subject() != p.subject {
			t.Errorf("%v", k.claims)
		}
	}
}

// displayed wants the pages for a parameter that changes none of them.
func displayed(how string) func(t *testing.T, p *party) {
	return func(t *testing.T, p *party) {
		if a, k := p.flow(p.newBrowser(), "display", how); k.subject() != p.subject || !a.asked("/u/login") {
			t.Errorf("%v by %v", k.claims, a.pages)
		}
	}
}

// standard are the claims of the scopes (OpenID Connect Core §5.4).
var standard = map[string][]string{
	"profile": {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate",
		"zoneinfo", "locale", "updated_at",
	},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// scopes wants all claims of the scopes from a person who has every one, and no other.
func scopes(asked string) func(t *testing.T, p *party) {
	return func(t *testing.T, p *party) {
		_, k := p.flow(p.newBrowser(), "scope", "openid "+asked, "connection", elsewise)
		info := p.userinfo(k.Access)
		want := []string{"sub"}
		for s := range strings.FieldsSeq(asked) {
			if !p.meta.has("scopes_supported", s) {
				t.Errorf("%s is not announced", s)
			}
			want = append(want, standard[s]...)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(info)); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		for name, v := range info {
			if !p.meta.has("claims_supported", name) {
				t.Errorf("%s is not announced", name)
			}
			ok := false
			switch v := v.(type) {
			case string:
				ok = v != "" && !strings.HasSuffix(name, "_verified") && name != "address"
			case bool:
				ok = strings.HasSuffix(name, "_verified")
			case map[string]any:
				ok = name == "address" && v["formatted"] == "Rua 1\nLisboa" && v["country"] == "PT"
			}
			if !ok {
				t.Errorf("%s is %v", name, v)
			}
			if name != "updated_at" && k.claims[name] != nil && name != "address" && k.claims[name] != v {
				t.Errorf("%s: %v, in the ID token %v", name, v, k.claims[name])
			}
		}
	}
}

// later wants the same person, signed in again.
func (p *party) later(first, second tokens) {
	p.t.Helper()
	if first.subject() != second.subject() {
		p.t.Errorf("%q, then %q", first.subject(), second.subject())
	}
	if second.seconds("auth_time") <= first.seconds("auth_time") || second.seconds("iat") <= first.seconds("iat") {
		p.t.Errorf("%v, then %v", first.claims, second.claims)
	}
}

// silently wants the same person without a word.
func (p *party) silently(b *browser, first tokens, more ...string) tokens {
	p.t.Helper()
	a, second := p.flow(b, more...)
	if a.asked("/u/") {
		p.t.Errorf("somebody was asked: %v", a.pages)
	}
	if first.subject() != second.subject() {
		p.t.Errorf("%q, then %q", first.subject(), second.subject())
	}
	return second
}

// spent wants a code to be refused. The status is that of the recordings, where
// RFC 6749 §5.2 has 400 (reference/authentication.md §3.5).
func (p *party) spent(a answer) {
	p.t.Helper()
	status, m := p.token(url.Values{"grant_type": {"authorization_code"}, "code": {a.Get("code")}, "redirect_uri": {atApp}}, "Authorization", basic(p.id, p.secret))
	if status != http.StatusForbidden || m["error"] != "invalid_grant" || m["access_token"] != nil {
		p.t.Errorf("the second use: %d %v", status, m)
	}
}

// renew uses a refresh token.
func (p *party) renew(text, id, secret string) (int, map[string]any) {
	p.t.Helper()
	return p.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}, "Authorization", basic(id, secret))
}

// requestObject is an unsigned one (OpenID Connect Core §6.1).
func (p *party) requestObject(request url.Values) string {
	p.t.Helper()
	claims := map[string]string{"iss": p.id, "aud": p.meta.text("issuer")}
	for name := range request {
		claims[name] = request.Get(name)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
}
