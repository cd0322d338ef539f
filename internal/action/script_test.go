package action_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// calls are one of each action.
var calls = []customdb.Call{
	customdb.SignIn("ada@shop.example", "correct horse"),
	customdb.Find("ada@shop.example"),
	customdb.NewUser(json.RawMessage(`{"client_id":"c","tenant":"t","email":"ada@shop.example","password":"correct horse","user_metadata":{"lang":"fi"}}`)),
	customdb.Proved("ada@shop.example"),
	customdb.NewPassword("ada@shop.example", "battery staple"),
	customdb.NewEmail("ada@shop.example", "lovelace@shop.example", true),
	customdb.NewUsername("ada", "lovelace"),
	customdb.NewPhoneNumber("ada", "+358401234567"),
	customdb.Remove("42"),
	customdb.Page("41", 100),
}

func TestCallsAreOneOfEachAction(t *testing.T) {
	var have []customdb.Action
	for _, c := range calls {
		have = append(have, c.Action)
	}
	if !slices.Equal(have, customdb.Actions) {
		t.Errorf("calls of %v, actions %v", have, customdb.Actions)
	}
}

// What a script is given, in its order, and the context before the callback where the
// connection has one (reference/connections.md §5.1, §5.2).
func TestScriptArguments(t *testing.T) {
	r := runner()
	for _, call := range calls {
		for _, withContext := range []bool{false, true} {
			t.Run(string(call.Action), func(t *testing.T) {
				source := `function anything(...args) { const callback = args.pop(); callback(null, args) }`
				c := legacy(t, map[string]any{"customScripts": map[string]string{string(call.Action): source}, "enable_script_context": withContext}, nil)
				answer, err := r.Run(t.Context(), c, call)
				if err != nil {
					t.Fatal(err)
				}
				var want []json.RawMessage
				for _, a := range call.Args {
					want = append(want, a.Value)
				}
				if withContext {
					want = append(want, json.RawMessage("{}"))
				}
				b, err := json.Marshal(want)
				if err != nil || string(answer.Value) != string(b) {
					t.Errorf("got  %s\nwant %s (%v)", answer.Value, b, err)
				}
			})
		}
	}
}

