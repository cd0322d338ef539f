package server_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// scene is somebody half-way through, with an application of their own.
type scene struct {
	*stage
	t           *testing.T
	address, id string
	seed        string
	connections []string
}

// newScene makes the application and the person.
func (s *stage) newScene(t *testing.T, n int) *scene {
	t.Helper()
	c := &scene{stage: s, t: t, address: fmt.Sprintf("somebody%d@example.test", n), connections: []string{s.db, s.email}}
	s.app = s.newApplication(database)
	all := `["authorization_code","password","refresh_token","` + strings.Join([]string{realmGrant, codeGrant, otpGrant, pollGrant}, `","`) + `"]`
	s.must("PATCH", "/api/v2/clients/"+s.app.oauth.ClientID, `{"grant_types":`+all+`,"cross_origin_authentication":true,"web_origins":["http://app.example"],"allowed_origins":["http://app.example"]}`)
	s.enable(s.email, s.app.oauth.ClientID, true)
	c.id = s.newUser(c.address)
	return c
}

// until walks to the page and says what becomes of its form when it is sent later.
func (c *scene) until(from, path string) func() bool {
	c.t.Helper()
	p := c.newPerson(c.address, &c.seed)
	var to string
	var form url.Values
	answers := p.form
	p.form = func(at, page string) url.Values {
		if at != path {
			return answers(at, page)
		}
		form = answers(at, page)
		to = formTag.FindStringSubmatch(page)[1]
		return nil
	}
	query, at := p.walk(from)
	if form == nil {
		c.t.Fatalf("%s was not reached: %v at %s", path, query, at)
	}
	return func() bool {
		u, err := at.Parse(strings.ReplaceAll(to, "&amp;", "&"))
		if err != nil {
			c.t.Fatal(err)
		}
		p.form = answers
		query, _, end := p.b.submit(u.String(), form)
		if query == nil && end.Path == "/device/success" {
			return true
		}
		if query == nil && strings.HasPrefix(end.Path, "/u/") && end.Path != path {
			query, _ = p.walk(end.String())
		}
		return query.Get("code") != ""
	}
}

// enrolled gives the person a second factor.
func (c *scene) enrolled() {
	c.t.Helper()
	if query, at := c.newPerson(c.address, &c.seed).walk(c.authorize("acr_values", multiFactor)); query.Get("code") == "" {
		c.t.Fatalf("no second factor: %v at %s", query, at)
	}
}

func (c *scene) tokens(pairs ...string) string {
	c.t.Helper()
	return c.granted(append([]string{"grant_type", realmGrant, "realm", database, "username", c.address, "password", goodPassword}, pairs...)...)
}

// succeeds reports an answer of the token endpoint that has tokens.
func (c *scene) succeeds(pairs ...string) bool {
	status, _ := c.grant(pairs...)
	return status == 200
}

