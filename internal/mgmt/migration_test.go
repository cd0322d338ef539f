package mgmt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// oldStore answers an action of a custom database.
type oldStore func(c *connection.Connection, call customdb.Call) (customdb.Answer, error)

func (o oldStore) Run(_ context.Context, c *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	return o(c, call)
}

// legacy makes a custom database whose actions old runs, and returns its path.
func (w *world) legacy(t *testing.T, name, options string, old oldStore) string {
	t.Helper()
	id := "con_" + name + strings.Repeat("0", 16-len(name))
	must(t, w.store.CreateConnection(t.Context(), &connection.Connection{
		ID: id, Name: id, Strategy: "auth0", Options: json.RawMessage(options), Realms: []string{id}, Extra: json.RawMessage(`{}`),
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}, audit.Event{Type: audit.APIOperation, At: at}))
	w.api.Users.External, w.api.Users.Migrations = old, w.store
	return "/connections/" + id
}

// nothing is a store in which nobody is.
func nothing(_ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	if call.Action == customdb.List {
		return customdb.Answer{Value: json.RawMessage("[]")}, nil
	}
	return customdb.Answer{Value: profile.Null}, nil
}

const moving = `{"enabledDatabaseCustomization":true,"import_mode":true,"brute_force_protection":true,
	"customScripts":{"login":"stored login","get_user":"x","list":"x"},"configuration":{"DSN":{"value":"top secret","mask":"MASK"}}}`

func TestMigrationProgress(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		path := w.legacy(t, "Legacy", strings.TrimSuffix(moving, "}")+`,"migration":{"mode":"shadow"}}`, nothing)
		id := strings.TrimPrefix(path, "/connections/")
		reads, people := w.machine(t, "read:connections"), w.machine(t, "read:users")
		rec := w.call(t, "GET", path+"/migration", reads, "")
		answers(t, rec, http.StatusOK, []string{
			`{"mode":"shadow","actions":{"login":"script","get_user":"script","list":"script"},"migrated":0,"seen":0,"known":0,"failing":0,"differing":0,"compared":0,"same":0,"deleted":0,"truncated":false}`,
		}, nil)

		for i, name := range []string{"ann", "ben", "carl"} {
			n := customdb.Note{ConnectionID: id, Name: name, State: customdb.Failing, Reason: "no " + name, At: at + int64(i)*1000}
			must(t, w.store.Note(t.Context(), n))
		}
		must(t, w.store.Note(t.Context(), customdb.Note{ConnectionID: id, Name: "dora", State: customdb.Known, At: at}))
		must(t, w.store.Note(t.Context(), customdb.Note{ConnectionID: id, Name: "ann", Migrated: true, At: at + 9000}))
		for _, row := range []struct{ scope, lastError string }{{"read:connections", ""}, {"read:connections read:users", `"last_error":"no carl",`}} {
			rec = w.call(t, "GET", path+"/migration", w.machine(t, row.scope), "")
			answers(t, rec, http.StatusOK, []string{
				`"migrated":1,"seen":2,"known":1,"failing":2,`, `"first_at":"` + iso(at) + `"`,
				`"last_migration":"` + iso(at+9000) + `",` + row.lastError + `"last_error_at":"` + iso(at+2000) + `"`,
			}, map[bool][]string{true: {"carl"}}[row.lastError == ""])
		}

		rec = w.call(t, "GET", path+"/migration/people?take=2", people, "")
		answers(t, rec, http.StatusOK, []string{`{"people":[{"name":"ben","state":"failing","reason":"no ben","at":"` + iso(at+1000) + `"},{"name":"carl",`, `"next":"`}, []string{"dora"})
		next := member(t, rec.Body.Bytes(), "next")
		rec = w.call(t, "GET", path+"/migration/people?take=2&from="+next, people, "")
		answers(t, rec, http.StatusOK, []string{`{"people":[{"name":"dora","state":"known","at":"` + iso(at) + `"}]}`}, nil)
		rec = w.call(t, "GET", path+"/migration/people?state=known", people, "")
		answers(t, rec, http.StatusOK, []string{`[{"name":"dora"`}, []string{"ben"})
		// A cursor is of its list.
		answers(t, w.call(t, "GET", path+"/migration/people?state=known&take=2&from="+next, people, ""), http.StatusBadRequest, []string{"invalid_query_string"}, nil)
		for _, q := range []string{"state=gone", "take=0", "take=101"} {
			answers(t, w.call(t, "GET", path+"/migration/people?"+q, people, ""), http.StatusBadRequest, []string{"invalid_query_string"}, nil)
		}
	})
}

