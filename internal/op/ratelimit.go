package op

import (
	"net/http"
	"time"

	"mangrove/internal/user"
	"mangrove/internal/web"
)

// RateLimit bounds the calls of all to these endpoints, on each node. The zero
// value is no limit.
type RateLimit struct {
	// All is one bucket for every call.
	All web.Bucket
	// Hosted: the bounds are those of the hosted service, endpoint by endpoint, in
	// the place of All.
	Hosted bool
}

// The hosted service's bounds (reference/authentication.md §4.10). What is bounded
// by address or name, and /oidc/register, has bounds without this.
var (
	hostedAll  = web.Bucket{Burst: 300, Each: time.Minute / 300}
	hostedUser = web.Bucket{Burst: 10, Each: time.Minute / 5} // /userinfo, of one user
	hostedOf   = map[string]web.Bucket{
		"/oauth/token":           {Burst: 30, Each: time.Second / 30},
		"/.well-known/jwks.json": {Burst: 20, Each: time.Second / 20},
	}
)

// bucketName is the bucket of one path, of one user, or of all (both empty).
type bucketName struct{ path, userID string }

// bucketOf is the rule of which bucket a call takes from; no size: none.
func (l RateLimit) bucketOf(path string) (bucketName, web.Bucket) {
	if !l.Hosted {
		return bucketName{}, l.All
	}
	if b, own := hostedOf[path]; own {
		return bucketName{path: path}, b
	}
	return bucketName{}, hostedAll
}

// limited lets a handler be called as often as the endpoint may be.
func (e *Endpoints) limited(path string, next web.Handler) web.Handler {
	name, size := e.d.RateLimit.bucketOf(path)
	if size == (web.Bucket{}) {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := e.draw(w, name, size); err != nil {
			return err
		}
		return next(w, r)
	}
}

// limitUser bounds what is asked about one user.
func (e *Endpoints) limitUser(w http.ResponseWriter, userID string) error {
	if !e.d.RateLimit.Hosted {
		return nil
	}
	return e.draw(w, bucketName{userID: userID}, hostedUser)
}

func (e *Endpoints) draw(w http.ResponseWriter, name bucketName, size web.Bucket) error {
	s := e.buckets.Draw(name, size, e.d.Now())
	s.Tell(w.Header())
	if s.Admitted {
		return nil
	}
	return &user.Locked{Why: user.ErrTooOften, Wait: time.Duration(s.Wait) * time.Second}
}
