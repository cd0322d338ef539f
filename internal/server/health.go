package server

import (
	"context"
	"net/http"
	"time"
)

// pingTimeout bounds the readiness check; who asks gives up soon, too.
const pingTimeout = 2 * time.Second

// withHealth adds the two endpoints that orchestrators ask, before everything
// else: they are not logged, and hold no one's secret.
//
//	GET /healthz  200 as long as the process answers
//	GET /readyz   200 when it can serve: the database answers, and it is not shutting down; else 503
func (s *Server) withHealth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			health(w, r, http.StatusOK, "ok")
		case "/readyz":
			status, text := s.ready(r.Context())
			health(w, r, status, text)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) ready(ctx context.Context) (int, string) {
	if s.stopping.Load() {
		return http.StatusServiceUnavailable, "shutting down"
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		s.log.ErrorContext(ctx, "not ready", "error", err)
		return http.StatusServiceUnavailable, "the database does not answer"
	}
	return http.StatusOK, "ready"
}

func health(w http.ResponseWriter, r *http.Request, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		status, text = http.StatusMethodNotAllowed, "GET or HEAD"
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client went away
}