func TestExternalStoreHasNoMode(t *testing.T) {
	w := newWorld(t)
	path := w.legacy(t, "External", `{"enabledDatabaseCustomization":true,"webhook":{"url":"https://x.example/","actions":["login"]}}`, nothing)
	rec := w.call(t, "GET", path+"/migration", w.machine(t, "read:connections"), "")
	answers(t, rec, http.StatusOK, []string{`{"actions":{"login":"webhook"},`}, []string{"mode"})
	path = w.legacy(t, "Empty", `{"enabledDatabaseCustomization":true}`, nothing)
	rec = w.call(t, "GET", path+"/migration", w.machine(t, "read:connections"), "")
	answers(t, rec, http.StatusOK, []string{`{"actions":{},`}, nil)
}

func TestPullUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		var given string
		path := w.legacy(t, "Legacy", moving, func(_ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
			given = fmt.Sprint(call.Action)
			for _, a := range call.Args {
				given += " " + string(a.Value)
			}
			if call.Action == customdb.GetUser {
				return customdb.Answer{Value: profile.Null}, nil
			}
			return customdb.Answer{Value: json.RawMessage(`{"users":[{"user_id":1,"email":"one@shop.example"},{"user_id":"2"}],"next":"c2"}`)}, nil
		})
		bearer := w.machine(t, "create:users")
		rec := w.call(t, "POST", path+"/migration/pull", bearer, `{"without_password":true,"limit":7,"after":"c1"}`)
		answers(t, rec, http.StatusOK, []string{`{"migrated":1,"present":0,"deleted":0,"failed":1,"failures":[{"name":"2","reason":"`, `"next":"c2"}`}, nil)
		if given != `list "c1" 7` {
			t.Errorf("asked %s", given)
		}
		w.stored(t, "auth0|1")
		rec = w.call(t, "POST", path+"/migration/pull", bearer, `{}`)
		answers(t, rec, http.StatusOK, []string{`"migrated":0,"present":1,`}, nil)
		if given != `list "" 100` {
			t.Errorf("asked %s", given)
		}
		rec = w.call(t, "POST", path+"/migration/pull", bearer, `{"identifiers":["ann"]}`)
		answers(t, rec, http.StatusOK, []string{`"failures":[{"name":"ann","reason":"Nobody is known by this identifier."}]}`}, []string{"next"})
		if given != `get_user "ann"` {
			t.Errorf("asked %s", given)
		}
		given = ""
		for _, body := range []string{
			`{"limit":0}`, `{"limit":101}`, `{"limit":"7"}`, `{"after":1}`, `{"identifiers":[]}`, `{"identifiers":[""]}`, `{"identifiers":["a"],"after":"x"}`, `{"other":1}`, `[]`,
		} {
			answers(t, w.call(t, "POST", path+"/migration/pull", bearer, body), http.StatusBadRequest, []string{"invalid_body"}, nil)
		}
		if given != "" {
			t.Errorf("a refused body asked %s", given)
		}
	})
}

