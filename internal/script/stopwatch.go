package script

import (
	"sync"
	"time"
)

// stopwatch counts for how long JavaScript is at work, and rings when that was too
// long. It stands still while JavaScript waits for Go.
type stopwatch struct {
	limit time.Duration
	ring  func()

	mu      sync.Mutex
	used    time.Duration
	began   time.Time
	running bool
	timer   *time.Timer
}

// ringAgain is how soon it rings again: who begins to work hears no ring of before.
const ringAgain = 10 * time.Millisecond

// over reports whether nothing is left.
func (w *stopwatch) over() bool { return w.used >= w.limit }

func (w *stopwatch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.running = time.Now(), true
	left := max(w.limit-w.used, 0)
	if w.timer == nil {
		w.timer = time.AfterFunc(left, w.alarm)
	} else {
		w.timer.Reset(left)
	}
}

func (w *stopwatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		w.used += time.Since(w.began)
		w.running = false
		w.timer.Stop()
	}
}

func (w *stopwatch) alarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		w.ring()
		w.timer.Reset(ringAgain)
	}
}
