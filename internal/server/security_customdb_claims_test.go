package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/store/storetest"
)

// tellers are two connections, one of each kind, whose old store says of a person what
// the test has it say.
type tellers struct {
	*world
	mu   sync.Mutex
	says map[string]string // by identifier, lower-cased: the profile
	apps map[string]*application
	ids  map[string]string
}

const oldPassword = "the password of the old shop"

func newTellers(t *testing.T) *tellers {
	t.Helper()
	x := &tellers{world: newWorld(t, storetest.SQLite), says: map[string]string{}, apps: map[string]*application{}, ids: map[string]string{}}
	if status, body := x.call("PATCH", "/api/v2/attack-protection/suspicious-ip-throttling", `{"enabled":false}`); status != 200 {
		t.Fatal(body)
	}
	old := newOldShop(t, func(identifier, password string) (int, string) {
		x.mu.Lock()
		defer x.mu.Unlock()
		if said := x.says[strings.ToLower(identifier)]; said != "" && password == oldPassword {
			return 200, said
		}
		return 401, `{"error":"wrong_credentials"}`
	})
	for name, importMode := range map[string]bool{"import": true, "external": false} {
		x.ids[name] = x.laid("auth0", name, old.options(importMode), nil)
		x.apps[name] = x.newApplication(name)
	}
	return x
}

func (x *tellers) say(identifier, profile string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.says[identifier] = profile
}

// in signs somebody in; the subject of the token, or nothing.
func (x *tellers) in(connection, identifier string) (subject string, status int, body string) {
	x.t.Helper()
	a := x.apps[connection]
	status, body = a.grant(connection, identifier, oldPassword)
	if status >= 500 && status != 503 {
		x.t.Errorf("%s as %q: %d %s", connection, identifier, status, body)
	}
	if status != 200 {
		return "", status, body
	}
	var token struct {
		ID string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		x.t.Fatal(err)
	}
	id, err := a.verifier.Verify(x.ctx(), token.ID)
	if err != nil {
		x.t.Fatal(err)
	}
	return id.Subject, status, body
}

// security.md 18, 112: the id that a custom database gives is a text of its own, of this
// connection, and means one person.
func TestIDsOfCustomDatabases(t *testing.T) {
	x := newTellers(t)
	x.laid("auth0", "Ours", map[string]any{"passwordPolicy": "none"}, nil)
	x.newApplication("Ours")
	x.made("/api/v2/users", map[string]any{"connection": "Ours", "user_id": "ours", "email": "ours@shop.example", "password": goodPassword})
	const broken = ""
	for connection := range x.apps {
		for i, row := range []struct{ id, want string }{
			{`"` + connection + `42"`, "auth0|" + connection + "42"},
			{`" ` + connection + `42"`, "auth0| " + connection + "42"},
			{`"` + connection + `４２"`, "auth0|" + connection + "４２"},
			{`"` + strings.ToUpper(connection) + `42"`, "auth0|" + strings.ToUpper(connection) + "42"},
			{fmt.Sprint(4200 + len(connection)), fmt.Sprint("auth0|", 4200+len(connection))},
			{fmt.Sprintf(`"0%d"`, 4200+len(connection)), fmt.Sprint("auth0|0", 4200+len(connection))},
			{`"auth0|` + connection + `"`, "auth0|auth0|" + connection},
			{`"google-oauth2|` + connection + `"`, "auth0|google-oauth2|" + connection},
			{`"` + connection + strings.Repeat("x", 240) + `"`, "auth0|" + connection + strings.Repeat("x", 240)},
			{`"` + connection + strings.Repeat("x", 256) + `"`, broken},
			{`"` + connection + `\u0000"`, broken}, {`"` + connection + `\n"`, broken}, {`"` + connection + `\u202e"`, broken},
			{`""`, broken}, {`null`, broken}, {`true`, broken}, {`4.5`, broken}, {`1e3`, broken}, {`["` + connection + `42"]`, broken}, {`{"toString":"x"}`, broken},
			{`"ours"`, broken}, // of another connection
		} {
			email := fmt.Sprintf("id%d@%s.example", i, connection)
			x.say(email, `{"user_id":`+row.id+`,"email":"`+email+`"}`)
			users := x.users()
			subject, status, body := x.in(connection, email)
			if subject != row.want {
				t.Errorf("%s: %s became %q, want %q: %d %s", connection, row.id, subject, row.want, status, body)
			}
			if row.want == broken && x.users() != users {
				t.Errorf("%s: %s made somebody", connection, row.id)
			}
			if row.want != broken {
				if again, _, _ := x.in(connection, email); again != subject {
					t.Errorf("%s: %s is %q the second time", connection, row.id, again)
				}
				if doc := x.profileOf(subject); doc["logins_count"] != 2.0 || len(doc["identities"].([]any)) != 1 {
					t.Errorf("%s: %v", connection, doc)
				}
			}
		}
	}
	if doc := x.profileOf("auth0|ours"); doc["logins_count"] != nil || len(doc["identities"].([]any)) != 1 {
		t.Errorf("the user of another connection: %v", doc)
	}
}

