package mgmt

import (
	"testing"

	"mangrove/internal/user"
)

func TestDeleteConnectionUser(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		for _, row := range []struct {
			name, path, scopes string
			status             int
			has                []string
		}{
			{"without the scope", "/connections/" + usersID + "/users?email=ann@example.com", "read:users", 403, []string{"expected any of: delete:users"}},
			{"no e-mail", "/connections/" + usersID + "/users", "delete:users", 400, []string{"Missing required property: email", "invalid_query_string"}},
			{"no connection", "/connections/con_Nobody0000000000/users?email=a@example.com", "delete:users", 404, []string{"inexistent_connection"}},
			{"a social one", "/connections/" + googleID + "/users?email=gus@example.com", "delete:users", 400, []string{"Connection must be a database connection"}},
			{"somebody who is not there", "/connections/" + usersID + "/users?email=nobody@example.com", "delete:users", 204, nil},
			{"somebody of another connection", "/connections/" + disabledID + "/users?email=ann@example.com", "delete:users", 204, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "DELETE", row.path, w.machine(t, row.scopes), ""), row.status, row.has, nil)
				for _, id := range []user.ID{w.ann, w.gus} {
					if _, err := w.store.View(t.Context(), id); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				}
			})
		}
		path := "/connections/" + usersID + "/users?email=Ann%40Example.com"
		for range 2 { // the second time there is nobody
			answers(t, w.call(t, "DELETE", path, w.machine(t, "delete:users"), ""), 204, nil, nil)
		}
		if _, err := w.store.View(t.Context(), w.ann); err == nil {
			t.Error("the user is still there")
		}
	})
}
