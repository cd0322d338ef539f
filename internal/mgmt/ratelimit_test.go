package mgmt

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mangrove/internal/errs"
)

func TestGroups(t *testing.T) {
	want := map[string]group{
		"GET /users": usersRead, "GET /users/{id}": usersRead, "GET /users-by-email": usersRead,
		"POST /users": usersWrite, "PATCH /users/{id}": usersWrite, "DELETE /users/{id}": usersWrite,
		"POST /users/{id}/identities": usersWrite, "DELETE /users/{id}/identities/{provider}/{user_id}": usersWrite,
		"GET /connections": otherCalls, "POST /jobs/users-imports": otherCalls, "GET /users-something": otherCalls,
	}
	for key, g := range want {
		var rt route
		if _, err := fmt.Sscan(key, &rt.method, &rt.path); err != nil {
			t.Fatal(err)
		}
		if got := rt.group(); got != g {
			t.Errorf("%s is in group %d, want %d", key, got, g)
		}
	}
}

func TestNoLimit(t *testing.T) {
	for _, l := range []RateLimit{{}, {Burst: 5}, {PerSecond: 5}} {
		if newLimiter(l) != nil {
			t.Errorf("%+v limits", l)
		}
	}
	rec := httptest.NewRecorder()
	if err := (*limiter)(nil).admit(rec, route{}, "c", time.Now()); err != nil || len(rec.Header()) != 0 {
		t.Errorf("%v, %v", err, rec.Header())
	}
}

func TestLimiterCountsEachCallOnce(t *testing.T) {
	l := newLimiter(RateLimit{Burst: 50, PerSecond: 1})
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			err := l.admit(httptest.NewRecorder(), route{method: "GET", path: "/users"}, "c", time.UnixMicro(at))
			if err == nil {
				admitted.Add(1)
			} else if !errors.Is(err, tooMany[usersRead]) || errs.KindOf(err) != errs.TooMany {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 50 {
		t.Errorf("%d calls of 50", n)
	}
}

func TestRateLimitOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.api.limits = newLimiter(RateLimit{Burst: 2, PerSecond: 0.5})
	bearer := w.machine(t, "read:users update:users read:connections")
	get := func(path string) *httptest.ResponseRecorder { return w.call(t, "GET", path, bearer, "") }
	headers := func(rec *httptest.ResponseRecorder, limit, remaining string, reset int64, retry string) {
		t.Helper()
		h := rec.Header()
		if h.Get("x-ratelimit-limit") != limit || h.Get("x-ratelimit-remaining") != remaining ||
			h.Get("x-ratelimit-reset") != strconv.FormatInt(reset, 10) || h.Get("Retry-After") != retry {
			t.Errorf("headers %v; want %s, %s, %d, %q", h, limit, remaining, reset, retry)
		}
	}
	in := func(s int64) int64 { return w.clock.now().Add(time.Duration(s)*time.Second + time.Second - 1).Unix() }
	rec := get("/users/auth0%7Cann")
	answers(t, rec, 200, nil, nil)
	headers(rec, "2", "1", in(2), "")
	rec = get("/users/auth0%7Cnobody") // a refused call counts, too
	answers(t, rec, 404, nil, nil)
	headers(rec, "2", "0", in(4), "")
	rec = get("/users-by-email?email=ann@example.com")
	answers(t, rec, 429, []string{`{"statusCode":429,"error":"Too Many Requests","message":"Global per second users_read group limit has been reached","errorCode":"too_many_requests"}`}, nil)
	headers(rec, "2", "0", in(4), "2")

	// Other groups and other clients have buckets of their own.
	answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"name":"x"}`), 200, nil, nil)
	answers(t, get("/connections"), 200, nil, nil)
	answers(t, w.call(t, "HEAD", "/connections", bearer, ""), 200, nil, nil)
	answers(t, get("/connections"), 429, []string{"Global limit has been reached"}, nil)
	// Who is nobody has no bucket.
	rec = w.call(t, "GET", "/connections", "", "")
	answers(t, rec, http.StatusUnauthorized, nil, nil)
	if rec.Header().Get("x-ratelimit-limit") != "" {
		t.Error("limits without a client")
	}

	w.clock.forward(2 * time.Second)
	answers(t, get("/users/auth0%7Cann"), 200, nil, nil)
	answers(t, get("/users/auth0%7Cann"), 429, nil, nil)
	if rec := newWorld(t); rec.call(t, "GET", "/users/auth0%7Cann", rec.machine(t, "read:users"), "").Header().Get("x-ratelimit-limit") != "" {
		t.Error("limits that nobody asked for")
	}
}
