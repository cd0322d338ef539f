package op

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mangrove/internal/resourceserver"
	"mangrove/internal/web"
)

func TestScopeParam(t *testing.T) {
	for _, row := range []struct {
		in, want string
		err      error
	}{
		{"", "", nil},
		{"openid  profile openid", "openid profile", nil},
		{`["openid","read:a b"]`, "openid read:a b", nil},
		{`[]`, "", nil},
		{`[1]`, "", web.ErrScope},
		{`["a"`, "", web.ErrScope},
		{`{"a":1}`, "", web.ErrScope},
		{`5`, "5", nil},
	} {
		got, err := scopeParam(row.in)
		if strings.Join(got, " ") != row.want || !errors.Is(err, row.err) {
			t.Errorf("%q: %q, %v", row.in, got, err)
		}
	}
}

func TestUserScopes(t *testing.T) {
	api := func(system bool, members string) *resourceserver.Settings {
		rs := &resourceserver.ResourceServer{System: system, Doc: json.RawMessage(`{"scopes":[{"value":"read:a"},{"value":"read:current_user"},{"value":"profile"}]` + members + `}`)}
		return rs.Settings()
	}
	open, rbac, management := api(false, ""), api(false, `,"enforce_policies":true`), api(true, "")
	for _, row := range []struct {
		name      string
		requested string
		all       bool
		api       *resourceserver.Settings
		want      string
	}{
		{"nothing", "", false, nil, ""},
		{"password grant, nothing", "", true, nil, "openid profile email address phone"},
		{"password grant, API", "", true, open, "openid profile email address phone read:a read:current_user"},
		{"password grant, some", "openid", true, open, "openid"},
		{"unknown dropped, order kept", "x email openid offline_access", true, nil, "email openid offline_access"},
		{"API", "read:a openid read:b", false, open, "read:a openid"},
		{"API that was not asked for", "read:a openid", false, nil, "openid"},
		{"role-based, before the user's permissions", "read:a openid", false, rbac, "read:a openid"},
		{"management", "read:a read:current_user", false, management, "read:current_user"},
	} {
		var scopes []string
		if row.api != nil {
			scopes = apiScopes(row.api)
		}
		if got := strings.Join(grantScopes(strings.Fields(row.requested), row.all, scopes), " "); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestManagementAlias(t *testing.T) {
	for _, row := range []struct {
		audience, host string
		want           bool
	}{
		{"https://localhost:8080/api/v2/", "localhost:8080", true},
		{"http://localhost:8080/api/v2/", "localhost:8080", true},
		{"https://localhost/api/v2/", "localhost:8080", false},
		{"https://localhost:8080/api/v2", "localhost:8080", false},
		{"https://other/api/v2/", "localhost:8080", false},
		{"https:///api/v2/", "", false},
	} {
		if got := managementAlias(row.audience, row.host); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestHeld(t *testing.T) {
	for _, row := range []struct{ scopes, permissions, want string }{
		{"openid offline_access read:a write:a", "write:a read:b", "openid offline_access write:a"},
		{"read:a", "", ""},
		{"", "read:a", ""},
	} {
		if got := strings.Join(held(strings.Fields(row.scopes), strings.Fields(row.permissions)), " "); got != row.want {
			t.Errorf("%+v: %q", row, got)
		}
	}
}
