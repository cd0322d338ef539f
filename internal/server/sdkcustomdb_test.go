package server_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/auth0/go-auth0/management"
)

// A custom database with all of its scripts, as the official SDK for Go has it: what is
// read can be written back, and the secrets stay; nobody reads them.
func TestSDKCustomDatabase(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		scripts := map[string]string{}
		for _, action := range []string{
			"login", "get_user", "create", "verify", "change_password", "change_email", "delete", "change_username", "change_phone_number",
		} {
			scripts[action] = "function run(a, b, callback) {\r\n\t// " + action + ": \"\\n\" `${x}` é\u2028\n  return callback(null);\n}\n"
		}
		configuration := map[string]string{"DB_URL": "postgres://app:sesame@db.example/shop", "EMPTY": "", "KEY": "se\"same"}
		options := &management.ConnectionOptions{
			CustomScripts: &scripts, Configuration: &configuration, EnabledDatabaseCustomization: ptr(true), ImportMode: ptr(false),
			EnableScriptContext: ptr(true), SetUserAttributes: ptr("on_first_login"), NonPersistentAttrs: &[]string{"ssn"},
		}
		c := &management.Connection{Name: ptr("whole"), Strategy: ptr("auth0"), Options: options}
		if err := w.sdk.Connection.Create(ctx, c); err != nil {
			t.Fatal(err)
		}
		read := func() *management.ConnectionOptions {
			t.Helper()
			c, err := w.sdk.Connection.Read(ctx, c.GetID())
			if err != nil {
				t.Fatal(err)
			}
			return c.Options.(*management.ConnectionOptions)
		}
		first := read()
		if !reflect.DeepEqual(*first.CustomScripts, scripts) || !first.GetEnabledDatabaseCustomization() || first.ImportMode == nil || first.GetImportMode() ||
			!first.GetEnableScriptContext() || first.GetSetUserAttributes() != "on_first_login" {
			t.Errorf("%v", first)
		}
		for name, shown := range *first.Configuration {
			if shown == configuration[name] || len(shown) < 20 {
				t.Errorf("configuration.%s is shown as %q", name, shown)
			}
		}
		if len(*first.Configuration) != len(configuration) {
			t.Errorf("%v", *first.Configuration)
		}
		if err := w.sdk.Connection.Update(ctx, c.GetID(), &management.Connection{Options: first}); err != nil {
			t.Fatal(err)
		}
		if again := read(); !reflect.DeepEqual(again, first) {
			t.Errorf("sent back as it was read: %v\nbefore %v", again, first)
		}

		// The provider for Terraform sends the values that its configuration has, each time.
		again := *first
		again.Configuration = &configuration
		if err := w.sdk.Connection.Update(ctx, c.GetID(), &management.Connection{Options: &again}); err != nil {
			t.Fatal(err)
		}
		if len(*read().Configuration) != len(configuration) {
			t.Errorf("%v", *read().Configuration)
		}
	})
}

// What the schemas of the original allow of customScripts and configuration: scripts of
// other names are kept, null is only for the whole (contract: ConnectionCustomScripts).
func TestCustomScriptsOnTheWire(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		id, _ := w.made("/api/v2/connections", map[string]any{
			"name": "shop", "strategy": "auth0", "options": map[string]any{"enabledDatabaseCustomization": true, "import_mode": true},
		})["id"].(string)
		const on = `{"options":{"enabledDatabaseCustomization":true,"import_mode":true,`
		for _, row := range []struct {
			member string
			status int
			want   string // the member as it is shown afterwards, or the text of the refusal
		}{
			{`"customScripts":{"get_user":"myFunction","our_own":"no {"}`, 200, `{"get_user":"myFunction","our_own":"no {"}`},
			{`"customScripts":{}`, 200, `{}`},
			{`"customScripts":null`, 200, `null`},
			{`"customScripts":{"login":null}`, 400, `Payload validation error: 'Expected type string but found type null' on property options.customScripts.login.`},
			{`"customScripts":{"login":""}`, 400, `Payload validation error: 'String is too short (0 chars), minimum 1' on property options.customScripts.login.`},
			{`"configuration":{"A":7}`, 400, `Payload validation error: 'Expected type string,null but found type integer' on property options.configuration.A.`},
			{
				`"set_user_root_attributes":"on_first_login"`, 400,
				"options.set_user_root_attributes can be set only for enterprise connections, social connections or custom database connections (using external users store)",
			},
		} {
			status, body := w.call(http.MethodPatch, "/api/v2/connections/"+id, on+row.member+`}}`)
			var got struct {
				Message string
				Options map[string]json.RawMessage
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if shown := string(got.Options["customScripts"]); status != row.status || shown+got.Message != row.want {
				t.Errorf("%s: %d %s", row.member, status, body)
			}
		}
	})
}

var nodeCustomDatabaseSteps = []string{"customdb.create", "customdb.back", "customdb.configuration", "customdb.delete"}

// The official Node.js SDK as an administrator of custom databases
// (test/node-sdk/customdb.mjs).
func TestNodeSDKCustomDatabase(t *testing.T) {
	dir := nodeSDK(t)
	onBothEngines(t, func(t *testing.T, w *world) {
		driveNode(t, w, filepath.Join(dir, "customdb.mjs"), nodeCustomDatabaseSteps, nil)
	})
}

// Tokens that a custom database told are the identity's, for those who may see them, also
// when it is linked (reference/connections.md §5.3).
func TestTokensOfACustomDatabase(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		const login = `(name, password, callback) => callback(null, {user_id: name, email: name + '@shop.example', access_token: 'theirs-' + name, refresh_token: 'more'})`
		identities := func(userID string) []map[string]any {
			t.Helper()
			status, body := w.call(http.MethodGet, "/api/v2/users/"+userID, "")
			var u struct{ Identities []map[string]any }
			if err := json.Unmarshal([]byte(body), &u); err != nil || status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			return u.Identities
		}
		wants := func(id map[string]any, name string) {
			t.Helper()
			if id["user_id"] != name || id["access_token"] != "theirs-"+name || id["refresh_token"] != "more" {
				t.Errorf("%v", id)
			}
		}
		for name, importMode := range map[string]bool{"kept": false, "come": true} {
			w.made("/api/v2/connections", map[string]any{"name": name, "strategy": "auth0", "options": map[string]any{
				"enabledDatabaseCustomization": true, "import_mode": importMode, "customScripts": map[string]string{"login": login},
			}})
			a := w.newApplication(name)
			if status, body := a.grant(name, name, "sesame"); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			wants(identities("auth0|" + name)[0], name)
		}
		if status, body := w.call(http.MethodPost, "/api/v2/users/auth0|come/identities", `{"provider":"auth0","user_id":"kept"}`); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
		both := identities("auth0|come")
		wants(both[0], "come")
		wants(both[1], "kept")
	})
}