// What comes of a script, whatever its action.
func TestScriptOutcomes(t *testing.T) {
	r := runner()
	rows := []struct {
		name   string
		source string
		want   string            // answer
		fails  *customdb.Failure // its Detail is a part of the real one
	}{
		{"callback", `function f(...a) { a.pop()(null, {user_id: 42}) }`, `{"user_id":42}`, nil},
		{"callback later", `function f(...a) { setTimeout(() => a.pop()(null, true), 5) }`, `true`, nil},
		{"callback without anything", `function f(...a) { a.pop()() }`, `null`, nil},
		{"callback(null)", `function f(...a) { a.pop()(null) }`, `null`, nil},
		{"callback(null, null)", `function f(...a) { a.pop()(null, null) }`, `null`, nil},
		{"false", `function f(...a) { a.pop()(null, false) }`, `false`, nil},
		{"async function and callback", `async function f(...a) { await null; a.pop()(null, 1) }`, `1`, nil},
		{"promise", `function f() { return Promise.resolve({user_id: "1"}) }`, `{"user_id":"1"}`, nil},
		{"async function", `async () => ({user_id: "1"})`, `{"user_id":"1"}`, nil},
		{"twice: the first counts", `function f(...a) { const cb = a.pop(); cb(null, 1); cb(new Error('late')); cb(null, 2) }`, `1`, nil},
		{"the first counts, error first", `function f(...a) { const cb = a.pop(); cb(new Error('early')); cb(null, 2) }`, ``,
			&customdb.Failure{Kind: customdb.Failed, Message: "early", Detail: "Error at line 1"}},
		{"after the end", `function f(...a) { const cb = a.pop(); cb(null, 1); throw new Error('late') }`, `1`, nil},

		{"wrong, named", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError('ada@shop.example', 'no')) }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, UserID: "ada@shop.example", Message: "no", Detail: "WrongUsernameOrPasswordError"}},
		{"wrong, by number", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError(42)) }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, UserID: "42"}},
		{"wrong, nobody: null", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError(null, 'who?')) }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, Message: "who?"}},
		{"wrong, nobody: undefined", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError()) }`, ``, &customdb.Failure{Kind: customdb.Wrong}},
		{"wrong, nobody: empty", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError('')) }`, ``, &customdb.Failure{Kind: customdb.Wrong}},
		{"wrong, nobody: zero", `function f(...a) { a.pop()(new WrongUsernameOrPasswordError(0)) }`, ``, &customdb.Failure{Kind: customdb.Wrong}},
		{"wrong, thrown", `function f() { throw new WrongUsernameOrPasswordError('ada', 'no') }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, UserID: "ada", Message: "no"}},
		{"wrong, rejected", `async function f() { throw new WrongUsernameOrPasswordError('ada', 'no') }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, UserID: "ada", Message: "no"}},
		{"wrong, a class of its own below it", `class Mine extends WrongUsernameOrPasswordError {}; function login(...a) { throw new Mine('ada', 'no') }`, ``,
			&customdb.Failure{Kind: customdb.Wrong, UserID: "ada", Message: "no"}},
		{"invalid", `function f(...a) { a.pop()(new ValidationError('user_exists', 'is there')) }`, ``,
			&customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "is there", Detail: "ValidationError"}},
		{"invalid, code of its own", `function f(...a) { a.pop()(new ValidationError('email-too-long', 'too long')) }`, ``,
			&customdb.Failure{Kind: customdb.Invalid, Code: "email-too-long", Message: "too long"}},
		{"invalid, no text", `function f(...a) { a.pop()(new ValidationError('email-too-long')) }`, ``,
			&customdb.Failure{Kind: customdb.Invalid, Code: "email-too-long", Message: "email-too-long"}},
		{"invalid, nothing", `function f(...a) { a.pop()(new ValidationError()) }`, ``,
			&customdb.Failure{Kind: customdb.Invalid, Code: "validation_error", Message: "validation_error"}},
		{"invalid, by name", `function f(...a) { const e = new Error('is there'); e.name = 'ValidationError'; e.code = 'user_exists'; a.pop()(e) }`, ``,
			&customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "is there"}},
		{"unauthorized", `function f(...a) { a.pop()(new UnauthorizedError('Ask your manager')) }`, ``,
			&customdb.Failure{Kind: customdb.Unauthorized, Message: "Ask your manager", Detail: "UnauthorizedError"}},
		{"error", `function f(...a) { a.pop()(new Error('table is gone')) }`, ``,
			&customdb.Failure{Kind: customdb.Failed, Message: "table is gone", Detail: "Error"}},
		{"error with a code", `function f(...a) { const e = new Error('refused'); e.code = 'ECONNREFUSED'; a.pop()(e) }`, ``,
			&customdb.Failure{Kind: customdb.Failed, Message: "refused", Detail: `code "ECONNREFUSED"`}},
		{"text for an error", `function f(...a) { a.pop()('no such table') }`, ``, &customdb.Failure{Kind: customdb.Failed, Message: "no such table"}},
		{"object for an error", `function f(...a) { a.pop()({message: 'as an object'}) }`, ``, &customdb.Failure{Kind: customdb.Failed, Message: "as an object"}},
		{"nothing called", "function f(...a) {\n\n  nothing.here()\n}", ``, &customdb.Failure{Kind: customdb.Failed, Message: "'nothing' is not defined", Detail: "ReferenceError at line 3"}},
		{"no module of the name", `function f(...a) { require('fs') }`, ``, &customdb.Failure{Kind: customdb.Failed, Detail: "MODULE_NOT_FOUND"}},

		{"never", `function f() {}`, ``, &customdb.Failure{Kind: customdb.Broken, Message: "the script ended without calling its callback", Detail: "no answer"}},
		{"promise of nothing", `async function f() {}`, ``, &customdb.Failure{Kind: customdb.Broken, Detail: "no answer"}},
		{"no function", `42`, ``, &customdb.Failure{Kind: customdb.Broken, Message: "the script has no function for this action", Detail: "no function"}},
		{"no JavaScript", "function f(\n\n  {{", ``, &customdb.Failure{Kind: customdb.Broken, Message: "the script is no JavaScript", Detail: "syntax: line "}},
		{"a cycle", `function f(...a) { const o = {}; o.o = o; a.pop()(null, o) }`, ``, &customdb.Failure{Kind: customdb.Failed, Detail: "TypeError"}},
		{"half a character", `function f(...a) { a.pop()(null, {name: '\ud800'}) }`, ``,
			&customdb.Failure{Kind: customdb.Broken, Message: "the script answered what cannot be written as JSON", Detail: "bad result"}},
	}
	for i, call := range calls {
		t.Run(string(call.Action), func(t *testing.T) {
			for _, row := range rows {
				if i > 0 && !strings.Contains(row.source, "function login(") {
					continue // nothing in it is the action's own
				}
				t.Run(row.name, func(t *testing.T) {
					source := strings.ReplaceAll(row.source, "function login(", "function "+programName[call.Action]+"(")
					answer, err := r.Run(t.Context(), scripted(t, call.Action, source), call)
					if row.fails == nil {
						if err != nil || string(answer.Value) != row.want {
							t.Fatalf("%s, %v", answer.Value, err)
						}
						return
					}
					f := failure(t, err)
					if f.Kind != row.fails.Kind || f.UserID != row.fails.UserID || f.Code != row.fails.Code ||
						row.fails.Message != "" && f.Message != row.fails.Message || !strings.Contains(f.Detail, row.fails.Detail) {
						t.Errorf("%+v", *f)
					}
				})
			}
		})
	}
}

