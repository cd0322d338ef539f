package parttest

import (
	"runtime"
	"strings"
	"testing"
)

// recorder is a test that only notes how it was ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(string, ...any) { r.ended = "failed"; runtime.Goexit() }

func (r *recorder) Skipf(format string, args ...any) {
	r.ended = "skipped"
	if !strings.HasPrefix(format, "MISSING PART") || len(args) == 0 {
		r.ended = "skipped without a word"
	}
	runtime.Goexit()
}

func TestNeed(t *testing.T) {
	for _, row := range []struct{ value, required, want string }{
		{"/somewhere", "", ""}, {"/somewhere", "1", ""}, {"", "", "skipped"}, {"", "0", "skipped"}, {"", "1", "failed"},
	} {
		t.Setenv("MANGROVE_TEST_NOTHING", row.value)
		t.Setenv(envRequire, row.required)
		r := &recorder{}
		got := ""
		done := make(chan struct{})
		go func() {
			defer close(done)
			got = Need(r, "nothing", "MANGROVE_TEST_NOTHING")
		}()
		<-done
		if r.ended != row.want || got != row.value {
			t.Errorf("%+v: %q, %q", row, r.ended, got)
		}
	}
}
