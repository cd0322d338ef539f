package role

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/resourceserver"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

func TestEffective(t *testing.T) {
	p := func(s string) Permission {
		api, name, _ := strings.Cut(s, " ")
		return Permission{api, name}
	}
	list := func(texts ...string) (out []Permission) {
		for _, s := range texts {
			out = append(out, p(s))
		}
		return out
	}
	granted := func(id string, texts ...string) Granted {
		return Granted{&Role{ID: "rol_" + id, Name: strings.ToUpper(id)}, list(texts...)}
	}
	for _, row := range []struct {
		name   string
		direct []Permission
		roles  []Granted
		want   string // per permission: API, name, sources
	}{
		{name: "nothing"},
		{name: "a role without permissions", roles: []Granted{granted("a")}},
		{name: "direct, in order", direct: list("b x", "a y", "a x"), want: "a x DIRECT; a y DIRECT; b x DIRECT"},
		{name: "by a role", roles: []Granted{granted("a", "x y", "x a")}, want: "x a ROLE rol_a A; x y ROLE rol_a A"},
		{
			name: "both ways", direct: list("x y"), roles: []Granted{granted("b", "x y"), granted("a", "x y", "x z")},
			want: "x y DIRECT + ROLE rol_b B + ROLE rol_a A; x z ROLE rol_a A",
		},
		{name: "one name of two APIs", direct: list("a x"), roles: []Granted{granted("r", "b x")}, want: "a x DIRECT; b x ROLE rol_r R"},
		{name: "twice from one source", direct: list("a x", "a x"), want: "a x DIRECT"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, h := range Effective(row.direct, row.roles) {
				var sources []string
				for _, s := range h.Sources {
					sources = append(sources, strings.TrimSpace(s.Type+" "+s.RoleID+" "+s.RoleName))
				}
				got = append(got, h.API+" "+h.Name+" "+strings.Join(sources, " + "))
			}
			if s := strings.Join(got, "; "); s != row.want {
				t.Errorf("got %q, want %q", s, row.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		name, filter string
		want         bool
	}{
		{"Editor", "", true},
		{"Editor", "editor", true},
		{"Editor", "DIT", true},
		{"Éditeur", "éd", true},
		{"Editor", "editors", false},
		{"a_b", "a%b", false},
	} {
		if got := matches(row.name, row.filter); got != row.want {
			t.Errorf("%q in %q: %v", row.filter, row.name, got)
		}
	}
}

func TestCut(t *testing.T) {
	list := []int{0, 1, 2, 3, 4}
	for _, row := range []struct{ offset, limit, first, n int }{
		{0, 2, 0, 2}, {4, 2, 4, 1}, {5, 2, 0, 0}, {100_000_000, 100, 0, 0}, {0, 0, 0, 0}, {0, 100, 0, 5},
	} {
		got := cut(list, row.offset, row.limit)
		if len(got) != row.n || len(got) > 0 && got[0] != row.first {
			t.Errorf("from %d, %d of them: %v", row.offset, row.limit, got)
		}
	}
}

func TestNewID(t *testing.T) {
	if a, b := NewID(), NewID(); a == b || len(a) != 20 || !strings.HasPrefix(a, "rol_") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestBodies(t *testing.T) {
	many := `{"users":[` + strings.Repeat(`"a|b",`, maxAssignmentsCall) + `"a|b"]}`
	for _, row := range []struct {
		name string
		p    *schema.Property
		body string
		want string // empty: fine
	}{
		{"a name", &createBody, `{"name":"Editor"}`, ""},
		{"with a description", &createBody, `{"name":"Editor","description":"Edits"}`, ""},
		{"no name", &createBody, `{}`, "Payload validation error: 'Missing required property: name'."},
		{"an empty name", &createBody, `{"name":""}`, "Payload validation error: 'String is too short (0 chars), minimum 1' on property name (Name of the role)."},
		{"a long name", &createBody, `{"name":"` + strings.Repeat("é", maxName+1) + `"}`, "Payload validation error: 'String is too long (256 chars), maximum 255' on property name (Name of the role)."},
		{"an invisible name", &createBody, `{"name":"a\u202eb"}`, "visible-text"},
		{"a number for a name", &createBody, `{"name":1}`, "Payload validation error: 'Expected type string but found type integer' on property name (Name of the role)."},
		{"no description", &createBody, `{"name":"x","description":null}`, "Payload validation error: 'Expected type string but found type null' on property description (Description of the role)."},
		{"unknown members", &createBody, `{"name":"x","id":"rol_1"}`, "Payload validation error: 'Additional properties not allowed: id'."},
		{"nothing to patch", &patchBody, `{}`, ""},
		{"a patched id", &patchBody, `{"id":"rol_1"}`, "Additional properties not allowed: id"},
		{"permissions", &rolePermissionsBody, `{"permissions":[{"resource_server_identifier":"a","permission_name":"b"}]}`, ""},
		{"no permissions", &rolePermissionsBody, `{}`, "Payload validation error: 'Missing required property: permissions'."},
		{"none", &rolePermissionsBody, `{"permissions":[]}`, "Payload validation error: 'Array is too short (0), minimum 1' on property permissions (array of resource_server_identifier, permission_name pairs)."},
		{"half a permission", &addPermissionsBody, `{"permissions":[{"permission_name":"b"}]}`, "Payload validation error: 'Missing required property: resource_server_identifier' on property permissions[0]."},
		{"more than a permission", &removePermissionsBody, `{"permissions":[{"resource_server_identifier":"a","permission_name":"b","c":1}]}`, "Additional properties not allowed: c' on property permissions[0]."},
		{"roles", &addRolesBody, `{"roles":["rol_1"]}`, ""},
		{"no roles", &removeRolesBody, `{"roles":[]}`, "Payload validation error: 'Array is too short (0), minimum 1' on property roles (List of roles IDs to remove from the user)."},
		{"an empty role", &addRolesBody, `{"roles":[""]}`, "Payload validation error: 'String is too short (0 chars), minimum 1' on property roles[0]."},
		{"users", &addUsersBody, `{"users":["auth0|1","google-oauth2|2"]}`, ""},
		{"nobody", &addUsersBody, `{"users":[]}`, ""},
		{"no user id", &addUsersBody, `{"users":["ann"]}`, "Payload validation error: 'Object didn't pass validation for format user-id-with-max-length: ann' on property users[0]."},
		{"a long user id", &addUsersBody, `{"users":["a|` + strings.Repeat("x", 1023) + `"]}`, "user-id-with-max-length"},
		{"too many users", &addUsersBody, many, "Payload validation error: 'Array is too long (1001), maximum 1000' on property users (user_id's of the users to assign the role to)."},
	} {
		t.Run(row.name, func(t *testing.T) {
			list, err := strictjson.Object([]byte(row.body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = read(row.p, list)
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// FuzzRead: what is accepted has what the body requires and only ids that can be
// users'; whatever else comes is refused by the schema, and nothing panics.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"name":"x","description":"y"}`, `{"permissions":[{"resource_server_identifier":"a","permission_name":"b"}]}`,
		`{"roles":["rol_1"]}`, `{"users":["auth0|1"]}`, `{"users":null}`, `{"na\u006de":"x"}`,
	} {
		f.Add([]byte(s))
	}
	bodies := []*schema.Property{&createBody, &patchBody, &rolePermissionsBody, &addRolesBody, &addUsersBody}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := strictjson.Object(data)
		if err != nil {
			return
		}
		for i, p := range bodies {
			b, err := read(p, list)
			var wrong schema.Error
			if err != nil {
				if !errors.As(err, &wrong) {
					t.Fatalf("%s: %v", data, err)
				}
				continue
			}
			name, named := b.Name.Get()
			switch {
			case i == 0 && name == "", i == 1 && named && name == "":
				t.Fatalf("%s: no name", data)
			case i == 2 && len(b.Permissions) == 0, i == 3 && len(b.Roles) == 0:
				t.Fatalf("%s: an empty list", data)
			}
			for _, u := range b.Users {
				if !strings.Contains(u, "|") {
					t.Fatalf("%s: %q is no user", data, u)
				}
			}
		}
	})
}

func TestErrUnknown(t *testing.T) {
	err := ErrUnknown([]Permission{{"a", "read:x"}, {"b", "read:y"}})
	if err.Error() != "The following permission(s) do not exist: read:x, read:y" {
		t.Error(err)
	}
	if n := strings.Count(ErrUnknown(make([]Permission, 1000)).Error(), ","); n != mostNamed-1 {
		t.Errorf("%d names", n+1)
	}
}

// gone is a Store whose permissions are of an API that was deleted since.
type gone struct{ Store }

func (gone) RolePermissions(context.Context, string) ([]Permission, error) {
	return []Permission{{"gone", "read:x"}, {"api", "read:y"}, {"api", "read:x"}}, nil
}

func TestDescribe(t *testing.T) {
	s := &Service{
		Store: gone{}, Now: time.Now, NewID: NewID,
		API: func(_ context.Context, identifier string) (*resourceserver.ResourceServer, error) {
			if identifier != "api" {
				return nil, resourceserver.ErrNotFound
			}
			return &resourceserver.ResourceServer{Identifier: "api", Doc: []byte(`{"name":"The API","scopes":[{"value":"read:x","description":"Read it"},{"value":"read:y"}]}`)}, nil
		},
	}
	list, total, err := s.RolePermissions(t.Context(), "rol_1", 0, 50)
	if err != nil || total != 3 || len(list) != 3 {
		t.Fatalf("%+v, %d, %v", list, total, err)
	}
	for i, want := range []string{"api read:x The API Read it", "api read:y The API ", "gone read:x  "} {
		if got := strings.Join([]string{list[i].API, list[i].Name, list[i].APIName, list[i].Description}, " "); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}

func TestEvent(t *testing.T) {
	s := &Service{Now: func() time.Time { return time.UnixMicro(7) }}
	e := s.event(audit.Event{ClientID: "c"}, "Do", detail{RoleID: "rol_1", Permissions: []Permission{{"a", "b"}}})
	const want = `{"role_id":"rol_1","permissions":[{"resource_server_identifier":"a","permission_name":"b"}]}`
	if e.Type != audit.APIOperation || e.At != 7 || e.Description != "Do" || e.ClientID != "c" || string(e.Details) != want {
		t.Errorf("%+v %s", e, e.Details)
	}
}
