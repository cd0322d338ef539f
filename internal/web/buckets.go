package web

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Bucket is the size of a token bucket: Burst calls at once, then one for each
// Each. The zero value is no limit.
type Bucket struct {
	Burst int64
	Each  time.Duration
}

// NewBucket is Burst at once and perSecond in the long run; the zero value where
// one of them is none.
func NewBucket(burst int, perSecond float64) Bucket {
	if burst <= 0 || perSecond <= 0 {
		return Bucket{}
	}
	return Bucket{Burst: int64(burst), Each: max(1, time.Duration(float64(time.Second)/perSecond))}
}

// maxBuckets is how many buckets are kept, twice: those of late and those before.
const maxBuckets = 10_000

// Buckets keeps the buckets of one node. A bucket is the moment at which it will
// be full again, in nanoseconds; one that is not there is full. The zero value is ready.
type Buckets[K comparable] struct {
	mu          sync.Mutex
	late, early map[K]int64
}

// Draw takes one call from the bucket of k, whose size is b.
func (l *Buckets[K]) Draw(k K, b Bucket, now time.Time) Standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, ok := l.late[k]
	if !ok {
		full = l.early[k]
		switch {
		case l.late == nil:
			l.late = map[K]int64{}
		case len(l.late) >= maxBuckets:
			// Who has not called for the last maxBuckets others starts afresh.
			l.late, l.early = map[K]int64{}, l.late
		}
	}
	next, s := spend(full, now.UnixNano(), b.Burst, int64(b.Each))
	s.Limit = b.Burst
	l.late[k] = next
	return s
}

// Standing is how a bucket is after a call.
type Standing struct {
	Admitted  bool
	Limit     int64 // calls at once
	Remaining int64 // calls that would be admitted now
	Reset     int64 // when the bucket is full again, unix seconds
	Wait      int64 // seconds until a refused call would be admitted
}

// Tell writes the headers that say so (reference/authentication.md §4.10).
func (s Standing) Tell(h http.Header) {
	h["X-Ratelimit-Limit"] = []string{strconv.FormatInt(s.Limit, 10)}
	h["X-Ratelimit-Remaining"] = []string{strconv.FormatInt(s.Remaining, 10)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(s.Reset, 10)}
	if !s.Admitted {
		h["Retry-After"] = []string{strconv.FormatInt(s.Wait, 10)}
	}
}

// spend takes one call from a bucket of burst calls that gets one back each so
// many nanoseconds. full is when the bucket would be full again, in nanoseconds
// as now is; next is that moment after the call. A clock that jumped back does
// not lock anybody out for longer than an empty bucket does.
func spend(full, now, burst, each int64) (next int64, s Standing) {
	size := burst * each
	full = min(max(full, now), now+size)
	next = full + each
	if over := next - now - size; over > 0 {
		return full, Standing{Reset: seconds(full), Wait: seconds(over)}
	}
	return next, Standing{Admitted: true, Remaining: (size - (next - now)) / each, Reset: seconds(next)}
}

// seconds rounds nanoseconds up.
func seconds(ns int64) int64 {
	const second = int64(time.Second)
	return (ns + second - 1) / second
}
