package token

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func payload(t testing.TB, jwt string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAccessToken(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct {
		name string
		in   Access
		want string
	}{
		{"machine", Access{Subject: "c1@clients", ClientID: "c1", Audience: []string{api}, Scopes: []string{"read:a", "b"}, Lifetime: time.Hour, GrantType: GrantClientCredentials},
			`{"iss":"https://id.example.test/","sub":"c1@clients","aud":"https://api.example.test/","iat":1700000000,"exp":1700003600,"azp":"c1","scope":"read:a b","gty":"client-credentials"}`},
		{"user of an API with openid", Access{Subject: "auth0|1", ClientID: "c1", Audience: []string{api, issuer + "userinfo"}, Scopes: []string{"openid"}, Lifetime: time.Hour},
			`{"iss":"https://id.example.test/","sub":"auth0|1","aud":["https://api.example.test/","https://id.example.test/userinfo"],"iat":1700000000,"exp":1700003600,"azp":"c1","scope":"openid"}`},
		{"nothing granted", Access{Subject: "auth0|1", ClientID: "c1", Audience: []string{api}, Lifetime: time.Minute, GrantType: GrantPassword, Permissions: []string{}},
			`{"iss":"https://id.example.test/","sub":"auth0|1","aud":"https://api.example.test/","iat":1700000000,"exp":1700000060,"azp":"c1","gty":"password","permissions":[]}`},
		{"RFC 9068", Access{Subject: "c1@clients", ClientID: "c1", Audience: []string{api}, Scopes: []string{"a"}, Lifetime: time.Hour, GrantType: GrantClientCredentials, ID: "j", Permissions: []string{"a"}},
			`{"iss":"https://id.example.test/","sub":"c1@clients","aud":"https://api.example.test/","iat":1700000000,"exp":1700003600,"client_id":"c1","jti":"j","scope":"a","permissions":["a"]}`},
		{"odd texts", Access{Subject: "oidc|c|<a&\"b>", ClientID: "c1", Audience: []string{"urn:<x>"}, Lifetime: time.Hour},
			`{"iss":"https://id.example.test/","sub":"oidc|c|<a&\"b>","aud":"urn:<x>","iat":1700000000,"exp":1700003600,"azp":"c1"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, err := b.issuer.AccessToken(t.Context(), row.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := payload(t, text); got != row.want {
				t.Errorf("payload = %s\nwant      %s", got, row.want)
			}
			head, _ := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[0])
			typ := "JWT"
			if row.in.ID != "" {
				typ = "at+jwt"
			}
			if want := `{"alg":"RS256","typ":"` + typ + `","kid":"` + b.store.list[0].ID + `"}`; string(head) != want {
				t.Errorf("header = %s", head)
			}
			got, err := b.verifier.Verify(t.Context(), text)
			if err != nil || got.Subject != row.in.Subject {
				t.Errorf("our own verifier: %+v, %v", got, err)
			}
		})
	}
}

func TestIDToken(t *testing.T) {
	b := newBench(t)
	text, err := b.issuer.IDToken(t.Context(), Identity{
		Subject: "auth0|1", ClientID: "c1", Lifetime: 10 * time.Hour, Nonce: "n<\"", SessionID: "s", AuthTime: 1_699_999_999,
		Claims: []Claim{{"name", profile.Text("Ana")}, {"email_verified", profile.Bool(true)}}, AccessToken: "at",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Ana","email_verified":true,"iss":"https://id.example.test/","aud":"c1","iat":1700000000,"exp":1700036000,"sub":"auth0|1","auth_time":1699999999,"at_hash":"` + AccessHash("at") + `","sid":"s","nonce":"n<\""}`
	if got := payload(t, text); got != want {
		t.Errorf("payload = %s\nwant      %s", got, want)
	}
	// go-oidc reads it with the keys of the published document.
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b.ring.JWKS(t.Context()), &set); err != nil {
		t.Fatal(err)
	}
	keys := &oidc.StaticKeySet{}
	for _, k := range set.Keys {
		keys.PublicKeys = append(keys.PublicKeys, k.Key)
	}
	v := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: "c1", Now: func() time.Time { return b.at }})
	id, err := v.Verify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "auth0|1" || id.Nonce != `n<"` || id.VerifyAccessToken("at") != nil || id.VerifyAccessToken("other") == nil {
		t.Errorf("ID token = %+v", id)
	}

	plain, err := b.issuer.IDToken(t.Context(), Identity{Subject: "auth0|1", ClientID: "c1", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auth_time", "sid", "nonce"} {
		if strings.Contains(payload(t, plain), name) {
			t.Errorf("%s is there without reason", name)
		}
	}
}

func TestClaims(t *testing.T) {
	full := func(list ...profile.Attribute) *user.User {
		return &user.User{ID: "auth0|1", Profile: profile.Of(list...), UpdatedAt: 1_700_000_000_123_456}
	}
	attr := func(name, value string) profile.Attribute {
		return profile.Attribute{Name: name, Value: profile.Value(value)}
	}
	everything := full(
		attr("given_name", `"Ana"`), attr("family_name", `"B"`), attr("middle_name", `"M"`), attr("nickname", `"ana"`),
		attr("preferred_username", `"an"`), attr("name", `"Ana B"`), attr("profile", `"https://p"`), attr("picture", `"https://i"`),
		attr("website", `"https://w"`), attr("gender", `"f"`), attr("birthdate", `"2000-01-01"`), attr("zoneinfo", `"UTC"`), attr("locale", `"en"`),
		attr("email", `"a@example.test"`), attr("email_verified", `true`), attr("phone_number", `"+1"`), attr("phone_verified", `false`),
		attr("address", `{"country":"PT"}`),
		attr("username", `"secret"`), attr("user_metadata", `{"a":"secret"}`), attr("app_metadata", `{"a":"secret"}`), attr("blocked", `true`),
		attr("phone_number_verified", `true`), attr("sub", `"secret"`), attr("iss", `"secret"`), attr("aud", `"secret"`), attr("created_at", `"secret"`),
	)
	profileClaims := `"given_name":"Ana","family_name":"B","middle_name":"M","nickname":"ana","preferred_username":"an","name":"Ana B","profile":"https://p","picture":"https://i","website":"https://w","gender":"f","birthdate":"2000-01-01","zoneinfo":"UTC","locale":"en","updated_at":"2023-11-14T22:13:20.123Z"`
	for _, row := range []struct {
		name   string
		u      *user.User
		scopes string
		want   string
	}{
		{"no scope", everything, "", `{"sub":"auth0|1"}`},
		{"openid", everything, "openid", `{"sub":"auth0|1"}`},
		{"profile", everything, "openid profile", `{"sub":"auth0|1",` + profileClaims + `}`},
		{"email", everything, "openid email", `{"sub":"auth0|1","email":"a@example.test","email_verified":true}`},
		{"phone", everything, "openid phone", `{"sub":"auth0|1","phone_number":"+1","phone_number_verified":false}`},
		{"address", everything, "openid address", `{"sub":"auth0|1","address":{"country":"PT"}}`},
		{"all, in another order", everything, "phone address email profile openid",
			`{"sub":"auth0|1",` + profileClaims + `,"email":"a@example.test","email_verified":true,"phone_number":"+1","phone_number_verified":false,"address":{"country":"PT"}}`},
		{"recorded order", full(attr("email", `"a@b"`), attr("email_verified", "false"), attr("name", `"a@b"`), attr("nickname", `"a"`), attr("picture", `"p"`)), "openid profile email",
			`{"sub":"auth0|1","nickname":"a","name":"a@b","picture":"p","updated_at":"2023-11-14T22:13:20.123Z","email":"a@b","email_verified":false}`},
		{"types of upstreams", full(attr("name", `5`), attr("nickname", `{}`), attr("email", `["a"]`), attr("email_verified", `"true"`), attr("phone_verified", `1`), attr("address", `"a road"`)), "openid profile email phone address",
			`{"sub":"auth0|1","updated_at":"2023-11-14T22:13:20.123Z","address":"a road"}`},
		{"login after the last change", &user.User{ID: "auth0|1", UpdatedAt: 1, Logins: user.Logins{Last: 1_700_000_000_000_000}}, "profile",
			`{"sub":"auth0|1","updated_at":"2023-11-14T22:13:20.000Z"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := string(WriteClaims("auth0|1", Claims(row.u, strings.Fields(row.scopes))))
			if got != row.want {
				t.Errorf("claims = %s\nwant     %s", got, row.want)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(a) || a == b {
		t.Errorf("secrets = %q, %q", a, b)
	}
	if HashOf("abc") != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error("HashOf is not SHA-256 in hex")
	}
}
