package social

import (
	"encoding/json"
	"strings"
	"testing"

	"mangrove/internal/strictjson"
)

// What a connection asks for, and what the computed scope looks like
// (reference/connections.md §1.5, §2.13–2.21).
func TestScope(t *testing.T) {
	rows := []struct {
		strategy, options string
		extra             string
		asked             string // as it is sent
		stored            string // options.scope after Prepare; empty: none
	}{
		{"google-oauth2", `{}`, "", "email profile", `["email","profile"]`},
		{"google-oauth2", `{"profile":true,"calendar":true,"youtube":false}`, "", "profile https://www.googleapis.com/auth/calendar", `["email","profile","https://www.googleapis.com/auth/calendar"]`},
		{"google-oauth2", `{"email":true,"profile":true}`, "", "email profile", `["email","profile"]`},
		{"google-oauth2", `{"profile":true,"email":false,"scope":["email","profile"]}`, "", "profile", `["profile"]`},
		{"google-oauth2", `{"email":true,"gmail":true,"youtube":true}`, "", "email https://mail.google.com/mail/feed/atom https://gdata.youtube.com", `["email","profile","https://mail.google.com/mail/feed/atom","https://gdata.youtube.com"]`},
		{"google-oauth2", `{"email":true,"offline_access":true}`, "", "email", `["email","profile"]`},
		{"google-oauth2", `{"email":true,"freeform_scopes":["x","email"]}`, "https://y", "email x https://y", `["email","profile","x"]`},
		{"google-oauth2", `{"scope":["openid","email"]}`, "", "openid email", `["openid","email"]`},
		{"google-oauth2", `{"email":false}`, "", "email profile", `["profile"]`},
		{"facebook", `{}`, "", "public_profile,email", `""`},
		{"facebook", `{"email":true,"public_profile":true}`, "", "public_profile,email", `"public_profile,email"`},
		{"facebook", `{"public_profile":true,"user_birthday":true}`, "user_likes,email", "public_profile,user_birthday,user_likes,email", `"public_profile,user_birthday"`},
		{"facebook", `{"scope":"public_profile,email,user_link"}`, "", "public_profile,email,user_link", `"public_profile,email,user_link"`},
		{"apple", `{}`, "", "", ""},
		{"apple", `{"email":true,"name":true}`, "", "name email", `"name email"`},
		{"apple", `{"email":true,"name":false}`, "", "email", `"email"`},
		{"github", `{}`, "", "", `[]`},
		{"github", `{"email":true,"profile":true}`, "", "user:email", `["user:email"]`},
		{"github", `{"read_user":true,"follow":true,"repo_status":true,"admin_org":true,"gist":true}`, "", "admin:org user:follow gist read:user repo:status", `["admin:org","user:follow","gist","read:user","repo:status"]`},
		{"github", `{"email":false,"profile":true,"scope":["user:email"]}`, "", "", `[]`},
		{"github", `{"scope":["user:email"]}`, "repo", "user:email repo", `["user:email"]`},
		{"line", `{}`, "", "openid profile", `["openid","profile"]`},
		{"line", `{"email":true,"scope":["profile","openid","email"]}`, "", "openid email", `["openid","email","profile"]`},
		{"linkedin", `{"strategy_version":2}`, "", "r_emailaddress r_liteprofile", `["r_liteprofile"]`},
		{"windowslive", `{"strategy_version":2}`, "", "https://graph.microsoft.com/User.Read", `[]`},
		{"salesforce", `{}`, "", "", `[]`},
		{"amazon", `{"profile":true,"postal_code":true}`, "", "profile postal_code", `["profile","postal_code"]`},
		{"bitly", `{"scope":["a"]}`, "", "a", `["a"]`},
		{"fitbit", `{"scope":["sleep"]}`, "", "profile sleep", `["sleep"]`},
		{"dwolla", `{"scope":["Send","Funding"]}`, "", "Send|Funding", `["Send","Funding"]`},
	}
	for _, row := range rows {
		o := strictjson.ParseDocument(json.RawMessage(row.options))
		p := Find(row.strategy, o)
		extra := strings.FieldsFunc(row.extra, func(r rune) bool { return r == ',' })
		separator := p.Scope.Separator
		if separator == "" {
			separator = " "
		}
		if got := strings.Join(p.Scope.asked(o, extra), separator); got != row.asked {
			t.Errorf("%s %s asks for %q, want %q", row.strategy, row.options, got, row.asked)
		}
		next, err := Preparers()[row.strategy].Prepare(t.Context(), "c", nil, o)
		if err != nil || string(next["scope"]) != row.stored {
			t.Errorf("%s %s stores %s (%v), want %s", row.strategy, row.options, next["scope"], err, row.stored)
		}
	}
}

func TestEndpointsAreWebAddresses(t *testing.T) {
	rows := []struct {
		endpoints string
		ok        bool
	}{
		{`{"token":"https://x.example/token","profile":"http://127.0.0.1:99/p?a=b"}`, true},
		{`{}`, true},
		{`{"token":"ftp://x.example/"}`, false},
		{`{"token":"//x.example/"}`, false},
		{`{"token":"https://u:p@x.example/"}`, false},
		{`{"token":"https://x.example/#f"}`, false},
		{`{"token":""}`, false},
		{`{"token":7}`, false},
		{`{"anything":"javascript:alert(1)"}`, false},
		{`{"emails":"https://x.example/emails"}`, true}, // a further request of this provider
		{`{"profil":"https://x.example/p"}`, false},
	}
	for _, row := range rows {
		o := strictjson.ParseDocument(json.RawMessage(`{"endpoints":` + row.endpoints + `}`))
		_, err := Preparers()["github"].Prepare(t.Context(), "c", nil, o)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.endpoints, err)
		}
	}
}

func TestAddress(t *testing.T) {
	p := &Provider{Placeholders: map[string]string{"d": "https://start.example"}}
	rows := []struct {
		options, own, want string
	}{
		{`{}`, "https://a.example/x", "https://a.example/x"},
		{`{"shop":"my-shop"}`, "https://{shop}.shop.example/x", "https://my-shop.shop.example/x"},
		{`{}`, "https://{shop}.shop.example/x", ""},
		{`{"shop":"evil.example/"}`, "https://{shop}.shop.example/x", ""},
		{`{"shop":"a.b"}`, "https://{shop}.shop.example/x", ""},
		{`{"shop":"a@b"}`, "https://{shop}.shop.example/x", ""},
		{`{"shop":"-a"}`, "https://{shop}.shop.example/x", ""},
		{`{"base":"https://c.example/sub/"}`, "{base}/x", "https://c.example/sub/x"},
		{`{"base":"c.example"}`, "{base}/x", ""},
		{`{"base":"https://c.example/?q"}`, "{base}/x", ""},
		{`{"base":"https://c.example/#f"}`, "{base}/x", ""},
		{`{}`, "{d}/x", "https://start.example/x"},
		{`{"d":"http://other.example"}`, "{d}/x", "http://other.example/x"},
		{`{"endpoints":{"n":"http://127.0.0.1:1/y"}}`, "{base}/x", "http://127.0.0.1:1/y"},
	}
	for _, row := range rows {
		got := ""
		if u, err := p.address(strictjson.ParseDocument(json.RawMessage(row.options)), "n", row.own); err == nil {
			got = u.String()
		}
		if got != row.want {
			t.Errorf("%s %s: %q, want %q", row.options, row.own, got, row.want)
		}
	}
}
