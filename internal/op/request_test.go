package op

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/tenant"
)

const (
	cb        = "https://app.example.test/cb"
	s256      = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // of verifier
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	codeGrant = `"grant_types":["authorization_code"],"callbacks":["` + cb + `"]`
)

const implicitToo = `"grant_types":["authorization_code","implicit"],"callbacks":["` + cb + `"]`

// needy settings are those of a fresh tenant.
var needy = &tenant.Settings{PublicClientsNeedS256: true}

func doc(members string) *client.Client {
	return &client.Client{ID: "c1", Secret: "s", Doc: json.RawMessage("{" + members + "}")}
}

func TestValidate(t *testing.T) {
	confidential, public, both := doc(codeGrant), doc(codeGrant+`,"token_endpoint_auth_method":"none"`), doc(implicitToo)
	third, strictOne := doc(codeGrant+`,"is_first_party":false`), doc(codeGrant+`,"is_first_party":false,"third_party_security_mode":"strict"`)
	for _, row := range []struct {
		name  string
		c     *client.Client
		query string
		want  string // code, or empty
	}{
		{"plain code", confidential, "response_type=code", ""},
		{"everything", confidential, "response_type=code&response_mode=form_post&scope=openid+profile&state=s&nonce=n&prompt=consent+login&max_age=5&login_hint=a&screen_hint=signup&connection=x&ui_locales=de&acr_values=1&display=popup&claims=%7B%7D&foo=bar&ext-x=1", ""},
		{"response_type missing", confidential, "", "invalid_request"},
		{"response_type token", both, "response_type=token", ""},
		{"response_type id_token", both, "response_type=id_token&nonce=n&scope=openid", ""},
		{"response_type hybrid", both, "response_type=id_token+token+code&nonce=n&scope=openid", ""},
		{"token, not for this client", confidential, "response_type=token", "unauthorized_client"},
		{"hybrid, not for this client", confidential, "response_type=code+id_token&nonce=n", "unauthorized_client"},
		{"code, not for this client", doc(`"grant_types":["implicit"]`), "response_type=code+token", "unauthorized_client"},
		{"id_token without openid", both, "response_type=id_token&nonce=n&scope=email", "invalid_request"},
		{"id_token without nonce", both, "response_type=id_token", "invalid_request"},
		{"hybrid without nonce", both, "response_type=code+id_token", "invalid_request"},
		{"token without nonce", both, "response_type=code+token", ""},
		{"response_type twice the same", both, "response_type=code+code", "unsupported_response_type"},
		{"response_type none", both, "response_type=none", "unsupported_response_type"},
		{"response_type foo", confidential, "response_type=foo", "unsupported_response_type"},
		{"response_type in capitals", confidential, "response_type=CODE", "unsupported_response_type"},
		{"mode web_message", confidential, "response_type=code&response_mode=web_message", ""},
		{"mode unknown", confidential, "response_type=code&response_mode=query.jwt", "invalid_request"},
		{"mode query for tokens", both, "response_type=token&response_mode=query", "invalid_request"},
		{"mode query for a hybrid", both, "response_type=code+id_token&nonce=n&response_mode=query", "invalid_request"},
		{"doubled state", confidential, "response_type=code&state=a&state=b", "invalid_request"},
		{"doubled unknown", confidential, "response_type=code&x=a&x=a", "invalid_request"},
		{"request", confidential, "response_type=code&request=x.y.", "request_not_supported"},
		{"request_uri", confidential, "response_type=code&request_uri=https%3A%2F%2Fevil.test", "request_uri_not_supported"},
		{"organization", confidential, "response_type=code&organization=org_1", "invalid_request"},
		{"invitation", confidential, "response_type=code&invitation=x", "invalid_request"},
		{"organization required", doc(codeGrant + `,"organization_usage":"require"`), "response_type=code", "invalid_request"},
		{"organization allowed, none named", doc(codeGrant + `,"organization_usage":"allow"`), "response_type=code", ""},
		{"organization allowed, but there are none", doc(codeGrant + `,"organization_usage":"allow"`), "response_type=code&organization=org_1", "invalid_request"},
		{"grant missing", doc(`"grant_types":["implicit"]`), "response_type=code", "unauthorized_client"},
		{"third party", third, "response_type=code", ""},
		{"third party, token", doc(implicitToo + `,"is_first_party":false`), "response_type=token", ""},
		{"strict third party", strictOne, "response_type=code&code_challenge_method=S256&code_challenge=" + s256, ""},
		{"strict third party without PKCE", strictOne, "response_type=code", "invalid_request"},
		{"strict third party, token", doc(implicitToo + `,"is_first_party":false,"third_party_security_mode":"strict"`), "response_type=token", "unsupported_response_type"},
		{"strict third party, claims", strictOne, "response_type=code&claims=%7B%7D&code_challenge_method=S256&code_challenge=" + s256, "invalid_request"},
		{"strict third party, screen_hint", strictOne, "response_type=code&screen_hint=signup&code_challenge_method=S256&code_challenge=" + s256, "invalid_request"},
		{"PAR required", doc(codeGrant + `,"require_pushed_authorization_requests":true`), "response_type=code", "invalid_request"},
		{"scope is an object", confidential, "response_type=code&scope=%7B%7D", ""},

		{"S256", confidential, "response_type=code&code_challenge_method=S256&code_challenge=" + s256, ""},
		{"plain", confidential, "response_type=code&code_challenge_method=plain&code_challenge=" + verifier, ""},
		{"no method is plain", confidential, "response_type=code&code_challenge=" + verifier, ""},
		{"method without challenge", confidential, "response_type=code&code_challenge_method=S256", "invalid_request"},
		{"unknown method", confidential, "response_type=code&code_challenge_method=S512&code_challenge=" + s256, "invalid_request"},
		{"challenge too short", confidential, "response_type=code&code_challenge_method=S256&code_challenge=abc", "invalid_request"},
		{"challenge too long", confidential, "response_type=code&code_challenge_method=plain&code_challenge=" + strings.Repeat("a", 129), "invalid_request"},
		{"public, S256", public, "response_type=code&code_challenge_method=S256&code_challenge=" + s256, ""},
		{"public, plain", public, "response_type=code&code_challenge_method=plain&code_challenge=" + verifier, "invalid_request"},
		{"public, none", public, "response_type=code", "invalid_request"},
		{"public, none, hybrid", doc(implicitToo + `,"token_endpoint_auth_method":"none"`), "response_type=code+token", "invalid_request"},
		{"public, no code", doc(implicitToo + `,"token_endpoint_auth_method":"none"`), "response_type=token", ""},
		{"native without a word on it is public", doc(codeGrant + `,"app_type":"native"`), "response_type=code", "invalid_request"},

		{"prompt none", confidential, "response_type=code&prompt=none", ""},
		{"prompt none login", confidential, "response_type=code&prompt=none+login", "invalid_request"},
		{"prompt unknown", confidential, "response_type=code&prompt=create", ""},
		{"max_age 0", confidential, "response_type=code&max_age=0", ""},
		{"max_age negative", confidential, "response_type=code&max_age=-1", "invalid_request"},
		{"max_age text", confidential, "response_type=code&max_age=soon", "invalid_request"},
		{"max_age overflow", confidential, "response_type=code&max_age=99999999999999999999", "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := parseParameters(row.query)
			if err != nil {
				t.Fatal(err)
			}
			req, refusal := validate(p, row.c, cb, needy)
			got := ""
			if refusal != nil {
				got = refusal.Code
			}
			if got != row.want {
				t.Fatalf("refusal = %v, want %q", refusal, row.want)
			}
			if req.RedirectURI != cb || req.ClientID != "c1" || !slices.Contains(append(responseModes, oauth.WebMessage), req.ResponseMode) {
				t.Errorf("the answer could not be given: %+v", req)
			}
			if r, _ := oauth.ParseResponse(req.ResponseType); r.FrontChannel() && req.ResponseMode == oauth.Query {
				t.Errorf("tokens in a query: %+v", req)
			}
		})
	}
	p, _ := parseParameters("response_type=code&redirect_uri=x&response_mode=form_post&scope=b+a+b&state=%22%3C&nonce=n&prompt=consent+login+login+x&max_age=5&login_hint=h&screen_hint=signup&realm=r&ui_locales=de&acr_values=1&code_challenge_method=S256&code_challenge=" + s256)
	got, refusal := validate(p, confidential, cb, needy)
	want := `{"client_id":"c1","response_type":"code","response_mode":"form_post","redirect_uri":"` + cb + `","redirect_sent":true,"scope":["b","a"],"state":"\"\u003c","nonce":"n","code_challenge":"` + s256 + `","code_challenge_method":"S256","prompt":"consent login","max_age":5,"login_hint":"h","screen_hint":"signup","connection":"r","ui_locales":"de","acr_values":"1"}`
	if text, _ := json.Marshal(got); refusal != nil || string(text) != want {
		t.Errorf("request = %s, %v\nwant      %s", text, refusal, want)
	}
}

