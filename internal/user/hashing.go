package user

import (
	"context"
	"runtime"

	"mangrove/internal/passwd"
)

// Hashing bounds how many password hashes are computed at once, and how many
// callers wait for their turn: a flood of sign-ins must not starve cheap
// requests, nor wait until its clients have gone (performance.md, design 8).
type Hashing struct {
	running chan struct{}
	waiting chan struct{}
}

// NewHashing allows parallel computations at once (0: one per processor) and
// queue callers in wait (0: 64 for each of them).
func NewHashing(parallel, queue int) *Hashing {
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	if queue <= 0 {
		queue = 64 * parallel
	}
	return &Hashing{running: make(chan struct{}, parallel), waiting: make(chan struct{}, parallel+queue)}
}

// Patient takes the same turns for work in the background, which rather waits
// than is refused, and of which there is little at once.
func (h *Hashing) Patient() *Hashing {
	return &Hashing{running: h.running, waiting: make(chan struct{}, 1024)}
}

// do runs fn in its turn. ErrBusy when the queue is full.
func (h *Hashing) do(ctx context.Context, fn func()) error {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return ErrBusy
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	apart(fn)
	return nil
}

// apart runs fn on a thread of its own, of lower priority where the system has
// that, so that whoever waits for a processor to answer a request gets it before
// a hash does. The thread ends with fn, since a priority cannot be raised again.
func apart(fn func()) {
	var failed any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { failed = recover() }()
		runtime.LockOSThread() // and never unlocked: so the thread ends
		yieldToOthers()
		fn()
	}()
	if <-done; failed != nil {
		panic(failed)
	}
}

// Hash makes the stored form of a password.
func (h *Hashing) Hash(ctx context.Context, password string) (stored string, err error) {
	if busy := h.do(ctx, func() { stored, err = passwd.Hash(password) }); busy != nil {
		return "", busy
	}
	return stored, err
}

// HashAny is Hash for a password that was good elsewhere, whatever its length.
func (h *Hashing) HashAny(ctx context.Context, password string) (stored string, err error) {
	if busy := h.do(ctx, func() { stored, err = passwd.HashAny(password) }); busy != nil {
		return "", busy
	}
	return stored, err
}

// Matches is Verify for hashes that stay elsewhere: it makes no new form.
func (h *Hashing) Matches(ctx context.Context, stored, password string) (ok bool, err error) {
	busy := h.do(ctx, func() {
		if stored == "" {
			ok = passwd.Dummy(password)
			return
		}
		ok, _ = passwd.Verify(stored, password)
	})
	return ok, busy
}

// Verify reports whether the password matches, and a new stored form where the
// old one is not the one that we write. An empty stored form costs as much as a
// real one and never matches, so that the answer's time does not tell who exists.
func (h *Hashing) Verify(ctx context.Context, stored, password string) (ok bool, rehash string, err error) {
	busy := h.do(ctx, func() {
		if stored == "" {
			passwd.Dummy(password)
			return
		}
		var old bool
		if ok, old = passwd.Verify(stored, password); ok && old {
			rehash, _ = passwd.Hash(password) // too long for our form: the old one stays
		}
	})
	return ok, rehash, busy
}
