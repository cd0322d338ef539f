package mgmt

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/user"
)

func TestMatchVersions(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		want  []int64
	}{
		{nil, nil},
		{[]string{"*"}, nil},
		{[]string{`"1", *`}, nil},
		{[]string{`"7"`}, []int64{7}},
		{[]string{`"7", "8"`, `"9"`}, []int64{7, 8, 9}},
		{[]string{`W/"7"`}, []int64{noVersion}},
		{[]string{`7`}, []int64{noVersion}},
		{[]string{`"07"`, `"+7"`, `"0"`, `"-1"`, `"99999999999999999999"`}, []int64{noVersion, noVersion, noVersion, noVersion, noVersion}},
		{[]string{""}, []int64{noVersion}},
	} {
		if got := matchVersions(tc.lines); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %v, want %v", tc.lines, got, tc.want)
		}
	}
}

func TestIfVersion(t *testing.T) {
	broken := errors.New("the store is down")
	current := func(n int64, err error) func() (int64, error) { return func() (int64, error) { return n, err } }
	for _, tc := range []struct {
		name    string
		lines   []string
		current func() (int64, error)
		want    int64
		err     error
	}{
		{"no header", nil, nil, 0, nil},
		{"one", []string{`"3"`}, nil, 3, nil},
		{"one of several", []string{`"3", "4"`}, current(4, nil), 4, nil},
		{"none of several", []string{`"3", "4"`}, current(5, nil), noVersion, nil},
		{"several of nobody", []string{`"3", "4"`}, current(0, user.ErrNotFound), noVersion, nil},
		{"several of nothing", []string{`"3", "4"`}, current(0, connection.ErrNotFound), noVersion, nil},
		{"several, unknown", []string{`"3", "4"`}, current(0, broken), 0, broken},
	} {
		if got, err := ifVersion(tc.lines, tc.current); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %d, %v", tc.name, got, err)
		}
	}
}

// FuzzMatchVersions states the law: whatever the header is, a version that is
// found is one that etag writes.
func FuzzMatchVersions(f *testing.F) {
	f.Add(`"1"`)
	f.Add(`W/"1", *,,"2"`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, n := range matchVersions([]string{line}) {
			if n != noVersion && !strings.Contains(line, etag(n)) {
				t.Fatalf("%q: %d", line, n)
			}
		}
	})
}

// Each kind of thing that has a version, and each change of it.
func TestConditionalChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users update:users delete:users read:connections update:connections delete:connections")
		for _, row := range []struct {
			name, path, body string
			deleted          int
			gone             int
		}{
			{"user", "/users/auth0%7Cann", `{"name":"%"}`, 204, 404},
			{"connection", "/connections/" + disabledID, `{"display_name":"%"}`, 202, 404},
		} {
			t.Run(row.name, func(t *testing.T) {
				call := func(method, value string, match ...string) *httptest.ResponseRecorder {
					body := ""
					if method == "PATCH" {
						body = strings.ReplaceAll(row.body, "%", value)
					}
					var headers []string
					for _, m := range match {
						headers = append(headers, "If-Match", m)
					}
					return w.call(t, method, row.path, bearer, body, headers...)
				}
				tag := func(rec *httptest.ResponseRecorder) string { return rec.Header().Get("ETag") }
				first := tag(call("GET", ""))
				changed := call("PATCH", "one", first)
				answers(t, changed, 200, []string{"one"}, nil)
				second := tag(changed)
				if first == "" || second == "" || first == second {
					t.Fatalf("tags %q, %q", first, second)
				}
				for _, stale := range []string{first, "W/" + second, `"999"`, first + `, "998"`, "nonsense"} {
					for _, method := range []string{"PATCH", "DELETE"} {
						rec := call(method, "two", stale)
						answers(t, rec, 412, []string{`{"statusCode":412,"error":"Precondition Failed","message":"The ` + row.name + ` was changed since it was read.","errorCode":"precondition_failed"}`}, nil)
						if tag(rec) != second {
							t.Errorf("%s of %s tells %s, want %s", method, stale, tag(rec), second)
						}
					}
				}
				if got := call("GET", ""); tag(got) != second || strings.Contains(got.Body.String(), "two") {
					t.Errorf("changed by a refused call: %s", got.Body)
				}
				rec := call("PATCH", "three", `"999", `+second)
				answers(t, rec, 200, []string{"three"}, nil)
				answers(t, call("PATCH", "four", "*"), 200, []string{"four"}, nil)
				answers(t, call("PATCH", "five"), 200, []string{"five"}, nil)
				answers(t, call("DELETE", "", tag(call("GET", ""))), row.deleted, nil, nil)
				answers(t, call("DELETE", "", `"1"`), 204, nil, nil) // what was to be done is done
				answers(t, call("PATCH", "six", `"1"`), row.gone, nil, nil)
			})
		}
	})
}

// Twenty edits of what all of them have read: one wins, the others learn of it.
func TestOneOfManyConditionalEdits(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users update:users update:connections read:connections delete:users")
		for path, body := range map[string]string{"/users/auth0%7Cann": `{"nickname":"%"}`, "/connections/" + googleID: `{"display_name":"%"}`} {
			tag := w.call(t, "GET", path, bearer, "").Header().Get("ETag")
			got := at20(func(i int) int {
				return w.call(t, "PATCH", path, bearer, strings.ReplaceAll(body, "%", "n"+strconv.Itoa(i)), "If-Match", tag).Code
			})
			if got[200] != 1 || got[412] != 19 {
				t.Errorf("%s: %v", path, got)
			}
		}
		// An edit and a deletion of one version: not both.
		tag := w.call(t, "GET", "/users/auth0%7Cann", bearer, "").Header().Get("ETag")
		got := at20(func(i int) int {
			if i%2 == 0 {
				return w.call(t, "DELETE", "/users/auth0%7Cann", bearer, "", "If-Match", tag).Code
			}
			return w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"nickname":"x`+strconv.Itoa(i)+`"}`, "If-Match", tag).Code
		})
		if got[200] == 1 && (got[204] != 0 || got[412] != 19) || got[200] == 0 && (got[204] != 10 || got[412]+got[404] != 10) || got[200] > 1 {
			t.Errorf("outcomes: %v", got)
		}
	})
}

// at20 runs fn twenty times at once and counts the statuses.
func at20(fn func(i int) int) map[int]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	out := map[int]int{}
	for i := range 20 {
		wg.Go(func() {
			<-start
			status := fn(i)
			mu.Lock()
			defer mu.Unlock()
			out[status]++
		})
	}
	close(start)
	wg.Wait()
	return out
}

// A connection that is edited while its tag is read from the cache of the node.
func TestTagOfAConnectionIsNotStale(t *testing.T) {
	w := newWorld(t)
	bearer := w.machine(t, "read:connections update:connections")
	path := "/connections/" + usersID
	w.call(t, "GET", path, bearer, "")
	_, err := w.store.UpdateConnection(t.Context(), usersID, func(c *connection.Connection) error { return nil }, audit.Event{Type: audit.APIOperation, At: at})
	must(t, err)
	rec := w.call(t, "PATCH", path, bearer, `{"display_name":"x"}`, "If-Match", `"1"`)
	answers(t, rec, 412, nil, nil)
	if got := rec.Header().Get("ETag"); got != `"2"` {
		t.Errorf("tag %s", got)
	}
}
