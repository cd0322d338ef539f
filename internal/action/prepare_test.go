package action_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/action"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

func TestPrepare(t *testing.T) {
	const on = `"enabledDatabaseCustomization":true,"configuration":{"PW":{"value":"p@ss/word","mask":"m"},"HOST":{"value":"db.example:5433","mask":"m"},"URL":{"value":"postgres://app:pw@db.example/x","mask":"m"},"NONE":{"value":"","mask":"m"},"KIND":{"value":"postgres","mask":"m"}}`
	long := `function login() {} //` + strings.Repeat("x", 100<<10)
	for _, row := range []struct {
		name, stored, next, want string
	}{
		{"nothing", ``, `{}`, ""},
		{"a regular database", ``, `{"customScripts":{}}`, ""},
		{"scripts that are off", ``, `{"customScripts":{"login":"function login() {}"}}`, ""},
		{"scripts", ``, `{` + on + `,"customScripts":{"login":"function login(e, p, cb) { cb(null) }","list":"async (after, limit) => []"}}`, ""},
		{"no JavaScript", ``, `{` + on + `,"customScripts":{"login":"function login(e, p, cb) {\n  if (e {\n}"}}`,
			"options.customScripts.login is no JavaScript: line 2: expecting ')'"},
		{"no JavaScript, switched off", ``, `{"customScripts":{"get_user":"function ("}}`, "options.customScripts.get_user is no JavaScript: line "},
		{"no JavaScript, as before", `{"customScripts":{"login":"{{"}}`, `{` + on + `,"customScripts":{"login":"{{"}}`, ""},
		{"large", ``, `{` + on + `,"customScripts":{"create":` + quoted(long) + `}}`, "options.customScripts.create is larger than 100 KB"},

		{"sql", ``, `{` + on + `,"sql":{"url":"postgres://app:${PW}@db.example/legacy","login":"SELECT 1 WHERE a = :identifier"}}`, ""},
		{"sql, another host", ``, `{` + on + `,"sql":{"url":"mysql://app:${PW}@${HOST}/legacy?ssl=true"}}`, ""},
		{"sql, all of it", ``, `{` + on + `,"sql":{"url":"${URL}"}}`, ""},
		{"sql, no password", ``, `{` + on + `,"sql":{"url":"postgres://app@db.example/legacy"}}`, ""},
		{"sql, a password", ``, `{` + on + `,"sql":{"url":"postgres://app:visible@db.example/legacy"}}`, "options.sql.url must not hold a password: write ${NAME} in its place, and the password into options.configuration.NAME"},
		{"sql, a piece of one", ``, `{` + on + `,"sql":{"url":"postgres://app:x${PW}@db.example/legacy"}}`, "options.sql.url must not hold a password: write ${NAME} in its place, and the password into options.configuration.NAME"},
		{"sql, one behind", ``, `{` + on + `,"sql":{"url":"postgres://db.example/legacy?user=app&password=visible"}}`, "options.sql.url"},
		{"sql, one that looks like a port", ``, `{` + on + `,"sql":{"url":"postgres://app:123?visible@db.example/legacy"}}`, "options.sql.url must not hold a password"},
		{"sql, one that looks like a name", ``, `{` + on + `,"sql":{"url":"postgres://app:10001${PW}@db.example/legacy"}}`, "options.sql.url must not hold a password"},
		{"sql, several names", ``, `{` + on + `,"sql":{"url":"postgres://${PW}:${PW}${PW}@${HOST}/${PW}"}}`, ""},
		{"sql, kind in configuration", ``, `{` + on + `,"sql":{"url":"${KIND}://app@db.example/legacy"}}`, "options.sql.url must not hold a password"},
		{"sql, no such name", ``, `{` + on + `,"sql":{"url":"postgres://app:${PASSWORD}@db.example/legacy"}}`, "options.sql.url names ${PASSWORD}, which options.configuration does not have"},
		{"sql, an empty one", ``, `{` + on + `,"sql":{"url":"postgres://app:${NONE}@db.example/legacy"}}`, "options.sql.url names ${NONE}, which options.configuration does not have"},
		{"sql, half a name", ``, `{` + on + `,"sql":{"url":"postgres://app:${PW@db.example/legacy"}}`, "options.sql.url holds a ${ without its }"},
		{"sql, another kind", ``, `{` + on + `,"sql":{"url":"oracle://app:${PW}@db.example/legacy"}}`, "options.sql.url: "},
		{"sql, no URL", ``, `{` + on + `,"sql":{"url":"db.example"}}`, "options.sql.url: "},
		{"sql, another's parameter", ``, `{` + on + `,"sql":{"url":"postgres://app:${PW}@db.example/legacy","get_user":"SELECT 1 WHERE x = :password"}}`, "options.sql.get_user: "},
		{"sql, two statements", ``, `{` + on + `,"sql":{"url":"postgres://app:${PW}@db.example/legacy","delete":"DELETE FROM a; DELETE FROM b"}}`, "options.sql.delete: "},
		{"sql, switched off", ``, `{"sql":{"url":"postgres://app@db.example/legacy"}}`, "options.sql has an effect only together with options.enabledDatabaseCustomization"},
		{"sql, null", ``, `{"sql":null,"webhook":null,"migration":null}`, ""},

		{"webhook", ``, `{` + on + `,"webhook":{"url":"https://hooks.example/x","secret":"${PW}","actions":["login"]}}`, ""},
		{"webhook, plain", ``, `{` + on + `,"webhook":{"url":"http://hooks.example:8080/${PW}","actions":["login"]}}`, ""},
		{"webhook, a secret", ``, `{` + on + `,"webhook":{"url":"https://hooks.example/x","secret":"visible","actions":["login"]}}`, "options.webhook.secret must be ${NAME}, with the secret in options.configuration.NAME: what is written here can be read"},
		{"webhook, no such secret", ``, `{` + on + `,"webhook":{"url":"https://hooks.example/x","secret":"${S}","actions":["login"]}}`, "options.webhook.secret names ${S}, which options.configuration does not have"},
		{"webhook, no such name", ``, `{` + on + `,"webhook":{"url":"https://hooks.example/${S}","actions":["login"]}}`, "options.webhook.url names ${S}, which options.configuration does not have"},
		{"webhook, with a user", ``, `{` + on + `,"webhook":{"url":"https://a:b@hooks.example/x","actions":["login"]}}`, "options.webhook.url must be an http or https URL without user and password"},
		{"webhook, a file", ``, `{` + on + `,"webhook":{"url":"file:///etc/passwd","actions":["login"]}}`, "options.webhook.url must be an http or https URL without user and password"},
		{"webhook, switched off", ``, `{"webhook":{"url":"https://hooks.example/x","actions":["login"]}}`, "options.webhook has an effect only together with options.enabledDatabaseCustomization"},
		{"migration, switched off", ``, `{"migration":{"mode":"on"}}`, "options.migration has an effect only together with options.enabledDatabaseCustomization"},
	} {
		t.Run(row.name, func(t *testing.T) {
			next := strictjson.ParseDocument(json.RawMessage(row.next))
			if next == nil {
				t.Fatal("the row is no JSON")
			}
			got, err := action.Preparer{}.Prepare(t.Context(), "legacy", strictjson.ParseDocument(json.RawMessage(row.stored)), next)
			if row.want == "" {
				if err != nil || !maps.EqualFunc(got, next, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
					t.Errorf("%s, %v", got.Encode(), err)
				}
				return
			}
			var e *errs.Error
			if !errors.As(err, &e) || e.Kind != errs.Invalid || e.Code != "invalid_body" || !strings.HasPrefix(e.Text, row.want) {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "p@ss") || strings.Contains(err.Error(), "visible")) {
				t.Errorf("it tells a password: %v", err)
			}
		})
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// connection says which actions a database has without knowing customdb; both mean the same.
func TestFactsAgreeWithOptions(t *testing.T) {
	carriers := map[string]any{
		"customScripts": func(a customdb.Action) any { return map[string]string{string(a): "x"} },
		"sql": func(a customdb.Action) any {
			return map[string]string{"url": "postgres://db.example/x", string(a): "x"}
		},
		"webhook": func(a customdb.Action) any {
			return map[string]any{"url": "https://hooks.example", "actions": []customdb.Action{a}}
		},
	}
	for _, a := range customdb.Actions {
		for name, make := range carriers {
			c := legacy(t, map[string]any{name: make.(func(customdb.Action) any)(a)}, nil) //nolint:forcetypeassert // of the table
			o, f := customdb.OptionsOf(c), c.Facts()
			for action, fact := range map[customdb.Action]bool{
				customdb.ChangeEmail: f.ScriptChangesEmail, customdb.ChangeUsername: f.ScriptChangesUsername, customdb.ChangePhoneNumber: f.ScriptChangesPhone,
				customdb.Verify: f.ScriptVerifiesEmail,
			} {
				if o.Has(action) != fact || fact != (action == a) {
					t.Errorf("%s by %s: %s is %v, in the facts %v", a, name, action, o.Has(action), fact)
				}
			}
		}
	}
}

// The schema of options has every action and nothing else.
func TestSchemaHasTheActions(t *testing.T) {
	var sent []string
	for _, a := range customdb.Actions {
		sent = append(sent, quoted(string(a))+`:"() => 0"`)
	}
	slices.Sort(sent)
	options := `{"enabledDatabaseCustomization":true,"customScripts":{` + strings.Join(sent, ",") + `},"migration":{"mode":"shadow","recreate_deleted":true}}`
	members, err := strictjson.Object(json.RawMessage(`{"name":"legacy","strategy":"auth0","options":` + options + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newConnections().Create(t.Context(), members, by); err != nil {
		t.Error(err)
	}
	for option, want := range map[string]string{
		`"customScripts":{"login":""}`:                                   "options.customScripts.login",
		`"customScripts":{"log_in":"x","list":7}`:                        "options.customScripts.list",
		`"sql":{"login":"SELECT 1"}`:                                     "options.sql",
		`"sql":{"url":"postgres://db.example/x","log_in":"SELECT 1"}`:    "options.sql",
		`"sql":{"url":"postgres://db.example/x","login":""}`:             "options.sql.login",
		`"webhook":{"actions":["login"]}`:                                "options.webhook",
		`"webhook":{"url":"https://hooks.example"}`:                      "options.webhook",
		`"webhook":{"url":"https://hooks.example","actions":["log_in"]}`: "options.webhook.actions",
		`"webhook":{"url":"https://hooks.example","actions":[]}`:         "options.webhook.actions",
		`"migration":{"mode":"fast"}`:                                    "options.migration.mode",
		`"migration":{"speed":1}`:                                        "options.migration",
		`"configuration":{"A":1}`:                                        "options.configuration.A",
	} {
		members, err := strictjson.Object(json.RawMessage(`{"name":"legacy","strategy":"auth0","options":{"enabledDatabaseCustomization":true,` + option + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newConnections().Create(t.Context(), members, by); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// Of names that are no actions scripts may have more (contract: additionalProperties): they
// are kept as they came, and are nobody's.
func TestUnknownScriptsAreKept(t *testing.T) {
	const scripts = `{"log_in":"no JavaScript {","x":7}`
	members, err := strictjson.Object(json.RawMessage(`{"name":"legacy","strategy":"auth0","options":{"enabledDatabaseCustomization":true,"customScripts":` + scripts + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConnections().Create(t.Context(), members, by)
	if err != nil {
		t.Fatal(err)
	}
	if kept := strictjson.ParseDocument(c.ShownOptions())["customScripts"]; string(kept) != scripts {
		t.Errorf("kept: %s", kept)
	}
	if o := customdb.OptionsOf(c); len(o.Scripts) != 0 {
		t.Errorf("actions: %v", o.Scripts)
	}
}

// Replacing options drops sql and webhook like any other; what is in configuration stays,
// and what it fills is looked at again (reference/connections.md §1.5).
func TestReplacingOptions(t *testing.T) {
	s := newConnections()
	create := func(options string) string {
		t.Helper()
		members, err := strictjson.Object(json.RawMessage(`{"name":"legacy","strategy":"auth0","options":` + options + `}`))
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Create(t.Context(), members, by)
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	patch := func(id, options string) error {
		t.Helper()
		members, err := strictjson.Object(json.RawMessage(`{"options":` + options + `}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Patch(t.Context(), id, 0, members, by)
		return err
	}
	id := create(`{"enabledDatabaseCustomization":true,"configuration":{"PW":"secret of the shop"},
		"sql":{"url":"postgres://app:${PW}@db.example/x","login":"SELECT 1 WHERE a = :identifier"},"webhook":{"url":"https://hooks.example/${PW}","actions":["create"]}}`)
	c, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if shown := string(c.ShownOptions()); strings.Contains(shown, "secret of the shop") || !strings.Contains(shown, "${PW}") {
		t.Errorf("shown: %s", shown)
	}
	if o := customdb.OptionsOf(c); o.SQLURL != "postgres://app:secret%20of%20the%20shop@db.example/x" || o.WebhookURL != "https://hooks.example/secret%20of%20the%20shop" {
		t.Errorf("%q %q", o.SQLURL, o.WebhookURL)
	}

	if err := patch(id, `{"enabledDatabaseCustomization":true,"sql":{"url":"postgres://app:${PW}@other.example/x","login":"SELECT 1 WHERE a = :identifier"}}`); err != nil {
		t.Fatal(err)
	}
	c, _ = s.Get(t.Context(), id)
	if o := customdb.OptionsOf(c); o.SQLURL != "postgres://app:secret%20of%20the%20shop@other.example/x" || o.WebhookURL != "" || o.Has(customdb.Create) {
		t.Errorf("%+v", o)
	}

	before := string(c.Options)
	if err := patch(id, `{"enabledDatabaseCustomization":true,"configuration":{"OTHER":"x"},"sql":{"url":"postgres://app:${PW}@other.example/x"}}`); err == nil {
		t.Error("a name is used that configuration lost")
	}
	if c, _ = s.Get(t.Context(), id); string(c.Options) != before {
		t.Errorf("a refusal changed the options: %s", c.Options)
	}

	if err := patch(id, `{"enabledDatabaseCustomization":true}`); err != nil {
		t.Fatal(err)
	}
	c, _ = s.Get(t.Context(), id)
	if o := customdb.OptionsOf(c); o.SQLURL != "" || o.Configuration["PW"] != "secret of the shop" {
		t.Errorf("%+v", o)
	}
}
