package server

import "sync"

// laterMost bounds the work that goes on after its answer.
const laterMost = 64

// later is work that an answer does not wait for, since its time would tell something:
// the question to a custom database whether somebody is known there.
type later struct {
	slots   chan struct{}
	running sync.WaitGroup
}

func newLater() *later { return &later{slots: make(chan struct{}, laterMost)} }

// do runs work beside its caller; where too much is running, the caller waits.
func (l *later) do(work func()) {
	l.slots <- struct{}{}
	l.running.Go(func() {
		defer func() { <-l.slots }()
		work()
	})
}

// wait returns when all of it is done. Of a server that was not wired there is none.
func (l *later) wait() {
	if l != nil {
		l.running.Wait()
	}
}
