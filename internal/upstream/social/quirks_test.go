package social

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

var errNobodyNamed = errors.New("nobody was named")

// said is what a provider's answers make of one person: the subject under "id", the
// attributes under their names, as JSON.
func said(t *testing.T, strategy, options, answer string) (map[string]string, error) {
	t.Helper()
	p := Find(strategy, strictjson.ParseDocument([]byte(options)))
	if p == nil {
		t.Fatalf("no provider for %s", strategy)
	}
	// The answer may have the token answer and the claims of an ID token beside the profile.
	parts := strictjson.ParseDocument([]byte(answer))
	a := &Answers{Profile: strictjson.Document{}}
	for name, d := range map[string]*strictjson.Document{"profile": &a.Profile, "token": &a.Token, "id_token": &a.IDToken} {
		if parts.Has(name) {
			*d = canonical(parts[name])
		}
	}
	if p.Fix != nil {
		if err := p.Fix(a); err != nil {
			return nil, err
		}
	}
	cl, ok := p.Map.claims(a)
	if !ok {
		return nil, errNobodyNamed
	}
	m := map[string]string{"id": cl.Subject}
	for _, ch := range cl.Attributes {
		m[ch.Name] = string(ch.Value)
	}
	return m, nil
}

// TestQuirks: what is odd about single providers. A want of "-" is: not said.
func TestQuirks(t *testing.T) {
	const personal, work = `"id":"4cf0a1b2c3d4e5f6"`, `"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"`
	rows := []struct {
		what, strategy, options, answer string
		want                            map[string]string // nil: refused
	}{
		{"a personal account", "windowslive", `{}`, `{"profile":{` + personal + `,"mail":"a@x.example","userPrincipalName":"b@x.example"}}`,
			map[string]string{"id": "4cf0a1b2c3d4e5f6", "email": `"a@x.example"`, "email_verified": "true", "picture": `"https://apis.live.net/v5.0/4cf0a1b2c3d4e5f6/picture"`}},
		{"a name for signing in is no proof", "windowslive", `{}`, `{"profile":{` + personal + `,"mail":null,"userPrincipalName":"b@x.example"}}`,
			map[string]string{"email": `"b@x.example"`, "email_verified": "-", "userPrincipalName": "-"}},
		{"what an organization says is no proof", "windowslive", `{}`, `{"profile":{` + work + `,"mail":"boss@victim.example","userPrincipalName":"eve@evil.example"}}`,
			map[string]string{"email": `"boss@victim.example"`, "email_verified": "-", "picture": "-"}},
		{"nor is what it puts into the answer", "windowslive", `{}`, `{"profile":{` + work + `,"mail":"boss@victim.example","email_verified":true,"email":"x@y.example","picture":"http://evil.example/p"}}`,
			map[string]string{"email": `"boss@victim.example"`, "email_verified": "-", "picture": "-"}},
		{"the name of a guest is no address", "windowslive", `{}`, `{"profile":{` + work + `,"userPrincipalName":"b_x.example#EXT#@t.onmicrosoft.com"}}`,
			map[string]string{"email": "-", "email_verified": "-"}},
		{"Live Connect: the account's address, not the preferred one", "windowslive", `{"strategy_version":1}`, `{"profile":{` + personal + `,"emails":{"preferred":"p@x.example","account":null}}}`,
			map[string]string{"email": "-", "email_verified": "-", "emails": `["p@x.example"]`}},
		{"Live Connect: no addresses", "windowslive", `{"strategy_version":1}`, `{"profile":{` + personal + `,"emails":"none"}}`,
			map[string]string{"email": "-", "email_verified": "-", "emails": "-"}},

		{"an ID token of the same person", "line", `{}`, `{"profile":{"userId":"U1"},"id_token":{"sub":"U1","email":"a@x.example"}}`,
			map[string]string{"id": "U1", "email": `"a@x.example"`, "email_verified": "-"}},
		{"an ID token of somebody else", "line", `{}`, `{"profile":{"userId":"U1"},"id_token":{"sub":"U2","email":"a@x.example"}}`, nil},
		{"no ID token", "line", `{}`, `{"profile":{"userId":"U1","email":"a@x.example","email_verified":true}}`,
			map[string]string{"id": "U1", "email": "-", "email_verified": "-"}},

		{"an id that is a URL", "paypal", `{}`, `{"profile":{"user_id":"https://www.paypal.com/webapps/auth/identity/user/abc","email":"a@x.example","email_verified":"true"}}`,
			map[string]string{"id": "abc", "email_verified": "true"}},
		{"an id that is none", "paypal", `{}`, `{"profile":{"user_id":"abc","email":"a@x.example","verified_account":"true"}}`,
			map[string]string{"id": "abc", "email_verified": "-", "verified_account": `"true"`}},
		{"a URL without an id", "paypal", `{}`, `{"profile":{"user_id":"https://www.paypal.com/"}}`, nil},

		{"a number", "soundcloud", `{}`, `{"profile":{"id":3207,"urn":"soundcloud:users:3207"}}`, map[string]string{"id": "3207"}},
		{"a URN alone", "soundcloud", `{}`, `{"profile":{"urn":"soundcloud:users:3207"}}`, map[string]string{"id": "3207"}},
		{"a URN of something else", "soundcloud", `{}`, `{"profile":{"urn":"soundcloud:tracks:3207"}}`, nil},
		{"a URN without a number", "soundcloud", `{}`, `{"profile":{"urn":"soundcloud:users:x1"}}`, nil},

		{"a picture by its id", "yandex", `{}`, `{"profile":{"id":"1","default_avatar_id":"0/0-0","default_email":"a@x.example"}}`,
			map[string]string{"picture": `"https://avatars.yandex.net/get-yapic/0/0-0/islands-200"`, "email_verified": "-"}},
		{"an empty picture", "yandex", `{}`, `{"profile":{"id":"1","default_avatar_id":"0/0-0","is_avatar_empty":true}}`, map[string]string{"picture": "-", "email_verified": "-"}},
		{"an id that leads elsewhere", "yandex", `{}`, `{"profile":{"id":"1","default_avatar_id":"../../x?y"}}`, map[string]string{"picture": "-"}},
		{"a picture of its own", "yandex", `{}`, `{"profile":{"id":"1","picture":"http://evil.example/p"}}`, map[string]string{"picture": "-"}},

		{"somebody", "vkontakte", `{}`, `{"profile":{"response":[{"id":7,"first_name":"A"}]},"token":{"email":"a@x.example"}}`,
			map[string]string{"id": "7", "name": `"A"`, "email": `"a@x.example"`, "email_verified": "-"}},
		{"an error with status 200", "vkontakte", `{}`, `{"profile":{"error":{"error_code":5}}}`, nil},
		{"an empty list", "vkontakte", `{}`, `{"profile":{"response":[]}}`, nil},
		{"a list of something else", "vkontakte", `{}`, `{"profile":{"response":["7"]}}`, nil},

		{"the id that is text", "weibo", `{}`, `{"profile":{"id":9007199254740993,"idstr":"9007199254740993","status":{"text":"hello"}}}`,
			map[string]string{"id": "9007199254740993", "status": "-"}},
		{"a shop", "shopify", `{}`, `{"profile":{"shop":{"id":1,"name":"F","email":"a@x.example"}}}`,
			map[string]string{"id": "1", "name": `"F"`, "nickname": `"F"`, "email_verified": "-"}},
		{"no shop", "shopify", `{}`, `{"profile":{"errors":"[API] Invalid API key"}}`, nil},
		{"nobody at Untappd", "untappd", `{}`, `{"profile":{"meta":{"code":500},"response":[]}}`, nil},

		{"the primary address", "planningcenter", `{}`, `{"profile":{"data":{"id":"1","attributes":{"name":"A","email":"wrong@x.example"}},"included":[
			{"type":"Email","attributes":{"address":"b@x.example","primary":false}},{"type":"PhoneNumber","attributes":{"address":"c@x.example","primary":true}},
			{"type":"Email","attributes":{"address":"a@x.example","primary":true}}]}}`,
			map[string]string{"id": "1", "name": `"A"`, "email": `"a@x.example"`, "email_verified": "-"}},
		{"what they sign in with", "planningcenter", `{}`, `{"profile":{"data":{"id":"1","attributes":{"login_identifier":"a@x.example"}}}}`, map[string]string{"email": `"a@x.example"`}},
		{"a phone number to sign in with", "planningcenter", `{}`, `{"profile":{"data":{"id":"1","attributes":{"login_identifier":"+15550100"}}}}`, map[string]string{"email": "-"}},
		{"no attributes", "planningcenter", `{}`, `{"profile":{"data":{"id":"1"}}}`, map[string]string{"id": "1", "name": "-"}},
		{"no data", "planningcenter", `{}`, `{"profile":{"errors":[{"code":"403"}]}}`, nil},

		{"the widest picture", "linkedin", `{"strategy_version":2}`, `{"profile":{"id":"x","picture":"http://evil.example/p","profilePicture":{"displayImage~":{"elements":[
			{"identifiers":[]},{"identifiers":[{"identifier":"https://p.example/0"}]},
			{"data":{"com.linkedin.digitalmedia.mediaartifact.StillImage":{"displaySize":{"width":800}}},"identifiers":[{"identifier":"https://p.example/800"}]},
			{"data":{"com.linkedin.digitalmedia.mediaartifact.StillImage":{"displaySize":{"width":100}}},"identifiers":[{"identifier":"https://p.example/100"}]}]}}}}`,
			map[string]string{"picture": `"https://p.example/800"`}},
		{"a proof without an address", "linkedin", `{"strategy_version":3}`, `{"profile":{"sub":"x","email_verified":true}}`, map[string]string{"id": "x", "email_verified": "-"}},
		{"a proof that is text", "linkedin", `{}`, `{"profile":{"sub":"x","email":"a@x.example","email_verified":"true"}}`, map[string]string{"email_verified": "-"}},

		{"names of ours", "wordpress", `{}`, `{"profile":{"ID":1,"app_metadata":{"admin":true},"user_metadata":{},"blocked":true,"identities":[],"user_id":"auth0|1","email_verified":true,"roles":["x"]}}`,
			map[string]string{"id": "1", "app_metadata": "-", "user_metadata": "-", "blocked": "-", "identities": "-", "user_id": "-", "email_verified": "-", "roles": "-"}},
	}
	for _, row := range rows {
		got, err := said(t, row.strategy, row.options, row.answer)
		if (err == nil) != (row.want != nil) {
			t.Errorf("%s, %s: %v %v", row.strategy, row.what, got, err)
			continue
		}
		for name, want := range row.want {
			v, there := got[name]
			if !there {
				v = "-"
			}
			if v != want {
				t.Errorf("%s, %s: %s is %s, want %s", row.strategy, row.what, name, v, want)
			}
		}
	}
}

