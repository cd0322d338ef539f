package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

func encodeForm(m map[string]string) string {
	v := url.Values{}
	for k, s := range m {
		v.Set(k, s)
	}
	return v.Encode()
}

// served gives the status and the parameter that the route /users/{id} saw.
func served(target string) (status int, id string) {
	mux := chi.NewRouter()
	mux.Method("GET", "/users/{id}", Serve(func(w http.ResponseWriter, r *http.Request) error {
		var err error
		if id, err = Param(r, "id"); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}, renderKind))
	w := httptest.NewRecorder()
	r, err := http.NewRequest("GET", target, nil)
	if err != nil {
		return 0, ""
	}
	Escaped(mux).ServeHTTP(w, r)
	return w.Code, id
}

func TestParam(t *testing.T) {
	for _, row := range []struct {
		name, segment string
		status        int
		id            string
	}{
		{"encoded bar", "auth0%7C1", 204, "auth0|1"},
		{"raw bar", "auth0|1", 204, "auth0|1"},
		{"slash stays in its segment", "samlp%7Ca%2Fb", 204, "samlp|a/b"},
		{"dots stay in their segment", "..%2f..%2fclients", 204, "../../clients"},
		{"unescaped once", "a%2541", 204, "a%41"},
		{"unescaped once beside a slash", "a%2541%2F", 204, "a%41/"},
		{"plus is a plus", "a+b", 204, "a+b"},
		{"blank", "a%20b", 204, "a b"},
		{"NUL", "auth0%7C%00", 400, ""},
		{"bad UTF-8", "auth0%7C%ff", 400, ""},
		{"another segment", "a/b", 404, ""},
		{"nothing", "", 404, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, id := served("/users/" + row.segment)
			if status != row.status || id != row.id {
				t.Errorf("got %d %q, want %d %q", status, id, row.status, row.id)
			}
		})
	}
}

// The law: an id that is text comes out as it went in, whatever it is made of.
func FuzzParam(f *testing.F) {
	for _, s := range []string{"auth0|1", "a/b", "../x", "%41", "é", "\x00", "\xff", ";", "?", "#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			return
		}
		status, id := served("/users/" + strings.ReplaceAll(url.PathEscape(s), ".", "%2e"))
		switch {
		case !text(s):
			if status != 400 {
				t.Fatalf("%q: %d", s, status)
			}
		case status != 204 || id != s:
			t.Fatalf("%q: %d %q", s, status, id)
		}
	})
}
