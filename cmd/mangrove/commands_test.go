package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"mangrove/internal/config"
)

// runs the program and returns its status and both outputs.
func program(args ...string) (status int, out, err string) {
	var stdout, stderr bytes.Buffer
	status = run(args, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// Every command tells how it is called, by an example.
func TestHelp(t *testing.T) {
	for _, name := range []string{"serve", "demo", "migrate", "import", "export", "migration", "script", "bench", "gallery", "version"} {
		status, out, _ := program(name, "--help")
		if status != 0 || !strings.Contains(out, "Example") || !strings.Contains(out, "\n    mangrove "+name) {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
		_, all, _ := program("--help")
		if !strings.Contains(all, "\n  "+name) {
			t.Errorf("--help does not tell %s", name)
		}
	}
	for _, name := range []string{"migration status", "migration people", "script run", "script check"} {
		status, out, _ := program(append(strings.Fields(name), "--help")...)
		if status != 0 || !strings.Contains(out, "\n    mangrove "+name) {
			t.Errorf("%s: status %d\n%s", name, status, out)
		}
	}
	if _, out, _ := program(); !strings.Contains(out, "Usage: mangrove") {
		t.Errorf("no arguments: %s", out)
	}
}

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"version", []string{"version"}, 0, ""},
		{"unknown command", []string{"dance"}, 2, "dance"},
		{"unknown flag", []string{"serve", "--dance"}, 2, "--dance"},
		{"settings, all at once", []string{"serve", "--listen=x", "--import-limit=y"}, 2, "2 settings are wrong"},
		{"a secret is no flag", []string{"serve", "--secrets-key=x"}, 2, "unknown flag"},
		{"missing file", []string{"serve", "--config=/nonexistent/m.yaml"}, 2, "m.yaml"},
		{"failure", []string{"migrate", "--data=/dev/null/x"}, 1, "/dev/null"},
		{"bench without a secret", []string{"bench", "--client-id=c"}, 1, "MANGROVE_BENCH_CLIENT_SECRET"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _, stderr := program(tc.args...)
			if status != tc.want || !strings.Contains(stderr, tc.says) {
				t.Errorf("status %d, want %d, and %q in:\n%s", status, tc.want, tc.says, stderr)
			}
		})
	}
}

// The secret of the first start is on the standard output, once, and never in
// the log.
func TestServeTellsTheSecretOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	serve := func() (out, log string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var logged bytes.Buffer
		stdout := &bytes.Buffer{}
		c := serveCommand{}
		c.Data, c.LogLevel, c.LogFormat = data, "debug", "json"
		c.Listen, c.PublicURL = "127.0.0.1:0", "http://localhost:8080"
		std := streams{stdout, writerFunc(func(b []byte) (int, error) {
			logged.Write(b)
			if bytes.Contains(b, []byte(`"msg":"ready"`)) {
				cancel()
			}
			return len(b), nil
		})}
		if err := c.Run(ctx, &config.File{}, std); err != nil {
			t.Fatal(err)
		}
		return stdout.String(), logged.String()
	}
	out, log := serve()
	m := regexp.MustCompile(`client secret +(\S{64})\n`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no secret in\n%s", out)
	}
	if strings.Contains(log, m[1]) {
		t.Error("the secret is in the log")
	}
	if again, _ := serve(); strings.Contains(again, "client secret") || !strings.Contains(again, "ready at http://localhost:8080") {
		t.Errorf("the second start says\n%s", again)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestMigrateCommand(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if status, out, stderr := program("migrate", "--data", data); status != 0 || !strings.Contains(out, ", was 0") {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
	if status, out, stderr := program("migrate", "--data", data); status != 0 || !strings.Contains(out, "nothing to do") {
		t.Errorf("again: status %d: %s%s", status, out, stderr)
	}
}

func TestVersionLine(t *testing.T) {
	for _, tc := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, `^mangrove unknown go\S+ \w+/\w+$`},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, `^mangrove v1\.2\.3 go`},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"},
		}}, `^mangrove \(devel\) \(0123456789ab, modified\) go`},
	} {
		if got := versionLine(tc.info); !regexp.MustCompile(tc.want).MatchString(got) {
			t.Errorf("%q does not match %s", got, tc.want)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	if isTerminal(io.Discard) || isTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is a terminal")
	}
}
