package client

import (
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

func TestReadRegistration(t *testing.T) {
	const cb = `"redirect_uris":["https://app.example/cb"]`
	for _, row := range []struct{ name, body, code string }{
		{"least", `{` + cb + `}`, ""},
		{"whole", `{"client_name":"Tides","token_endpoint_auth_method":"none","grant_types":["refresh_token","authorization_code"],"response_types":["code"],"contacts":["x"],` + cb + `}`, ""},
		{"loopback", `{"redirect_uris":["http://localhost:3000/cb","http://127.0.0.1/cb","http://[::1]:8080/"]}`, ""},
		{"own scheme", `{"redirect_uris":["com.example.app://cb","com.example.app:/cb"]}`, ""},
		{"none", `{}`, "invalid_redirect_uri"},
		{"empty", `{"redirect_uris":[]}`, "invalid_redirect_uri"},
		{"no list", `{"redirect_uris":"https://app.example/cb"}`, "invalid_redirect_uri"},
		{"too many", `{"redirect_uris":[` + strings.TrimSuffix(strings.Repeat(`"https://app.example/cb",`, 11), ",") + `]}`, "invalid_redirect_uri"},
		{"script", `{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri"},
		{"script, capitals", `{"redirect_uris":["JavaScript:alert(1)"]}`, "invalid_redirect_uri"},
		{"data", `{"redirect_uris":["data:text/html,x"]}`, "invalid_redirect_uri"},
		{"plain http", `{"redirect_uris":["http://app.example/cb"]}`, "invalid_redirect_uri"},
		{"nearly loopback", `{"redirect_uris":["http://localhost.evil.test/cb"]}`, "invalid_redirect_uri"},
		{"fragment", `{"redirect_uris":["https://app.example/cb#x"]}`, "invalid_redirect_uri"},
		{"empty fragment", `{"redirect_uris":["https://app.example/cb#"]}`, "invalid_redirect_uri"},
		{"user info", `{"redirect_uris":["https://app.example@evil.test/cb"]}`, "invalid_redirect_uri"},
		{"wildcard", `{"redirect_uris":["https://*.example/cb"]}`, "invalid_redirect_uri"},
		{"placeholder", `{"redirect_uris":["https://{organization_name}.example/cb"]}`, "invalid_redirect_uri"},
		{"backslash", `{"redirect_uris":["https:\\\\app.example"]}`, "invalid_redirect_uri"},
		{"relative", `{"redirect_uris":["/cb"]}`, "invalid_redirect_uri"},
		{"a system's scheme", `{"redirect_uris":["ms-settings:x"]}`, "invalid_redirect_uri"},
		{"one bad of two", `{"redirect_uris":["https://app.example/cb","ftp://x"]}`, "invalid_redirect_uri"},
		{"long", `{"redirect_uris":["https://app.example/` + strings.Repeat("x", maxURL) + `"]}`, "invalid_redirect_uri"},
		{"markup", `{"client_name":"<b>x",` + cb + `}`, "invalid_client_metadata"},
		{"no name", `{"client_name":"",` + cb + `}`, "invalid_client_metadata"},
		{"invisible", `{"client_name":"a\u202eb",` + cb + `}`, "invalid_client_metadata"},
		{"long name", `{"client_name":"` + strings.Repeat("x", 101) + `",` + cb + `}`, "invalid_client_metadata"},
		{"machine", `{"grant_types":["client_credentials"],` + cb + `}`, "invalid_client_metadata"},
		{"password", `{"grant_types":["authorization_code","password"],` + cb + `}`, "invalid_client_metadata"},
		{"refresh alone", `{"grant_types":["refresh_token"],` + cb + `}`, "invalid_client_metadata"},
		{"implicit", `{"response_types":["token"],` + cb + `}`, "invalid_client_metadata"},
		{"key", `{"token_endpoint_auth_method":"private_key_jwt",` + cb + `}`, "invalid_client_metadata"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := strictjson.Object([]byte(row.body))
			if err != nil {
				t.Fatal(err)
			}
			g, err := ReadRegistration(m)
			if code := errs.From(err).Code; (err == nil) != (row.code == "") || err != nil && code != row.code {
				t.Errorf("%v", err)
			}
			if err == nil && (g.Name == "" || len(g.GrantTypes) == 0) {
				t.Errorf("%+v", g)
			}
		})
	}
	m, _ := strictjson.Object([]byte(`{` + cb + `}`))
	if g, _ := ReadRegistration(m); g.Name != "app.example" || g.AuthMethod != AuthPost {
		t.Errorf("%+v", g)
	}
}

// The law: an address that is accepted can be called back, and runs nothing.
func FuzzRegistrable(f *testing.F) {
	f.Add("https://app.example/cb")
	f.Add("java\tscript:alert(1)")
	f.Add("com.example:/x")
	f.Fuzz(func(t *testing.T, uri string) {
		if registrable(uri) && (!Callable(uri) || strings.ContainsAny(uri, "#*<>\"\\\r\n\t ") || strings.HasPrefix(strings.ToLower(uri), "javascript:")) {
			t.Fatalf("%q", uri)
		}
	})
}
