package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/user"
)

// api is a server that knows one connection, and answers by a function of its own
// beside it. It keeps what it was asked.
type api struct {
	*httptest.Server
	asked []string // method and path, and the body behind a space
}

func newAPI(t *testing.T, answer func(r *http.Request, body string) (status int, text string)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/connections" {
			_, _ = io.WriteString(w, `[{"id":"con_0123456789abcdef","name":"legacy"}]`)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/v2/connections/con_0123456789abcdef")+" "+string(b)))
		status, text := answer(r, string(b))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(a.Close)
	return a
}

// flags reach the server.
func (a *api) flags(args ...string) []string {
	return append(args, "--server", a.URL, "--token", "x")
}

// stdin has the program read a text.
func stdin(t *testing.T, text string) {
	t.Helper()
	f, err := os.Open(written(t, "stdin", text))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = f
	t.Cleanup(func() {
		os.Stdin = before
		f.Close()
	})
}

func TestScriptRun(t *testing.T) {
	a := newAPI(t, func(r *http.Request, _ string) (int, string) {
		switch {
		case strings.Contains(r.URL.Path, "/change_email/"):
			return 200, `{"ok":false,"error":{"kind":"invalid","code":"taken","message":"somebody\u001b[31m has it","detail":"line 3"},"console":[{"level":"warn","text":"hm\nhm"}],"milliseconds":3}`
		case strings.Contains(r.URL.Path, "/create/"):
			return 400, `{"message":"The connection has no action create."}`
		case strings.Contains(r.URL.Path, "/verify/"):
			return 200, `{"ok":false,"result":"maybe","error":{"kind":"broken","message":"the answer must be true or false"},"console":[],"milliseconds":3}`
		}
		return 200, `{"ok":true,"result":{"user_id":"1","name":"A<nn"},"profile":{"name":"Ann"},"refusal":"no","console":[{"level":"info","text":"hello"}],"milliseconds":12}`
	})
	stdin(t, "hunter2\r\n")
	out := says(t, 0, "", "info   hello\ntook 12 ms\n", a.flags("script", "run", "--connection", "legacy", "--action", "login",
		"--arg", "identifier=ann@example.com", "--args", "password=-")...)
	if out != "{\n  \"result\": {\n    \"user_id\": \"1\",\n    \"name\": \"A<nn\"\n  },\n  \"profile\": {\n    \"name\": \"Ann\"\n  },\n  \"refusal\": \"no\"\n}\n" {
		t.Error(out)
	}
	stdin(t, "of-the-database\n")
	source := written(t, "get_user.js", "function get(email, cb) { cb(null) }\n")
	says(t, 0, "", "", a.flags("script", "run", "--connection", "legacy", "--action", "get_user", "--arg", "identifier=a,b=c",
		"--script", source, "--configuration", "DB_PASSWORD=-")...)
	user := written(t, "user.json", `{"email":"x@y.test"}`)
	says(t, 1, "", "mangrove: the server says 400: The connection has no action create.", a.flags("script", "run", "--connection", "legacy", "--action", "create", "--arg", "user:=@"+user, "--arg", "n:=1")...)
	says(t, 1, "", "warn   hm\nwarn   hm\ntook 3 ms\nmangrove: the action failed: invalid: taken: somebody\\x1b[31m has it: line 3\n",
		a.flags("script", "run", "--connection", "legacy", "--action", "change_email")...)
	says(t, 1, `"result": "maybe"`, "mangrove: the action failed: broken: the answer must be true or false\n", a.flags("script", "run", "--connection", "legacy", "--action", "verify")...)
	want := []string{
		`POST /actions/login/try {"args":{"identifier":"ann@example.com","password":"hunter2"}}`,
		`POST /actions/get_user/try {"args":{"identifier":"a,b=c"},"options":{"configuration":{"DB_PASSWORD":"of-the-database"},"customScripts":{"get_user":"function get(email, cb) { cb(null) }\n"}}}`,
		`POST /actions/create/try {"args":{"n":1,"user":{"email":"x@y.test"}}}`,
		`POST /actions/change_email/try {"args":{}}`,
		`POST /actions/verify/try {"args":{}}`,
	}
	if !slices.Equal(a.asked, want) {
		t.Errorf("asked\n%s", strings.Join(a.asked, "\n"))
	}
}