// security.md 18, 22–27, 112: nobody becomes another by what a custom database says of
// them, and nothing that is the server's own is its to say.
func TestClaimsOfCustomDatabases(t *testing.T) {
	x := newTellers(t)
	for connection := range x.apps {
		victim := "victim@" + connection + ".example"
		x.say(victim, `{"user_id":"`+connection+`-victim","email":"`+victim+`","email_verified":true,"app_metadata":{"plan":"gold"}}`)
		who, _, body := x.in(connection, victim)
		if who == "" {
			t.Fatal(body)
		}
		before, etag := x.versionOf(who)
		for i, email := range []string{victim, strings.ToUpper(victim), " " + victim + " ", "ｖictim@" + connection + ".example"} {
			attacker := fmt.Sprintf("mallory%d@%s.example", i, connection)
			b, err := json.Marshal(map[string]any{"user_id": fmt.Sprintf("%s-mallory%d", connection, i), "email": email, "email_verified": true})
			if err != nil {
				t.Fatal(err)
			}
			x.say(attacker, string(b))
			subject, status, body := x.in(connection, attacker)
			switch {
			case subject == who:
				t.Errorf("%s: who says %q becomes the victim", connection, email)
			case connection == "import" && (subject != "" || status != 403):
				t.Errorf("import: two people with %q: %d %s", email, status, body)
			case connection == "external" && subject == "":
				t.Errorf("external: the store has its own names: %d %s", status, body)
			}
		}
		after, now := x.versionOf(who)
		if etag != now || !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the victim was %v, and is %v", connection, before, after)
		}

		own := `"roles":["admin"],"permissions":["all"],"identities":[{"provider":"auth0","user_id":"x"}],"created_at":"2001-01-01T00:00:00.000Z","updated_at":"2001-01-01T00:00:00.000Z",
			"last_login":"2001-01-01T00:00:00.000Z","last_ip":"1.2.3.4","logins_count":1000,"multifactor":["guardian"],"last_password_reset":"2001-01-01T00:00:00.000Z","password":"x","password_hash":"y",
			"_id":"z","id":"z","sub":"z","aud":"z","iss":"z","exp":1,"org_id":"org_1","__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}`
		for i, row := range []struct {
			said   string
			blocks bool
		}{
			{`"email_verified":"true"`, false}, {`"email_verified":1`, false}, {`"email_verified":["true"]`, false}, {`"email_verified":{}`, false}, {`"email_verified":"yes"`, false},
			{`"blocked":"true"`, false}, {`"blocked":1`, false}, {`"blocked":true`, true}, {`"blocked":null`, false},
			{`"app_metadata":{"roles":["x"],"identities":[],"user_id":"x","email":"x","blocked":true,"a.b":1,"$c":1,"__proto__":{"admin":true},"constructor":1}`, false},
			{`"app_metadata":"text"`, false}, {`"user_metadata":[1]`, false},
			{own, false},
		} {
			email := fmt.Sprintf("claim%d@%s.example", i, connection)
			x.say(email, fmt.Sprintf(`{"user_id":"%s-claim%d","email":"%s",%s}`, connection, i, email, row.said))
			subject, status, body := x.in(connection, email)
			if row.blocks {
				if subject != "" || status != 401 && status != 403 {
					t.Errorf("%s: %s: %d %s", connection, row.said, status, body)
				}
				continue
			}
			if subject == "" {
				t.Errorf("%s: %s: %d %s", connection, row.said, status, body)
				continue
			}
			doc := x.profileOf(subject)
			if doc["email_verified"] == true || doc["blocked"] == true {
				t.Errorf("%s: %s became %v", connection, row.said, doc)
			}
			if row.said == own {
				if doc["logins_count"] != 1.0 || strings.Contains(fmt.Sprint(doc["created_at"], doc["updated_at"], doc["last_login"], doc["last_ip"], doc["last_password_reset"]), "2001-01") ||
					doc["last_ip"] == "1.2.3.4" || doc["password"] != nil || doc["password_hash"] != nil || doc["multifactor"] != nil || doc["admin"] != nil || doc["user_id"] != subject ||
					fmt.Sprint(doc["identities"].([]any)[0].(map[string]any)["user_id"]) != strings.TrimPrefix(subject, "auth0|") {
					t.Errorf("%s: %v", connection, doc)
				}
				if status, roles := x.call("GET", "/api/v2/users/"+url.PathEscape(subject)+"/roles", ""); status != 200 || roles != "[]" {
					t.Errorf("%s: roles %d %s", connection, status, roles)
				}
				b, err := json.Marshal(x.apps[connection].claimsOf(x, connection, email))
				if err != nil || strings.Contains(string(b), `"z"`) || strings.Contains(string(b), "org_1") {
					t.Errorf("%s: the token says %s", connection, b)
				}
			}
			if strings.Contains(row.said, "a.b") {
				meta, _ := doc["app_metadata"].(map[string]any)
				for _, name := range []string{"roles", "identities", "user_id", "email", "blocked", "a.b", "$c"} {
					if meta[name] != nil {
						t.Errorf("%s: app_metadata is %v", connection, meta)
						break
					}
				}
			}
		}
	}
}