func TestTryAction(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		var tried *connection.Connection
		path := w.legacy(t, "Legacy", moving, func(c *connection.Connection, call customdb.Call) (customdb.Answer, error) {
			tried = c
			if call.Action == customdb.Delete {
				return customdb.Answer{}, &customdb.Failure{Kind: customdb.Invalid, Code: "c", Message: "m", Detail: "d", Console: []customdb.Line{{Level: "warn", Text: "t"}}}
			}
			return customdb.Answer{
				Value:   json.RawMessage(`{"user_id":"42","email":"kai@shop.example","picture":"none","dsn":"it is top secret"}`),
				Console: []customdb.Line{{Level: "info", Text: "hello"}},
			}, nil
		})
		bearer := w.machine(t, "update:connections update:connections_options")
		rec := w.call(t, "POST", path+"/actions/login/try", bearer, `{"args":{"identifier":"kai","password":"the password"}}`)
		answers(t, rec, http.StatusOK, []string{
			`{"ok":true,"result":{"user_id":"42","email":"kai@shop.example","picture":"none","dsn":"it is ****"},"profile":{`, `"email":"kai@shop.example"`,
			`"dropped":[{"name":"picture","why":"FORMAT"}],"console":[{"level":"info","text":"hello"}],"milliseconds":0}`,
		}, []string{"the password", "top secret", "refusal"})
		if got := customdb.OptionsOf(tried); got.Scripts["login"] != "stored login" || got.Configuration["DSN"] != "top secret" {
			t.Errorf("%+v", got)
		}
		before := w.call(t, "GET", path, w.machine(t, "read:connections read:connections_options"), "").Body.String()
		rec = w.call(t, "POST", path+"/actions/login/try", bearer,
			`{"args":{"identifier":"kai","password":"x"},"options":{"customScripts":{"login":"new"},"configuration":{"DSN":"MASK","MORE":"value"}}}`)
		answers(t, rec, http.StatusOK, []string{`"ok":true`}, nil)
		got := customdb.OptionsOf(tried)
		if got.Scripts["login"] != "new" || got.Scripts["get_user"] != "" || got.Configuration["DSN"] != "top secret" || got.Configuration["MORE"] != "value" {
			t.Errorf("%+v", got)
		}
		if after := w.call(t, "GET", path, w.machine(t, "read:connections read:connections_options"), "").Body.String(); after != before {
			t.Errorf("a try has changed the connection: %s", after)
		}
		if _, err := w.store.UserByIdentity(t.Context(), strings.TrimPrefix(path, "/connections/"), "42"); err == nil {
			t.Error("a try has made a user")
		}
		rec = w.call(t, "POST", path+"/actions/delete/try", bearer, `{"args":{"id":"42"}}`)
		answers(t, rec, http.StatusOK, []string{
			`{"ok":false,"error":{"kind":"invalid","code":"c","message":"m","detail":"d"},"console":[{"level":"warn","text":"t"}],"milliseconds":0}`,
		}, nil)

		tried = nil
		for _, row := range []struct{ action, body, text string }{
			{"login", `{}`, "Missing required property"},
			{"login", `{"args":{"identifier":"kai","password":1}}`, "args.password"},
			{"login", `{"args":{"identifier":"kai","password":"x","more":1}}`, "more"},
			{"get_user", `{"args":{"identifier":"kai"},"options":{"import_mode":false}}`, "import_mode"},
			{"get_user", `{"args":{"identifier":"kai"},"options":{"customScripts":{"login":1}}}`, "customScripts"},
			{"get_user", `{"args":{"identifier":"kai"},"options":{"configuration":7}}`, "options.configuration"},
			{"get_user", `{"other":1}`, "other"},
		} {
			answers(t, w.call(t, "POST", path+"/actions/"+row.action+"/try", bearer, row.body), http.StatusBadRequest, []string{"invalid_body", row.text}, nil)
		}
		for _, action := range []string{"Login", "nothing"} {
			answers(t, w.call(t, "POST", path+"/actions/"+action+"/try", bearer, `{}`), http.StatusNotFound, []string{"inexistent_action"}, nil)
		}
		if tried != nil {
			t.Error("a refused body ran an action")
		}
	})
}

func TestMigrationIsRefused(t *testing.T) {
	w := newWorld(t)
	custom := w.legacy(t, "Legacy", moving, nothing)
	for _, row := range []struct{ method, path, scopes, body, missing string }{
		{"GET", "/migration", "read:connections", "", "any of: read:connections"},
		{"GET", "/migration/people", "read:users", "", "any of: read:users"},
		{"POST", "/migration/pull", "create:users", `{}`, "any of: create:users"},
		{"POST", "/actions/get_user/try", "update:connections update:connections_options", `{"args":{"identifier":"x"}}`, "any of: update:connections"},
	} {
		bearer := w.machine(t, row.scopes)
		answers(t, w.call(t, row.method, custom+row.path, bearer, row.body), http.StatusOK, nil, nil)
		for _, id := range []string{usersID, googleID} {
			rec := w.call(t, row.method, "/connections/"+id+row.path, bearer, row.body)
			answers(t, rec, http.StatusBadRequest, []string{user.ErrNoCustomDatabase.Text, "operation_not_supported"}, nil)
		}
		answers(t, w.call(t, row.method, "/connections/con_0000000000000000"+row.path, bearer, row.body), http.StatusNotFound, []string{connection.ErrNotFound.Text}, nil)
		answers(t, w.call(t, row.method, custom+row.path, w.machine(t, "read:clients"), row.body), http.StatusForbidden, []string{row.missing}, nil)
	}
	for _, scope := range []string{"update:connections", "update:connections_options"} {
		rec := w.call(t, "POST", custom+"/actions/get_user/try", w.machine(t, scope), `{"args":{"identifier":"x"}}`)
		answers(t, rec, http.StatusForbidden, []string{"all of: update:connections,update:connections_options"}, nil)
	}
	external := w.legacy(t, "External", `{"enabledDatabaseCustomization":true,"customScripts":{"list":"x"}}`, nothing)
	answers(t, w.call(t, "POST", external+"/migration/pull", w.machine(t, "create:users"), `{}`), http.StatusBadRequest, []string{"options.import_mode only", "operation_not_supported"}, nil)
}
