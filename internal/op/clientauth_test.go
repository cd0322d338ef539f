package op

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"mangrove/internal/client"
	"mangrove/internal/store/storetest"
)

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestCredentials(t *testing.T) {
	for _, row := range []struct {
		name   string
		header string
		params map[string]string
		want   credentials
		ok     bool
	}{
		{"post", "", map[string]string{"client_id": "c", "client_secret": "s"}, credentials{"c", "s", false}, true},
		{"none", "", map[string]string{"client_id": "c"}, credentials{"c", "", false}, true},
		{"nothing", "", nil, credentials{}, false},
		{"basic", basic("c:s"), nil, credentials{"c", "s", true}, true},
		{"basic in capitals", "BASIC " + basic("c:s")[6:], nil, credentials{"c", "s", true}, true},
		{"basic, escaped", basic("c%3A1:s%2B%25+x"), nil, credentials{"c:1", "s+% x", true}, true},
		{"basic, colon in the secret", basic("c:s:t"), nil, credentials{"c", "s:t", true}, true},
		{"basic, empty secret", basic("c:"), nil, credentials{"c", "", true}, true},
		{"basic and the same id", basic("c:s"), map[string]string{"client_id": "c"}, credentials{"c", "s", true}, true},
		{"basic and another id", basic("c:s"), map[string]string{"client_id": "d"}, credentials{"c", "s", true}, false},
		{"basic and a secret", basic("c:s"), map[string]string{"client_id": "c", "client_secret": "s"}, credentials{"c", "s", true}, false},
		{"basic, no colon", basic("c"), nil, credentials{basic: true}, false},
		{"basic, no id", basic(":s"), nil, credentials{"", "s", true}, false},
		{"basic, no base64", "Basic ***", nil, credentials{basic: true}, false},
		{"basic, bad escape", basic("c%zz:s"), nil, credentials{basic: true}, false},
		{"basic, NUL in the id", basic("c%00:s"), nil, credentials{"c\x00", "s", true}, false},
		{"basic, no text", basic("c%FF:s"), nil, credentials{"c\xff", "s", true}, false},
		{"basic, another script", basic("%C3%BC:s"), nil, credentials{"ü", "s", true}, true},
		{"bearer is no client", "Bearer x", map[string]string{"client_id": "c", "client_secret": "s"}, credentials{"c", "s", false}, true},
	} {
		got, ok := credentialsOf(row.header, row.params)
		if ok != row.ok || ok && got != row.want {
			t.Errorf("%s: %+v, %v", row.name, got, ok)
		}
	}
}

func TestAdmit(t *testing.T) {
	with := func(secret, members string, global bool) *client.Client {
		c := doc(members)
		c.Secret, c.Global = secret, global
		return c
	}
	for _, row := range []struct {
		name       string
		c          *client.Client
		shown      string
		proven, ok bool
	}{
		{"right", with("s", "", false), "s", true, true},
		{"wrong", with("s", "", false), "t", false, false},
		{"prefix", with("secret", "", false), "secre", false, false},
		{"none shown", with("s", "", false), "", false, false},
		{"none stored, none shown", with("", "", false), "", false, false},
		{"declared basic", with("s", `"token_endpoint_auth_method":"client_secret_basic"`, false), "s", true, true},
		{"public", with("s", `"token_endpoint_auth_method":"none"`, false), "", false, true},
		{"public, shows a secret", with("s", `"token_endpoint_auth_method":"none"`, false), "s", false, false},
		{"spa", with("", `"app_type":"spa"`, false), "", false, true},
		{"private_key_jwt", with("s", `"client_authentication_methods":{"private_key_jwt":{"credentials":[]}}`, false), "s", false, false},
		{"global", with("s", "", true), "s", false, false},
	} {
		if proven, ok := admit(row.c, row.shown); proven != row.proven || ok != row.ok {
			t.Errorf("%s: %v, %v", row.name, proven, ok)
		}
	}
}

// An address is believed from trusted clients alone, and is an address whatever
// they send.
func TestActorAddress(t *testing.T) {
	trusted, other := doc(`"is_token_endpoint_ip_header_trusted":true`), doc("")
	for _, row := range []struct {
		name, header, want string
		c                  caller
	}{
		{"trusted", "198.51.100.1", "198.51.100.1", caller{trusted, true}},
		{"without a proof", "198.51.100.1", "192.0.2.1", caller{trusted, false}},
		{"another client", "198.51.100.1", "192.0.2.1", caller{other, true}},
		{"no address", "unknown", "192.0.2.1", caller{trusted, true}},
		{"with a zone", "fe80::1%\xff", "fe80::1", caller{trusted, true}},
		{"in disguise", "::ffff:198.51.100.1", "198.51.100.1", caller{trusted, true}},
	} {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
		r.Header.Set("Auth0-Forwarded-For", row.header)
		if got := (&Endpoints{}).actor(r, row.c).IP; got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

// What a client calls itself may be no text at all; that is no fault of ours.
func TestClientsWithoutText(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, engine)
			for _, id := range []string{"%FF", "%00", "a%00b", "\xff", "\x00", "%C3%28"} {
				rec := w.post(t, "grant_type=client_credentials", "Authorization", basic(id+":x"), "User-Agent", "a\xffb")
				if rec.Code != http.StatusUnauthorized || answer(t, rec)["error"] != "access_denied" {
					t.Errorf("%q: %d %s", id, rec.Code, rec.Body)
				}
			}
		})
	}
}
