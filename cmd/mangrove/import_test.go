package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/config"
	"mangrove/internal/server"
)

const (
	testClient = "the-management-client"
	testSecret = "the-secret-of-the-management-client-is-long"
)

// database makes one that a first start has filled.
func database(t *testing.T) (data string) {
	t.Helper()
	t.Setenv("MANGROVE_BOOTSTRAP_CLIENT_ID", testClient)
	t.Setenv("MANGROVE_BOOTSTRAP_CLIENT_SECRET", testSecret)
	data = filepath.Join(t.TempDir(), "data")
	s, err := server.New(t.Context(), testConfig(data, "http://localhost:8080"), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

func testConfig(data, url string) config.Config {
	return config.Config{
		PublicURL: url, Data: data, ImportLimit: 1 << 30,
		BootstrapClientID: testClient, BootstrapClientSecret: testSecret,
	}
}

// serving runs a server until the test ends.
func serving(t *testing.T, data string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	url = "http://localhost:" + port
	s, err := server.New(t.Context(), testConfig(data, url), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return url
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const someUsers = `[{"email":"ann@example.com","name":"Ann"},{"email":"broken@"},{"email":"bob@example.com","user_metadata":{"a":1}}]`

// says checks a run of the program.
func says(t *testing.T, want int, wantOut, wantErr string, args ...string) (out string) {
	t.Helper()
	status, out, stderr := program(args...)
	if status != want || !strings.Contains(out, wantOut) || !strings.Contains(stderr, wantErr) {
		t.Fatalf("%q: status %d, want %d, with %q and %q\n%s\n%s", args, status, want, wantOut, wantErr, out, stderr)
	}
	return out
}

// With and without a server the commands do the same.
func TestImportExport(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags func(t *testing.T, data string) []string
	}{
		{"the database itself", func(_ *testing.T, data string) []string { return []string{"--data", data} }},
		{"a server", func(t *testing.T, data string) []string {
			t.Setenv("MANGROVE_CLIENT_SECRET", testSecret)
			return []string{"--server", serving(t, data), "--client-id", testClient}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := c.flags(t, database(t))
			with := func(args ...string) []string { return slices.Concat(args, flags) }
			dir := t.TempDir()
			file, failed := written(t, "users.json", someUsers), filepath.Join(dir, "failed.json")
			says(t, 1, "inserted 2  updated 0  failed 1  total 3", "broken@  FORMAT: Error in email property", with("import", file, "--errors", failed)...)
			b, err := os.ReadFile(failed)
			if err != nil || !strings.HasPrefix(string(b), `[{"user":{"email":"broken@"},"errors":[{"code":"FORMAT"`) {
				t.Errorf("%s, %v", b, err)
			}
			good := written(t, "good.json", `{"email":"ann@example.com","name":"Ann Lee"}`)
			says(t, 0, "inserted 0  updated 1  failed 0  total 1", "", with("import", good, "--upsert", "--quiet", "--connection", defaultDatabase, "--errors", failed)...)
			if b, err := os.ReadFile(failed); err != nil || string(b) != "[]" {
				t.Errorf("without failures: %s, %v", b, err)
			}
			says(t, 1, "", `there is no connection "nowhere"`, with("import", good, "--connection", "nowhere")...)
			says(t, 1, "", "Users file must not be empty.", with("import", written(t, "empty.json", ""))...)
			says(t, 1, "", "Before that: inserted 1  updated 0  failed 0  total 1", with("import", written(t, "cut.json", `[{"email":"cut@example.com"}`))...)
			outcomes := filepath.Join(dir, "outcomes.ndjson")
			says(t, 0, "inserted 0  updated 1  failed 0  total 1  (dry run: no user was written)", "", with("import", good, "--upsert", "--upsert-all", "--merge", "--dry-run", "--external-id", "x", "--outcomes", outcomes)...)
			if b, err := os.ReadFile(outcomes); err != nil || !strings.HasPrefix(string(b), `{"row":1,"outcome":"unchanged","user_id":"auth0|`) {
				t.Errorf("outcomes: %s, %v", b, err)
			}
			says(t, 1, "", "the server says 404: Job not found.", with("import", "--job", "job_0123456789ABCDEF")...)

			plain, packed := filepath.Join(dir, "out.json"), filepath.Join(dir, "out.json.gz")
			says(t, 0, "", "", with("export", "-o", plain)...)
			says(t, 0, "", "", with("export", "-o", packed, "--connection", defaultDatabase)...)
			checkExport(t, plain, packed)
			out := says(t, 0, "", "", with("export", "--format", "csv", "--fields", "email,user_metadata.a=a", "--limit", "2")...)
			if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || strings.TrimSpace(lines[0]) != "email,a" {
				t.Errorf("csv:\n%s", out)
			}
		})
	}
}

func checkExport(t *testing.T, plain, packed string) {
	t.Helper()
	info, err := os.Stat(plain)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	var emails []string
	for line := range bytes.Lines(b) {
		var u struct{ Email string }
		if err := json.Unmarshal(line, &u); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		emails = append(emails, u.Email)
	}
	slices.Sort(emails)
	if !slices.Contains(emails, "ann@example.com") || !slices.Contains(emails, "bob@example.com") {
		t.Errorf("exported %q", emails)
	}
	if b, err := os.ReadFile(packed); err != nil || !bytes.HasPrefix(b, []byte("\x1f\x8b")) {
		t.Errorf("%d bytes of gzip, %v", len(b), err)
	}
	if rest, err := filepath.Glob(filepath.Join(filepath.Dir(plain), ".mangrove-*")); err != nil || len(rest) > 0 {
		t.Errorf("left behind: %q, %v", rest, err)
	}
}

func TestImportAdvice(t *testing.T) {
	data := database(t)
	file := written(t, "users.json", someUsers)
	url := serving(t, data)
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"nothing to do", "give a FILE", []string{"import", "--data", data}},
		{"two things to do", "give a FILE", []string{"import", file, "--job", "job_0123456789ABCDEF", "--data", data}},
		{"no file", "no such file", []string{"import", file + "x", "--data", data}},
		{"a directory", "is a directory", []string{"import", t.TempDir(), "--data", data}},
		{"no database", "there is no database at", []string{"import", file, "--data", filepath.Join(data, "elsewhere")}},
		{"in use", "add --server URL", []string{"import", file, "--data", data}},
		{"export in use", "add --server URL", []string{"export", "--data", data}},
		{"a client without a server", "add --server URL", []string{"import", file, "--client-id", "x", "--data", data}},
		{"a server without a client", "MANGROVE_CLIENT_SECRET", []string{"import", file, "--server", url}},
		{"a server that is none", "is not the URL of a server", []string{"import", file, "--server", "id.example.com", "--token", "x"}},
		{"a wrong secret", "asking for a token", []string{"import", file, "--server", url, "--client-id", testClient, "--client-secret", "x"}},
		{"a wrong token", "the server says 401", []string{"import", file, "--server", url, "--token", "x"}},
		{"a negative limit", "--limit", []string{"export", "--limit=-1", "--server", url, "--token", "x"}},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, 1, "", c.says, c.args...) })
	}
}

