package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/errs"
)

func renderKind(w http.ResponseWriter, _ *http.Request, err error) {
	e := errs.From(err)
	WriteJSON(w, e.Kind.Status(), TypeJSON, map[string]string{"message": e.Text})
}

// logged serves one request behind Log and chi and gives the answer and the line.
func logged(t *testing.T, h Handler, target string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	var lines bytes.Buffer
	mux := chi.NewRouter()
	mux.Method("GET", "/users/{id}", Serve(h, renderKind))
	w := httptest.NewRecorder()
	Log(slog.New(slog.NewJSONHandler(&lines, nil)))(Escaped(mux)).ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	if n := strings.Count(lines.String(), "\n"); n != 1 {
		t.Fatalf("%d log lines: %s", n, &lines)
	}
	return w, lines.String()
}

func TestServe(t *testing.T) {
	for _, row := range []struct {
		name    string
		h       Handler
		status  int
		body    []string
		log     []string
		logNot  []string
		bodyNot []string
	}{
		{"answers", func(w http.ResponseWriter, r *http.Request) error {
			Note(r, "kind", "good")
			WriteJSON(w, 201, TypeJSON, map[string]string{"a": "<&>"})
			return nil
		}, 201, []string{`{"a":"<&>"}`}, []string{`"status":201`, `"kind":"good"`, `"route":"/users/{id}"`, `"method":"GET"`, `"bytes":11`}, []string{"ann", "secret"}, nil},
		{"refuses", func(http.ResponseWriter, *http.Request) error { return errs.New(errs.NotFound, "", "gone") },
			404, []string{"gone"}, []string{`"status":404`, `"level":"INFO"`}, []string{"ann"}, nil},
		{"too large closes", func(http.ResponseWriter, *http.Request) error { return ErrTooLarge },
			413, []string{"Payload content length greater than maximum allowed: 1048576"}, []string{`"status":413`}, nil, nil},
		{"unknown failure", func(http.ResponseWriter, *http.Request) error { return errors.New("SELECT broke\nat /srv") },
			500, []string{"Internal error."}, []string{`"level":"ERROR"`, `SELECT broke\nat /srv`}, nil, []string{"SELECT"}},
		{"panic of the runtime", func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("%d", []int{}[len("a")]) },
			500, []string{"Internal error."}, []string{"index out of range", "serve_test.go", `"stack"`}, nil, []string{"index out", "serve_test"}},
		{"panic with a person's data", func(http.ResponseWriter, *http.Request) error { panic("ann@example.com") },
			500, []string{"Internal error."}, []string{"panic: string"}, []string{"ann@example.com"}, []string{"ann"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, line := logged(t, row.h, "/users/auth0%7Cann@example.com?secret=1")
			if w.Code != row.status {
				t.Errorf("status %d, want %d", w.Code, row.status)
			}
			if id := w.Header().Get("X-Request-Id"); len(id) != 32 || !strings.Contains(line, id) {
				t.Errorf("request id %q is not in the log line", id)
			}
			if got := w.Header().Get("Connection") == "close"; got != (row.status == 413) {
				t.Errorf("Connection: close is %v", got)
			}
			check(t, w.Body.String(), row.body, row.bodyNot)
			check(t, line, row.log, row.logNot)
		})
	}
}

func check(t *testing.T, text string, want, not []string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(text, s) {
			t.Errorf("%q lacks %q", text, s)
		}
	}
	for _, s := range not {
		if strings.Contains(text, s) {
			t.Errorf("%q has %q", text, s)
		}
	}
}

// A failure behind the first byte must not look like a whole answer.
func TestServeCutsHalfAnswers(t *testing.T) {
	srv := httptest.NewServer(Serve(func(w http.ResponseWriter, _ *http.Request) error {
		if _, err := w.Write([]byte(`[{"a":1}`)); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
		return errors.New("the database went away")
	}, renderKind))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(new(any)); err == nil {
		t.Error("the half answer was read as a whole one")
	}
}

func TestLogNamesNoUnknownRouteOrMethod(t *testing.T) {
	var lines bytes.Buffer
	mux := chi.NewRouter()
	r := httptest.NewRequest("GET", "/users/ann@example.com/x", nil)
	r.Method = "STEAL\x1b[31m"
	Log(slog.New(slog.NewJSONHandler(&lines, nil)))(mux).ServeHTTP(httptest.NewRecorder(), r)
	check(t, lines.String(), []string{`"method":"other"`, `"route":"-"`}, []string{"ann", "STEAL"})
}

func BenchmarkServe(b *testing.B) {
	body := []byte(`{"ok":true}`)
	h := Log(slog.New(slog.DiscardHandler))(Serve(func(w http.ResponseWriter, _ *http.Request) error {
		WriteJSON(w, 200, TypeJSON, body)
		return nil
	}, renderKind))
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
