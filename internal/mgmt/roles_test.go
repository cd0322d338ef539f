package mgmt

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/role"
	"mangrove/internal/user"
)

const allRoles = "read:roles create:roles update:roles delete:roles read:users update:users read:role_members " +
	"read:resource_servers create:resource_servers update:resource_servers delete:resource_servers delete:users"

// annPath and gusPath are the users of a world.
const (
	annPath = "/users/auth0%7Cann"
	gusPath = "/users/google-oauth2%7C117"
)

func TestRoleGolden(t *testing.T) {
	golden(t, "role.json", roleJSON(&role.Role{ID: "rol_0000000000000000", Name: `Ann's "role"`, Description: "Edits"}))
	golden(t, "role_least.json", roleJSON(&role.Role{ID: "rol_0000000000000000", Name: "Editor"}))
	golden(t, "role_of_user.json", roleOfUserJSON(&role.Role{ID: "rol_0000000000000000", Name: "Editor", Description: "Edits"}))
	p := role.Described{
		Held:        role.Held{Permission: role.Permission{API: "https://api.example/", Name: "read:a"}},
		Description: "Read", APIName: "API",
	}
	golden(t, "permission.json", permissionJSON(p))
	p.Sources = []role.Source{{Type: role.Direct}, {Type: role.ByRole, RoleID: "rol_0000000000000000", RoleName: "Editor"}}
	golden(t, "permission_of_user.json", permissionJSON(p))
	member, err := memberJSON(role.Member{UserID: "auth0|ann", Attributes: []byte(`{"app_metadata":{"secret":1},"email":"ann@example.com","email_verified":true,"name":"Ann"}`)})
	must(t, err)
	golden(t, "role_member.json", member)
}

func TestRoleStory(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "create", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":"Editor"}`, status: 200,
				has: []string{`{"id":"rol_`, `"name":"Editor"`, `"type":"tenant"`}, hasNot: []string{"description", "created_at", "version"}, keep: "id", as: "id"},
			{name: "twice", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":"Editor"}`, status: 409, has: []string{`"The role already exists."`}},
			{name: "another", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":"Author","description":"Writes"}`, status: 200, has: []string{`"description":"Writes"`}, keep: "id", as: "author"},
			{name: "without a name", scopes: allRoles, method: "POST", path: "/roles", body: `{}`, status: 400, has: []string{`"Payload validation error: 'Missing required property: name'."`, "invalid_body"}},
			{name: "with an id", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":"x","id":"rol_1"}`, status: 400, has: []string{"Additional properties not allowed: id"}},
			{name: "no JSON", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":`, status: 400, has: []string{"Invalid request payload JSON format"}},
			{name: "get", scopes: allRoles, method: "GET", path: "/roles/$id", status: 200, has: []string{`{"id":"$id","name":"Editor","type":"tenant"}`}},
			{name: "get none", scopes: allRoles, method: "GET", path: "/roles/rol_0000000000000000", status: 404, has: []string{`"The role does not exist."`}, hasNot: []string{"errorCode"}},
			{name: "get nonsense", scopes: allRoles, method: "GET", path: "/roles/%27%22%20OR%201", status: 404, has: []string{`"The role does not exist."`}},
			{name: "list", scopes: allRoles, method: "GET", path: "/roles", status: 200, has: []string{`[{"id":"$author"`, `,{"id":"$id"`}, hasNot: []string{"total"}},
			{name: "list with totals", scopes: allRoles, method: "GET", path: "/roles?per_page=1&page=1&include_totals=true&type=tenant", status: 200, has: []string{`{"start":1,"limit":1,"total":2,"roles":[{"id":"$id"`}, hasNot: []string{"length"}},
			{name: "far behind the end", scopes: allRoles, method: "GET", path: "/roles?per_page=100&page=1000000", status: 200, has: []string{`[]`}},
			{name: "by name", scopes: allRoles, method: "GET", path: "/roles?name_filter=EDIT&include_totals=true", status: 200, has: []string{`"total":1,"roles":[{"id":"$id"`}},
			{name: "by a name that nobody has", scopes: allRoles, method: "GET", path: "/roles?name_filter=%25", status: 200, has: []string{`[]`}},
			{name: "of another type", scopes: allRoles, method: "GET", path: "/roles?type=other", status: 400, has: []string{"No enum match for: other", "invalid_query_string"}},
			{name: "too many at once", scopes: allRoles, method: "GET", path: "/roles?per_page=101", status: 400, has: []string{"Value 101 is greater than maximum 100"}},
			{name: "patch", scopes: allRoles, method: "PATCH", path: "/roles/$id", body: `{"description":"Edits"}`, status: 200, has: []string{`"name":"Editor","description":"Edits"`}},
			{name: "patch nothing", scopes: allRoles, method: "PATCH", path: "/roles/$id", body: `{}`, status: 200, has: []string{`"name":"Editor","description":"Edits"`}},
			{name: "patch to a name that is taken", scopes: allRoles, method: "PATCH", path: "/roles/$id", body: `{"name":"Author","description":"x"}`, status: 409, has: []string{"The role already exists."}},
			{name: "patch to no name", scopes: allRoles, method: "PATCH", path: "/roles/$id", body: `{"name":""}`, status: 400, has: []string{"minimum 1' on property name (Name of the role)."}},
			{name: "refusals changed nothing", scopes: allRoles, method: "GET", path: "/roles/$id", status: 200, has: []string{`"name":"Editor","description":"Edits"`}},
			{name: "empty the description", scopes: allRoles, method: "PATCH", path: "/roles/$id", body: `{"name":"Chief","description":""}`, status: 200, has: []string{`"name":"Chief"`}, hasNot: []string{"description"}},
			{name: "patch none", scopes: allRoles, method: "PATCH", path: "/roles/rol_0000000000000000", body: `{}`, status: 404, has: []string{"The role does not exist."}},
			{name: "delete", scopes: allRoles, method: "DELETE", path: "/roles/$id", status: 200, has: []string{`{}`}},
			{name: "delete again", scopes: allRoles, method: "DELETE", path: "/roles/$id", status: 404, has: []string{"The role does not exist."}},
			{name: "its members", scopes: allRoles, method: "GET", path: "/roles/$id/users", status: 404, has: []string{"The role does not exist."}},
			{name: "its permissions", scopes: allRoles, method: "GET", path: "/roles/$id/permissions", status: 404, has: []string{"The role does not exist."}},
			{name: "the name is free", scopes: allRoles, method: "POST", path: "/roles", body: `{"name":"Chief"}`, status: 200},
		})
	})
}

