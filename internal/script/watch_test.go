package script

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mangrove/internal/outbound"
)

func TestWatch(t *testing.T) {
	w := newWatch(4)
	if w.share != 2 || w.most != 4 {
		t.Fatalf("%d %d", w.share, w.most)
	}
	enter := func(source string) *program {
		t.Helper()
		p, err := w.enter(source)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p, q := enter("a"), enter("a")
	if p != q || cap(p.share) != 2 {
		t.Error("two runs of a script are of one")
	}
	var one, two fate
	if !w.lose(p, &one) || !w.lose(q, &two) {
		t.Error("the first lost runs give back their places")
	}
	if _, err := w.enter("a"); err == nil {
		t.Error("a script of which runs are lost is run")
	}
	if w.admit(p) == nil {
		t.Error("one that waited is run")
	}
	w.leave(enter("b")) // another is
	w.ended(p, &one)
	w.leave(p)
	if _, err := w.enter("a"); err == nil {
		t.Error("a script of which a run is lost still is run")
	}
	w.ended(q, &two)
	w.leave(q)
	w.leave(enter("a"))

	var late fate
	p = enter("a")
	w.ended(p, &late)
	if w.lose(p, &late) || p.lost != 0 || w.lost != 0 {
		t.Error("a run that has ended is not lost")
	}
	w.leave(p)
	for i := range 5 {
		var f fate
		if kept := !w.lose(enter(string(rune('c'+i))), &f); kept != (i == 4) {
			t.Errorf("lost run %d keeps its place: %v", i+1, kept)
		}
	}
	if len(w.programs) != 5 {
		t.Errorf("%d scripts are remembered", len(w.programs))
	}
}

// blocked is a source of chance that keeps who asks it: no interrupt ends that.
type blocked struct{ arrived, leave chan struct{} }

func (b blocked) Read(p []byte) (int, error) {
	b.arrived <- struct{}{}
	<-b.leave
	return len(p), nil
}

// security.md 108: what a script costs that nothing stops is bounded, and it is nobody
// else's failure.
func TestLostRuns(t *testing.T) {
	stone := blocked{make(chan struct{}), make(chan struct{})}
	defer close(stone.leave)
	e := New(outbound.New(loopback), stone, 1)
	e.grace, e.spareLife = time.Millisecond, 0
	hostile := Call{Source: `(cb) => { require('crypto').randomBytes(8); cb() }`, Limits: Limits{Time: time.Hour, Busy: time.Hour}}
	ctx, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, hostile)
		first <- err
	}()
	<-stone.arrived
	stop()
	if err := <-first; kind(err) != TooLong || !strings.Contains(err.Error(), "does not stop") {
		t.Fatal(err)
	}
	for range 2 { // it takes no place, and no second core
		if _, err := e.Run(t.Context(), hostile); kind(err) != Busy || !strings.Contains(err.Error(), "restart the server") {
			t.Errorf("again: %v", err)
		}
		if _, err := e.Run(t.Context(), Call{Source: `(cb) => cb()`, Limits: Limits{Time: time.Minute}}); err != nil {
			t.Errorf("another script: %v", err)
		}
	}
}

// TestShare: one script that waits for its provider leaves places for the others.
func TestShare(t *testing.T) {
	e := New(outbound.New(loopback), rand.Reader, 2)
	e.spareLife = 0
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-leave
	}))
	defer s.Close()
	waiting := Call{Source: `(url, cb) => request(url, cb)`, Args: []any{s.URL}}
	first := make(chan error, 1)
	go func() {
		_, err := e.Run(context.Background(), waiting)
		first <- err
	}()
	<-arrived
	waiting.Limits.Time = time.Millisecond
	if _, err := e.Run(t.Context(), waiting); kind(err) != Busy {
		t.Errorf("beyond its share: %v", err)
	}
	if _, err := e.Run(t.Context(), Call{Source: `(cb) => cb()`, Limits: Limits{Time: time.Minute}}); err != nil {
		t.Errorf("another script: %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestWorking: of one script at most cores() runs have JavaScript at work at a time. Those
// that wait outside are not counted, and another script goes on beside. The clock is that
// of the bubble: it goes on when all wait.
func TestWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stone := blocked{make(chan struct{}), make(chan struct{})}
		n := cores() + 2
		e := New(outbound.New(loopback), stone, 2*n+2)
		e.spareLife = 0
		limits := Limits{Time: time.Hour, Busy: time.Hour}
		call := Call{Source: `(cb) => setTimeout(() => { require('crypto').randomBytes(8); cb() }, 1000)`, Limits: limits}
		ends := make(chan error)
		for range n {
			go func() {
				_, err := e.Run(t.Context(), call)
				ends <- err
			}()
		}
		synctest.Wait()
		p := e.watch.programs[call.Source]
		if len(p.share) != n || len(p.working) != 0 {
			t.Errorf("%d runs, all of which wait: %d count as at work", len(p.share), len(p.working))
		}
		for range cores() { // all timers ring
			<-stone.arrived
		}
		synctest.Wait()
		select {
		case <-stone.arrived:
			t.Error("more runs are at work than the script may have cores")
		default:
		}
		if _, err := e.Run(t.Context(), Call{Source: `(cb) => setTimeout(cb, 1000)`, Limits: limits}); err != nil {
			t.Errorf("another script: %v", err)
		}
		stopped := call
		stopped.Limits.Time = time.Minute
		if _, err := e.Run(t.Context(), stopped); kind(err) != TooLong {
			t.Errorf("a run that waits for its turn for too long: %v", err)
		}
		for range n - cores() {
			stone.leave <- struct{}{} // one ends, the next one begins
			<-stone.arrived
		}
		for range cores() {
			stone.leave <- struct{}{}
		}
		for range n {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestWorkingPanics: a panic of the engine gives the core back.
func TestWorkingPanics(t *testing.T) {
	r := run{ctx: t.Context(), working: make(chan struct{}, 1), mask: newMask(nil)}
	r.busy.limit, r.busy.ring = time.Hour, func() {}
	defer r.busy.stop()
	var err error
	func() {
		defer r.caught(&err)
		err = r.timed(func() error { panic("a wild pointer") })
	}()
	if kind(err) != Broken || len(r.working) != 0 {
		t.Errorf("%v, %d at work", err, len(r.working))
	}
}

func kind(err error) Kind {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}
