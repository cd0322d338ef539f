package server

import "testing"

func TestLater(t *testing.T) {
	l := newLater()
	release, n := make(chan struct{}), 0
	results := make(chan struct{}, 2*laterMost)
	for range laterMost {
		l.do(func() { <-release; results <- struct{}{} })
	}
	waiting := make(chan struct{})
	go func() { // nobody is left out: whoever finds no room waits
		l.do(func() { results <- struct{}{} })
		close(waiting)
	}()
	close(release)
	<-waiting
	l.wait()
	for len(results) > 0 {
		<-results
		n++
	}
	if n != laterMost+1 {
		t.Errorf("%d of %d were done", n, laterMost+1)
	}
}
