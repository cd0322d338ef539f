package fetched

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	noon    = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	errDown = errors.New("down")
)

func never(int, Age) bool { return false }

func always(int, Age) bool { return true }

// Everybody who comes while somebody asks gets that answer, or that failure.
func TestOneAsksForAll(t *testing.T) {
	for _, want := range []error{nil, errDown} {
		synctest.Test(t, func(t *testing.T) {
			var c Cache[int]
			var asked atomic.Int32
			answer := make(chan struct{})
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					v, err := c.Get(t.Context(), "a", noon, always, func(context.Context) (int, error) {
						asked.Add(1)
						<-answer
						return 7, want
					})
					if v != 7 || !errors.Is(err, want) {
						t.Errorf("got %d %v, want %v", v, err, want)
					}
				})
			}
			synctest.Wait() // all of them wait for the answer
			if v, err := c.Get(t.Context(), "b", noon, always, func(context.Context) (int, error) { return 8, nil }); v != 8 || err != nil {
				t.Errorf("another key beside it: %d %v", v, err)
			}
			if v, err := c.Get(t.Context(), "a", noon, never, nil); v != 0 || err != nil {
				t.Errorf("who needs nothing new: %d %v", v, err)
			}
			close(answer)
			group.Wait()
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestWhatIsKept(t *testing.T) {
	var c Cache[int]
	var ages []Age
	look := func(stale bool) func(int, Age) bool {
		return func(_ int, a Age) bool { ages = append(ages, a); return stale }
	}
	get := func(now time.Time, stale bool, v int, fail error) (int, error) {
		return c.Get(t.Context(), "a", now, look(stale), func(context.Context) (int, error) { return v, fail })
	}
	if v, err := get(noon, true, 1, nil); v != 1 || err != nil {
		t.Errorf("first: %d %v", v, err)
	}
	if v, err := get(noon.Add(time.Hour), true, 2, errDown); !errors.Is(err, errDown) {
		t.Errorf("failing: %d %v", v, err)
	}
	if v, err := get(noon.Add(2*time.Hour), false, 3, nil); v != 1 || err != nil {
		t.Errorf("kept: %d %v", v, err)
	}
	want := []Age{{}, {noon, noon}, {noon, noon.Add(time.Hour)}}
	if fmt.Sprint(ages) != fmt.Sprint(want) {
		t.Errorf("ages %v, want %v", ages, want)
	}
}

// Who gives up does not cut off the others.
func TestGivingUp(t *testing.T) {
	var c Cache[int]
	begun, answer := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := c.Get(ctx, "a", noon, always, func(inner context.Context) (int, error) {
			close(begun)
			<-answer
			return 7, inner.Err()
		})
		first <- err
	}()
	<-begun
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who gave up: %v", err)
	}
	close(answer)
	// Whether this one joins or comes afterwards, it gets the answer.
	v, err := c.Get(t.Context(), "a", noon, func(v int, _ Age) bool { return v != 7 }, func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("got %d %v", v, err)
	}
}

func TestPanicsAreErrors(t *testing.T) {
	var c Cache[int]
	if _, err := c.Get(t.Context(), "a", noon, always, func(context.Context) (int, error) { panic("no") }); err == nil {
		t.Error("no error")
	}
	if _, err := c.Get(t.Context(), "a", noon, never, nil); err != nil {
		t.Error(err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var c Cache[int]
	for i := range 2 * maxEntries {
		if _, err := c.Get(t.Context(), fmt.Sprint(i), noon, always, func(context.Context) (int, error) { return i, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.entries) > maxEntries {
		t.Errorf("%d entries", len(c.entries))
	}
}
