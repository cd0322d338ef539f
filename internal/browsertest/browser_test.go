package browsertest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBrowser(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'")
		switch r.URL.Path {
		case "/":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", HttpOnly: true, Secure: true})
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>t</title><main><h1>Form</h1><form method="post" action="/done"><label>Name <input name="name" id="name"></label><button>Go</button></form></main>`))
		case "/done":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`<!doctype html><title>t</title><h1>` + r.FormValue("name") + `</h1><script>alert(1)</script><img src="x">`))
		}
	}))
	defer srv.Close()
	b := Open(t, Options{})
	if got := b.Goto(srv.URL); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if v := b.Axe(); len(v) != 0 {
		t.Errorf("a good page: %+v", v)
	}
	b.Fill("#name", "Ada")
	if got := b.Value("#name"); got != "Ada" {
		t.Errorf("typed %q", got)
	}
	if got := b.Complaints(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := b.Follow("button"); got != srv.URL+"/done" {
		t.Errorf("at %s", got)
	}
	if got := b.Text("h1"); got != "Ada" {
		t.Errorf("shown %q", got)
	}
	if got := strings.Join(b.Complaints(), " "); !strings.Contains(got, "Content Security Policy") {
		t.Errorf("refusals of the policy are not told: %q", got)
	}
	if v := b.Axe(); len(v) == 0 {
		t.Error("a bad page has no violations")
	}
	if c := b.Cookies(); len(c) != 1 || c[0].Name != "seen" || !c[0].HTTPOnly || !c[0].Secure {
		t.Errorf("cookies %+v", c)
	}
	b.Forget()
	if c := b.Cookies(); len(c) != 0 {
		t.Errorf("cookies %+v", c)
	}
}