// TestScopesOfFlags: options.scope of a connection that is written with flags.
func TestScopesOfFlags(t *testing.T) {
	rows := []struct{ strategy, options, want string }{
		{"line", `{"profile":true,"email":true}`, `["openid","email","profile"]`},
		{"line", `{"profile":true}`, `["openid","profile"]`},
		{"linkedin", `{"strategy_version":3,"openid":true,"profile":true,"email":true}`, `["openid","profile","email"]`},
		{"linkedin", `{"strategy_version":2,"profile":true,"email":true,"basic_profile":true}`, `["r_emailaddress","r_liteprofile","r_basicprofile"]`},
		{"linkedin", `{"strategy_version":2,"profile":true,"freeform_scopes":["w_member_social"]}`, `["r_liteprofile","w_member_social"]`},
		{"paypal", `{"profile":true,"email":true,"address":true,"phone":true}`, `["openid","profile","email","address","phone"]`},
		{"paypal-sandbox", `{"profile":true}`, `["openid","profile"]`},
		{"salesforce", `{"profile":true}`, `[]`},
		{"salesforce-community", `{"profile":true,"freeform_scopes":["api"]}`, `["api"]`},
		{"windowslive", `{"signin":true,"graph_user":true}`, `["https://graph.microsoft.com/User.Read"]`},
		{"windowslive", `{"graph_calendars":true,"offline_access":true,"graph_files":false}`, `["https://graph.microsoft.com/Calendars.Read","offline_access"]`},
		{"windowslive", `{"strategy_version":1,"signin":true,"basic":true,"emails":true}`, `["wl.signin","wl.basic","wl.emails"]`},
		{"windowslive", `{"scope":["x"]}`, `["x"]`},
		{"yahoo", `{"scope":["openid"]}`, `["openid"]`},
	}
	for _, row := range rows {
		o, err := Preparers()[row.strategy].Prepare(t.Context(), "acme", nil, strictjson.ParseDocument([]byte(row.options)))
		if err != nil || string(o["scope"]) != row.want {
			t.Errorf("%s %s: %s %v, want %s", row.strategy, row.options, o["scope"], err, row.want)
		}
	}
}