// programName is what the function of an action is called in a program of several.
var programName = map[customdb.Action]string{
	customdb.Login: "login", customdb.GetUser: "getByEmail", customdb.Create: "create", customdb.Verify: "verify",
	customdb.ChangePassword: "changePassword", customdb.ChangeEmail: "changeEmail", customdb.ChangeUsername: "changeUsername",
	customdb.ChangePhoneNumber: "changePhoneNumber", customdb.Delete: "deleteUser", customdb.List: "list",
}

// In which forms sources come.
func TestScriptForms(t *testing.T) {
	r := runner()
	for name, source := range map[string]string{
		"named":               `function login(email, password, callback) { callback(null, email) }`,
		"named otherwise":     `function whatever(email, password, callback) { callback(null, email) }`,
		"without a name":      `function (email, password, callback) { callback(null, email) }`,
		"arrow":               `(email, password, callback) => callback(null, email)`,
		"behind what it uses": "const who = (e) => e;\nfunction login(email, password, callback) { callback(null, who(email)) }",
		"before what it uses": "function login(email, password, callback) { callback(null, who(email)) }\nfunction who(e) { return e }",
		"constant":            `const login = (email, password, callback) => callback(null, email);`,
		"exported":            `module.exports = function (email, password, callback) { callback(null, email) };`,
		"strict":              "'use strict';\nfunction login(email, password, callback) { callback(null, email) }",
		"with a comment":      "// The old table.\nfunction login(email, password, callback) { callback(null, email) } // ends",
	} {
		answer, err := r.Run(t.Context(), scripted(t, customdb.Login, source), calls[0])
		if err != nil || string(answer.Value) != `"ada@shop.example"` {
			t.Errorf("%s: %s, %v", name, answer.Value, err)
		}
	}
}

// configuration is what the connection has, as texts, and stays so.
func TestScriptConfiguration(t *testing.T) {
	c := legacy(t, map[string]any{"customScripts": map[string]string{"get_user": `function f(id, callback) {
		configuration.NAME = 'changed'; configuration.MORE = 'x'; delete configuration.PORT;
		callback(null, [configuration.NAME, configuration.PORT, configuration.MORE, typeof configuration.PORT]);
	}`}}, map[string]string{"NAME": "db.shop.example", "PORT": "5432"})
	answer, err := runner().Run(t.Context(), c, customdb.Find("ada"))
	if err != nil || string(answer.Value) != `["db.shop.example","5432",null,"string"]` {
		t.Errorf("%s, %v", answer.Value, err)
	}
}