// What is wrong with the arguments is told before anybody is asked, and without values.
func TestScriptRunArguments(t *testing.T) {
	a := newAPI(t, func(*http.Request, string) (int, string) { return 500, "" })
	bad := written(t, "bad.js", "function (a, b) {\n  b(null, ]\n}")
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"no name", "a value without a name", []string{"--arg", "=hunter2"}},
		{"no value", "a name without a value", []string{"--arg", "hunter2"}},
		{"no JSON", "--arg limit: the value is no JSON", []string{"--arg", "limit:=hunter2"}},
		{"no file", "--arg user: ", []string{"--arg", "user:=@/nonexistent/hunter2.json"}},
		{"twice", "--arg a is given twice", []string{"--arg", "a=1", "--arg", "a=2"}},
		{"twice, once as JSON", "--arg a is given twice", []string{"--arg", "a:=1", "--arg", "a=2"}},
		{"configuration without a value", "--configuration: a name without a value", []string{"--configuration", "hunter2"}},
		{"nothing is typed", "--arg password: the standard input has no line for it", []string{"--arg", "password=-"}},
		{"a script that is none", "bad.js:2: ", []string{"--script", bad}},
		{"no script", "no such file", []string{"--script", bad + "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdin(t, "")
			status, _, stderr := program(a.flags(slices.Concat([]string{"script", "run", "--connection", "legacy", "--action", "login"}, c.args)...)...)
			if status != 1 || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "hunter2") && c.name != "no file" {
				t.Errorf("status %d:\n%s", status, stderr)
			}
		})
	}
	stdin(t, "one\n")
	says(t, 1, "", "the standard input is read for a value already", a.flags("script", "run", "--connection", "legacy", "--action", "login", "--arg", "password=-", "--script", "-")...)
	if len(a.asked) > 0 {
		t.Errorf("asked %q", a.asked)
	}
}

func TestScriptCheck(t *testing.T) {
	good, bad, empty := written(t, "good.js", "function login(a, b, cb) {\n  cb(null)\n}\n"), written(t, "bad.js", "function login(a, b, cb) {\n  cb(null, ]\n}\n"), written(t, "empty.js", " \n")
	says(t, 0, "", "", "script", "check", good)
	out := says(t, 1, bad+":2: ", "mangrove: 2 of 3 scripts cannot be read", "script", "check", good, bad, empty)
	if !strings.Contains(out, empty+": is empty\n") || strings.Contains(out, "good.js") || strings.Contains(out, "line 2") {
		t.Error(out)
	}
	says(t, 1, "", "no such file", "script", "check", good+"x")
	stdin(t, "function login( {")
	says(t, 1, "standard input:1: at the end: ", "1 of 1", "script", "check", "-")
}

