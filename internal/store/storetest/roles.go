package storetest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func newRole(t testing.TB, s *store.Store, names ...string) {
	t.Helper()
	for _, n := range names {
		must(t, s.CreateRole(bg, &role.Role{ID: "rol_" + n, Name: n, Version: 1, CreatedAt: day, UpdatedAt: day}, event("")))
	}
}

func docOf(scopes ...string) json.RawMessage {
	type scope struct {
		Value string `json:"value"`
	}
	list := make([]scope, len(scopes))
	for i, v := range scopes {
		list[i] = scope{v}
	}
	b, err := json.Marshal(map[string]any{"scopes": list})
	if err != nil {
		panic(err) // texts
	}
	return b
}

func newAPI(t testing.TB, s *store.Store, id, identifier string, scopes ...string) {
	t.Helper()
	must(t, s.CreateResourceServer(bg, &resourceserver.ResourceServer{ID: id, Identifier: identifier, Doc: docOf(scopes...)}, event("")))
}

func setScopes(t testing.TB, s *store.Store, id string, scopes ...string) {
	t.Helper()
	must(t, second(s.UpdateResourceServer(bg, id, func(r *resourceserver.ResourceServer) error {
		r.Doc = docOf(scopes...)
		return nil
	}, event(""))))
}

// permissions reads "api name" texts, sorted as the ids of a call are.
func permissions(texts ...string) (list []role.Permission) {
	for _, s := range texts {
		api, name, _ := strings.Cut(s, " ")
		list = append(list, role.Permission{API: api, Name: name})
	}
	return list
}

