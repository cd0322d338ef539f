package config

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parse runs what cmd/mangrove runs: kong over arguments, the process
// environment and a file.
func parse(t *testing.T, args []string, env map[string]string, file string) (Config, error) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), "mangrove.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	var flags Flags
	f := &File{}
	k, err := kong.New(&flags, f.Option(), kong.Exit(func(int) { t.Fatal("kong wants to exit") }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse(args); err != nil {
		return Config{}, err
	}
	return flags.Parse(f, os.Getenv)
}

func TestPrecedence(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		env  map[string]string
		file string
		want string
	}{
		{"nothing", nil, nil, "", "localhost:8080"},
		{"file", nil, nil, "listen: 127.0.0.1:1", "127.0.0.1:1"},
		{"environment over file", nil, map[string]string{"MANGROVE_LISTEN": "127.0.0.1:2"}, "listen: 127.0.0.1:1", "127.0.0.1:2"},
		{"flag over environment and file", []string{"--listen=127.0.0.1:3"}, map[string]string{"MANGROVE_LISTEN": "127.0.0.1:2"}, "listen: 127.0.0.1:1", "127.0.0.1:3"},
		{"flag over file", []string{"--listen", "127.0.0.1:3"}, nil, "listen: 127.0.0.1:1", "127.0.0.1:3"},
		{"an empty variable counts as unset", nil, map[string]string{"MANGROVE_LISTEN": ""}, "listen: 127.0.0.1:1", "127.0.0.1:1"},
		{"an empty variable leaves the default", nil, map[string]string{"MANGROVE_LISTEN": ""}, "", "localhost:8080"},
		{"null in the file leaves the default", nil, nil, "listen: null", "localhost:8080"},
		{"TLS moves the default", []string{"--tls-dev"}, nil, "", "localhost:8443"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, tc.args, tc.env, tc.file)
			if err != nil {
				t.Fatal(err)
			}
			if c.Listen != tc.want {
				t.Errorf("listen = %q, want %q", c.Listen, tc.want)
			}
		})
	}
}

// Empty variables must not undo the defaults that kong knows.
func TestEmptyVariableKeepsDefault(t *testing.T) {
	c, err := parse(t, nil, map[string]string{"MANGROVE_DATA": "", "MANGROVE_IMPORT_LIMIT": ""}, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "./data" || c.ImportLimit != 10<<30 {
		t.Errorf("data %q, import limit %d", c.Data, c.ImportLimit)
	}
}

func TestSwitches(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		env  map[string]string
		file string
		want bool
	}{
		{"absent", nil, nil, "", false},
		{"flag alone", []string{"--neutral-picture"}, nil, "", true},
		{"flag with value", []string{"--neutral-picture=no"}, map[string]string{"MANGROVE_NEUTRAL_PICTURE": "yes"}, "", false},
		{"environment", nil, map[string]string{"MANGROVE_NEUTRAL_PICTURE": "1"}, "neutral-picture: false", true},
		{"file, boolean", nil, nil, "neutral-picture: true", true},
		{"file, word", nil, nil, "neutral-picture: on", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(t, tc.args, tc.env, tc.file)
			if err != nil {
				t.Fatal(err)
			}
			if c.NeutralPicture != tc.want {
				t.Errorf("got %v", c.NeutralPicture)
			}
		})
	}
}

