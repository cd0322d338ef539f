package mgmt

import (
	"net/http"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/web"
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

type bucketKey struct {
	clientID string
	group    group
}

// limiter keeps the buckets of one node.
type limiter struct {
	size    web.Bucket
	buckets web.Buckets[bucketKey]
}

// newLimiter is nil where there is no limit.
func newLimiter(l RateLimit) *limiter {
	size := web.NewBucket(l.Burst, l.PerSecond)
	if size == (web.Bucket{}) {
		return nil
	}
	return &limiter{size: size}
}

// admit counts a call and writes the headers that tell how it stands. A nil
// limiter admits everybody and says nothing.
func (l *limiter) admit(w http.ResponseWriter, rt route, clientID string, now time.Time) error {
	if l == nil {
		return nil
	}
	g := rt.group()
	s := l.buckets.Draw(bucketKey{clientID, g}, l.size, now)
	s.Tell(w.Header())
	if !s.Admitted {
		return tooMany[g]
	}
	return nil
}