// Nothing of one run is there in another, of the same connection or of the next.
func TestScriptsShareNothing(t *testing.T) {
	r := runner()
	source := `function f(id, callback) {
		const seen = [global.left, Array.prototype.left, typeof configuration.SECRET, (() => { try { return require('util').left || 'none' } catch { return 'none' } })()];
		global.left = 1; Array.prototype.left = 1; try { require('util').left = 1 } catch {}
		callback(null, seen);
	}`
	first := legacy(t, map[string]any{"customScripts": map[string]string{"get_user": source}}, map[string]string{"SECRET": "of the first"})
	second := scripted(t, customdb.GetUser, source)
	for i, c := range []*struct {
		want string
		run  func() (customdb.Answer, error)
	}{
		{`[null,null,"string","none"]`, func() (customdb.Answer, error) { return r.Run(t.Context(), first, customdb.Find("a")) }},
		{`[null,null,"string","none"]`, func() (customdb.Answer, error) { return r.Run(t.Context(), first, customdb.Find("a")) }},
		{`[null,null,"undefined","none"]`, func() (customdb.Answer, error) { return r.Run(t.Context(), second, customdb.Find("a")) }},
	} {
		if answer, err := c.run(); err != nil || string(answer.Value) != c.want {
			t.Errorf("run %d: %s, %v", i, answer.Value, err)
		}
	}
}

// The password and the configuration are in no word of a script, however it writes them.
func TestScriptMasks(t *testing.T) {
	const password, key = "correct horse/ä+&\"<", "s3cret of the shop!"
	forms := []string{
		password, key, url.QueryEscape(password), url.QueryEscape(key), base64.StdEncoding.EncodeToString([]byte(password)),
		base64.StdEncoding.EncodeToString([]byte(key)), strings.Trim(string(profile.Text(password)), `"`),
		hex.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("ada@shop.example:" + password)), base64.RawURLEncoding.EncodeToString([]byte("x" + password))[2:28],
		"horse",
	}
	source := `function login(email, password, callback) {
		const all = [password, JSON.stringify({password}), encodeURIComponent(password), Buffer.from(password).toString('base64'),
			configuration.KEY, encodeURIComponent(configuration.KEY), Buffer.from(configuration.KEY).toString('base64')].join(' | ');
		console.log(all); console.error({password, key: configuration.KEY}); console.warn('%s', password);
		%%
	}`
	for name, end := range map[string]string{
		"answer":       `callback(null, true)`,
		"error":        `const e = new Error(all); e.code = password; callback(e)`,
		"thrown text":  `throw all`,
		"wrong":        `callback(new WrongUsernameOrPasswordError(email, all))`,
		"invalid":      `callback(new ValidationError(password, all))`,
		"unauthorized": `callback(new UnauthorizedError(all))`,
		"stack":        `const e = new Error('x'); e.stack = all + '\n    at x (<eval>:1:1)'; callback(e)`,
		"function":     `({[password]() { for (;;) {} }})[password]()`,
		"header":       `throw 'Basic ' + Buffer.from(email + ':' + password).toString('base64')`,
		"hexadecimal":  `throw Buffer.from(password).toString('hex') + Buffer.from('x' + password).toString('base64url')`,
		"name":         `const e = new Error('x'); e.name = password; callback(e)`,
	} {
		c := legacy(t, map[string]any{"customScripts": map[string]string{"login": strings.Replace(source, "%%", end, 1)}}, map[string]string{"KEY": key})
		answer, err := runner().Run(t.Context(), c, customdb.SignIn("ada@shop.example", password))
		words := answer.Console
		var f *customdb.Failure
		if errors.As(err, &f) {
			words = append(f.Console, customdb.Line{Text: f.Code + f.Message + f.Detail + f.UserID + f.Error()})
		}
		if len(words) < 3 {
			t.Errorf("%s: %v, %v", name, words, err)
		}
		for _, line := range words {
			for _, form := range forms {
				if strings.Contains(line.Text, form) {
					t.Errorf("%s: %q is in %q", name, form, line.Text)
				}
			}
		}
	}
}

