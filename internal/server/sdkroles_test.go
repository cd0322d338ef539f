package server_test

import (
	"testing"

	"github.com/auth0/go-auth0/management"
)

func TestSDKRoles(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		u := &management.User{Connection: ptr(database), Email: ptr("ann@example.com"), Password: ptr(goodPassword)}
		check("user", w.sdk.User.Create(ctx, u))
		check("api", w.sdk.ResourceServer.Create(ctx, &management.ResourceServer{
			Name: ptr("Orders"), Identifier: ptr("https://orders.example/"),
			Scopes: &[]management.ResourceServerScope{{Value: ptr("read:orders"), Description: ptr("Read")}, {Value: ptr("write:orders")}},
		}))
		r := &management.Role{Name: ptr("Clerk")}
		check("create", w.sdk.Role.Create(ctx, r))
		check("update", w.sdk.Role.Update(ctx, r.GetID(), &management.Role{Description: ptr("Sells")}))
		got, err := w.sdk.Role.Read(ctx, r.GetID())
		check("read", err)
		if got.GetName() != "Clerk" || got.GetDescription() != "Sells" {
			t.Errorf("read %s", got)
		}
		list, err := w.sdk.Role.List(ctx, management.Parameter("name_filter", "cle"))
		check("list", err)
		if len(list.Roles) != 1 || list.Total != 1 {
			t.Errorf("list %v", list)
		}
		read := []*management.Permission{{ResourceServerIdentifier: ptr("https://orders.example/"), Name: ptr("read:orders")}}
		write := []*management.Permission{{ResourceServerIdentifier: ptr("https://orders.example/"), Name: ptr("write:orders")}}
		check("associate", w.sdk.Role.AssociatePermissions(ctx, r.GetID(), read))
		check("users", w.sdk.Role.AssignUsers(ctx, r.GetID(), []*management.User{u}))
		check("roles", w.sdk.User.AssignRoles(ctx, u.GetID(), []*management.Role{r}))
		check("permissions", w.sdk.User.AssignPermissions(ctx, u.GetID(), write))
		ps, err := w.sdk.User.Permissions(ctx, u.GetID())
		check("list permissions", err)
		if ps.Total != 2 || ps.Permissions[0].GetDescription() != "Read" {
			t.Errorf("permissions %v", ps)
		}
		rp, err := w.sdk.Role.Permissions(ctx, r.GetID())
		check("of the role", err)
		if len(rp.Permissions) != 1 || rp.Permissions[0].GetResourceServerName() != "Orders" {
			t.Errorf("of the role %v", rp)
		}
		us, err := w.sdk.Role.Users(ctx, r.GetID(), management.Take(10))
		check("members", err)
		if len(us.Users) != 1 || us.Users[0].GetEmail() != "ann@example.com" || us.HasNext() {
			t.Errorf("members %v", us)
		}
		rs, err := w.sdk.User.Roles(ctx, u.GetID())
		check("roles", err)
		if rs.Total != 1 || rs.Roles[0].GetID() != r.GetID() {
			t.Errorf("roles %v", rs)
		}
		check("remove permissions", w.sdk.User.RemovePermissions(ctx, u.GetID(), write))
		check("remove of role", w.sdk.Role.RemovePermissions(ctx, r.GetID(), read))
		check("remove roles", w.sdk.User.RemoveRoles(ctx, u.GetID(), []*management.Role{r}))
		check("delete", w.sdk.Role.Delete(ctx, r.GetID()))
		if _, err := w.sdk.Role.Read(ctx, r.GetID()); statusOf(err) != 404 {
			t.Errorf("gone: %v", err)
		}
	})
}