// On a terminal a secret is not shown, and the terminal is afterwards as it was,
// also for whoever presses Ctrl-C.
func TestTyped(t *testing.T) {
	hidden := 0
	var asked bytes.Buffer
	ty := &typed{in: bufio.NewReader(strings.NewReader("a b\nlast")), ask: &asked, hide: func(context.Context) (func(), error) {
		hidden++
		return func() { hidden-- }, nil
	}}
	for _, want := range []string{"a b", "last"} {
		if got, err := ty.line(t.Context(), "password"); err != nil || got != want || hidden != 0 {
			t.Errorf("%q, %v, hidden %d", got, err, hidden)
		}
	}
	if asked.String() != "password: \npassword: \n" {
		t.Errorf("%q", asked.String())
	}
	never, w := io.Pipe()
	defer w.Close()
	ty.in = bufio.NewReader(never)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ty.line(ctx, "password"); !errors.Is(err, context.Canceled) || hidden != 0 {
		t.Errorf("%v, hidden %d", err, hidden)
	}
	ty.hide = func(context.Context) (func(), error) { return nil, errors.New("no terminal") }
	if _, err := ty.line(t.Context(), "password"); err == nil {
		t.Error("it is asked for where it would be seen")
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Ann Müller\tx": "Ann Müller\tx", "\x1b[2Jgone": `\x1b[2Jgone`, "a\nb\r": `a\nb\r`, "\u202egnp": `\u202egnp`, "it's": "it's", "\xff": "\uFFFD",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

const someMigration = `{"mode":"shadow","actions":{"login":"script","get_user":"sql"},"migrated":7,"known":2,"failing":1,"differing":1,"compared":9,"same":8,"deleted":0,
	"first_at":"2026-03-01T08:00:00.000Z","last_migration":"2026-03-02T08:00:00.000Z","last_error":"no\u001b answer","last_error_at":"2026-03-03T08:00:00.000Z"}`

func TestMigrationStatus(t *testing.T) {
	a := newAPI(t, func(*http.Request, string) (int, string) { return 200, someMigration })
	out := says(t, 0, "connection  legacy\nmode        shadow\nactions     get_user (sql)  login (script)\n", "", a.flags("migration", "status", "--connection", "legacy")...)
	for _, want := range []string{
		"migrated    7  came from the old database, the last at 2026-03-02T08:00:00.000Z\n", "differing   1  ", `last error  no\x1b answer`,
		"Who: mangrove migration people --connection legacy\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := says(t, 0, "", "", a.flags("migration", "status", "--connection", "legacy", "--json")...); strings.TrimSpace(out) != someMigration {
		t.Error(out)
	}
	external := newAPI(t, func(*http.Request, string) (int, string) { return 200, `{"actions":{"login":"script"},"migrated":0}` })
	says(t, 0, "legacy is an external store: it is asked at every sign-in, and nobody migrates.\nactions: login (script)\n", "", external.flags("migration", "status", "--connection", "legacy")...)
	says(t, 1, "", "do not go together", a.flags("migration", "status", "--connection", "legacy", "--json", "--watch")...)
}

// A line is printed when something has changed, and only then; a server that is away
// for a moment is waited for.
func TestMigrationWatch(t *testing.T) {
	answers := []struct {
		status int
		text   string
	}{
		{200, `{"mode":"on","migrated":1}`}, {200, `{"mode":"on","migrated":1}`}, {503, `{"message":"away"}`}, {200, `{"mode":"on","migrated":2,"failing":1,"last_error":"x"}`},
	}
	tick := make(chan time.Time)
	ctx, stop := context.WithCancel(t.Context())
	n := 0
	a := newAPI(t, func(*http.Request, string) (int, string) {
		n++
		return answers[n-1].status, answers[n-1].text
	})
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		m := &management{http: a.Client(), url: a.URL}
		ended <- m.watch(ctx, namedConnection{"con_0123456789abcdef", "legacy"}, tick, &out)
	}()
	for range len(answers) - 1 {
		tick <- time.Time{}
	}
	// The next tick would be taken after the last answer: nobody sends it.
	select {
	case tick <- time.Time{}:
	case err := <-ended:
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "  on  migrated 1  known 0  failing 0") || !strings.HasSuffix(lines[1], "migrated 2  known 0  failing 1  last error: x") {
		t.Errorf("%q", lines)
	}
}

func TestMigrationPeople(t *testing.T) {
	a := newAPI(t, func(r *http.Request, _ string) (int, string) {
		if r.URL.Query().Get("from") == "" {
			return 200, `{"people":[{"name":"ann@example.com","state":"failing","reason":"no user_id\n","at":"2026-03-01T08:00:00.000Z"}],"next":"n1"}`
		}
		return 200, `{"people":[{"name":"bob","state":"known","reason":"","at":"2026-03-01T09:00:00.000Z"}]}`
	})
	out := says(t, 0, "", "", a.flags("migration", "people", "--connection", "legacy", "--state", "failing")...)
	if out != "ann@example.com\tfailing\t2026-03-01T08:00:00.000Z\tno user_id\\n\nbob\tknown\t2026-03-01T09:00:00.000Z\n" {
		t.Errorf("%q", out)
	}
	out = says(t, 0, "", "", a.flags("migration", "people", "--connection", "legacy", "--json")...)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("%q", out)
	}
	want := []string{"GET /migration/people?state=failing&take=100", "GET /migration/people?from=n1&state=failing&take=100", "GET /migration/people?take=100", "GET /migration/people?from=n1&take=100"}
	if !slices.Equal(a.asked, want) {
		t.Errorf("%q", a.asked)
	}
	says(t, 2, "", "--state must be one of", a.flags("migration", "people", "--connection", "legacy", "--state", "lost")...)

	none := newAPI(t, func(*http.Request, string) (int, string) { return 200, `{"people":[]}` })
	says(t, 0, "", "nobody\n", none.flags("migration", "people", "--connection", "legacy", "--json")...)
}

// Page after page, to the end; the failures are told and written.
func TestPullList(t *testing.T) {
	pages := map[string]string{
		"":    `{"migrated":2,"present":0,"deleted":1,"failed":0,"failures":[],"next":"c 1"}`,
		`c 1`: `{"migrated":0,"present":1,"failed":1,"failures":[{"name":"ann\u001b","reason":"no user_id"}],"next":""}`,
	}
	a := newAPI(t, func(_ *http.Request, body string) (int, string) {
		var r pullRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Error(err)
		}
		return 200, pages[r.After]
	})
	file := filepath.Join(t.TempDir(), "failed")
	says(t, 1, "legacy  migrated 2  already here 1  deleted before 1  failed 1  total 5\n", "ann\\x1b  no user_id\nmangrove: 1 of 5 people could not be taken\n", a.flags("import", "--from-connection", "legacy", "--errors", file)...)
	if b, err := os.ReadFile(file); err != nil || string(b) != `{"name":"ann\u001b","reason":"no user_id"}`+"\n" {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	says(t, 1, "total 2\n", "", a.flags("import", "--from-connection", "legacy", "--after", "c 1")...)
	want := []string{`POST /migration/pull {"limit":50}`, `POST /migration/pull {"after":"c 1","limit":50}`, `POST /migration/pull {"after":"c 1","limit":50}`}
	if !slices.Equal(a.asked, want) {
		t.Errorf("%q", a.asked)
	}
}

// People by their names, in batches; empty lines are passed over, and count.
func TestPullIdentifiers(t *testing.T) {
	var names []string
	for n := range pullBatch + 2 {
		names = append(names, fmt.Sprintf("p%d@example.com", n), "")
	}
	file := written(t, "names.txt", strings.Join(names, "\r\n"))
	asked := map[string]bool{}
	a := newAPI(t, func(_ *http.Request, body string) (int, string) {
		var r pullRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil || len(r.Identifiers) > pullBatch {
			t.Errorf("%v: %s", err, body)
		}
		for _, name := range r.Identifiers {
			asked[name] = true
		}
		return 200, fmt.Sprintf(`{"migrated":%d}`, len(r.Identifiers))
	})
	says(t, 0, fmt.Sprintf("migrated %d  already here 0", pullBatch+2), "", a.flags("import", "--from-connection", "legacy", "--identifiers", file)...)
	if len(asked) != pullBatch+2 || len(a.asked) != 2 {
		t.Errorf("%d names in %d batches", len(asked), len(a.asked))
	}
	clear(asked)
	says(t, 0, "migrated 2  ", "", a.flags("import", "--from-connection", "legacy", "--identifiers", file, "--after", fmt.Sprint(2*pullBatch))...)
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, []string{"p50@example.com", "p51@example.com"}) {
		t.Errorf("%q", got)
	}
	says(t, 1, "", "a number of lines", a.flags("import", "--from-connection", "legacy", "--identifiers", file, "--after", "c1")...)
	stdin(t, "ann@example.com\n")
	says(t, 0, "migrated 1  ", "", a.flags("import", "--from-connection", "legacy", "--identifiers", "-", "--quiet")...)
}

