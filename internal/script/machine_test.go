package script

import (
	"crypto/rand"
	"testing"
	"time"

	"mangrove/internal/outbound"
)

// TestReserve: a machine is made ahead, no script finds anything of another in it,
// and it is given up.
func TestReserve(t *testing.T) {
	e := New(outbound.New(nil), rand.Reader, 1)
	e.spareLife = time.Hour
	c := Call{
		Source: `(cb) => { const seen = [globalThis.left, Array.prototype.left]; globalThis.left = 1; Array.prototype.left = 1; cb(null, seen) }`,
		Limits: Limits{Time: time.Minute, Busy: time.Minute},
	}
	for range 4 {
		out, err := e.Run(t.Context(), c)
		if err != nil || string(out.Result) != "[null,null]" {
			t.Fatalf("%s, %v", out.Result, err)
		}
		e.slots <- struct{}{} // the only one: what comes after a run is over, too
		if len(e.spare) != 1 {
			t.Fatal("no machine in reserve")
		}
		<-e.slots
	}
	e.forget()
	if len(e.spare) != 0 {
		t.Error("still in reserve")
	}
	e.forget()
	e.reserve()
	e.reserve()
	if len(e.spare) != 1 {
		t.Error("reserve made none")
	}
	e.forget()
}

// BenchmarkReserve is a run that finds a machine in reserve.
func BenchmarkReserve(b *testing.B) {
	e := New(outbound.New(nil), rand.Reader, 1)
	c := Call{Source: `function (token, ctx, cb) { cb(null, {user_id: ctx.sub}) }`, Args: []any{"tok", map[string]any{"sub": "u-1"}}}
	for range b.N {
		b.StopTimer()
		e.slots <- struct{}{}
		e.reserve()
		<-e.slots
		b.StartTimer()
		if _, err := e.Run(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}