// security.md 92, 9, 70: what was there when a flow began is looked at again at each
// of its steps.
func TestStateIsReadAgainAtUse(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	s.must("PUT", "/api/v2/guardian/factors/otp", `{"enabled":true}`)
	s.must("POST", "/api/v2/resource-servers", `{"identifier":"https://api.example.test","name":"An API","allow_offline_access":true,"skip_consent_for_verifiable_first_party_clients":true,"scopes":[{"value":"read:it"}]}`)
	changes := []struct {
		name string
		make func(c *scene)
	}{
		{"nothing", func(*scene) {}},
		{"user blocked", func(c *scene) { c.must("PATCH", "/api/v2/users/"+url.PathEscape(c.id), `{"blocked":true}`) }},
		{"user deleted", func(c *scene) { c.must("DELETE", "/api/v2/users/"+url.PathEscape(c.id), "") }},
		{"connection disabled", func(c *scene) {
			for _, id := range c.connections {
				c.enable(id, c.app.oauth.ClientID, false)
			}
		}},
		{"client deleted", func(c *scene) { c.must("DELETE", "/api/v2/clients/"+c.app.oauth.ClientID, "") }},
	}
	moments := []struct {
		name  string
		begin func(c *scene) (finish func() bool)
		// survives are changes that the moment outlives, and why.
		survives []string
	}{
		{"password page", func(c *scene) func() bool { return c.until(c.authorize(), "/u/login/password") }, nil},
		{"second factor", func(c *scene) func() bool {
			c.enrolled()
			return c.until(c.authorize(), "/u/mfa-otp-challenge")
		}, nil},
		{"enrollment", func(c *scene) func() bool {
			return c.until(c.authorize("acr_values", multiFactor), "/u/mfa-otp-enrollment")
		}, nil},
		{"consent", func(c *scene) func() bool {
			c.must("PATCH", "/api/v2/clients/"+c.app.oauth.ClientID, `{"is_first_party":false}`)
			return c.until(c.authorize(), "/u/consent")
		}, nil},
		{"code", func(c *scene) func() bool {
			query, _ := c.newPerson(c.address, &c.seed).walk(c.authorize())
			return func() bool {
				return c.succeeds("grant_type", "authorization_code", "code", query.Get("code"), "redirect_uri", c.app.oauth.RedirectURL)
			}
		}, nil},
		{"refresh token", func(c *scene) func() bool {
			got := c.field(c.tokens("scope", "openid offline_access", "audience", "https://api.example.test"), "refresh_token")
			return func() bool { return c.succeeds("grant_type", "refresh_token", "refresh_token", got) }
		}, []string{"connection disabled"}},
		{"userinfo", func(c *scene) func() bool {
			got := c.field(c.tokens("scope", "openid"), "access_token")
			return func() bool {
				status, _, _ := c.send("GET", "/userinfo", "", "Authorization", "Bearer "+got)
				return status == 200
			}
		}, []string{"connection disabled"}},
		{"silent", func(c *scene) func() bool {
			p := c.newPerson(c.address, &c.seed)
			if query, at := p.walk(c.authorize()); query.Get("code") == "" {
				c.t.Fatalf("%v at %s", query, at)
			}
			return func() bool {
				query, _, _ := p.b.follow(c.authorize("prompt", "none"))
				return query.Get("code") != ""
			}
		}, nil},
		{"login ticket", func(c *scene) func() bool {
			b := c.newBrowser()
			status, body, _ := send(c.t, b.client, "POST", c.url+"/co/authenticate",
				`{"client_id":"`+c.app.oauth.ClientID+`","username":"`+c.address+`","password":"`+goodPassword+`","realm":"`+database+`","credential_type":"`+realmGrant+`"}`, "Origin", "http://app.example")
			if status != 200 {
				c.t.Fatalf("%d %s", status, body)
			}
			return func() bool {
				query, _, _ := b.follow(c.authorize("login_ticket", c.field(body, "login_ticket"), "realm", database))
				return query.Get("code") != ""
			}
		}, nil},
		{"interrupted grant", func(c *scene) func() bool {
			c.enrolled()
			_, body := c.grant("grant_type", realmGrant, "realm", database, "username", c.address, "password", goodPassword)
			got := c.field(body, "mfa_token")
			return func() bool { return c.succeeds("grant_type", otpGrant, "mfa_token", got, "otp", c.otp(c.seed)) }
		}, nil},
		{"device page", func(c *scene) func() bool { return c.until(c.activation(), "/u/device/confirmation") }, nil},
		{"device", func(c *scene) func() bool {
			c.must("PATCH", "/api/v2/clients/"+c.app.oauth.ClientID, `{"app_type":"native","token_endpoint_auth_method":"none"}`)
			_, body := c.post("/oauth/device/code", "client_id", c.app.oauth.ClientID, "scope", "openid")
			if _, at := c.newPerson(c.address, &c.seed).walk(c.url + "/activate?user_code=" + url.QueryEscape(c.field(body, "user_code"))); at == nil || at.Path != "/device/success" {
				c.t.Fatalf("at %v", at)
			}
			return func() bool {
				status, _ := c.post("/oauth/token", "grant_type", pollGrant, "client_id", c.app.oauth.ClientID, "device_code", c.field(body, "device_code"))
				return status == 200
			}
		}, nil},
		{"one-time code", func(c *scene) func() bool {
			id := c.byCode()
			code := c.startCode("code", `\b[0-9]{6}\b`)
			c.id = id
			return func() bool {
				return c.succeeds("grant_type", codeGrant, "realm", "email", "username", c.address, "otp", code)
			}
		}, nil},
		{"magic link", func(c *scene) func() bool {
			id := c.byCode()
			link := c.startCode("link", `/passwordless/verify_redirect\?[^\s"<>]+`)
			c.id = id
			return func() bool {
				p := c.newPerson(c.address, &c.seed)
				p.form = func(path, _ string) url.Values {
					if path == "/passwordless/verify_redirect" {
						return url.Values{}
					}
					return nil
				}
				query, _ := p.walk(c.url + link)
				return query.Get("code") != ""
			}
		}, nil},
	}
	n := 0
	for _, m := range moments {
		for _, change := range changes {
			t.Run(m.name+"/"+change.name, func(t *testing.T) {
				n++
				c := s.newScene(t, n)
				finish := m.begin(c)
				change.make(c)
				want := change.name == "nothing" || slices.Contains(m.survives, change.name)
				if got := finish(); got != want {
					t.Errorf("let in: %v", got)
				}
			})
		}
	}
}

// activation is the address at which a device of the application is activated.
func (c *scene) activation() string {
	c.t.Helper()
	c.must("PATCH", "/api/v2/clients/"+c.app.oauth.ClientID, `{"app_type":"native","token_endpoint_auth_method":"none"}`)
	status, body := c.post("/oauth/device/code", "client_id", c.app.oauth.ClientID, "scope", "openid")
	if status != 200 {
		c.t.Fatalf("%d %s", status, body)
	}
	return c.url + "/activate?user_code=" + url.QueryEscape(c.field(body, "user_code"))
}

func (c *scene) startCode(send, pattern string) string {
	c.t.Helper()
	status, body := c.post("/passwordless/start", "client_id", c.app.oauth.ClientID, "client_secret", c.app.oauth.ClientSecret, "connection", "email", "email", c.address, "send", send,
		"authParams", `{"redirect_uri":"`+c.app.oauth.RedirectURL+`","response_type":"code","scope":"openid"}`)
	if status != 200 {
		c.t.Fatalf("%d %s", status, body)
	}
	return c.mailed(pattern)
}

// byCode makes the person known to the connection that sends codes, and is their
// id there.
func (c *scene) byCode() (id string) {
	c.t.Helper()
	return c.field(c.must("POST", "/api/v2/users", `{"connection":"email","email":"`+c.address+`","email_verified":true,"verify_email":false}`), "user_id")
}