// given is a body of permissions of the API of the stories.
func given(names ...string) string {
	var list []string
	for _, n := range names {
		list = append(list, `{"resource_server_identifier":"https://api.example/","permission_name":"`+n+`"}`)
	}
	return `{"permissions":[` + strings.Join(list, ",") + `]}`
}

func TestPermissionStory(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const direct = `{"source_id":"","source_name":"","source_type":"DIRECT"}`
		const byRole = `{"source_id":"$id","source_name":"Editor","source_type":"ROLE"}`
		const read = `{"permission_name":"read:a","description":"Read","resource_server_name":"API","resource_server_identifier":"https://api.example/"`
		const write = `{"permission_name":"write:a","description":"","resource_server_name":"API","resource_server_identifier":"https://api.example/"`
		steps := []step{
			{name: "an API", method: "POST", path: "/resource-servers", status: 201, keep: "id", as: "api",
				body: `{"identifier":"https://api.example/","name":"API","scopes":[{"value":"read:a","description":"Read"},{"value":"write:a"}]}`},
			{name: "a role", method: "POST", path: "/roles", body: `{"name":"Editor"}`, status: 200, keep: "id", as: "id"},

			{name: "none of the role", method: "GET", path: "/roles/$id/permissions", status: 200, has: []string{`[]`}},
			{name: "to the role", method: "POST", path: "/roles/$id/permissions", body: given("write:a", "read:a"), status: 201, has: []string{`{}`}},
			{name: "once more", method: "POST", path: "/roles/$id/permissions", body: given("read:a", "read:a"), status: 201},
			{name: "of the role", method: "GET", path: "/roles/$id/permissions", status: 200, has: []string{`[` + read + `},` + write + `}]`}},
			{name: "of the role, paged", method: "GET", path: "/roles/$id/permissions?per_page=1&page=1&include_totals=true", status: 200,
				has: []string{`{"start":1,"limit":1,"total":2,"permissions":[` + write + `}]}`}},
			{name: "that no API has", method: "POST", path: "/roles/$id/permissions", body: given("read:a", "none:a", "none:b"), status: 400,
				has: []string{`"The following permission(s) do not exist: none:a, none:b"`}},
			{name: "of no API", method: "POST", path: annPath + "/permissions", status: 400, has: []string{"The following permission(s) do not exist: read:a"},
				body: `{"permissions":[{"resource_server_identifier":"none","permission_name":"read:a"}]}`},
			{name: "an empty list", method: "POST", path: "/roles/$id/permissions", body: `{"permissions":[]}`, status: 400,
				has: []string{`Payload validation error: 'Array is too short (0), minimum 1' on property permissions (array of resource_server_identifier, permission_name pairs).`}},
			{name: "half of one", method: "DELETE", path: "/roles/$id/permissions", body: `{"permissions":[{"permission_name":"x"}]}`, status: 400,
				has: []string{`Missing required property: resource_server_identifier`}},
			{name: "no list", method: "DELETE", path: annPath + "/permissions", body: `{}`, status: 400, has: []string{"Missing required property: permissions"}},
			{name: "to no role", method: "POST", path: "/roles/rol_0000000000000000/permissions", body: given("none:a"), status: 404, has: []string{"The role does not exist."}},
			{name: "from no role", method: "DELETE", path: "/roles/rol_0000000000000000/permissions", body: given("read:a"), status: 404, has: []string{"The role does not exist."}},

			{name: "none of the user", method: "GET", path: annPath + "/permissions", status: 200, has: []string{`[]`}},
			{name: "to the user", method: "POST", path: annPath + "/permissions", body: given("read:a"), status: 201, has: []string{`{}`}},
			{name: "the role to the user", method: "POST", path: annPath + "/roles", body: `{"roles":["$id"]}`, status: 204},
			{name: "both ways", method: "GET", path: annPath + "/permissions", status: 200,
				has: []string{`[` + read + `,"sources":[` + direct + `,` + byRole + `]},` + write + `,"sources":[` + byRole + `]}]`}},
			{name: "both ways, paged", method: "GET", path: annPath + "/permissions?include_totals=true&per_page=1", status: 200,
				has: []string{`{"start":0,"limit":1,"total":2,"permissions":[` + read}, hasNot: []string{"write:a", "length"}},
			{name: "directly no more", method: "DELETE", path: annPath + "/permissions", body: given("read:a", "write:a", "none:a"), status: 204},
			{name: "what is left", method: "GET", path: annPath + "/permissions", status: 200, has: []string{read + `,"sources":[` + byRole + `]},`}, hasNot: []string{"DIRECT"}},
			{name: "from the role", method: "DELETE", path: "/roles/$id/permissions", body: given("read:a"), status: 204},
			{name: "and what is left then", method: "GET", path: annPath + "/permissions", status: 200, has: []string{`[` + write + `,"sources":[` + byRole + `]}]`}},

			{name: "to nobody", method: "POST", path: "/users/auth0%7Cnobody/permissions", body: given("read:a"), status: 404, has: []string{"The user does not exist.", "inexistent_user"}},
			{name: "from nobody", method: "DELETE", path: "/users/auth0%7Cnobody/permissions", body: given("read:a"), status: 404, has: []string{"inexistent_user"}},
			{name: "nobody's", method: "GET", path: "/users/auth0%7Cnobody/permissions", status: 404, has: []string{"inexistent_user"}},
			{name: "no user's", method: "GET", path: "/users/ann/permissions", status: 400, has: []string{"invalid_uri"}},

			{name: "the API gives up a scope", method: "PATCH", path: "/resource-servers/$api", body: `{"scopes":[{"value":"read:a"}]}`, status: 200},
			{name: "nobody has it", method: "GET", path: annPath + "/permissions", status: 200, has: []string{`[]`}},
			{name: "the scope is back", method: "PATCH", path: "/resource-servers/$api", body: `{"scopes":[{"value":"read:a"},{"value":"write:a"}]}`, status: 200},
			{name: "and nobody has it", method: "GET", path: "/roles/$id/permissions", status: 200, has: []string{`[]`}},
			{name: "until it is given", method: "POST", path: annPath + "/permissions", body: given("write:a"), status: 201},
			{name: "the API goes", method: "DELETE", path: "/resource-servers/$api", status: 204},
			{name: "with what was given", method: "GET", path: annPath + "/permissions", status: 200, has: []string{`[]`}},
		}
		for i := range steps {
			steps[i].scopes = allRoles
		}
		w.story(t, steps)
	})
}

