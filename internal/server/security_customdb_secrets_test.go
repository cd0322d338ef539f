package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// security.md 124, 128: what a custom database is configured with, and what people type
// for it, can be read neither in a stolen file nor in the log of the process, nor by the
// API, in whatever form a script, a server or a webhook repeats it.
func TestSecretsOfCustomDatabases(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "stolen.db")
	w := newWorldIn(t, dir, file)
	secrets := kept{}
	const configured, hookSecret, urlPassword = "Canary+Of/Configuration=", "Canary?Of&The Webhook", "Canary@Of:The%20URL"
	secrets.add("configuration", configured)
	secrets.add("secret of the webhook", hookSecret)
	secrets.add("password of the URL", urlPassword)
	secrets.add("hash of a row", "5f4dcc3b5aa765d61d8327deb882cf99")

	loud := `
		const forms = (v) => [v, ` + "`before ${v} after`" + `, JSON.stringify({v}), encodeURIComponent(v), new URLSearchParams({v}).toString(), Buffer.from(v).toString('base64'), Buffer.from('user:' + v).toString('base64'),
			Buffer.from(v).toString('hex'), Buffer.from(v).toString('hex').toUpperCase(), v.toUpperCase(), v.toLowerCase(), [...v].map((c) => c).join('')];
		const all = [...forms(password), ...forms(configuration.KEY)];
		for (const one of all) { console.log(one); console.error('%s', one); console.warn({one}); console.info([one], new Error(one)); }
		const e = new Error(all.join(' | '));
		e.code = configuration.KEY; e.detail = password; e.name = 'No ' + password;`
	var echoed http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var q struct{ Args struct{ Password string } }
		if json.Unmarshal(b, &q) != nil {
			t.Errorf("%s", b)
		}
		w.WriteHeader(http.StatusTeapot) // none that it may give: the start of the body is told
		_, _ = fmt.Fprintf(w, "%s %s %s", q.Args.Password, hookSecret, strings.ToUpper(hex.EncodeToString([]byte(hookSecret))))
	}
	hook := httptest.NewServer(echoed)
	t.Cleanup(hook.Close)
	for name, options := range map[string]map[string]any{
		"throws":  {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "throw e }"}, "configuration": map[string]any{"KEY": configured}},
		"refuses": {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "callback(new UnauthorizedError(all.join(' '))) }"}, "configuration": map[string]any{"KEY": configured}},
		"accuses": {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "callback(new WrongUsernameOrPasswordError('42', all.join(' '))) }"}, "configuration": map[string]any{"KEY": configured}},
		"invalid": {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "callback(new ValidationError(configuration.KEY, password)) }"}, "configuration": map[string]any{"KEY": configured}},
		"nothing": {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "callback(null, {email}) }"}, "configuration": map[string]any{"KEY": configured}},
		"rejects": {"customScripts": map[string]any{"login": "async function login(email, password) {" + loud + "throw all.join(' ') }"}, "configuration": map[string]any{"KEY": configured}},
		"loops":   {"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1e6) }"}, "configuration": map[string]any{"KEY": configured}},
		"accepts": {
			"customScripts": map[string]any{"login": "function login(email, password, callback) {" + loud + "callback(null, {user_id: 'a', email, name: 'Ann', password, password_hash: require('crypto').createHash('md5').update('password').digest('hex')}) }"},
			"configuration": map[string]any{"KEY": configured},
		},
		"hooked": {"webhook": map[string]any{"url": hook.URL + "/x", "secret": "${KEY}", "actions": []string{"login"}}, "configuration": map[string]any{"KEY": hookSecret}},
		"asks": {
			"sql":           map[string]any{"url": "postgres://app:${KEY}@127.0.0.1:1/x?sslmode=disable", "login": "SELECT 1 AS user_id, :identifier AS email, :password AS p"},
			"configuration": map[string]any{"KEY": urlPassword},
		},
	} {
		for _, importMode := range []bool{true, false} {
			one := fmt.Sprint(name, map[bool]string{true: "-import", false: "-external"}[importMode])
			options["enabledDatabaseCustomization"], options["import_mode"] = true, importMode
			if scripts, ok := options["customScripts"].(map[string]any); ok { // ids are of one connection each
				scripts["login"] = strings.Replace(scripts["login"].(string), "user_id: 'a'", "user_id: '"+one+"'", 1)
			}
			id := w.laid("auth0", one, options, nil)
			if scripts, ok := options["customScripts"].(map[string]any); ok {
				scripts["login"] = strings.Replace(scripts["login"].(string), "user_id: '"+one+"'", "user_id: 'a'", 1)
			}
			typed := "Canary/Typed+At " + one
			secrets.add("password that was typed", typed)
			a := w.newApplication(one)
			tell := func(status int, body string) {
				for value, what := range secrets {
					if strings.Contains(body, value) || strings.Contains(strings.ToUpper(body), strings.ToUpper(hex.EncodeToString([]byte(value)))) {
						t.Errorf("%s: %s is in an answer: %d %.500s", one, what, status, body)
					}
				}
			}
			tell(a.grant(one, "ann@"+one+".example", typed))
			_, _, page := a.signInByDirectory(one, "ben@"+one+".example", typed)
			tell(0, page)
			tried := "Canary of a try " + one
			secrets.add("password of a try", tried)
			_, text := w.try(id, "login", map[string]any{"args": map[string]any{"identifier": "cat@" + one + ".example", "password": tried}, "options": map[string]any{"configuration": map[string]any{"MORE": "Canary more of it"}}})
			secrets.add("configuration of a try", "Canary more of it")
			tell(200, text)
			for _, path := range []string{"/api/v2/connections/" + id, "/api/v2/connections", "/api/v2/connections?name=" + one, "/api/v2/connections/" + id + "/migration"} {
				tell(w.call("GET", path, ""))
			}
			tell(w.call("PATCH", "/api/v2/connections/"+id, `{"options":{"configuration":{"KEY":"`+configured+`"},"nonsense":7}}`))
			tell(w.call("PATCH", "/api/v2/connections/"+id, `{"options":{"configuration":{"KEY":["`+configured+`"]},"webhook":{"secret":"`+hookSecret+`"}}}`))
		}
	}
	for page := range 10 {
		_, body := w.call("GET", fmt.Sprintf("/api/v2/logs?per_page=100&page=%d", page), "")
		if page == 0 && !strings.Contains(body, "****") {
			t.Error("no record is masked: the test looks at nothing")
		}
		scan(t, secrets, "logs of the API", []byte(body))
	}
	_, users := w.call("GET", "/api/v2/users?per_page=100", "")
	scan(t, secrets, "users", []byte(users))
	w.stop()
	scan(t, secrets, "file", read(t, file))
	scan(t, secrets, "log of the process", w.logs.Bytes())
	if n := len(secrets); n < 40 || !bytes.Contains(read(t, file), []byte("throws-import.example")) {
		t.Errorf("%d secrets: the test looks at nothing", n)
	}
}

// scan finds secrets in the forms in which they get around.
func scan(t *testing.T, secrets kept, where string, data []byte) {
	t.Helper()
	for value, what := range secrets {
		hexed := hex.EncodeToString([]byte(value))
		for _, form := range []string{
			value, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), hexed, strings.ToUpper(hexed), strings.ToUpper(value), strings.ToLower(value),
		} {
			if i := bytes.Index(data, []byte(form)); i >= 0 {
				t.Errorf("%s can be read in the %s: …%q…", what, where, data[max(0, i-200):min(len(data), i+60)])
				break
			}
		}
	}
}