func TestEverySettingFromFile(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	for _, p := range []string{cert, key} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := parse(t, nil, nil, `
# comments are fine
data: `+dir+`
database: postgres://app:pw@db.example:5432/mangrove
log-format: json
log-level: warn
listen: ":8443"
public-url: https://ID.example.com:443/
tls-cert: `+cert+`
tls-key: `+key+`
tls-dev: no
trusted-proxies: [10.0.0.0/8, 192.0.2.7]
outbound-allow: 127.0.0.0/8, ::1
import-limit: 3MiB
import-jobs: 2
neutral-picture: yes
management-rate-limit: 50/16.5
authentication-rate-limit: hosted
sms: directory
sms-per-hour: 20
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: ":8443", PublicURL: "https://id.example.com", Data: dir,
		Database: "postgres://app:pw@db.example:5432/mangrove", TLSCert: cert, TLSKey: key,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")},
		OutboundAllow:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		SMSDirectory:   true, SMSPerHour: 20,
		ImportLimit: 3 << 20, ImportJobs: 2, NeutralPicture: true, ManagementBurst: 50, ManagementRate: 16.5, AuthenticationHosted: true, LogFormat: "json", LogLevel: 4,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if c.Issuer() != "https://id.example.com/" || c.ManagementAudience() != "https://id.example.com/api/v2/" || !c.TLS() || c.SQLite() {
		t.Errorf("issuer %q, audience %q, TLS %v, SQLite %v", c.Issuer(), c.ManagementAudience(), c.TLS(), c.SQLite())
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parse(t,
		[]string{"--listen=nowhere", "--database=mysql://u:hunter2@h/x", "--import-limit=lots", "--tls-dev=perhaps"},
		map[string]string{
			"MANGROVE_PUBLIC_URL":                   "ftp://x",
			"MANGROVE_OUTBOUND_ALLOW":               "10.0.0.1/8,10.0.0.0/99",
			"MANGROVE_SECRETS_KEY":                  "dG9vc2hvcnQ=",
			"MANGROVE_BOOTSTRAP_CLIENT_ID":          "abc",
			"MANGROVE_LOG_LEVEL":                    "loud",
			"MANGROVE_DATA":                         "/tmp",
			"MANGROVE_LOG_FORMAT":                   "xml",
			"MANGROVE_TLS_CERT":                     "/nonexistent/cert.pem",
			"MANGROVE_TRUSTED_PROXIES":              "proxy.example",
			"MANGROVE_NOT_A_SETTING_FROM_ELSEWHERE": "fine",
		},
		"listne: x\ntls-key: {a: b}\nlog-level: info\nlog-level: warn\n")
	var m Mistakes
	if !errors.As(err, &m) {
		t.Fatalf("got %v, want Mistakes", err)
	}
	text := err.Error()
	for _, part := range []string{
		`unknown setting "listne"`, `line 2: "tls-key" has to be`, `"log-level" is set twice`,
		`--listen: "nowhere"`, `--database: neither`, `--import-limit: "lots"`, `--tls-dev: "perhaps"`,
		`--public-url: "ftp://x"`, `--outbound-allow: "10.0.0.1/8" has host bits set; the network would be 10.0.0.0/8`,
		`--outbound-allow: "10.0.0.0/99"`, `MANGROVE_SECRETS_KEY: has to be the base64 of 32 bytes`,
		`MANGROVE_BOOTSTRAP_CLIENT_ID, MANGROVE_BOOTSTRAP_CLIENT_SECRET: one`, `MANGROVE_BOOTSTRAP_CLIENT_ID: has to be`,
		`--log-level: "loud"`, `--log-format: "xml"`, `--tls-cert: stat /nonexistent/cert.pem`, `--tls-cert, --tls-key: one`,
		`--trusted-proxies: "proxy.example"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("not told: %s", part)
		}
	}
	if len(m) != 18 {
		t.Errorf("%d mistakes, want 18:\n%s", len(m), text)
	}
	for _, secret := range []string{"hunter2", "dG9vc2hvcnQ="} {
		if strings.Contains(text, secret) {
			t.Errorf("the text repeats the secret %q", secret)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for _, tc := range []struct {
		name, flag, listen string
		tls                bool
		want               string
		mistake            string // part of the text; empty: none
	}{
		{"from loopback", "", "127.0.0.1:8080", false, "http://127.0.0.1:8080", ""},
		{"from a name", "", "localhost:8080", false, "http://localhost:8080", ""},
		{"from all addresses", "", ":8443", true, "https://localhost:8443", ""},
		{"from 0.0.0.0", "", "0.0.0.0:80", false, "http://localhost", ""},
		{"from IPv6", "", "[::1]:8080", false, "http://[::1]:8080", ""},
		{"from an open port", "", "127.0.0.1:0", false, "", "is needed when --listen leaves the port open"},
		{"open port, URL given", "http://127.0.0.1:9", "127.0.0.1:0", false, "http://127.0.0.1:9", ""},
		{"slash", "https://a.example/", ":1", false, "https://a.example", ""},
		{"default port", "http://a.example:80", ":1", false, "http://a.example", ""},
		{"other port", "https://a.example:80", ":1", false, "https://a.example:80", ""},
		{"capitals", "HTTPS://A.Example", ":1", false, "https://a.example", ""},
		{"path", "https://a.example/auth", ":1", false, "", "must not have a path"},
		{"query", "https://a.example?x=1", ":1", false, "", "must not have a query"},
		{"empty query", "https://a.example?", ":1", false, "", "must not have a query"},
		{"fragment", "https://a.example#x", ":1", false, "", "must not have a query or a fragment"},
		{"empty fragment", "https://a.example#", ":1", false, "", "must not have a query or a fragment"},
		{"user", "https://u:p@a.example", ":1", false, "", "user name or password"},
		{"no host", "https://", ":1", false, "", "not an http or https URL"},
		{"no scheme", "a.example", ":1", false, "", "not an http or https URL"},
		{"bad port", "https://a.example:0", ":1", false, "", "not a port"},
		{"http over TLS", "http://a.example", ":1", true, "", "the server speaks https"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p parser
			got := p.publicURL(tc.flag, tc.listen, tc.tls)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if err := p.err(); (err == nil) != (tc.mistake == "") || (err != nil && !strings.Contains(err.Error(), tc.mistake)) {
				t.Errorf("mistake %v, want %q", err, tc.mistake)
			}
		})
	}
}