func TestMembershipStory(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		before := w.stored(t, w.ann)
		steps := []step{
			{name: "a role", method: "POST", path: "/roles", body: `{"name":"Editor","description":"Edits"}`, status: 200, keep: "id", as: "id"},
			{name: "another", method: "POST", path: "/roles", body: `{"name":"Author"}`, status: 200, keep: "id", as: "author"},
			{name: "nobody has it", method: "GET", path: "/roles/$id/users", status: 200, has: []string{`[]`}},
			{name: "ann has none", method: "GET", path: annPath + "/roles", status: 200, has: []string{`[]`}},
			{name: "to ann and gus", method: "POST", path: "/roles/$id/users", body: `{"users":["auth0|ann","google-oauth2|117","auth0|ann"]}`, status: 200, has: []string{`{}`}},
			{name: "to nobody in particular", method: "POST", path: "/roles/$id/users", body: `{"users":[]}`, status: 200},
			{name: "to ann", method: "POST", path: annPath + "/roles", body: `{"roles":["$id","$author"]}`, status: 204},
			{name: "ann's", method: "GET", path: annPath + "/roles?include_totals=true", status: 200,
				has: []string{`{"start":0,"limit":50,"total":2,"roles":[{"id":"$author","name":"Author"},{"id":"$id","name":"Editor","description":"Edits"}]}`}},
			{name: "a page of ann's", method: "GET", path: annPath + "/roles?per_page=1&page=1", status: 200, has: []string{`[{"id":"$id"`}, hasNot: []string{"$author"}},
			{name: "its users", method: "GET", path: "/roles/$id/users?include_totals=true&per_page=50", status: 200,
				has:    []string{`{"start":0,"limit":50,"total":2,"users":[{"user_id":"auth0|ann","email":"ann@example.com","name":"Ann","picture":"`, `{"user_id":"google-oauth2|117","email":"gus@example.com"`},
				hasNot: []string{"email_verified", "user_metadata", "identities"}},
			{name: "by checkpoint", method: "GET", path: "/roles/$id/users?include_totals=true&take=1", status: 200,
				has: []string{`{"users":[{"user_id":"auth0|ann"`, `"next":"`}, hasNot: []string{"total", "117"}, keep: "next", as: "next"},
			{name: "the rest", method: "GET", path: "/roles/$id/users?take=1&from=$next", status: 200, has: []string{`{"users":[{"user_id":"google-oauth2|117"`}, hasNot: []string{"next", "auth0|ann"}},
			{name: "the checkpoint of another role", method: "GET", path: "/roles/$author/users?take=1&from=$next", status: 400, has: []string{"invalid_query_string", "on property from"}},
			{name: "the last page", method: "GET", path: "/roles/$id/users?per_page=100&page=9", status: 200, has: []string{`[]`}},
			{name: "a page too far", method: "GET", path: "/roles/$id/users?per_page=100&page=10", status: 400, has: []string{
				`"Requesting page 10 exceeds the allowed maximum of 1000 records. To fetch results beyond 1000, use the checkpoint pagination method."`, `"errorCode":"invalid_paging"`}},
			{name: "to somebody who is not there", method: "POST", path: "/roles/$author/users", body: `{"users":["google-oauth2|117","auth0|nobody"]}`, status: 404, has: []string{"The user does not exist."}},
			{name: "to what is no user", method: "POST", path: "/roles/$author/users", body: `{"users":["gus"]}`, status: 400,
				has: []string{"Object didn't pass validation for format user-id-with-max-length: gus' on property users[0]"}},
			{name: "a role that is not there", method: "POST", path: gusPath + "/roles", body: `{"roles":["$author","rol_0000000000000000"]}`, status: 404, has: []string{"The role does not exist."}},
			{name: "no roles", method: "POST", path: gusPath + "/roles", body: `{"roles":[]}`, status: 400,
				has: []string{"Array is too short (0), minimum 1' on property roles (List of roles IDs to associated with the user)."}},
			{name: "an empty role", method: "DELETE", path: gusPath + "/roles", body: `{"roles":[""]}`, status: 400, has: []string{"on property roles[0]"}},
			{name: "to nobody", method: "POST", path: "/users/auth0%7Cnobody/roles", body: `{"roles":["$id"]}`, status: 404, has: []string{"The user does not exist.", "inexistent_user"}},
			{name: "from nobody", method: "DELETE", path: "/users/auth0%7Cnobody/roles", body: `{"roles":["$id"]}`, status: 404, has: []string{"inexistent_user"}},
			{name: "nobody's", method: "GET", path: "/users/auth0%7Cnobody/roles", status: 404, has: []string{"inexistent_user"}},
			{name: "users of no role", method: "POST", path: "/roles/rol_0000000000000000/users", body: `{"users":["auth0|ann"]}`, status: 404, has: []string{"The role does not exist."}},
			{name: "refusals changed nothing", method: "GET", path: "/roles/$author/users?include_totals=true", status: 200, has: []string{`"total":1,"users":[{"user_id":"auth0|ann"`}},
			{name: "from ann", method: "DELETE", path: annPath + "/roles", body: `{"roles":["$author","rol_0000000000000000"]}`, status: 204},
			{name: "from ann again", method: "DELETE", path: annPath + "/roles", body: `{"roles":["$author"]}`, status: 204},
			{name: "ann has one", method: "GET", path: annPath + "/roles", status: 200, has: []string{`[{"id":"$id","name":"Editor","description":"Edits"}]`}},
			{name: "gus goes", method: "DELETE", path: gusPath, status: 204},
			{name: "and is no member", method: "GET", path: "/roles/$id/users?include_totals=true", status: 200, has: []string{`"total":1`}, hasNot: []string{"117"}},
			{name: "the role goes", method: "DELETE", path: "/roles/$id", status: 200},
			{name: "ann has none again", method: "GET", path: annPath + "/roles", status: 200, has: []string{`[]`}},
		}
		for i := range steps {
			steps[i].scopes = allRoles
		}
		w.story(t, steps)
		if after := w.stored(t, w.ann); after != before {
			t.Errorf("roles are no part of the user: %s, before %s", after, before)
		}
	})
}

