package page

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/errs"
)

func TestSource(t *testing.T) {
	rows := []struct{ url, want string }{
		{"https://app.example/cb?x=1#y", "https://app.example"},
		{"http://localhost:3000/cb", "http://localhost:3000"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"http://[::1]:8080/cb", "http:"},
		{"com.example.app:/cb", "com.example.app:"},
		{"com.example.app://host/cb", "com.example.app:"},
		{"", ""},
		{"/relative", ""},
		{"https://", ""},
		{"javascript:alert(1)", ""},
		{"data:text/html,x", ""},
		{"https://a.example;script-src", ""},
		{"https://a.example 'unsafe-inline'", ""},
		{"https://*.example/cb", ""},
		{"https://user:pass@a.example/", "https://a.example"},
	}
	for _, row := range rows {
		if got := source(row.url); got != row.want {
			t.Errorf("source(%q) = %q, want %q", row.url, got, row.want)
		}
	}
}

func TestLanding(t *testing.T) {
	for url, want := range map[string]string{
		"https://app.example/cb": "https:", "http://localhost:3000": "http: https:", "com.example.app://cb": "com.example.app:",
		"": "", "/x": "", "javascript:alert(1)": "", "https://a.example;script-src *": "",
	} {
		if got := strings.Join(landing(url), " "); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
}

// The law: whatever the URL, the policy keeps its directives and gains none.
func FuzzPolicy(f *testing.F) {
	for _, s := range []string{"https://a.example/cb", "https://a;b", "x y:z", "http://[::1]", "https://a.example,https://b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		with := policy{nonce: "n", targets: []string{target}}.text()
		without := policy{nonce: "n"}.text()
		rest, ok := strings.CutPrefix(with, without)
		if !ok || strings.ContainsAny(rest, ";,'*\r\n") || len(strings.Fields(rest)) > 2 {
			t.Fatalf("%q gives %q", target, with)
		}
	})
}

func TestFail(t *testing.T) {
	rows := []struct {
		err     error
		status  int
		shown   string
		unshown string
	}{
		{errs.New(errs.Invalid, "invalid_request", "No such state.").Because(errors.New("sql secret")), 400, "No such state.", "sql secret"},
		{errors.New("dial tcp 10.0.0.1: refused"), 500, "could not finish", "10.0.0.1"},
		{errs.New(errs.Unavailable, "", "Try again.").Because(errors.New("disk full")), 503, "Try again.", "disk"},
	}
	for _, row := range rows {
		w := httptest.NewRecorder()
		if err := renderer(t, "").Fail(w, httptest.NewRequest(http.MethodGet, "/", nil), row.err, "ref-1"); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if w.Code != row.status || !strings.Contains(body, row.shown) || strings.Contains(body, row.unshown) || !strings.Contains(body, "ref-1") {
			t.Errorf("%v: %d %s", row.err, w.Code, body)
		}
		if (w.Header().Get("Retry-After") != "") != (row.status == 503) {
			t.Errorf("%v: Retry-After %q", row.err, w.Header().Get("Retry-After"))
		}
		if w.Header().Get("Strict-Transport-Security") != "" {
			t.Error("HSTS over plain http")
		}
	}
}

func TestFormPostTargets(t *testing.T) {
	for _, action := range []string{"", "/relative", "javascript:alert(1)", "com.example.app://cb", "data:text/html,x", "https:///x"} {
		w := httptest.NewRecorder()
		if err := renderer(t, "").Show(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, FormPost{Action: action}); !errors.Is(err, ErrFormTarget) || w.Body.Len() != 0 {
			t.Errorf("%q: %v", action, err)
		}
	}
	w := shown(t, renderer(t, ""), FormPost{Action: "http://localhost:3000/cb?a=1&b=2"})
	if got := named(parse(t, scriptOf.ReplaceAllString(w.Body.String(), "")), "form")[0].attr["action"]; got != "http://localhost:3000/cb?a=1&b=2" {
		t.Errorf("action %q", got)
	}
}

// A page that cannot be drawn writes nothing, so that an error page can follow.
func TestNoHalfPage(t *testing.T) {
	p, err := New(Config{Rand: strings.NewReader("short")})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := p.Show(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, Told{Kind: ToldSignedOut}); err == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("%v, %d bytes", err, w.Body.Len())
	}
}

func TestNoncesDiffer(t *testing.T) {
	p := renderer(t, "")
	seen := map[string]bool{}
	for range 50 {
		w := shown(t, p, Told{Kind: ToldSignedOut})
		seen[nonceOf.FindStringSubmatch(w.Header().Get("Content-Security-Policy"))[1]] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d different nonces of 50", len(seen))
	}
}
