package mgmt

import (
	"errors"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
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

// Users whose database is elsewhere, on the wire of the Management API: what it says,
// and in which order it was asked.
func TestUsersElsewhere(t *testing.T) {
	const annThere = `{"user_id":"legacy|7","email":"Ann@shop.example","email_verified":false}`
	onEngines(t, func(t *testing.T, w *world) {
		var asked []string
		fails := map[customdb.Action]error{}
		there := map[string]string{"ann@shop.example": annThere}
		old := oldStore(func(_ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
			asked = append(asked, string(call.Action))
			if err := fails[call.Action]; err != nil {
				return customdb.Answer{}, err
			}
			switch call.Action {
			case customdb.GetUser, customdb.Login:
				v := there[strings.ToLower(profile.TextOf(call.Arg(customdb.ArgIdentifier)))]
				if v == "" {
					v = "null"
				}
				return customdb.Answer{Value: profile.Value(v)}, nil
			case customdb.Create:
				there["bo@shop.example"] = `{"user_id":"8","email":"Bo@shop.example","name":"Bo"}`
				return customdb.Answer{Value: profile.Null}, nil
			}
			return customdb.Answer{Value: profile.Bool(true)}, nil
		})
		w.api.Users.External, w.api.Users.Migrations = old, w.store
		make := func(name, options string) {
			must(t, w.store.CreateConnection(t.Context(), &connection.Connection{
				ID: "con_" + name + strings.Repeat("y", 16-len(name)), Name: name, Strategy: "auth0", Realms: []string{name}, EnabledClients: []string{machineID},
				Options: profile.Value(`{"enabledDatabaseCustomization":true,"passwordPolicy":"low",` + options + `}`), Extra: profile.Value(`{}`), Version: 1, CreatedAt: at, UpdatedAt: at,
			}, audit.Event{Type: audit.APIOperation, At: at}))
		}
		const scripts = `"customScripts":{"login":"x","get_user":"x","create":"x","change_password":"x","change_email":"x","delete":"x"}`
		make("Ext", scripts)
		make("Few", `"customScripts":{"login":"x","get_user":"x"}`)
		make("Imp", `"import_mode":true,`+scripts)
		all := w.machine(t, "create:users update:users delete:users read:users create:user_tickets")
		annID, boID := "/users/auth0%7Clegacy%7C7", "/users/auth0%7C8"
		ext, err := w.store.ConnectionByName(t.Context(), "Ext")
		must(t, err)
		if _, err := w.api.Users.Authenticate(t.Context(), ext, "ann@shop.example", "x", user.Actor{IP: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			about, method, path, body string
			fail                      error
			of                        customdb.Action
			status                    int
			has                       []string
			asked                     string
		}{
			{"created", "POST", "/users", `{"connection":"Ext","email":"Bo@shop.example","password":"a long secret","app_metadata":{"plan":"full"}}`, nil, "", 201,
				[]string{`"user_id":"auth0|8"`, `"email":"Bo@shop.example"`, `"name":"Bo"`, `"app_metadata":{"plan":"full"}`}, "get_user create login"},
			{"exists", "POST", "/users", `{"connection":"Ext","email":"bo@shop.example","password":"a long secret"}`, nil, "", 409, []string{"The user already exists.", "auth0_idp_error"}, "get_user"},
			{"no create", "POST", "/users", `{"connection":"Few","email":"cy@shop.example","password":"a long secret"}`, nil, "", 400, []string{"create script does not exist", "operation_not_supported"}, ""},
			{"in the old store", "POST", "/users", `{"connection":"Imp","email":"bo@shop.example","password":"a long secret"}`, nil, "", 409, []string{"The user already exists.", "auth0_idp_error"}, "get_user"},
			{"the old store is down", "POST", "/users", `{"connection":"Imp","email":"dan@shop.example","password":"a long secret"}`, &customdb.Failure{Kind: customdb.Failed, Message: "no route"}, customdb.GetUser, 503,
				[]string{"gave no answer"}, "get_user"},
			{"password", "PATCH", boID, `{"password":"another long secret"}`, nil, "", 200, []string{`"last_password_reset"`}, "get_user change_password"},
			{"e-mail that is taken", "PATCH", boID, `{"email":"ann@shop.example"}`, nil, "", 400, []string{"The specified new email already exists", "auth0_idp_error"}, "get_user"},
			{"e-mail", "PATCH", boID, `{"email":"bob@shop.example"}`, nil, "", 200, []string{`"email":"bob@shop.example"`}, "get_user change_email"},
			{"e-mail, refused", "PATCH", boID, `{"email":"bea@shop.example"}`, &customdb.Failure{Kind: customdb.Invalid, Code: "reserved", Message: "not this one"}, customdb.ChangeEmail, 400,
				[]string{"not this one", "reserved"}, "get_user change_email"},
			{"name", "PATCH", boID, `{"name":"B"}`, nil, "", 400, []string{"The following user attributes cannot be updated: name.", "(Ext)"}, ""},
			{"username", "PATCH", boID, `{"username":"bo"}`, nil, "", 400, []string{"Cannot set username for connection without requires_username."}, ""},
			{"a ticket for somebody of the old store", "POST", "/tickets/password-change", `{"connection_id":"con_Impyyyyyyyyyyyyy","email":"ann@shop.example"}`, nil, "", 201, []string{`{"ticket":"`}, "get_user"},
			{"a ticket for nobody", "POST", "/tickets/password-change", `{"connection_id":"con_Impyyyyyyyyyyyyy","email":"no@shop.example"}`, nil, "", 404, []string{"inexistent_user"}, "get_user"},
			{"deletion, refused", "DELETE", boID, "", &customdb.Failure{Kind: customdb.Failed, Message: "still has orders"}, customdb.Delete, 400, []string{"still has orders", "auth0_idp_error"}, "delete"},
			{"deletion", "DELETE", boID, "", nil, "", 204, nil, "delete"},
			{"deletion by e-mail", "DELETE", "/connections/con_Extyyyyyyyyyyyyy/users?email=Ann%40shop.example", "", nil, "", 204, nil, "get_user delete"},
			{"deletion by e-mail, who is not here", "DELETE", "/connections/con_Extyyyyyyyyyyyyy/users?email=Ann%40shop.example", "", nil, "", 204, nil, "get_user"},
		} {
			asked, fails = nil, map[customdb.Action]error{row.of: row.fail}
			answers(t, w.call(t, row.method, row.path, all, row.body), row.status, row.has, []string{"no route"})
			if got := strings.Join(asked, " "); got != row.asked {
				t.Errorf("%s: asked %q", row.about, got)
			}
		}
		answers(t, w.call(t, "GET", annID, all, ""), 404, nil, nil)
		if _, err := w.store.User(t.Context(), "auth0|8"); !errors.Is(err, user.ErrNotFound) {
			t.Error(err)
		}
	})
}