func permissionTexts(list []role.Permission) string {
	var out []string
	for _, p := range list {
		out = append(out, p.API+" "+p.Name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func roleNames(list []*role.Role) string {
	var out []string
	for _, r := range list {
		out = append(out, r.Name)
	}
	return strings.Join(out, " ")
}

// state is all that is assigned, as text.
func assigned(t testing.TB, s *store.Store, roles, users []string) string {
	t.Helper()
	var b strings.Builder
	for _, id := range roles {
		list, err := s.RolePermissions(bg, id)
		must(t, err)
		members, total, err := s.RoleMembers(bg, id, role.Page{Limit: 100})
		must(t, err)
		fmt.Fprintf(&b, "%s: [%s]", id, permissionTexts(list))
		for _, m := range members {
			b.WriteString(" " + m.UserID)
		}
		if total != len(members) {
			t.Errorf("%s: total %d of %d members", id, total, len(members))
		}
		b.WriteString("\n")
	}
	for _, id := range users {
		list, err := s.UserRoles(bg, id)
		must(t, err)
		direct, granted, err := s.UserPermissions(bg, id)
		must(t, err)
		fmt.Fprintf(&b, "%s: %s [%s]", id, roleNames(list), permissionTexts(direct))
		for _, g := range granted {
			fmt.Fprintf(&b, " %s[%s]", g.Role.Name, permissionTexts(g.Permissions))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// records counts the events of the log.
func records(t testing.TB, s *store.Store) int {
	t.Helper()
	list, err := s.Events(bg, audit.Span{Limit: audit.Step})
	must(t, err)
	return len(list)
}

func runRoles(t *testing.T, open func(testing.TB) *store.Store) {
	const ann, ben, nobody = "auth0|ann", "auth0|ben", "auth0|nobody"

	t.Run("life of a role", func(t *testing.T) {
		s := open(t)
		v := &role.Role{ID: "rol_1", Name: "Editor", Description: "Edits", Version: 1, CreatedAt: day, UpdatedAt: day + 1}
		must(t, s.CreateRole(bg, v, event("")))
		if got, err := s.Role(bg, "rol_1"); err != nil || *got != *v {
			t.Errorf("got %+v, %v", got, err)
		}
		newRole(t, s, "Author", "editor") // another case is another name
		taken := &role.Role{ID: "rol_2", Name: "Editor", Version: 1}
		if err := s.CreateRole(bg, taken, event("")); !errors.Is(err, role.ErrExists) {
			t.Errorf("a name that is taken: %v", err)
		}
		list, err := s.Roles(bg)
		if err != nil || roleNames(list) != "Author Editor editor" {
			t.Errorf("list: %s, %v", roleNames(list), err)
		}
		got, err := s.UpdateRole(bg, "rol_1", func(r *role.Role) error {
			if r.Version != 1 {
				t.Errorf("fn sees version %d", r.Version)
			}
			r.Name, r.Description, r.UpdatedAt = "Chief", "", day+2
			return nil
		}, event(""))
		if err != nil || got.Name != "Chief" || got.Version != 2 {
			t.Errorf("updated: %+v, %v", got, err)
		}
		if again, err := s.Role(bg, "rol_1"); err != nil || *again != *got || again.Description != "" || again.CreatedAt != day {
			t.Errorf("read again: %+v, %v", again, err)
		}
		_, err = s.UpdateRole(bg, "rol_1", func(r *role.Role) error { r.Name = "Author"; return nil }, event(""))
		if !errors.Is(err, role.ErrExists) {
			t.Errorf("renamed to a name that is taken: %v", err)
		}
		refused := errors.New("no")
		_, err = s.UpdateRole(bg, "rol_1", func(r *role.Role) error { r.Name = "x"; return refused }, event(""))
		if !errors.Is(err, refused) {
			t.Errorf("refused: %v", err)
		}
		if again, err := s.Role(bg, "rol_1"); err != nil || again.Name != "Chief" || again.Version != 2 {
			t.Errorf("after refusals: %+v, %v", again, err)
		}
		must(t, s.DeleteRole(bg, "rol_1", event("")))
		same := func(*role.Role) error { return nil }
		_, _, members := s.RoleMembers(bg, "rol_1", role.Page{Limit: 1})
		for i, err := range []error{
			second(s.Role(bg, "rol_1")), s.DeleteRole(bg, "rol_1", event("")), second(s.UpdateRole(bg, "rol_1", same, event(""))),
			second(s.RolePermissions(bg, "rol_1")), members, s.AddRoleMembers(bg, "rol_1", nil),
			s.RemoveRolePermissions(bg, "rol_1", permissions("api read"), event("")),
			s.AddRolePermissions(bg, "rol_1", permissions("api read"), event("")),
		} {
			if !errors.Is(err, role.ErrNotFound) {
				t.Errorf("gone, %d: %v", i, err)
			}
		}
		newRole(t, s, "Chief") // the name is free again
	})

	// world is two users, two roles and two APIs.
	world := func(t *testing.T) *store.Store {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", ""))
		newRole(t, s, "editor", "author")
		newAPI(t, s, "api1", "api", "read", "write", "delete")
		newAPI(t, s, "api2", "other", "read")
		return s
	}
	roles, users := []string{"rol_author", "rol_editor"}, []string{ann, ben}

	t.Run("assigning and removing", func(t *testing.T) {
		s := world(t)
		before, err := s.View(bg, ann)
		must(t, err)
		told := records(t, s)
		for range 2 { // the second time changes nothing
			must(t, s.AddUserRoles(bg, ann, roles, event(ann)))
			must(t, s.AddRoleMembers(bg, "rol_editor", users, event(ann), event(ben)))
			must(t, s.AddRolePermissions(bg, "rol_editor", permissions("api read", "api write", "other read"), event("")))
			must(t, s.AddRolePermissions(bg, "rol_author", permissions("api read"), event("")))
			must(t, s.AddUserPermissions(bg, ann, permissions("api delete", "api read"), event(ann)))
			const want = "rol_author: [api read] auth0|ann\n" +
				"rol_editor: [api read, api write, other read] auth0|ann auth0|ben\n" +
				"auth0|ann: author editor [api delete, api read] author[api read] editor[api read, api write, other read]\n" +
				"auth0|ben: editor [] editor[api read, api write, other read]\n"
			if got := assigned(t, s, roles, users); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		}
		for range 2 {
			must(t, s.RemoveUserRoles(bg, ann, []string{"rol_editor", "rol_none"}, event(ann)))
			must(t, s.RemoveRolePermissions(bg, "rol_editor", permissions("api read", "none read", "other none", "other read"), event("")))
			must(t, s.RemoveUserPermissions(bg, ann, permissions("api read", "api write"), event(ann)))
			const want = "rol_author: [api read] auth0|ann\nrol_editor: [api write] auth0|ben\n" +
				"auth0|ann: author [api delete] author[api read]\nauth0|ben: editor [] editor[api write]\n"
			if got := assigned(t, s, roles, users); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		}
		if n := records(t, s) - told; n != 2*(6+3) {
			t.Errorf("%d records of 18", n)
		}
		after, err := s.View(bg, ann)
		if err != nil || after.Version != before.Version || after.UpdatedAt != before.UpdatedAt {
			t.Errorf("assigning is no change of the user: %+v, %v", after, err)
		}
	})

	t.Run("all or nothing", func(t *testing.T) {
		s := world(t)
		before, told := assigned(t, s, roles, users), records(t, s)
		for _, row := range []struct {
			name string
			err  error
			want error
		}{
			{"a user that is not there", s.AddRoleMembers(bg, "rol_editor", []string{ann, nobody}, event(ann)), user.ErrNotFound},
			{"a role that is not there", s.AddUserRoles(bg, ann, []string{"rol_author", "rol_none"}, event(ann)), role.ErrNotFound},
			{"roles for nobody", s.AddUserRoles(bg, nobody, roles, event("")), user.ErrNotFound},
			{"from nobody", s.RemoveUserRoles(bg, nobody, roles, event("")), user.ErrNotFound},
			{"nobody's", second(s.UserRoles(bg, nobody)), user.ErrNotFound},
			{"permissions for nobody", s.AddUserPermissions(bg, nobody, permissions("api read"), event("")), user.ErrNotFound},
			{"permissions from nobody", s.RemoveUserPermissions(bg, nobody, permissions("api read"), event("")), user.ErrNotFound},
			{
				"a scope that is not there", s.AddRolePermissions(bg, "rol_editor", permissions("api none", "api read", "none read", "other read"), event("")),
				role.ErrUnknown(permissions("api none", "none read")),
			},
			{"nor for a user", s.AddUserPermissions(bg, ann, permissions("api read", "other write"), event(ann)), role.ErrUnknown(permissions("other write"))},
		} {
			if !errors.Is(row.err, row.want) {
				t.Errorf("%s: %v, want %v", row.name, row.err, row.want)
			}
		}
		if _, _, err := s.UserPermissions(bg, nobody); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("nobody's permissions: %v", err)
		}
		if after := assigned(t, s, roles, users); after != before {
			t.Errorf("refusals changed\n%sto\n%s", before, after)
		}
		if n := records(t, s); n != told {
			t.Errorf("refusals left %d records", n-told)
		}
	})

	t.Run("what is deleted is assigned to nobody", func(t *testing.T) {
		s := world(t)
		fill := func() {
			must(t, s.AddRoleMembers(bg, "rol_editor", users))
			must(t, s.AddRolePermissions(bg, "rol_editor", permissions("api read", "api write", "other read"), event("")))
			must(t, s.AddUserPermissions(bg, ann, permissions("api read", "other read"), event(ann)))
		}
		expect := func(what, want string) {
			t.Helper()
			if got := assigned(t, s, []string{"rol_editor"}, users[:1]); got != want {
				t.Errorf("%s: got\n%swant\n%s", what, got, want)
			}
		}
		fill()
		setScopes(t, s, "api1", "write", "more")
		const without = "rol_editor: [api write, other read] auth0|ann auth0|ben\nauth0|ann: editor [other read] editor[api write, other read]\n"
		expect("a scope", without)
		setScopes(t, s, "api1", "write", "read", "delete")
		expect("a scope that came back", without)
		must(t, s.AddUserPermissions(bg, ann, permissions("api read"), event(ann)))
		expect("given again", "rol_editor: [api write, other read] auth0|ann auth0|ben\n"+
			"auth0|ann: editor [api read, other read] editor[api write, other read]\n")

		must(t, s.DeleteResourceServer(bg, "api2", event("")))
		newAPI(t, s, "api2", "other", "read")
		expect("an API", "rol_editor: [api write] auth0|ann auth0|ben\nauth0|ann: editor [api read] editor[api write]\n")

		must(t, s.DeleteUser(bg, ann, 0, user.Effect{}))
		create(t, s, ourUser("ann", ""))
		expect("a user", "rol_editor: [api write] auth0|ben\nauth0|ann:  []\n")

		fill()
		must(t, s.DeleteRole(bg, "rol_editor", event("")))
		if got := assigned(t, s, nil, users); got != "auth0|ann:  [api read, other read]\nauth0|ben:  []\n" {
			t.Errorf("a role: %s", got)
		}
		must(t, s.Sweep(bg, day))
		must(t, s.Sweep(bg, day))
		newRole(t, s, "next")
		must(t, s.AddRoleMembers(bg, "rol_next", users))
		if got := assigned(t, s, []string{"rol_next"}, users); got != "rol_next: [] auth0|ann auth0|ben\nauth0|ann: next [api read, other read] next[]\nauth0|ben: next [] next[]\n" {
			t.Errorf("after the sweep: %s", got)
		}
	})

	t.Run("an identifier that moves", func(t *testing.T) {
		s := world(t)
		must(t, s.AddUserPermissions(bg, ann, permissions("api read"), event(ann)))
		must(t, second(s.UpdateResourceServer(bg, "api1", func(r *resourceserver.ResourceServer) error { r.Identifier = "moved"; return nil }, event(""))))
		if got := assigned(t, s, nil, users[:1]); got != "auth0|ann:  [moved read]\n" {
			t.Errorf("got %s", got)
		}
	})

	t.Run("pages of members", func(t *testing.T) {
		s := open(t)
		newRole(t, s, "editor", "empty")
		var all []string
		for _, id := range numbered("%04d", 250) {
			create(t, s, ourUser(id, ""))
			all = append(all, "auth0|"+id)
		}
		must(t, s.AddRoleMembers(bg, "rol_editor", all))
		var got []string
		for after := ""; ; {
			list, total, err := s.RoleMembers(bg, "rol_editor", role.Page{After: after, Limit: 100})
			must(t, err)
			if total != 250 {
				t.Errorf("total %d", total)
			}
			for _, m := range list {
				got = append(got, m.UserID)
			}
			if len(list) < 100 {
				break
			}
			after = got[len(got)-1]
		}
		if !slices.Equal(got, all) {
			t.Errorf("%d members, want each once and in order", len(got))
		}
		list, _, err := s.RoleMembers(bg, "rol_editor", role.Page{Offset: 240, Limit: 100})
		if err != nil || len(list) != 10 || list[0].UserID != all[240] || !json.Valid(list[0].Attributes) {
			t.Errorf("from 240: %v, %v", list, err)
		}
		if list, total, err := s.RoleMembers(bg, "rol_empty", role.Page{Limit: 100}); err != nil || total != 0 || len(list) != 0 {
			t.Errorf("nobody: %v, %d, %v", list, total, err)
		}
		// More than one step of the sweep.
		must(t, s.DeleteRole(bg, "rol_editor", event("")))
		must(t, s.Sweep(bg, day))
	})

	t.Run("limits", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", ""), ourUser("ben", ""))
		names := numbered("r%02d", role.MaxRolesOfUser+1)
		newRole(t, s, names...)
		ids := make([]string, len(names))
		for i, n := range names {
			ids[i] = "rol_" + n
		}
		most, one := ids[:role.MaxRolesOfUser], ids[role.MaxRolesOfUser:]
		if err := s.AddUserRoles(bg, ben, ids, event(ben)); !errors.Is(err, role.ErrTooManyForUser) {
			t.Errorf("51 at once: %v", err)
		}
		must(t, s.AddUserRoles(bg, ann, most, event(ann)))
		must(t, s.AddUserRoles(bg, ann, most, event(ann)))
		for _, err := range []error{s.AddUserRoles(bg, ann, one, event(ann)), s.AddRoleMembers(bg, one[0], []string{ann, ben})} {
			if !errors.Is(err, role.ErrTooManyForUser) {
				t.Errorf("one more: %v", err)
			}
		}
		if list, total, err := s.RoleMembers(bg, one[0], role.Page{Limit: 5}); err != nil || total != 0 || len(list) != 0 {
			t.Errorf("a refusal left %v, %d, %v", list, total, err)
		}
		must(t, s.DeleteRole(bg, ids[0], event("")))
		must(t, s.AddUserRoles(bg, ann, one, event(ann)))

		scopes := numbered("read:%04d", role.MaxPermissions+1)
		newAPI(t, s, "api1", "api", scopes...)
		list := make([]role.Permission, len(scopes))
		for i, n := range scopes {
			list[i] = role.Permission{API: "api", Name: n}
		}
		last := len(list) - 1
		must(t, s.AddUserPermissions(bg, ann, list[:last], event(ann)))
		must(t, s.AddRolePermissions(bg, one[0], list[1:], event("")))
		if err := s.AddUserPermissions(bg, ann, list[last:], event(ann)); !errors.Is(err, role.ErrTooManyForUser) {
			t.Errorf("one permission more: %v", err)
		}
		if err := s.AddRolePermissions(bg, one[0], list[:1], event("")); !errors.Is(err, role.ErrTooManyPermissionsHere) {
			t.Errorf("one permission more for a role: %v", err)
		}
		direct, granted, err := s.UserPermissions(bg, ann)
		if err != nil || len(direct) != role.MaxPermissions || len(granted) != role.MaxRolesOfUser {
			t.Errorf("%d direct, %d roles, %v", len(direct), len(granted), err)
		}
		newRole(t, s, numbered("more%03d", role.MaxRoles-role.MaxRolesOfUser)...)
		if err := s.CreateRole(bg, &role.Role{ID: "rol_last", Name: "last"}, event("")); !errors.Is(err, role.ErrTooManyRoles) {
			t.Errorf("one role more: %v", err)
		}
		if all, err := s.Roles(bg); err != nil || len(all) != role.MaxRoles {
			t.Errorf("%d roles, %v", len(all), err)
		}
	})

	t.Run("races", func(t *testing.T) {
		s := world(t)
		var all []string
		for _, id := range numbered("u%02d", 20) {
			create(t, s, ourUser(id, ""))
			all = append(all, "auth0|"+id)
		}
		same := race(20, func(int) error { return s.AddRoleMembers(bg, "rol_editor", all[:10]) })
		each := race(40, func(i int) error {
			if i%2 == 0 {
				return s.AddUserRoles(bg, all[i/2], roles, event(""))
			}
			return s.AddRoleMembers(bg, roles[(i/2)%2], all)
		})
		perms := race(20, func(i int) error {
			return s.AddUserPermissions(bg, all[i%2], permissions("api delete", "api read", "other read"), event(""))
		})
		if same["ok"] != 20 || each["ok"] != 40 || perms["ok"] != 20 {
			t.Errorf("outcomes: %v, %v, %v", same, each, perms)
		}
		for _, id := range roles {
			if list, total, err := s.RoleMembers(bg, id, role.Page{Limit: 100}); err != nil || total != 20 || len(list) != 20 {
				t.Errorf("%s: %d members, total %d, %v", id, len(list), total, err)
			}
		}
		if direct, _, err := s.UserPermissions(bg, all[0]); err != nil || permissionTexts(direct) != "api delete, api read, other read" {
			t.Errorf("direct: %v, %v", direct, err)
		}

		// One scope of an API is taken away while it is given: whoever was first,
		// nobody has it in the end, and it does not come back with the scope.
		got := race(20, func(i int) error {
			if i == 10 {
				return second(s.UpdateResourceServer(bg, "api2", func(r *resourceserver.ResourceServer) error {
					r.Doc = docOf("none")
					return nil
				}, audit.Event{}))
			}
			return s.AddUserPermissions(bg, all[i], permissions("other read"), event(""))
		})
		setScopes(t, s, "api2", "read")
		if got["ok"]+got[role.ErrUnknown(permissions("other read")).Error()] != 20 {
			t.Errorf("outcomes: %v", got)
		}
		for _, u := range all {
			if direct, _, err := s.UserPermissions(bg, u); err != nil || strings.Contains(permissionTexts(direct), "other") {
				t.Errorf("%s has %v, %v", u, direct, err)
			}
		}

		// Users and roles go while they meet: the counters stay right.
		newRole(t, s, "short")
		got = race(40, func(i int) error {
			switch {
			case i == 39:
				return s.DeleteRole(bg, "rol_short", event(""))
			case i%4 == 0:
				return s.DeleteUser(bg, user.ID(all[i/2]), 0, user.Effect{})
			case i%4 == 1:
				return s.RemoveUserRoles(bg, all[i/2], roles, event(""))
			case i%4 == 2:
				return s.AddRoleMembers(bg, "rol_short", all[i/2:i/2+1])
			}
			return s.AddRoleMembers(bg, "rol_editor", all[i/2:i/2+1])
		})
		delete(got, "ok")
		for text := range got {
			if !slices.ContainsFunc([]*errs.Error{role.ErrNotFound, user.ErrNotFound}, func(e *errs.Error) bool { return e.Text == text }) {
				t.Errorf("unexpected: %s", text)
			}
		}
		alive, err := s.Users(bg, "", 100)
		must(t, err)
		there := ids(alive)
		for _, id := range roles {
			list, total, err := s.RoleMembers(bg, id, role.Page{Limit: 100})
			must(t, err)
			if total != len(list) {
				t.Errorf("%s: %d members, total %d", id, len(list), total)
			}
			for _, m := range list {
				if _, ok := slices.BinarySearchFunc(there, m.UserID, cmp.Compare); !ok {
					t.Errorf("%s is a member and no more", m.UserID)
				}
			}
		}
	})
}