// The console comes with answers and with failures.
func TestScriptConsole(t *testing.T) {
	r := runner()
	want := []customdb.Line{{Level: "info", Text: "asked ada"}, {Level: "error", Text: "oh"}}
	for _, end := range []string{`callback(null, 1)`, `callback(new Error('x'))`} {
		answer, err := r.Run(t.Context(), scripted(t, customdb.GetUser, `function f(id, callback) { console.log('asked', id); console.error('oh'); `+end+` }`), customdb.Find("ada"))
		got := answer.Console
		if err != nil {
			got = failure(t, err).Console
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// security.md 108, 109: what does not end, or grows, is stopped with a detail that names
// the limit, the first of those in the row that it meets; the next run is like any other.
func TestScriptLimits(t *testing.T) {
	r := runner()
	for _, row := range []struct{ name, body, message, detail string }{
		{"endless loop", "\n\nfor (;;) {}", "the script was stopped at a limit", "more than 2s of work\nat login ("},
		{"backtracking", `/^(a+)+$/.test('a'.repeat(40) + 'b')`, "the script was stopped at a limit", "more than 2s of work"},
		{"endless promises", `(function again() { Promise.resolve().then(again) })()`, "the script was stopped at a limit", "more than 2s of work"},
		{"2 GB", `const all = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1))`, "the script was stopped at a limit", "out of memory|more than 2s of work"},
		{"2 GB of text", `let s = 'xxxxxxxxxxxxxxxx'; for (let i = 0; i < 27; i++) s += s; callback(null, s.length)`, "", ""},
		{"10,000 timers", `for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1000)`, "the script was stopped at a limit", "more than 1000 timers|more than 2s of work"},
		{"10 MB of answer", `callback(null, 'x'.repeat(10 << 20))`, "the script was stopped at a limit", "larger than 102400 bytes|out of memory|more than 2s of work"},
		{"10 MB of answer in pieces", `callback(null, Array.from({length: 1 << 17}, () => 'x'.repeat(100)))`, "the script was stopped at a limit", "larger than 102400 bytes|out of memory|more than 2s of work"},
		{"requests", `for (let i = 0; i < 100; i++) fetch('http://127.0.0.1:1/').catch(() => {})`, "the script was stopped at a limit", "more than 20 requests|more than 2s of work"},
		{"deep recursion", `(function down() { down() })()`, "the script was stopped at a limit", "stack overflow|more than 2s of work"},
		{"a promise that never settles", `return new Promise(() => {})`, "the script ended without calling its callback", "no answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := r.Run(t.Context(), scripted(t, customdb.Login, "function login(email, password, callback) {"+row.body+"}"), calls[0])
			f := failure(t, err)
			names := func(limit string) bool { return strings.Contains(f.Detail, limit) }
			if row.message != "" && (f.Kind != customdb.Broken || f.Message != row.message) || !slices.ContainsFunc(strings.Split(row.detail, "|"), names) {
				t.Errorf("%+v", *f)
			}
			answer, err := r.Run(t.Context(), scripted(t, customdb.Login, `(email, password, callback) => callback(null, {user_id: 1})`), calls[0])
			if err != nil || string(answer.Value) != `{"user_id":1}` {
				t.Errorf("afterwards: %s, %v", answer.Value, err)
			}
		})
	}
}

// A source as long as one may be runs.
func TestScriptOf100KB(t *testing.T) {
	source := `function login(email, password, callback) { callback(null, 1) } //`
	source += strings.Repeat("x", 100<<10-len(source))
	answer, err := runner().Run(t.Context(), scripted(t, customdb.Login, source), calls[0])
	if err != nil || string(answer.Value) != "1" {
		t.Errorf("%s, %v", answer.Value, err)
	}
}

// Whoever gives up gets its own error, and no failure of the store.
func TestScriptCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := runner().Run(ctx, scripted(t, customdb.Login, `() => new Promise((done) => setTimeout(done, 5000))`), calls[0])
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Where all sandboxes are in use the answer is that, and no word about the script.
func TestScriptBusy(t *testing.T) {
	r := runnerOf(loopback, 1)
	began, end := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-end
	}))
	defer s.Close()
	first := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context(), scripted(t, customdb.Login, `async () => { await fetch('`+s.URL+`'); return 1 }`), calls[0])
		first <- err
	}()
	select {
	case <-began:
	case err := <-first:
		t.Fatalf("the first ended: %v", err)
	}
	over, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-over.Done()
	_, err := r.Run(over, scripted(t, customdb.Login, `() => 1`), calls[0])
	if f := failure(t, err); f.Kind != customdb.Broken || f.Message != "busy: all sandboxes are in use" {
		t.Errorf("%+v", *f)
	}
	close(end)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