// claimsOf are those of the ID token of a sign-in.
func (a *application) claimsOf(x *tellers, connection, identifier string) (claims map[string]any) {
	_, body := a.grant(connection, identifier, oldPassword)
	var token struct {
		ID string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		x.t.Fatal(err)
	}
	id, err := a.verifier.Verify(x.ctx(), token.ID)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := id.Claims(&claims); err != nil {
		x.t.Fatal(err)
	}
	return claims
}

// security.md 110: whoever was deleted here does not come back out of an old store, by
// whatever door and by whatever spelling.
func TestTheDeletedStayDeleted(t *testing.T) {
	x := newTellers(t)
	const email = "gone@shop.example"
	x.say(email, `{"user_id":"gone","email":"gone@shop.example","email_verified":true}`)
	who, _, body := x.in("import", email)
	if who == "" {
		t.Fatal(body)
	}
	if status, body := x.call("DELETE", "/api/v2/users/"+url.PathEscape(who), ""); status != 204 {
		t.Fatalf("%d %s", status, body)
	}
	// A member of the old store, who is here, for comparison.
	x.say("stays@shop.example", `{"user_id":"stays","email":"stays@shop.example"}`)
	if who, _, body := x.in("import", "stays@shop.example"); who == "" {
		t.Fatal(body)
	}
	users := x.users()
	for _, said := range []string{
		`{"user_id":"gone","email":"gone@shop.example"}`, `{"user_id":"gone","email":"other@shop.example"}`, `{"user_id":"again","email":"gone@shop.example"}`,
		`{"user_id":"again","email":"GONE@Shop.example"}`, `{"user_id":"again","email":" ｇone@shop.example"}`,
	} {
		for _, typed := range []string{email, "GONE@shop.example", " gone@shop.example"} {
			x.say(strings.ToLower(typed), said)
			if who, status, body := x.in("import", typed); who != "" || status != 403 {
				t.Errorf("%s as %q: %q %d %s", said, typed, who, status, body)
			}
		}
	}
	// Reset: nothing is told, and nobody is made.
	for _, connection := range []string{"import"} {
		status, body := x.posted("/dbconnections/change_password", fmt.Sprintf(`{"client_id":%q,"connection":%q,"email":%q}`, x.apps[connection].oauth.ClientID, connection, email))
		if status != 200 {
			t.Errorf("reset: %d %s", status, body)
		}
	}
	if status, body := x.call("POST", "/api/v2/tickets/password-change", fmt.Sprintf(`{"connection_id":%q,"email":%q}`, x.ids["import"], email)); status != 404 {
		t.Errorf("a ticket: %d %s", status, body)
	}
	// Pull.
	status, text := x.call("POST", "/api/v2/connections/"+x.ids["import"]+"/migration/pull", `{"identifiers":["gone@shop.example","GONE@shop.example"],"without_password":true}`)
	if status != 200 || !strings.Contains(text, `"migrated":0`) {
		t.Errorf("pull: %d %s", status, text)
	}
	if n := x.users(); n != users {
		t.Errorf("%d users, had %d", n, users)
	}
	records := x.failures()
	if !slices.ContainsFunc(records, func(e map[string]any) bool {
		return strings.Contains(fmt.Sprint(e["description"]), "deleted here")
	}) {
		t.Error("no record says why")
	}
	// The address is free: who takes it now is somebody new, with nothing of the old one.
	if status, body := x.apps["import"].signUp("import", email, "a password of their own"); status != 200 {
		t.Errorf("sign-up: %d %s", status, body)
	}
	if who, status, body := x.in("import", email); who != "" {
		t.Errorf("the password of the old store: %q %d %s", who, status, body)
	}
	if status, body := x.apps["import"].grant("import", email, "a password of their own"); status != 200 {
		t.Errorf("their own password: %d %s", status, body)
	}
}