func TestDatabase(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		sqlite   bool
		ok       bool
	}{
		{"", filepath.Join("d", "mangrove.db"), true, true},
		{"/var/lib/m.db", "/var/lib/m.db", true, true},
		{"sqlite:///var/lib/m.db", "/var/lib/m.db", true, true},
		{"postgres://u@h/x", "postgres://u@h/x", false, true},
		{"postgresql:///x?host=/run/postgresql", "postgresql:///x?host=/run/postgresql", false, true},
		{"postgres://", "postgres://", false, false},
		{"mysql://u@h/x", "mysql://u@h/x", true, false},
	} {
		var p parser
		c := Config{Data: "d", Database: p.database(tc.in)}
		if c.DatabaseURL() != tc.want || c.SQLite() != tc.sqlite || (p.err() == nil) != tc.ok {
			t.Errorf("%q: %q, SQLite %v, %v", tc.in, c.DatabaseURL(), c.SQLite(), p.err())
		}
	}
}

func TestSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"512000", 512_000, true}, {"500KB", 500_000, true}, {"500 kb", 500_000, true}, {"1KiB", 1024, true},
		{"2G", 2_000_000_000, true}, {"2GiB", 2 << 30, true}, {"", 10 << 30, true}, {"7B", 7, true},
		{"0", 0, false}, {"-1", 0, false}, {"1.5MB", 0, false}, {"1iB", 0, false}, {"MB", 0, false},
		{"99999999999GB", 0, false}, {"9223372036854775808", 0, false},
	} {
		var p parser
		if got := p.size("--import-limit", tc.in); got != tc.want || (p.err() == nil) != tc.ok {
			t.Errorf("size(%q) = %d, %v", tc.in, got, p.err())
		}
	}
}

func TestNumber(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{{"", 0, true}, {"0", 0, true}, {" 2 ", 2, true}, {"9", 9, true}, {"10", 0, false}, {"-1", 0, false}, {"two", 0, false}, {"1.5", 0, false}} {
		var p parser
		if got := p.number("--import-jobs", tc.in, 9); got != tc.want || (p.err() == nil) != tc.ok {
			t.Errorf("number(%q) = %d, %v", tc.in, got, p.err())
		}
	}
}

// Flags, environment and file have one name for a setting: what differs is
// only how each writes it. No two settings read one variable.
func TestNames(t *testing.T) {
	k, err := kong.New(&Flags{}, (&File{}).Option())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	var flags []string
	for _, f := range k.Model.Flags {
		if f.Name == "help" {
			continue
		}
		want := "MANGROVE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if len(f.Envs) != 1 || f.Envs[0] != want {
			t.Errorf("--%s reads %v, want %s", f.Name, f.Envs, want)
			continue
		}
		if other, twice := seen[want]; twice {
			t.Errorf("--%s and --%s both read %s", f.Name, other, want)
		}
		seen[want] = f.Name
		if f.Help == "" {
			t.Errorf("--%s has no help", f.Name)
		}
		if f.Name != "config" {
			flags = append(flags, f.Name)
		}
	}
	for _, secret := range []string{"MANGROVE_SECRETS_KEY", "MANGROVE_BOOTSTRAP_CLIENT_ID", "MANGROVE_BOOTSTRAP_CLIENT_SECRET"} {
		if _, taken := seen[secret]; taken {
			t.Errorf("a flag reads %s", secret)
		}
		if !strings.Contains(EnvironmentHelp, secret) {
			t.Errorf("--help does not tell %s", secret)
		}
	}
	if got := names(); !slices.Equal(got, flags) {
		t.Errorf("the file knows %v, the flags are %v", got, flags)
	}
}

