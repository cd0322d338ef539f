package op

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/web"
)

func TestBucketOf(t *testing.T) {
	all := web.NewBucket(5, 1)
	for _, row := range []struct {
		limit RateLimit
		path  string
		name  bucketName
		size  web.Bucket
	}{
		{RateLimit{}, "/oauth/token", bucketName{}, web.Bucket{}},
		{RateLimit{All: all}, "/oauth/token", bucketName{}, all},
		{RateLimit{All: all}, "/authorize", bucketName{}, all},
		{RateLimit{Hosted: true}, "/authorize", bucketName{}, hostedAll},
		{RateLimit{Hosted: true}, "/oauth/token", bucketName{path: "/oauth/token"}, web.Bucket{Burst: 30, Each: time.Second / 30}},
	} {
		if name, size := row.limit.bucketOf(row.path); name != row.name || size != row.size {
			t.Errorf("%+v %s: %+v %+v", row.limit, row.path, name, size)
		}
	}
}

// limit mounts the endpoints anew, with limits.
func (w *world) limit(l RateLimit) {
	w.d.RateLimit = l
	w.mux = chi.NewMux()
	w.Mount(w.mux)
}

func TestRateLimit(t *testing.T) {
	w := newWorld(t)
	if h := w.send(t, "GET", "/.well-known/jwks.json", "").Header(); h.Get("X-RateLimit-Limit") != "" {
		t.Errorf("limits that nobody asked for: %v", h)
	}
	w.limit(RateLimit{All: web.NewBucket(2, 0.5)})
	tells := func(rec *httptest.ResponseRecorder, status int, remaining, retry string, reset time.Duration) {
		t.Helper()
		h := rec.Header()
		if rec.Code != status || h.Get("X-RateLimit-Limit") != "2" || h.Get("X-RateLimit-Remaining") != remaining || h.Get("Retry-After") != retry ||
			h.Get("X-RateLimit-Reset") != strconv.FormatInt(w.at.Add(reset).Unix(), 10) {
			t.Errorf("%d %v", rec.Code, h)
		}
	}
	tells(w.post(t, form("grant_type", "client_credentials", "client_id", machine, "client_secret", secret, "audience", apiID)), 200, "1", "", 2*time.Second)
	tells(w.post(t, form("grant_type", "x")), 403, "0", "", 4*time.Second)
	rec := w.post(t, form("grant_type", "x"))
	tells(rec, 429, "0", "2", 4*time.Second)
	if m := answer(t, rec); m["error"] != "too_many_requests" {
		t.Errorf("%v", m)
	}
	tells(w.send(t, "GET", "/authorize?client_id="+webApp+"&response_type=code", ""), 429, "0", "2", 4*time.Second)
	tells(w.send(t, "POST", "/dbconnections/signup", `{}`), 429, "0", "2", 4*time.Second)
	w.at = w.at.Add(2 * time.Second)
	tells(w.post(t, form("grant_type", "x")), 403, "0", "", 4*time.Second)
}

func TestHostedRateLimit(t *testing.T) {
	w := newWorld(t)
	rec := w.post(t, form("grant_type", passwordRealm, "realm", "Users", "username", "ann@example.com", "password", secretPW, "client_id", webApp, "client_secret", secret, "scope", "openid"))
	bearer := text(answer(t, rec), "access_token")
	w.limit(RateLimit{Hosted: true})
	for range hostedUser.Burst {
		if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+bearer); rec.Code != 200 || rec.Header().Get("X-RateLimit-Limit") != "10" {
			t.Fatalf("%d %v", rec.Code, rec.Header())
		}
	}
	if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+bearer); rec.Code != 429 || rec.Header().Get("Retry-After") != "12" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	// Who is nobody takes nothing from anybody's bucket.
	if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer x"); rec.Code != 401 {
		t.Errorf("%d", rec.Code)
	}
	if rec := w.post(t, form("grant_type", "x")); rec.Code != 403 || rec.Header().Get("X-RateLimit-Limit") != "30" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}
