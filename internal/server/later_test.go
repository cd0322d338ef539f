package server

import (
	"context"
	"testing"
)

func TestLater(t *testing.T) {
	l := newLater()
	release, n := make(chan struct{}), 0
	results := make(chan struct{}, 2*laterMost)
	for range laterMost {
		l.do(t.Context(), func(context.Context) { <-release; results <- struct{}{} })
	}
	waiting := make(chan struct{})
	go func() { // nobody is left out: whoever finds no room waits
		l.do(t.Context(), func(context.Context) { results <- struct{}{} })
		close(waiting)
	}()
	gone, leave := context.WithCancel(t.Context())
	leave()
	l.do(gone, func(context.Context) { results <- struct{}{} }) // but for whoever has gone
	close(release)
	<-waiting
	l.finish(t.Context())
	for len(results) > 0 {
		<-results
		n++
	}
	if n != laterMost+1 {
		t.Errorf("%d of %d were done", n, laterMost+1)
	}
}

// The end of a server cuts off what is under way, and nothing before.
func TestLaterIsCutOff(t *testing.T) {
	l := newLater()
	asks, leave := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan error, 1)
	l.do(asks, func(ctx context.Context) {
		leave()
		if ctx.Err() != nil {
			t.Error("the work ended with its caller")
		}
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
	})
	<-began
	limit, cut := context.WithCancel(t.Context())
	cut()
	l.finish(limit)
	if err := <-ended; err == nil {
		t.Error("it was not cut off")
	}
	(*later)(nil).finish(limit)
}