// security.md 1–10, 25: whatever is typed for a name is one person or nobody, and no
// failure of the server, on the way through a script, a statement or a webhook.
func TestTypedNamesAtCustomDatabases(t *testing.T) {
	x := newTellers(t)
	x.laid("auth0", "scripted", map[string]any{
		"enabledDatabaseCustomization": true,
		"customScripts": map[string]any{"login": `function login(identifier, password, callback) {
			if (typeof identifier !== 'string' || typeof password !== 'string') return callback(new Error('a ' + typeof identifier + ' and a ' + typeof password));
			if (arguments.length !== 3) return callback(new Error('arguments'));
			callback(null, null);
		}`},
	}, nil)
	x.apps["scripted"] = x.newApplication("scripted")
	names := []string{
		`'`, `"`, `\`, `' OR '1'='1`, `"; DROP TABLE people; --`, "\x00", "kai\x00@shop.example", "\x1b[31m", "kai\r\n@shop.example", "${PW}", "${configuration.PW}", "{{x}}", "%00", "%s%n", "<script>", "../..", ":identifier", "$1", "?",
		strings.Repeat("x", 10<<10), strings.Repeat("🙂", 3000), "\u202e", "\ud7ff\ufffd", "ｋａｉ", "kai@shop.example,b@shop.example", "[object Object]", "null", "true", "0", "-1", "1e999", strings.Repeat("a@", 200), "ſ", "İ@shop.example",
	}
	values := []string{`["a@shop.example"]`, `{"$gt":""}`, `{"toString":"x"}`, `12`, `true`, `null`, `1e400`, `["a",["b"]]`}
	for connection, a := range x.apps {
		for _, name := range names {
			if status, body := a.grant(connection, name, oldPassword); status != 403 && status != 400 && status != 429 {
				t.Errorf("%s: %.40q: %d %s", connection, name, status, body)
			}
			if connection == "import" { // which makes a hash of each
				continue
			}
			if status, body := a.grant(connection, "somebody@shop.example", name); status != 403 && status != 400 && status != 429 {
				t.Errorf("%s: the password %.40q: %d %s", connection, name, status, body)
			}
		}
		for _, v := range values {
			for _, member := range []string{"username", "password"} {
				form := map[string]json.RawMessage{"username": json.RawMessage(`"kai@shop.example"`), "password": json.RawMessage(`"x"`)}
				form[member] = json.RawMessage(v)
				rest := fmt.Sprintf(`"client_id":%q,"client_secret":%q,"realm":%q,"username":%s,"password":%s`, a.oauth.ClientID, a.oauth.ClientSecret, connection, form["username"], form["password"])
				for path, more := range map[string]string{
					"/oauth/token": `"grant_type":"` + realmGrant + `"`, "/co/authenticate": `"credential_type":"` + realmGrant + `"`, "/usernamepassword/login": `"connection":"` + connection + `"`,
					"/dbconnections/signup": `"email":` + string(form["username"]) + `,"connection":"` + connection + `"`, "/dbconnections/change_password": `"email":` + string(form["username"]) + `,"connection":"` + connection + `"`,
				} {
					if status, body := x.posted(path, "{"+rest+","+more+"}"); status >= 500 || status == 200 && path != "/dbconnections/change_password" {
						t.Errorf("%s %s: %s %s: %d %s", path, connection, member, v, status, body)
					}
				}
			}
		}
	}
	for _, e := range x.failures() {
		if text := fmt.Sprint(e["description"]); strings.Contains(text, "a object") || strings.Contains(text, "arguments") {
			t.Errorf("a script was given what is no text: %s", text)
		}
	}
}