// Nobody is asked for by a line that the server would refuse, with all the others of its
// batch: it is a failure of its own, and the run goes on.
func TestPullFlawedLines(t *testing.T) {
	most := strings.Repeat("é", user.PullNameLimit)
	lines := []string{"ann", most, most + "é", "", strings.Repeat("x", 200_000), "b\xe9a", "b\x00a", "ben", most + "é"}
	a := newAPI(t, func(_ *http.Request, body string) (int, string) {
		var r pullRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil || !slices.Equal(r.Identifiers, []string{"ann", most, "ben"}) {
			t.Errorf("%v: %s", err, body)
		}
		return 200, `{"migrated":3}`
	})
	file := filepath.Join(t.TempDir(), "failed")
	says(t, 1, "migrated 3  already here 0  failed 5  total 8\n", "mangrove: 5 of 8 people could not be taken\n",
		a.flags("import", "--from-connection", "legacy", "--identifiers", written(t, "names", strings.Join(lines, "\n")), "--errors", file)...)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for l := range strings.Lines(string(b)) {
		var f pulledFailure
		if err := json.Unmarshal([]byte(l), &f); err != nil || len(f.Name) > 2*user.PullNameLimit+len("…") {
			t.Errorf("%v: %s", err, l)
		}
		told = append(told, f.Reason)
	}
	if want := []string{
		"Line 3 is longer than 255 characters.", "Line 5 is longer than 255 characters.", "Line 6 is no text in UTF-8.", "Line 7 is no text in UTF-8.",
		"Line 9 is longer than 255 characters.",
	}; !slices.Equal(told, want) || len(a.asked) != 1 {
		t.Errorf("%d batches, %q", len(a.asked), told)
	}
	// A file of nothing else asks for nobody: without names a request is one for all.
	says(t, 1, "failed 1  total 1\n", "xxx", a.flags("import", "--from-connection", "legacy", "--identifiers", written(t, "names", strings.Repeat("x", 4096)))...)
	if len(a.asked) != 1 {
		t.Errorf("asked %q", a.asked)
	}
}