func TestKeys(t *testing.T) {
	key := func(b byte) []byte { return slices.Repeat([]byte{b}, 32) }
	text := func(b byte) string { return base64.StdEncoding.EncodeToString(key(b)) }

	t.Run("environment", func(t *testing.T) {
		c, err := parse(t, nil, map[string]string{"MANGROVE_SECRETS_KEY": text(1) + "," + text(2)}, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Keys(false)
		if err != nil || !reflect.DeepEqual(got, [][]byte{key(1), key(2)}) {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("made once, for the owner alone", func(t *testing.T) {
		c := Config{Data: filepath.Join(t.TempDir(), "data")}
		first, err := c.Keys(true)
		if err != nil || len(first) != 1 || len(first[0]) != 32 {
			t.Fatalf("%v, %v", first, err)
		}
		second, err := c.Keys(false)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%v, then %v, %v", first, second, err)
		}
		for path, want := range map[string]os.FileMode{c.Data: 0o700, filepath.Join(c.Data, "secrets.key"): 0o600} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
			}
		}
	})
	t.Run("missing beside an old database", func(t *testing.T) {
		c := Config{Data: t.TempDir()}
		if _, err := c.Keys(false); err == nil {
			t.Error("no error")
		}
		if list, _ := os.ReadDir(c.Data); len(list) != 0 {
			t.Errorf("a key was made: %v", list)
		}
	})
	t.Run("spoilt", func(t *testing.T) {
		c := Config{Data: t.TempDir()}
		if err := os.WriteFile(filepath.Join(c.Data, "secrets.key"), []byte("oops\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Keys(true); err == nil || strings.Contains(err.Error(), "oops") {
			t.Errorf("error %v", err)
		}
	})
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    Config
		want int
	}{
		{"loopback http", Config{Listen: "127.0.0.1:8080", PublicURL: "http://127.0.0.1:8080"}, 0},
		{"localhost http", Config{Listen: ":8080", PublicURL: "http://localhost:8080"}, 0},
		{"http for everybody", Config{Listen: ":8080", PublicURL: "http://id.example.com"}, 1},
		{"https by a proxy that is not named", Config{Listen: ":8080", PublicURL: "https://id.example.com"}, 1},
		{"https by a proxy", Config{Listen: ":8080", PublicURL: "https://id.example.com", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, 0},
		{"TLS of our own", Config{Listen: ":443", PublicURL: "https://id.example.com", TLSCert: "c"}, 0},
	} {
		if got := tc.c.Warnings(); len(got) != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"list": "- a\n", "scalar": "hello", "broken": "listen: [", "huge": strings.Repeat("# filler\n", maxFile/8),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, nil, nil, text)
			if err == nil || !strings.Contains(err.Error(), "--config") {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := parse(t, []string{"--config=/nonexistent/m.yaml"}, nil, ""); err == nil {
		t.Error("a missing file is no error")
	}
}

// Law: no file makes readYAML panic, and what it accepts are known settings.
func FuzzFile(f *testing.F) {
	f.Add([]byte("listen: 127.0.0.1:1\nimport-limit: 5\n"))
	f.Add([]byte("a: &a [*a]\n? {}\n: x\n"))
	f.Add([]byte("tls-dev: !!bool yes\ntrusted-proxies:\n  - 10.0.0.0/8\n"))
	known := names()
	f.Fuzz(func(t *testing.T, b []byte) {
		values, problems := readYAML(b)
		for k := range values {
			if !slices.Contains(known, k) {
				t.Errorf("accepted %q; problems %v", k, problems)
			}
		}
	})
}

func TestAuthenticationRateLimit(t *testing.T) {
	for text, want := range map[string]Config{
		"": {}, "300/5": {AuthenticationBurst: 300, AuthenticationRate: 5}, "hosted": {AuthenticationHosted: true}, "host": {}, "300": {},
	} {
		c, err := parse(t, nil, map[string]string{"MANGROVE_AUTHENTICATION_RATE_LIMIT": text}, "")
		if c.AuthenticationBurst != want.AuthenticationBurst || c.AuthenticationRate != want.AuthenticationRate || c.AuthenticationHosted != want.AuthenticationHosted {
			t.Errorf("%q: %d/%g, %v", text, c.AuthenticationBurst, c.AuthenticationRate, c.AuthenticationHosted)
		}
		if wrong := text == "host" || text == "300"; wrong != (err != nil && strings.Contains(err.Error(), "--authentication-rate-limit")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRateLimit(t *testing.T) {
	for text, want := range map[string]Config{
		"":          {},
		"50/16":     {ManagementBurst: 50, ManagementRate: 16},
		"1/0.001":   {ManagementBurst: 1, ManagementRate: 0.001},
		"50":        {},
		"0/1":       {},
		"5/0":       {},
		"5/0.000":   {},
		"-5/1":      {},
		"5/1e9":     {},
		"5/1/s":     {},
		"9999999/1": {},
	} {
		t.Run(text, func(t *testing.T) {
			c, err := parse(t, nil, map[string]string{"MANGROVE_MANAGEMENT_RATE_LIMIT": text}, "")
			if c.ManagementBurst != want.ManagementBurst || c.ManagementRate != want.ManagementRate {
				t.Errorf("got %d/%g", c.ManagementBurst, c.ManagementRate)
			}
			if wrong := text != "" && want.ManagementBurst == 0; wrong != (err != nil && strings.Contains(err.Error(), "--management-rate-limit")) {
				t.Errorf("error %v", err)
			}
		})
	}
}