// TestAddressesOfOptions: what options say of a host stays within that host.
func TestAddressesOfOptions(t *testing.T) {
	rows := []struct{ strategy, options, want string }{ // empty: refused
		{"windowslive", `{}`, "https://login.microsoftonline.com/common/oauth2/v2.0/token"},
		{"windowslive", `{"tenant":"consumers"}`, "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"},
		{"windowslive", `{"tenant":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"}`, "https://login.microsoftonline.com/87d349ed-44d7-43e1-9a83-5f2406dee5bd/oauth2/v2.0/token"},
		{"windowslive", `{"tenant":"../../evil"}`, ""},
		{"shopify", `{"shop":"fern-field"}`, "https://fern-field.myshopify.com/admin/oauth/access_token"},
		{"shopify", `{}`, ""},
		{"shopify", `{"shop":"evil.example/"}`, ""},
		{"shopify", `{"shop":"evil.example#"}`, ""},
		{"shopify", `{"shop":"u:p@evil"}`, ""},
		{"salesforce", `{"community_base_url":"https://evil.example"}`, "https://login.salesforce.com/services/oauth2/token"},
		{"salesforce-sandbox", `{}`, "https://test.salesforce.com/services/oauth2/token"},
		{"salesforce-community", `{"community_base_url":"https://acme.force.example/members/"}`, "https://acme.force.example/members/services/oauth2/token"},
		{"salesforce-community", `{}`, ""},
		{"salesforce-community", `{"community_base_url":"ftp://acme.force.example"}`, ""},
	}
	for _, row := range rows {
		o := strictjson.ParseDocument([]byte(row.options))
		p := Find(row.strategy, o)
		u, err := p.address(o, tokenEndpoint, p.Token)
		got := ""
		if err == nil {
			got = u.String()
		}
		if got != row.want {
			t.Errorf("%s %s: %q, want %q", row.strategy, row.options, got, row.want)
		}
	}
}

// TestHowTokensAreShown: providers that look for the token elsewhere.
func TestHowTokensAreShown(t *testing.T) {
	a := &Answers{AccessToken: "the-token", Token: strictjson.Document{"uid": profile.Text("14")}}
	h, q := http.Header{}, map[string][]string{}
	providers["shopify"].Requests[0].Edit(a, q, h)
	providers["weibo"].Requests[0].Edit(a, q, h)
	if h.Get("X-Shopify-Access-Token") != "the-token" || !slices.Equal(q["uid"], []string{"14"}) {
		t.Errorf("%v %v", h, q)
	}
	for name, p := range providers {
		for _, r := range p.Requests {
			if r.Bearer == InQuery && strings.HasPrefix(r.URL, "http://") {
				t.Errorf("%s shows tokens without TLS", name)
			}
		}
	}
}
