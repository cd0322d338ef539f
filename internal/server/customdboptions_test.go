package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// What a running server refuses of a custom database when it is written, and that a
// refusal changes nothing.
func TestCustomDatabaseOptions(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	const path = "/api/v2/connections"
	id, _ := w.made(path, map[string]any{"name": "legacy", "strategy": "auth0", "options": map[string]any{
		"enabledDatabaseCustomization": true,
		"customScripts":                map[string]string{"login": "function login(email, password, callback) { callback(null, null) }", "list": "async (after, limit) => []"},
		"configuration":                map[string]string{"PW": "secret of the old shop"},
		"sql":                          map[string]string{"url": "postgres://app:${PW}@db.example/x", "get_user": "SELECT id AS user_id FROM people WHERE email = :identifier"},
		"webhook":                      map[string]any{"url": "https://hooks.example/", "secret": "${PW}", "actions": []string{"create"}},
		"migration":                    map[string]any{"mode": "shadow"},
	}})["id"].(string)
	_, before := w.call(http.MethodGet, path+"/"+id, "")
	if strings.Contains(before, "secret of the old shop") || !strings.Contains(before, "${PW}") {
		t.Errorf("%s", before)
	}
	for options, want := range map[string]string{
		`{"enabledDatabaseCustomization":true,"customScripts":{"login":"function login(email, password, callback) {\n  callback(null;\n}"}}`: "options.customScripts.login is no JavaScript: line 2: ",
		`{"enabledDatabaseCustomization":true,"sql":{"url":"postgres://app:visible@db.example/x"}}`:                                          "options.sql.url must not hold a password",
		`{"enabledDatabaseCustomization":true,"sql":{"url":"oracle://db.example/x"}}`:                                                        "options.sql.url: ",
		`{"enabledDatabaseCustomization":true,"webhook":{"url":"https://hooks.example/","secret":"visible","actions":["login"]}}`:            "options.webhook.secret must be ${NAME}",
	} {
		status, body := w.call(http.MethodPatch, path+"/"+id, `{"options":`+options+`}`)
		var e struct {
			StatusCode         int
			ErrorCode, Message string
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != http.StatusBadRequest || e.StatusCode != status || e.ErrorCode != "invalid_body" || !strings.HasPrefix(e.Message, want) || strings.Contains(body, "visible") {
			t.Errorf("%d %s", status, body)
		}
	}
	status, body := w.call(http.MethodPost, path, `{"name":"other","strategy":"auth0","options":{"webhook":{"url":"https://hooks.example/","actions":["login"]}}}`)
	if status != http.StatusBadRequest || !strings.Contains(body, "options.webhook has an effect only together with options.enabledDatabaseCustomization") {
		t.Errorf("%d %s", status, body)
	}
	if _, after := w.call(http.MethodGet, path+"/"+id, ""); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}

// A running server asks the scripts of a connection: of an external store at every
// sign-in, of an import until somebody is here.
func TestCustomDatabaseSignsIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	for name, importMode := range map[string]bool{"external": false, "imported": true} {
		w.made("/api/v2/connections", map[string]any{"name": name, "strategy": "auth0", "options": map[string]any{
			"enabledDatabaseCustomization": true, "import_mode": importMode,
			"customScripts": map[string]string{"login": `function login(email, password, callback) {
				console.log('asked', password);
				if (password !== configuration.PASSWORD) return callback(new WrongUsernameOrPasswordError('1', 'not ' + password));
				callback(null, {user_id: '` + name + `-1', email, name: 'Ada Lovelace'});
			}`},
			"configuration": map[string]string{"PASSWORD": "Difference-Engine-1"},
		}})
		a := w.newApplication(name)
		for i, password := range []string{"Difference-Engine-1", "Difference-Engine-1"} {
			if status, body := a.grant(name, "ada@shop.example", password); status != http.StatusOK {
				t.Fatalf("%s: sign-in %d: %d %s", name, i, status, body)
			}
		}
		status, body := w.call(http.MethodGet, "/api/v2/users/auth0|"+name+"-1", "")
		if status != http.StatusOK || !strings.Contains(body, `"name":"Ada Lovelace"`) || !strings.Contains(body, `"logins_count":2`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if status, body := a.grant(name, "ada@shop.example", "Analytical-Engine-1"); status != http.StatusForbidden || strings.Contains(body, "Engine") {
			t.Errorf("%s: a wrong password: %d %s", name, status, body)
		}
		if _, body := w.call(http.MethodGet, "/api/v2/logs?per_page=5&sort=date:-1", ""); strings.Contains(body, "Analytical") || strings.Contains(body, "Difference") {
			t.Errorf("%s: the log tells a password: %s", name, body)
		}
	}
}
