package grant

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
type shelf map[string]*Grant

func (s shelf) Grant(_ context.Context, id string) (*Grant, error) {
	if g := s[id]; g != nil {
		return g, nil
	}
	return nil, ErrNotFound
}

func (s shelf) GrantFor(context.Context, string, string) (*Grant, error) { return nil, ErrNotFound }

func (s shelf) Grants(_ context.Context, _ Filter, p Page) ([]*Grant, int, error) {
	var ids []string
	for id := range s {
		if id > p.After {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var list []*Grant
	for _, id := range ids[:min(len(ids), p.Limit)] {
		list = append(list, s[id])
	}
	return list, len(ids), nil
}

func (s shelf) CreateGrant(_ context.Context, g *Grant, e audit.Event) error {
	if e.Type != audit.APIOperation || e.At == 0 || e.Description == "" {
		return errors.New("no proper record")
	}
	s[g.ID] = g
	return nil
}

func (s shelf) UpdateGrant(ctx context.Context, id string, fn func(*Grant) error, _ audit.Event) (*Grant, error) {
	g, err := s.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	c := *g
	if err := fn(&c); err != nil {
		return nil, err
	}
	s[id] = &c
	return &c, nil
}

func (s shelf) DeleteGrant(_ context.Context, id string, _ audit.Event) error {
	delete(s, id)
	return nil
}

func newService() *Service {
	return &Service{
		Store: shelf{}, Now: func() time.Time { return time.UnixMicro(1) }, NewID: NewID,
		HasClient: func(_ context.Context, id string) (bool, error) { return id == "c", nil },
		Scopes: func(_ context.Context, audience string) ([]string, bool, error) {
			return []string{"read:a", "write:a"}, audience == "api", nil
		},
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
	for _, row := range []struct{ name, body, wrong, scope, extra string }{
		{"least", `{"client_id":"c","audience":"api"}`, "", "", `{}`},
		{"all", `{"client_id":"c","audience":"api","scope":["write:a","read:a","write:a"],"subject_type":"user","organization_usage":"deny","allow_any_organization":false,"allow_all_scopes":null}`,
			"", "write:a read:a", `{"allow_any_organization":false,"organization_usage":"deny","subject_type":"user"}`},
		{"no client", `{"audience":"api"}`, "Missing required property: client_id", "", ""},
		{"no audience", `{"client_id":"c"}`, "Missing required property: audience", "", ""},
		{"unknown client", `{"client_id":"d","audience":"api"}`, "The client does not exist", "", ""},
		{"unknown API", `{"client_id":"c","audience":"other"}`, "The resource server does not exist", "", ""},
		{"unknown scope", `{"client_id":"c","audience":"api","scope":["read:a","x","y"]}`, "The following scopes are not defined in the resource server: x, y", "", ""},
		{"scope as text", `{"client_id":"c","audience":"api","scope":"read:a"}`, "Expected type", "", ""},
		{"subject type", `{"client_id":"c","audience":"api","subject_type":"robot"}`, "No enum match for: robot", "", ""},
		{"own id", `{"client_id":"c","audience":"api","id":"x"}`, "Additional properties not allowed: id", "", ""},
		{"system", `{"client_id":"c","audience":"api","is_system":true}`, "Additional properties not allowed: is_system", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g, err := newService().Create(t.Context(), members(t, row.body), audit.Event{})
			if row.wrong != "" {
				if got := text(err); err == nil || !strings.Contains(got, row.wrong) {
					t.Errorf("got %q, want %q", got, row.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(text(err))
			}
			if got := strings.Join(g.Scope, " "); got != row.scope || string(g.Extra) != row.extra {
				t.Errorf("scope %s, extra %s", got, g.Extra)
			}
			if !regexp.MustCompile(`^cgr_[A-Za-z0-9]{16}$`).MatchString(g.ID) {
				t.Errorf("id %s", g.ID)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	for _, row := range []struct{ name, patch, wrong, scope, extra string }{
		{"scope", `{"scope":["read:a"]}`, "", "read:a", `{"organization_usage":"allow"}`},
		{"scope null", `{"scope":null}`, "", "", `{"organization_usage":"allow"}`},
		{"others stay", `{"allow_all_scopes":true}`, "", "write:a", `{"allow_all_scopes":true,"organization_usage":"allow"}`},
		{"null unsets", `{"organization_usage":null}`, "", "write:a", `{}`},
		{"nothing", `{}`, "Too few", "", ""},
		{"audience", `{"audience":"api"}`, "Additional properties not allowed: audience", "", ""},
		{"client", `{"client_id":"c"}`, "Additional properties not allowed: client_id", "", ""},
		{"subject type", `{"subject_type":"user"}`, "Additional properties not allowed: subject_type", "", ""},
		{"unknown scope", `{"scope":["x"]}`, "not defined in the resource server: x", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService()
			g, err := s.Create(t.Context(), members(t, `{"client_id":"c","audience":"api","scope":["write:a"],"organization_usage":"allow"}`), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			g, err = s.Patch(t.Context(), g.ID, members(t, row.patch), audit.Event{})
			if row.wrong != "" {
				if got := text(err); err == nil || !strings.Contains(got, row.wrong) {
					t.Errorf("got %q, want %q", got, row.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(text(err))
			}
			if got := strings.Join(g.Scope, " "); got != row.scope || string(g.Extra) != row.extra {
				t.Errorf("scope %s, extra %s", got, g.Extra)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	for _, row := range []struct {
		extra        string
		client, user bool
	}{
		{`{}`, true, false},
		{`{"subject_type":"client"}`, true, false},
		{`{"subject_type":"user"}`, false, true},
		{``, true, false},
	} {
		g := &Grant{Extra: json.RawMessage(row.extra)}
		if g.ForClient() != row.client || g.ForUser() != row.user {
			t.Errorf("%s: client %v, user %v", row.extra, g.ForClient(), g.ForUser())
		}
	}
}

func TestListFilters(t *testing.T) {
	s := newService()
	store := s.Store.(shelf)
	for id, extra := range map[string]string{"a": `{"subject_type":"user"}`, "b": `{"allow_any_organization":true}`, "c": `{"subject_type":"user"}`} {
		store[id] = &Grant{ID: id, Extra: json.RawMessage(extra)}
	}
	yes := true
	for _, row := range []struct {
		query Query
		page  Page
		want  string
		total int
	}{
		{Query{}, Page{Limit: 2}, "ab", 3},
		{Query{SubjectType: SubjectUser}, Page{Limit: 1}, "a", 2},
		{Query{SubjectType: SubjectUser}, Page{Limit: 1, After: "a"}, "c", 2},
		{Query{AllowAnyOrganization: &yes}, Page{Limit: 5}, "b", 1},
	} {
		list, total, err := s.List(t.Context(), row.query, row.page)
		got := ""
		for _, g := range list {
			got += g.ID
		}
		if err != nil || got != row.want || total != row.total {
			t.Errorf("%+v: %s of %d, %v", row.query, got, total, err)
		}
	}
}