// Where a list needs several scopes, all but one of them are not enough.
func TestListsThatNeedEveryScope(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		path   string
		scopes []string
	}{
		{annPath + "/roles", []string{"read:users", "read:roles", "read:role_members"}},
		{"/roles/rol_0000000000000000/users", []string{"read:users", "read:roles"}},
	} {
		for _, lacking := range row.scopes {
			scopes := strings.Join(row.scopes, " ")
			rec := w.call(t, "GET", row.path, w.machine(t, strings.Replace(scopes, lacking, "", 1)), "")
			answers(t, rec, 403, []string{`"Insufficient scope, expected all of: ` + strings.Join(row.scopes, ",") + `"`, "insufficient_scope"}, nil)
		}
		if rec := w.call(t, "GET", row.path, w.machine(t, strings.Join(row.scopes, " ")), ""); rec.Code == http.StatusForbidden {
			t.Errorf("%s with all of them: %s", row.path, rec.Body)
		}
	}
}

// TestRoleUsersBeyondAThousand: the wall of page/per_page does not hide anybody.
func TestRoleUsersBeyondAThousand(t *testing.T) {
	w := newWorld(t)
	bearer := w.machine(t, allRoles)
	id := member(t, w.call(t, "POST", "/roles", w.machine(t, "create:roles"), `{"name":"Everybody"}`).Body.Bytes(), "id")
	const n = 1050
	list := make([]string, n)
	for i := range list {
		local := fmt.Sprintf("u%04d", i)
		list[i] = "auth0|" + local
		u := &user.User{
			ID: user.ID(list[i]), CreatedAt: at, UpdatedAt: at,
			Identities: []user.Identity{{Provider: "auth0", Connection: "Users", ConnectionID: usersID, UserID: local, Subject: local}},
		}
		u.Profile.Set(profile.Name, profile.Text(local), profile.Source{Origin: profile.FromManagement, At: at})
		must(t, w.store.CreateUser(t.Context(), u, user.Effect{}))
	}
	for _, some := range [][]string{list[:600], list[600:]} {
		body, err := json.Marshal(map[string]any{"users": some})
		must(t, err)
		answers(t, w.call(t, "POST", "/roles/"+id+"/users", bearer, string(body)), 200, []string{"{}"}, nil)
	}
	answers(t, w.call(t, "GET", "/roles/"+id+"/users?include_totals=true&per_page=1", bearer, ""), 200, []string{`"total":1050`}, nil)
	var got []string
	for next := ""; ; {
		rec := w.call(t, "GET", "/roles/"+id+"/users?take=100&from="+next, bearer, "")
		var page struct {
			Next  string
			Users []struct {
				UserID string `json:"user_id"`
			}
		}
		must(t, json.Unmarshal(rec.Body.Bytes(), &page))
		for _, u := range page.Users {
			got = append(got, u.UserID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(list, " ") {
		t.Errorf("%d users, want each of %d once", len(got), n)
	}
}