// Whoever stops waiting is told what becomes of the job.
func TestImportStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"job_0123456789ABCDEF","status":"pending"}`)
		case strings.HasPrefix(r.URL.Path, "/api/v2/jobs/"):
			stop()
			_, _ = io.WriteString(w, `{"id":"job_0123456789ABCDEF","status":"processing"}`)
		default:
			_, _ = io.WriteString(w, `[{"id":"con_0123456789abcdef","name":"people"}]`)
		}
	}))
	defer s.Close()
	c := importCommand{File: written(t, "users.json", someUsers)}
	c.Server, c.Token = s.URL, "token"
	err := c.Run(ctx, &config.File{}, streams{io.Discard, io.Discard})
	if err == nil || !strings.Contains(err.Error(), "the server goes on with job_0123456789ABCDEF") || !strings.Contains(err.Error(), s.URL+"/api/v2/jobs/job_0123456789ABCDEF/cancel") {
		t.Errorf("%v", err)
	}
	local := &management{}
	if err := local.left(context.Canceled, "job_1", true); !strings.Contains(err.Error(), "mangrove import --job job_1") {
		t.Errorf("%v", err)
	}
	if err := local.left(io.ErrUnexpectedEOF, "job_1", false); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "job_1") {
		t.Errorf("%v", err)
	}
}

// A server that is away for a moment does not end the waiting.
func TestFollowBridgesAnOutage(t *testing.T) {
	answers := []struct {
		status int
		body   string
	}{
		{503, `{"message":"away"}`}, {200, `{"status":"processing"}`}, {502, `<html>`}, {200, `{"status":"completed","summary":{"total":3}}`},
	}
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := answers[min(n, len(answers)-1)]
		n++
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	defer s.Close()
	m := &management{http: s.Client(), url: s.URL}
	j, err := m.follow(t.Context(), "job_1", newProgress(io.Discard, true))
	if err != nil || j.Status != "completed" || j.Summary.Total != 3 || n != len(answers) {
		t.Errorf("%+v, %v after %d answers", j, err, n)
	}
}

func TestChooseConnection(t *testing.T) {
	one, other, standard := namedConnection{"con_1", "one"}, namedConnection{"con_2", "other"}, namedConnection{"con_3", defaultDatabase}
	for _, c := range []struct {
		name string
		list []namedConnection
		want namedConnection
		ok   bool
	}{
		{"", []namedConnection{one}, one, true},
		{"", []namedConnection{one, standard}, standard, true},
		{"", []namedConnection{one, other}, namedConnection{}, false},
		{"", nil, namedConnection{}, false},
		{"other", []namedConnection{one, other}, other, true},
		{"nobody", []namedConnection{one}, namedConnection{}, false},
	} {
		if got, ok := choose(c.list, c.name); got != c.want || ok != c.ok {
			t.Errorf("%q of %v: %v %v", c.name, c.list, got, ok)
		}
	}
}

func TestExportFields(t *testing.T) {
	got := exportFields([]string{"user_id", "identities[0].connection=database", "user_metadata.a="})
	want := []exportField{{"user_id", ""}, {"identities[0].connection", "database"}, {"user_metadata.a", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// A file that could not be completed is not there.
func TestWriteFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(name, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := writeFile(name, nil, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return io.ErrUnexpectedEOF
	})
	if b, _ := os.ReadFile(name); !errors.Is(err, io.ErrUnexpectedEOF) || string(b) != "before" {
		t.Errorf("%q, %v", b, err)
	}
	list, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