// Whom a batch did not come to is asked for again, and is no failure.
func TestPullTimeOver(t *testing.T) {
	batches := [][]string{{"a", "b", "c", "d"}, {"c", "d"}, {"d"}}
	n := 0
	a := newAPI(t, func(_ *http.Request, body string) (int, string) {
		var r pullRequest
		if err := json.Unmarshal([]byte(body), &r); err != nil || !slices.Equal(r.Identifiers, batches[n]) || !r.WithoutPassword {
			t.Errorf("batch %d: %v: %s", n, err, body)
		}
		over := func(name string) string { return `{"name":"` + name + `","reason":"` + user.PullTimeOver + `"}` }
		n++
		return 200, []string{
			`{"migrated":1,"failed":3,"failures":[{"name":"b","reason":"nobody"},` + over("c") + `,` + over("d") + `]}`,
			`{"migrated":1,"failed":1,"failures":[` + over("d") + `]}`,
			`{"failed":1,"failures":[` + over("d") + `]}`, // whoever takes so long is a failure
		}[n-1]
	})
	says(t, 1, "migrated 2  already here 0  failed 2  total 4", "d  "+user.PullTimeOver,
		a.flags("import", "--from-connection", "legacy", "--identifiers", written(t, "names", "a\nb\nc\nd\n"), "--without-password")...)
}

// A batch that is under way is waited for, and whoever stops is told how to go on.
func TestPullStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a := newAPI(t, func(*http.Request, string) (int, string) {
		stop()
		return 200, `{"migrated":3,"next":"it's 3"}`
	})
	c := importCommand{}
	c.FromConnection, c.Server, c.Token = "legacy", a.URL, "x"
	err := c.Run(ctx, &config.File{}, streams{io.Discard, io.Discard})
	if err == nil || !strings.Contains(err.Error(), "migrated 3  already here 0  failed 0  total 3\nTo go on: mangrove import --from-connection legacy --after 'it'\\''s 3'") {
		t.Errorf("%v", err)
	}
	if len(a.asked) != 1 {
		t.Errorf("%q", a.asked)
	}
}

// What may pass is tried again, what may not is not.
func TestPullTriesAgain(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses []int
		want     string // of the error; empty: none
		asked    int
	}{
		{"passes", []int{503, 429, 200}, "", 3},
		{"stays", []int{503, 503, 503, 503}, "the server says 503: away", 4},
		{"a refusal", []int{400}, "the server says 400: away", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			a := newAPI(t, func(*http.Request, string) (int, string) {
				n++
				if s := c.statuses[n-1]; s != 200 {
					return s, `{"message":"away"}`
				}
				return 200, `{"migrated":1}`
			})
			p := &pull{
				importCommand: &importCommand{}, m: &management{http: a.Client(), url: a.URL}, of: namedConnection{"con_0123456789abcdef", "legacy"},
				wait: func(_ context.Context, attempt int) bool { return attempt < 4 },
			}
			p.fromList()
			err := p.run(t.Context(), io.Discard, streams{io.Discard, io.Discard})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || len(a.asked) != c.asked {
				t.Errorf("%v after %d", err, len(a.asked))
			}
		})
	}
	n := 0
	later := newAPI(t, func(*http.Request, string) (int, string) {
		n++
		return []int{200, 400}[n-1], []string{`{"migrated":1,"next":"c1"}`, `{"message":"no more"}`}[n-1]
	})
	says(t, 1, "", "the server says 400: no more\nBefore that: migrated 1  already here 0  failed 0  total 1\nTo go on: mangrove import --from-connection legacy --after c1\n",
		later.flags("import", "--from-connection", "legacy")...)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if pause(ended, 1) || pause(t.Context(), 6) {
		t.Error("there is another attempt")
	}
}

