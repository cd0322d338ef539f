package mgmt

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"mangrove/internal/errs"
)

// RateLimit bounds the calls of one client to one group of endpoints
// (reference/users.md §4.3): Burst calls at once, PerSecond in the long run. The
// zero value is no limit.
type RateLimit struct {
	Burst     int
	PerSecond float64
}

// group is the endpoints that share a bucket.
type group uint8

const (
	usersRead group = iota
	usersWrite
	otherCalls
)

// tooMany are the refusals, by group.
var tooMany = [...]error{
	usersRead:  errs.New(errs.TooMany, "too_many_requests", "Global per second users_read group limit has been reached"),
	usersWrite: errs.New(errs.TooMany, "too_many_requests", "Global per second users_write group limit has been reached"),
	otherCalls: errs.New(errs.TooMany, "too_many_requests", "Global limit has been reached"),
}

func (rt route) group() group {
	switch {
	case rt.path != "/users-by-email" && rt.path != "/users" && !strings.HasPrefix(rt.path, "/users/"):
		return otherCalls
	case rt.method == http.MethodGet:
		return usersRead
	default:
		return usersWrite
	}
}

// maxBuckets is how many buckets are kept, twice: those of late and those before.
const maxBuckets = 10_000

type bucketKey struct {
	clientID string
	group    group
}

// limiter keeps the buckets of one node. A bucket is the moment at which it will
// be full again, in nanoseconds; one that is not there is full.
type limiter struct {
	burst int64
	each  int64 // nanoseconds until one call comes back

	mu          sync.Mutex
	late, early map[bucketKey]int64
}

// newLimiter is nil where there is no limit.
func newLimiter(l RateLimit) *limiter {
	if l.Burst <= 0 || l.PerSecond <= 0 {
		return nil
	}
	each := max(1, int64(float64(time.Second)/l.PerSecond))
	return &limiter{burst: int64(l.Burst), each: each, late: map[bucketKey]int64{}}
}

// admit counts a call and writes the headers that tell how it stands. A nil
// limiter admits everybody and says nothing.
func (l *limiter) admit(w http.ResponseWriter, rt route, clientID string, now time.Time) error {
	if l == nil {
		return nil
	}
	g := rt.group()
	s := l.count(bucketKey{clientID, g}, now.UnixNano())
	h := w.Header()
	h["X-Ratelimit-Limit"] = []string{strconv.FormatInt(l.burst, 10)}
	h["X-Ratelimit-Remaining"] = []string{strconv.FormatInt(s.remaining, 10)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(s.reset, 10)}
	if !s.admitted {
		h["Retry-After"] = []string{strconv.FormatInt(s.wait, 10)}
		return tooMany[g]
	}
	return nil
}

func (l *limiter) count(k bucketKey, now int64) standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, ok := l.late[k]
	if !ok {
		full = l.early[k]
		if len(l.late) >= maxBuckets {
			// Who has not called for the last maxBuckets others starts afresh.
			l.late, l.early = map[bucketKey]int64{}, l.late
		}
	}
	next, s := spend(full, now, l.burst, l.each)
	l.late[k] = next
	return s
}

// standing is how a bucket is after a call.
type standing struct {
	admitted  bool
	remaining int64 // calls that would be admitted now
	reset     int64 // when the bucket is full again, unix seconds
	wait      int64 // seconds until a refused call would be admitted
}

// spend takes one call from a bucket of burst calls that gets one back each so
// many nanoseconds. full is when the bucket would be full again, in nanoseconds
// as now is; next is that moment after the call. A clock that jumped back does
// not lock anybody out for longer than an empty bucket does.
func spend(full, now, burst, each int64) (next int64, s standing) {
	size := burst * each
	full = min(max(full, now), now+size)
	next = full + each
	if over := next - now - size; over > 0 {
		return full, standing{reset: seconds(full), wait: seconds(over)}
	}
	return next, standing{admitted: true, remaining: (size - (next - now)) / each, reset: seconds(next)}
}

// seconds rounds nanoseconds up.
func seconds(ns int64) int64 {
	const second = int64(time.Second)
	return (ns + second - 1) / second
}