func TestCallback(t *testing.T) {
	registered := []string{"https://*.wild.example.test/cb", cb, "com.example.app://cb", "http://localhost:3000/cb?x=1", "javascript:alert(1)", "https://app.example.test/f#x", "/relative"}
	for _, row := range []struct {
		in   string
		want string // empty: refused
	}{
		{cb, cb},
		{"com.example.app://cb", "com.example.app://cb"},
		{"http://localhost:3000/cb?x=1", "http://localhost:3000/cb?x=1"},
		{"https://a.wild.example.test/cb", "https://a.wild.example.test/cb"},
		{"", cb}, // the first that is an address
		{"http://app.example.test/cb", ""},
		{"https://app.example.test:443/cb", ""},
		{"https://APP.example.test/cb", ""},
		{"https://app.example.test/CB", ""},
		{"https://app.example.test/cb/", ""},
		{"https://app.example.test/cb?x=1", ""},
		{"https://app.example.test/cb#x", ""},
		{"https://app.example.test/cb/../cb", ""},
		{"https://app.example.test/c%62", ""},
		{"https://app.example.test.evil.test/cb", ""},
		{"https://user@app.example.test/cb", ""},
		{"https://evil.test\\@app.example.test/cb", ""},
		{" " + cb, ""},
		{cb + "\t", ""},
		{cb + "\r\nX: y", ""},
		{"https://a.b.wild.example.test/cb", ""},
		{"https://evil.test/.wild.example.test/cb", ""},
		{"https://*.wild.example.test/cb", ""},
		// Registered by mistake, and still no address to send a code to.
		{"javascript:alert(1)", ""},
		{"https://app.example.test/f#x", ""},
		{"/relative", ""},
	} {
		got, err := callback(registered, row.in)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%q: %q, %v", row.in, got, err)
		}
	}
	if _, err := callback(nil, ""); !errors.Is(err, errNoCallback) {
		t.Errorf("nothing registered: %v", err)
	}
}

