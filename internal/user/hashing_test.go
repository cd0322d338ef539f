package user

import (
	"context"
	"errors"
	"testing"
)

// TestHashingQueueIsBounded fills the one place to run and the one to wait; the
// next caller is told at once, and a caller that gives up frees its place.
func TestHashingQueueIsBounded(t *testing.T) {
	h := NewHashing(1, 1)
	running, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- h.do(t.Context(), func() { close(running); <-release })
	}()
	<-running

	ctx, giveUp := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- h.do(ctx, func() { t.Error("ran after it gave up") }) }()
	for len(h.waiting) < cap(h.waiting) { // until the second waits
		select {
		case err := <-second:
			t.Fatal(err)
		default:
		}
	}
	if err := h.do(t.Context(), func() { t.Error("ran beyond the limit") }); !errors.Is(err, ErrBusy) {
		t.Fatalf("third caller: %v, want ErrBusy", err)
	}
	giveUp()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Fatalf("second caller: %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	ran := false
	if err := h.do(t.Context(), func() { ran = true }); err != nil || !ran {
		t.Fatalf("after all have gone: ran=%v, %v", ran, err)
	}
}

func TestVerifyOfNobody(t *testing.T) {
	h := NewHashing(0, 0)
	ok, rehash, err := h.Verify(t.Context(), "", "anything")
	if ok || rehash != "" || err != nil {
		t.Fatalf("an empty stored form: %v %q %v", ok, rehash, err)
	}
}

func TestMatches(t *testing.T) {
	h := NewHashing(0, 0)
	const md5 = `{"algorithm":"md5","hash":{"value":"0cbc6611f5540bd0809a388dc95a615b","encoding":"hex"}}` // of Test
	for _, c := range []struct {
		stored, password string
		want             bool
	}{{md5, "Test", true}, {md5, "test", false}, {"", "Test", false}, {"nonsense", "Test", false}} {
		if ok, err := h.Matches(t.Context(), c.stored, c.password); ok != c.want || err != nil {
			t.Errorf("%q with %q: %v, %v", c.stored, c.password, ok, err)
		}
	}
}

// What fails in a hash fails in its caller.
func TestHashingPanics(t *testing.T) {
	h := NewHashing(1, 1)
	defer func() {
		if got := recover(); got != "a fault" {
			t.Errorf("recovered %v", got)
		}
		if err := h.do(t.Context(), func() {}); err != nil {
			t.Errorf("the place was not given back: %v", err)
		}
	}()
	_ = h.do(t.Context(), func() { panic("a fault") })
}
