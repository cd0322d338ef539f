package server

import (
	"context"
	"sync"
)

// laterMost bounds the work that goes on after its answer.
const laterMost = 64

// later is work that an answer does not wait for, since its time would tell something:
// the question to a custom database whether somebody is known there.
type later struct {
	slots   chan struct{}
	running sync.WaitGroup
	over    context.Context // ends the work that is under way
	cut     context.CancelFunc
}

func newLater() *later {
	l := &later{slots: make(chan struct{}, laterMost)}
	l.over, l.cut = context.WithCancel(context.Background())
	return l
}

// do runs work beside its caller; where too much is running, the caller waits, and
// whoever gives up meanwhile is left out. The work does not end with ctx.
func (l *later) do(ctx context.Context, work func(ctx context.Context)) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	l.running.Go(func() {
		defer func() { <-l.slots }()
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		defer context.AfterFunc(l.over, stop)()
		work(ctx)
	})
}

// finish returns when all of it is done; what is not when limit ends is cut off. Of a
// server that was not wired there is none.
func (l *later) finish(limit context.Context) {
	if l == nil {
		return
	}
	defer context.AfterFunc(limit, l.cut)()
	l.running.Wait()
}
