package client

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// shelf is a Store in memory, for the rules alone: the real one is tested with
// the Management API.
type shelf map[string]*Client

func (s shelf) Client(_ context.Context, id string) (*Client, error) {
	if c := s[id]; c != nil {
		return c, nil
	}
	return nil, ErrNotFound
}

func (s shelf) Clients(_ context.Context, f Filter, p Page) ([]*Client, int, error) {
	var ids []string
	for id, c := range s {
		if id > p.After && (f.Global == nil || *f.Global == c.Global) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var list []*Client
	for _, id := range ids[:min(len(ids), p.Limit)] {
		list = append(list, s[id])
	}
	return list, len(ids), nil
}

func (s shelf) CreateClient(_ context.Context, c *Client, e audit.Event) error {
	if e.Type != audit.APIOperation || e.At == 0 || e.Description == "" {
		return errors.New("no proper record")
	}
	s[c.ID] = c
	return nil
}

func (s shelf) UpdateClient(ctx context.Context, id string, fn func(*Client) error, _ audit.Event) (*Client, error) {
	old, err := s.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	// Twice, as a store may.
	if err := fn(old.Clone()); err != nil {
		return nil, err
	}
	c := old.Clone()
	if err := fn(c); err != nil {
		return nil, err
	}
	s[id] = c
	return c, nil
}

func (s shelf) DeleteClient(_ context.Context, id string, _ audit.Event) error {
	delete(s, id)
	return nil
}

func newService() *Service {
	s := NewService(shelf{}, func() time.Time { return time.UnixMicro(1) })
	return s
}

func members(t *testing.T, body string) []strictjson.Member {
	t.Helper()
	m, err := strictjson.Object([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func text(err error) string {
	var v schema.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &v):
		return v.Error()
	}
	return errs.From(err).Text
}

func canonical(t *testing.T, raw string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const minimal = `"is_first_party":true,"is_token_endpoint_ip_header_trusted":false,"oidc_conformant":false,
	"sso_disabled":false,"cross_origin_authentication":false,"custom_login_page_on":true,
	"refresh_token":{"rotation_type":"non-rotating","expiration_type":"non-expiring","leeway":0,"token_lifetime":2592000,"infinite_token_lifetime":true,"infinite_idle_token_lifetime":true,"idle_token_lifetime":1296000}`

func TestCreate(t *testing.T) {
	const jwt = `,"jwt_configuration":{"secret_encoded":false,"lifetime_in_seconds":36000}`
	const grants = `,"grant_types":["authorization_code","implicit","refresh_token","client_credentials"]`
	for _, row := range []struct {
		name, body, doc string
		secret          bool
	}{
		{"the recorded minimal body", `{"name":"x"}`, `{` + minimal + jwt + grants + `}`, true},
		{"spa", `{"name":"x","app_type":"spa"}`, `{` + minimal + jwt + `,"app_type":"spa","grant_types":["authorization_code","implicit","refresh_token"]}`, false},
		{"native with its own list", `{"name":"x","app_type":"native","grant_types":[]}`, `{` + minimal + jwt + `,"app_type":"native","grant_types":[]}`, false},
		{"spa with a secret", `{"name":"x","app_type":"spa","token_endpoint_auth_method":"client_secret_post"}`,
			`{` + minimal + jwt + `,"app_type":"spa","token_endpoint_auth_method":"client_secret_post","grant_types":["authorization_code","implicit","refresh_token"]}`, true},
		{"public by method", `{"name":"x","token_endpoint_auth_method":"none"}`, `{` + minimal + jwt + grants + `,"token_endpoint_auth_method":"none"}`, false},
		{"alg alone", `{"name":"x","jwt_configuration":{"alg":"RS256"}}`,
			`{` + minimal + grants + `,"jwt_configuration":{"alg":"RS256","secret_encoded":false,"lifetime_in_seconds":36000}}`, true},
		{"nulls were not sent", `{"name":"x","callbacks":null,"jwt_configuration":null,"description":null}`, `{` + minimal + jwt + grants + `}`, true},
		{"metadata", `{"name":"x","client_metadata":{"a":"1","b":null}}`, `{` + minimal + jwt + grants + `,"client_metadata":{"a":"1"}}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := newService().Create(t.Context(), members(t, row.body), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			if got, want := canonical(t, string(c.Doc)), canonical(t, row.doc); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if (c.Secret != "") != row.secret || row.secret && !regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`).MatchString(c.Secret) {
				t.Errorf("secret %q", c.Secret)
			}
			if !regexp.MustCompile(`^[A-Za-z0-9]{32}$`).MatchString(c.ID) {
				t.Errorf("id %q", c.ID)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct{ name, body, wrong string }{
		{"no name", `{}`, "Missing required property: name"},
		{"empty name", `{"name":""}`, "String is too short"},
		{"name with markup", `{"name":"<b>"}`, "pattern"},
		{"unknown member", `{"name":"x","foo":1}`, "Additional properties not allowed: foo"},
		{"own id", `{"name":"x","client_id":"a"}`, "Additional properties not allowed: client_id"},
		{"own secret", `{"name":"x","client_secret":"a"}`, "Additional properties not allowed: client_secret"},
		{"global", `{"name":"x","global":true}`, "Additional properties not allowed: global"},
		{"keys", `{"name":"x","signing_keys":[]}`, "Additional properties not allowed: signing_keys"},
		{"grant type", `{"name":"x","grant_types":["implicit","magic"]}`, "Invalid grant types: magic"},
		{"auth method", `{"name":"x","token_endpoint_auth_method":"basic"}`, "No enum match for: basic"},
		{"app type", `{"name":"x","app_type":"toaster"}`, "No enum match for: toaster"},
		{"callback without scheme", `{"name":"x","callbacks":["app.example/cb"]}`, "on property callbacks"},
		{"callback javascript", `{"name":"x","callbacks":["javascript:alert(1)"]}`, "on property callbacks"},
		{"callback data", `{"name":"x","callbacks":["DATA:text/html,x"]}`, "on property callbacks"},
		{"callback with fragment", `{"name":"x","callbacks":["https://a.example/#x"]}`, "on property callbacks"},
		{"callback with user", `{"name":"x","callbacks":["https://u@a.example/"]}`, "on property callbacks"},
		{"callback with blank", `{"name":"x","callbacks":["https://a.example/ x"]}`, "on property callbacks"},
		{"callback with backslash", `{"name":"x","callbacks":["https:\\\\a.example"]}`, "on property callbacks"},
		{"callback empty", `{"name":"x","callbacks":[""]}`, "String is too short"},
		{"callback of another type", `{"name":"x","callbacks":"https://a.example"}`, "Expected type"},
		{"origin", `{"name":"x","web_origins":["*"]}`, "on property web_origins"},
		{"logout", `{"name":"x","allowed_logout_urls":["javascript:x"]}`, "on property allowed_logout_urls"},
		{"logo", `{"name":"x","logo_uri":"javascript:x"}`, "on property logo_uri"},
		{"logo of a custom scheme", `{"name":"x","logo_uri":"app://x"}`, "on property logo_uri"},
		{"initiate login over http", `{"name":"x","initiate_login_uri":"http://a.example"}`, "on property initiate_login_uri"},
		{"metadata of 11", `{"name":"x","client_metadata":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}}`, "maximum 10"},
		{"metadata of 256", `{"name":"x","client_metadata":{"a":"` + strings.Repeat("a", 256) + `"}}`, "String is too long"},
		{"metadata number", `{"name":"x","client_metadata":{"a":1}}`, "Expected type"},
		{"lifetime fraction", `{"name":"x","jwt_configuration":{"lifetime_in_seconds":1.5}}`, "Expected type"},
		{"lifetime beyond everything", `{"name":"x","jwt_configuration":{"lifetime_in_seconds":1e18}}`, "maximum"},
		{"refresh token half", `{"name":"x","refresh_token":{"rotation_type":"rotating"}}`, "Missing required property: expiration_type"},
		{"refresh token of no time", `{"name":"x","refresh_token":{"rotation_type":"rotating","expiration_type":"expiring","token_lifetime":0}}`, "minimum 1"},
		{"description of 141", `{"name":"x","description":"` + strings.Repeat("a", 141) + `"}`, "String is too long"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newService().Create(t.Context(), members(t, row.body), audit.Event{})
			if got := text(err); err == nil || !strings.Contains(got, row.wrong) {
				t.Errorf("got %q, want %q", got, row.wrong)
			}
		})
	}
}

func TestCallable(t *testing.T) {
	for _, good := range []string{
		"https://a.example/cb", "http://localhost:3000", "http://127.0.0.1:8080/cb?x=1", "https://*.a.example/cb",
		"https://{organization_name}.a.example/cb", "com.example.app://cb", "com.example.app:/cb", "myapp:cb", "http://[::1]:80/x",
	} {
		if !Callable(good) {
			t.Errorf("%s refused", good)
		}
	}
	for _, bad := range []string{"", "/cb", "//a.example", "https://", "https:///cb", "about:blank", "file:///etc/passwd", "ht tp://x", "https://a.example/\t"} {
		if Callable(bad) {
			t.Errorf("%s accepted", bad)
		}
	}
}

func FuzzCallable(f *testing.F) {
	for _, s := range []string{"https://a.example/cb", "javascript:alert(1)", "JaVaScRiPt:x", "java\tscript:x", " https://x", "x:", "https://a@b/"} {
		f.Add(s)
	}
	// Law: what is accepted is one line of visible text, has a scheme that opens
	// nothing by itself, and names no user.
	f.Fuzz(func(t *testing.T, s string) {
		if !Callable(s) {
			return
		}
		low := strings.ToLower(s)
		for _, scheme := range scripting {
			if strings.HasPrefix(low, scheme+":") {
				t.Errorf("%q accepted", s)
			}
		}
		if strings.ContainsAny(s, "\r\n\t \\#\x00") || !strings.Contains(s, ":") {
			t.Errorf("%q accepted", s)
		}
	})
}

func TestPatch(t *testing.T) {
	for _, row := range []struct {
		name, create, patch string
		check               func(t *testing.T, old, c *Client)
	}{
		{"others stay", `{"name":"x","callbacks":["https://a.example"],"description":"d"}`, `{"description":"e"}`, func(t *testing.T, old, c *Client) {
			if c.Name != "x" || c.Secret != old.Secret || !slices.Equal(c.Settings().Callbacks, []string{"https://a.example"}) || !strings.Contains(string(c.Doc), `"description":"e"`) {
				t.Errorf("%+v %s", c, c.Doc)
			}
		}},
		{"null unsets", `{"name":"x","callbacks":["https://a.example"],"app_type":"spa"}`, `{"callbacks":null,"app_type":null}`, func(t *testing.T, _, c *Client) {
			if strings.Contains(string(c.Doc), "callbacks") || c.Settings().AppType != "" {
				t.Errorf("%s", c.Doc)
			}
		}},
		{"null of a member with a default", `{"name":"x","is_first_party":false,"grant_types":[]}`, `{"is_first_party":null,"grant_types":null,"refresh_token":null}`, func(t *testing.T, _, c *Client) {
			s := c.Settings()
			if !s.IsFirstParty || len(s.GrantTypes) != 4 || s.RefreshToken.Lifetime != DefaultRefreshLifetime {
				t.Errorf("%s", c.Doc)
			}
		}},
		{"metadata merges", `{"name":"x","client_metadata":{"a":"1","b":"2"}}`, `{"client_metadata":{"b":null,"c":"3"}}`, func(t *testing.T, _, c *Client) {
			if want := map[string]string{"a": "1", "c": "3"}; !reflect.DeepEqual(c.Settings().Metadata, want) {
				t.Errorf("%v", c.Settings().Metadata)
			}
		}},
		{"becomes public: the secret goes", `{"name":"x"}`, `{"token_endpoint_auth_method":"none"}`, func(t *testing.T, _, c *Client) {
			if c.Secret != "" || !c.Settings().Public() {
				t.Errorf("%+v", c)
			}
		}},
		{"becomes confidential: a new secret", `{"name":"x","app_type":"spa"}`, `{"token_endpoint_auth_method":"client_secret_basic"}`, func(t *testing.T, _, c *Client) {
			if len(c.Secret) != 64 {
				t.Errorf("%+v", c)
			}
		}},
		{"own secret", `{"name":"x"}`, `{"client_secret":"my own"}`, func(t *testing.T, _, c *Client) {
			if c.Secret != "my own" || strings.Contains(string(c.Doc), "my own") {
				t.Errorf("%+v", c)
			}
		}},
		{"name", `{"name":"x"}`, `{"name":"y"}`, func(t *testing.T, _, c *Client) {
			if c.Name != "y" || strings.Contains(string(c.Doc), `"name"`) {
				t.Errorf("%+v", c)
			}
		}},
		{"secret_encoded stays", `{"name":"x","jwt_configuration":{"secret_encoded":true}}`, `{"jwt_configuration":{"alg":"RS256"}}`, func(t *testing.T, _, c *Client) {
			if !strings.Contains(string(c.Doc), `"secret_encoded":true`) || !strings.Contains(string(c.Doc), `"lifetime_in_seconds":36000`) {
				t.Errorf("%s", c.Doc)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService()
			old, err := s.Create(t.Context(), members(t, row.create), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			c, err := s.Patch(t.Context(), old.ID, members(t, row.patch), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			row.check(t, old, c)
		})
	}
}

func TestPatchRefusals(t *testing.T) {
	for _, row := range []struct{ name, create, patch, wrong string }{
		{"id", `{"name":"x"}`, `{"client_id":"y"}`, "Additional properties not allowed: client_id"},
		{"global", `{"name":"x"}`, `{"global":true}`, "Additional properties not allowed: global"},
		{"signing keys", `{"name":"x"}`, `{"signing_keys":[]}`, "Additional properties not allowed: signing_keys"},
		{"linked API", `{"name":"x"}`, `{"resource_server_identifier":"a"}`, "Additional properties not allowed"},
		{"security mode", `{"name":"x"}`, `{"third_party_security_mode":"strict"}`, "Additional properties not allowed"},
		{"name null", `{"name":"x"}`, `{"name":null}`, "Expected type"},
		{"secret_encoded", `{"name":"x"}`, `{"jwt_configuration":{"secret_encoded":true}}`, "secret_encoded cannot be changed"},
		{"secret of a public client", `{"name":"x","app_type":"spa"}`, `{"client_secret":"y"}`, "has no secret"},
		{"metadata over 10 by merging", `{"name":"x","client_metadata":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":""}}`,
			`{"client_metadata":{"k":""}}`, "maximum 10"},
		{"one bad member refuses all", `{"name":"x"}`, `{"name":"y","callbacks":["javascript:x"]}`, "on property callbacks"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService()
			old, err := s.Create(t.Context(), members(t, row.create), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			before := old.Clone()
			_, err = s.Patch(t.Context(), old.ID, members(t, row.patch), audit.Event{})
			if got := text(err); err == nil || !strings.Contains(got, row.wrong) {
				t.Errorf("got %q, want %q", got, row.wrong)
			}
			now, _ := s.Get(t.Context(), old.ID)
			if now.Name != before.Name || now.Secret != before.Secret || string(now.Doc) != string(before.Doc) {
				t.Error("something was stored")
			}
		})
	}
}

func TestRotateAndDelete(t *testing.T) {
	s := newService()
	c, err := s.Create(t.Context(), members(t, `{"name":"x"}`), audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.RotateSecret(t.Context(), c.ID, audit.Event{})
	if err != nil || r.Secret == c.Secret || len(r.Secret) != 64 {
		t.Errorf("%v %v", r, err)
	}
	spa, err := s.Create(t.Context(), members(t, `{"name":"x","app_type":"spa"}`), audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RotateSecret(t.Context(), spa.ID, audit.Event{}); !errors.Is(err, errPublicSecret) {
		t.Errorf("a public client got a secret: %v", err)
	}
	global := Global("g", "s", 1)
	s.Store.(shelf)["g"] = global
	if err := s.Delete(t.Context(), "g", audit.Event{}); !errors.Is(err, errGlobal) {
		t.Errorf("the global client: %v", err)
	}
	if err := s.Delete(t.Context(), "nobody", audit.Event{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestListFilters(t *testing.T) {
	s := newService()
	store := s.Store.(shelf)
	for i, doc := range []string{`{"app_type":"spa"}`, `{"app_type":"native","is_first_party":false}`, `{}`, `{"app_type":"spa","is_first_party":false}`} {
		id := string(rune('a' + i))
		store[id] = &Client{ID: id, Doc: json.RawMessage(doc), Global: i == 2}
	}
	no := false
	for _, row := range []struct {
		name  string
		query Query
		page  Page
		want  string
		total int
	}{
		{"all", Query{}, Page{Limit: 10}, "abcd", 4},
		{"not global", Query{Filter: Filter{Global: &no}}, Page{Limit: 10}, "abd", 3},
		{"spa", Query{AppTypes: []string{"spa"}}, Page{Limit: 10}, "ad", 2},
		{"spa or native", Query{AppTypes: []string{"spa", "native"}}, Page{Limit: 2}, "ab", 3},
		{"second page", Query{AppTypes: []string{"spa", "native"}}, Page{Limit: 2, Offset: 2}, "d", 3},
		{"behind b", Query{AppTypes: []string{"spa", "native"}}, Page{Limit: 2, After: "b"}, "d", 3},
		{"third-party", Query{FirstParty: &no}, Page{Limit: 10}, "bd", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			list, total, err := s.List(t.Context(), row.query, row.page)
			got := ""
			for _, c := range list {
				got += c.ID
			}
			if err != nil || got != row.want || total != row.total {
				t.Errorf("got %s of %d, %v", got, total, err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for _, row := range []struct {
		name, doc string
		check     func(s *Settings) bool
	}{
		{"empty", `{}`, func(s *Settings) bool {
			return s.AuthMethod == AuthPost && s.IDTokenAlg == "RS256" && s.IDTokenLifetime == 36000 && s.IsFirstParty && len(s.GrantTypes) == 0
		}},
		{"spa", `{"app_type":"spa"}`, func(s *Settings) bool { return s.Public() }},
		{"method wins", `{"app_type":"spa","token_endpoint_auth_method":"client_secret_basic"}`, func(s *Settings) bool { return s.AuthMethod == AuthBasic && !s.Public() }},
		{"key", `{"client_authentication_methods":{"private_key_jwt":{"credentials":[]}}}`, func(s *Settings) bool { return s.AuthMethod == AuthPrivateKeyJWT }},
		{"numbers with points", `{"jwt_configuration":{"lifetime_in_seconds":3600.0},"refresh_token":{"rotation_type":"rotating","expiration_type":"expiring","leeway":3.0,"token_lifetime":1e3,"infinite_token_lifetime":false}}`, func(s *Settings) bool {
			r := s.RefreshToken
			return s.IDTokenLifetime == 3600 && r.Rotating && r.Expiring && r.Leeway == 3 && r.Lifetime == 1000 && !r.InfiniteLifetime && !r.InfiniteIdleLifetime
		}},
		{"cannot be read: may do nothing", `{"grant_types":["password"],"callbacks":5}`, func(s *Settings) bool {
			return len(s.GrantTypes) == 0 && len(s.Callbacks) == 0 && !s.IsFirstParty
		}},
		{"other spelling", `{"Grant_Types":["password"]}`, func(s *Settings) bool { return len(s.GrantTypes) == 0 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &Client{Doc: json.RawMessage(row.doc)}
			if s := c.Settings(); !row.check(s) {
				t.Errorf("%+v", s)
			}
			if again := c.Settings(); again != c.Settings() {
				t.Error("read twice")
			}
		})
	}
}

func TestSettingsFollowTheDoc(t *testing.T) {
	c := &Client{Doc: json.RawMessage(`{"app_type":"spa"}`)}
	_ = c.Settings()
	c.Doc = json.RawMessage(`{"app_type":"rms"}`)
	if got := c.Settings().AppType; got != "rms" {
		t.Error(got)
	}
}

func BenchmarkSettings(b *testing.B) {
	c := Management("a", "b", 1)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Settings()
	}
}