// FuzzCallback: what is accepted is registered byte for byte (no wildcard is
// registered here), and its bytes can stand in a header.
func FuzzCallback(f *testing.F) {
	registered := []string{cb, "com.example.app://cb"}
	for _, s := range []string{cb, "com.example.app://cb", cb + "/", "javascript:alert(1)", "//evil.test", cb + "\n", "https://app.example.test@evil.test/cb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := callback(registered, in)
		if err == nil && in != "" && (got != in || !slices.Contains(registered, in)) {
			t.Fatalf("%q gave %q", in, got)
		}
		if addressable(in) && strings.ContainsFunc(in, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q passes for an address", in)
		}
	})
}

// FuzzAuthorize: any text of parameters gives a refusal or a request that can be
// answered; the state comes back byte for byte; nothing panics.
func FuzzAuthorize(f *testing.F) {
	for _, s := range []string{
		"", "client_id=c1&response_type=code&state=x", "a=1&a=2", "%", ";", "state=%00", "state=%ff", "state=a%0d%0ab&response_type=code",
		"response_type=code&max_age=1e3&prompt=none+none", "scope=%5B%22openid%22%5D&response_type=code", "code_challenge=" + s256, "response_type=code&response_mode=fragment&state=%22%3E%3Cscript%3E",
	} {
		f.Add(s)
	}
	c := doc(codeGrant)
	f.Fuzz(func(t *testing.T, query string) {
		p, err := parseParameters(query)
		if err != nil {
			if errs.KindOf(err) != errs.Invalid {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		req, refusal := validate(p, c, cb, needy)
		if req.RedirectURI != cb || req.State != p.get("state") || !utf8.ValidString(req.State) {
			t.Fatalf("%q: %+v", query, req)
		}
		answer := []Parameter{{"code", "x"}}
		if refusal != nil {
			answer = []Parameter{{"error", refusal.Code}, {"error_description", refusal.Description}}
		}
		if req.State != "" {
			answer = append(answer, Parameter{"state", req.State})
		}
		text := encode(answer)
		if strings.ContainsAny(text, "\r\n\x00 \"<>") {
			t.Fatalf("%q: answer %q", query, text)
		}
		back, err := url.ParseQuery(text)
		if err != nil || back.Get("state") != req.State {
			t.Fatalf("%q: state %q came back as %q", query, req.State, back.Get("state"))
		}
		stored, err := json.Marshal(req)
		var again oauth.AuthorizeRequest
		if err != nil || json.Unmarshal(stored, &again) != nil || again.State != req.State || again.Nonce != req.Nonce {
			t.Fatalf("%q does not survive being stored", query)
		}
	})
}

func TestS256WhereTheTenantWants(t *testing.T) {
	public, confidential := doc(codeGrant+`,"token_endpoint_auth_method":"none"`).Settings(), doc(codeGrant).Settings()
	third := doc(codeGrant + `,"is_first_party":false,"third_party_security_mode":"strict"`).Settings()
	for _, row := range []struct {
		name string
		got  bool
		want bool
	}{
		{"public", needsS256(public, needy), true},
		{"public, switched off", needsS256(public, &tenant.Settings{}), false},
		{"confidential", needsS256(confidential, needy), false},
		{"strict, switched off", needsS256(third, &tenant.Settings{}), true},
	} {
		if row.got != row.want {
			t.Errorf("%s: %v", row.name, row.got)
		}
	}
	p, _ := parseParameters("response_type=code")
	if _, err := validate(p, doc(codeGrant+`,"token_endpoint_auth_method":"none"`), cb, &tenant.Settings{}); err != nil {
		t.Errorf("switched off: %v", err)
	}
}

func TestAudienceOf(t *testing.T) {
	for _, row := range []struct {
		query string
		t     tenant.Settings
		want  string
	}{
		{"", tenant.Settings{}, ""},
		{"audience=a", tenant.Settings{DefaultAudience: "d"}, "a"},
		{"", tenant.Settings{DefaultAudience: "d"}, "d"},
		{"resource=r", tenant.Settings{}, ""},
		{"resource=r", tenant.Settings{ResourceParameter: true, DefaultAudience: "d"}, "r"},
		{"resource=r&audience=a", tenant.Settings{ResourceParameter: true}, "a"},
	} {
		p, _ := parseParameters(row.query)
		if got := audienceOf(p, &row.t); got != row.want {
			t.Errorf("%q: %q, want %q", row.query, got, row.want)
		}
	}
}