func TestPullMistakes(t *testing.T) {
	a := newAPI(t, func(*http.Request, string) (int, string) { return 500, "" })
	for _, args := range [][]string{
		{"--identifiers", "x"}, {"--after", "x"}, {"--without-password"}, {"--from-connection", "legacy", "file.json"}, {"--from-connection", "legacy", "--job", "job_1"},
		{"--from-connection", "legacy", "--upsert"}, {"--from-connection", "legacy", "--dry-run"}, {"--from-connection", "legacy", "--connection", "other"},
	} {
		says(t, 1, "", "--from-connection", a.flags(append([]string{"import"}, args...)...)...)
	}
	says(t, 1, "", "no such file", a.flags("import", "--from-connection", "legacy", "--identifiers", "/nonexistent/x")...)
	says(t, 1, "", `there is no connection "elsewhere"`, a.flags("import", "--from-connection", "elsewhere")...)
	if len(a.asked) > 0 {
		t.Errorf("asked %q", a.asked)
	}
}

// oldTable is a user table that is written into its scripts. Everybody's password is
// "password"; the last one has no hash.
const oldTable = `const people = [1, 2, 3].map((n) => ({ user_id: n, email: 'p' + n + '@example.com', name: 'Person ' + n,
  password_hash: n < 3 ? '$2b$10$//DXiVVE59p7G5k/4Klx/ezF7BI42QZKmoOD0NDvUuqxRE5bFFBLy' : null }));
`

// The commands against the server itself: an old table is looked at, and pulled.
func TestOldTable(t *testing.T) {
	data := database(t)
	t.Setenv("MANGROVE_CLIENT_SECRET", testSecret)
	url := serving(t, data)
	flags := func(args ...string) []string { return append(args, "--server", url, "--client-id", testClient) }
	m := &management{http: http.DefaultClient, url: url, id: testClient, secret: testSecret}
	var made namedConnection
	if err := m.post(t.Context(), "/connections", map[string]any{
		"name": "legacy", "strategy": "auth0", "options": map[string]any{
			"import_mode": true, "enabledDatabaseCustomization": true, "configuration": map[string]string{"KEY": "of-the-table"},
			"customScripts": map[string]string{
				"login":    "function (name, password, cb) { cb(new Error('no ' + configuration.KEY)) }",
				"get_user": oldTable + "function get_user(name, cb) { cb(null, people.find((p) => p.email === name)) }",
				"list":     oldTable + "function list(after, limit, cb) { const n = Number(after); cb(null, { users: people.slice(n, n + 1), next: n < 2 ? String(n + 1) : null }) }",
			},
		},
	}, &made); err != nil {
		t.Fatal(err)
	}
	says(t, 0, `"name": "Person 2"`, "took ", flags("script", "run", "--connection", "legacy", "--action", "get_user", "--arg", "identifier=p2@example.com")...)
	says(t, 1, "", "failed: no ****", flags("script", "run", "--connection", "legacy", "--action", "login", "--arg", "identifier=x", "--arg", "password=y")...)
	script := written(t, "login.js", "function login(name, password, cb) { console.log(name, password, configuration.KEY, configuration.MORE); cb(null, { user_id: 'x', email: name, name: 'Ann' }) }")
	stdin(t, "hunter2-hunter2\nnot-for-the-log\n")
	says(t, 0, `"email": "ann@example.com"`, "info   ann@example.com **** **** ****\n", flags("script", "run", "--connection", "legacy", "--action", "login",
		"--script", script, "--arg", "identifier=ann@example.com", "--arg", "password=-", "--configuration", "MORE=-")...)

	says(t, 1, "migrated 2  already here 0  failed 1  total 3\n", "p3@example.com  ", flags("import", "--from-connection", "legacy")...)
	says(t, 0, "known       1  ", "", flags("migration", "status", "--connection", "legacy")...)
	names := says(t, 0, "p3@example.com\tknown\t", "", flags("migration", "people", "--connection", made.ID)...)
	if strings.Count(names, "\n") != 1 {
		t.Errorf("%q", names)
	}
	stdin(t, "p2@example.com\np3@example.com\n")
	says(t, 0, "migrated 1  already here 1  failed 0  total 2\n", "", flags("import", "--from-connection", "legacy", "--identifiers", "-", "--without-password")...)
	says(t, 0, "migrated    3  came from the old database, the last at 2", "", flags("migration", "status", "--connection", "legacy")...)
	says(t, 1, "", "is no custom database", flags("migration", "status", "--connection", defaultDatabase)...)
}
