package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// The whole play comes out as the mission says, and leaves nothing behind.
func TestPlay(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	if err := Run(t.Context(), Options{Out: &out, Once: true}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if list, err := os.ReadDir(os.TempDir()); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	for i := range mission() {
		if !strings.Contains(out.String(), fmt.Sprintf("\n── %d  ", i+1)) {
			t.Errorf("act %d is not told", i+1)
		}
	}
	for n, line := range strings.Split(out.String(), "\n") {
		if len([]rune(line)) > width+4 {
			t.Errorf("line %d is %d characters long: %s", n+1, len([]rune(line)), line)
		}
	}
}

// Whoever has seen enough gets out at once, and that is no failure.
func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	if err := Run(ctx, Options{Out: &canceller{after: "── 2", cancel: cancel}}); err != nil {
		t.Errorf("%v", err)
	}
	if list, err := os.ReadDir(os.TempDir()); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

// canceller cancels when it is told a certain line.
type canceller struct {
	after  string
	cancel func()
}

func (c *canceller) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.after) {
		c.cancel()
	}
	return len(b), nil
}

// A server that answers otherwise is noticed: the checks look at values.
func TestWrongServer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		fmt.Fprint(w, `{"user_id":"auth0|1","name":"Ann Lee","given_name":"Ann","family_name":"Lee","nickname":"annie"}`)
	}))
	defer srv.Close()
	var out strings.Builder
	p := &play{printer: &printer{w: &out}, http: srv.Client(), base: srv.URL}
	err := p.run(t.Context(), mission()[:1])
	if err == nil || p.failed != 1 || !strings.Contains(out.String(), "picture is absent and should be") {
		t.Errorf("%v, %d failed:\n%s", err, p.failed, out.String())
	}
	srv.Close()
	if err := p.run(t.Context(), mission()[:1]); err == nil {
		t.Error("no server, and no failure")
	}
}
