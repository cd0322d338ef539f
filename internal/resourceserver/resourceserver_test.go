package resourceserver

import (
	"context"
	"encoding/json"
	"errors"
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
type shelf map[string]*ResourceServer

func (s shelf) ResourceServer(_ context.Context, id string) (*ResourceServer, error) {
	if r := s[id]; r != nil {
		return r, nil
	}
	return nil, ErrNotFound
}

func (s shelf) ResourceServerByIdentifier(_ context.Context, identifier string) (*ResourceServer, error) {
	for _, r := range s {
		if r.Identifier == identifier {
			return r, nil
		}
	}
	return nil, ErrNotFound
}

func (s shelf) ResourceServers(context.Context, []string, Page) ([]*ResourceServer, int, error) {
	return nil, 0, errors.New("not asked")
}

func (s shelf) CreateResourceServer(_ context.Context, r *ResourceServer, e audit.Event) error {
	if e.Type != audit.APIOperation || e.At == 0 || e.Description == "" {
		return errors.New("no proper record")
	}
	s[r.ID] = r
	return nil
}

func (s shelf) UpdateResourceServer(ctx context.Context, id string, fn func(*ResourceServer) error, _ audit.Event) (*ResourceServer, error) {
	old, err := s.ResourceServer(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := fn(old.Clone()); err != nil { // twice, as a store may
		return nil, err
	}
	c := old.Clone()
	if err := fn(c); err != nil {
		return nil, err
	}
	s[id] = c
	return c, nil
}

func (s shelf) DeleteResourceServer(_ context.Context, id string, _ audit.Event) error {
	delete(s, id)
	return nil
}

func newService() *Service {
	return &Service{
		Store: shelf{}, Now: func() time.Time { return time.UnixMicro(1) }, NewID: NewID,
		Reserved: func(id string) bool { return id == "urn:reserved" },
	}
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

func TestCreate(t *testing.T) {
	r, err := newService().Create(t.Context(), members(t, `{"identifier":"https://api.example/"}`), audit.Event{})
	if err != nil {
		t.Fatal(text(err))
	}
	const want = `{"allow_offline_access":false,"signing_alg":"RS256","skip_consent_for_verifiable_first_party_clients":false,` +
		`"subject_type_authorization":{"client":{"policy":"require_client_grant"},"user":{"policy":"allow_all"}},"token_lifetime":86400,"token_lifetime_for_web":7200}`
	if string(r.Doc) != want {
		t.Errorf("got  %s\nwant %s", r.Doc, want)
	}
	if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(r.ID) || r.System || r.Identifier != "https://api.example/" {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(`{"value":"a"},`, MaxScopes+1), ",")
	for _, row := range []struct{ name, body, wrong string }{
		{"no identifier", `{"name":"x"}`, "Missing required property: identifier"},
		{"empty identifier", `{"identifier":""}`, "String is too short"},
		{"reserved", `{"identifier":"urn:reserved"}`, "The selected identifier is reserved."},
		{"system", `{"identifier":"x","is_system":true}`, "Additional properties not allowed: is_system"},
		{"name with markup", `{"identifier":"x","name":"<b>"}`, "pattern"},
		{"HS256", `{"identifier":"x","signing_alg":"HS256"}`, "signed with RS256 only"},
		{"secret", `{"identifier":"x","signing_secret":"0123456789abcdef"}`, "Additional properties not allowed: signing_secret"},
		{"lifetime", `{"identifier":"x","token_lifetime":2592001}`, "maximum 2592000"},
		{"negative lifetime", `{"identifier":"x","token_lifetime":-1}`, "minimum 0"},
		{"scope without value", `{"identifier":"x","scopes":[{"description":"d"}]}`, "Missing required property: value"},
		{"scope with a blank", `{"identifier":"x","scopes":[{"value":"a b"}]}`, "pattern"},
		{"scope twice", `{"identifier":"x","scopes":[{"value":"a"},{"value":"a"}]}`, "Duplicate scope: a"},
		{"too many scopes", `{"identifier":"x","scopes":[` + many + `]}`, "maximum 2000"},
		{"dialect", `{"identifier":"x","token_dialect":"latin"}`, "No enum match for: latin"},
		{"policy", `{"identifier":"x","subject_type_authorization":{"client":{"policy":"allow_all"}}}`, "No enum match for: allow_all"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newService().Create(t.Context(), members(t, row.body), audit.Event{})
			if got := text(err); err == nil || !strings.Contains(got, row.wrong) {
				t.Errorf("got %q, want %q", got, row.wrong)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	for _, row := range []struct{ name, patch, wrong, want string }{
		{"others stay", `{"name":"y"}`, "", `"token_lifetime":60`},
		{"half of the policies", `{"subject_type_authorization":{"user":{"policy":"deny_all"}}}`, "",
			`"subject_type_authorization":{"client":{"policy":"deny_all"},"user":{"policy":"deny_all"}}`},
		{"scopes are replaced", `{"scopes":[{"value":"b"}]}`, "", `"scopes":[{"value":"b"}]`},
		{"identifier", `{"identifier":"y"}`, "Additional properties not allowed: identifier", ""},
		{"system", `{"is_system":true}`, "Additional properties not allowed: is_system", ""},
		{"alg", `{"signing_alg":"PS256"}`, "signed with RS256 only", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService()
			r, err := s.Create(t.Context(), members(t, `{"identifier":"x","token_lifetime":60,"scopes":[{"value":"a"}],"subject_type_authorization":{"client":{"policy":"deny_all"}}}`), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			got, err := s.Patch(t.Context(), r.Identifier, members(t, row.patch), audit.Event{})
			if row.wrong != "" {
				if msg := text(err); err == nil || !strings.Contains(msg, row.wrong) {
					t.Errorf("got %q, want %q", msg, row.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(text(err))
			}
			if !strings.Contains(string(got.Doc), row.want) {
				t.Errorf("%s lacks %s", got.Doc, row.want)
			}
		})
	}
}

func TestManagementAPI(t *testing.T) {
	s := newService()
	r := ManagementAPI("https://id.example", 1)
	s.Store.(shelf)[r.ID] = r
	set := r.Settings()
	if r.Identifier != "https://id.example/api/v2/" || set.Name != "Auth0 Management API" || !set.System || set.TokenLifetime != 86400 {
		t.Errorf("%+v %+v", r, set)
	}
	for _, want := range []string{"read:users", "update:users_app_metadata", "read:connections_options", "create:client_grants", "read:client_keys", "create:users_app_metadata"} {
		if !set.Has(want) {
			t.Errorf("lacks %s", want)
		}
	}
	if got := set.Scopes[slices.IndexFunc(set.Scopes, func(s Scope) bool { return s.Value == "read:client_grants" })].Description; got != "Read Client Grants" {
		t.Errorf("described as %s", got)
	}
	seen := map[string]bool{}
	for _, v := range ManagementScopeValues() {
		if seen[v] || !regexp.MustCompile(`^(create|read|update|delete|blacklist):[a-z_]+$`).MatchString(v) {
			t.Errorf("%s", v)
		}
		seen[v] = true
	}
	if err := s.Delete(t.Context(), r.Identifier, audit.Event{}); !errors.Is(err, errSystemDelete) {
		t.Errorf("deleted: %v", err)
	}
	for _, body := range []string{`{"name":"mine"}`, `{"scopes":[]}`, `{"token_lifetime":60,"scopes":[]}`} {
		if _, err := s.Patch(t.Context(), r.ID, members(t, body), audit.Event{}); !errors.Is(err, errSystemPatch) {
			t.Errorf("%s: %v", body, err)
		}
	}
	got, err := s.Patch(t.Context(), r.ID, members(t, `{"token_lifetime":60}`), audit.Event{})
	if err != nil || got.Settings().TokenLifetime != 60 || !got.Settings().Has("read:users") {
		t.Errorf("%v %v", got, err)
	}
}

func TestSettings(t *testing.T) {
	r := &ResourceServer{Doc: json.RawMessage(`{}`)}
	if s := r.Settings(); s.SigningAlg != "RS256" || s.TokenLifetime != 86400 || s.TokenLifetimeForWeb != 7200 || s.TokenDialect != "access_token" ||
		s.UserPolicy != AllowAll || s.ClientPolicy != RequireGrant {
		t.Errorf("%+v", s)
	}
	r.Doc = json.RawMessage(`{"token_lifetime":60.0,"scopes":[{"value":"a","description":null}],"enforce_policies":true}`)
	if s := r.Settings(); s.TokenLifetime != 60 || !slices.Equal(s.ScopeValues(), []string{"a"}) || !s.EnforcePolicies {
		t.Errorf("%+v", s)
	}
	r.Doc = json.RawMessage(`{"scopes":5}`)
	if s := r.Settings(); s.UserPolicy != DenyAll || s.ClientPolicy != DenyAll {
		t.Errorf("a document that cannot be read: %+v", s)
	}
}
