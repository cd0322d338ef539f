package web

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// record is what becomes the log line of a request. It is the response writer
// too, so that one allocation serves both.
type record struct {
	http.ResponseWriter
	id      string
	route   string
	status  int
	bytes   int64
	notes   []slog.Attr
	failure error  // what is behind a 5xx
	stack   string // of a panic
}

type recordKey struct{}

func recordOf(r *http.Request) *record {
	x, _ := r.Context().Value(recordKey{}).(*record)
	return x
}

func (x *record) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *record) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the server's writer.
func (x *record) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush sends what was written so far.
func (x *record) Flush() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	_ = http.NewResponseController(x.ResponseWriter).Flush() // nothing to do where it cannot
}

// attach gives the request a record, unless it has one.
func attach(w http.ResponseWriter, r *http.Request) (*record, *http.Request) {
	if x := recordOf(r); x != nil {
		if w != http.ResponseWriter(x) {
			// Something wrapped the writer in between: write through it.
			return &record{ResponseWriter: w, id: x.id}, r
		}
		return x, r
	}
	x := &record{ResponseWriter: w, id: newID()}
	return x, r.WithContext(context.WithValue(r.Context(), recordKey{}, x))
}

func newID() string {
	const digits = "0123456789abcdef"
	var b [32]byte
	for i := 0; i < len(b); i += 16 {
		v := rand.Uint64()
		for j := range 16 {
			b[i+j] = digits[v&15]
			v >>= 4
		}
	}
	return string(b[:])
}

// Log writes one line for each request: method, route pattern, status, bytes,
// duration, request id, notes. Never the path, which may hold an e-mail address,
// nor the query string. It also sends the id as X-Request-Id.
func Log(logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			x, r := attach(w, r)
			w.Header()["X-Request-Id"] = []string{x.id}
			defer func() {
				if p := recover(); p != nil {
					x.write(r, logger, start)
					panic(p)
				}
				x.write(r, logger, start)
			}()
			next.ServeHTTP(x, r)
		})
	}
}

func (x *record) write(r *http.Request, logger *slog.Logger, start time.Time) {
	level := slog.LevelInfo
	if x.failure != nil || x.status >= 500 {
		level = slog.LevelError
	}
	if !logger.Enabled(r.Context(), level) {
		return
	}
	route := x.route
	if route == "" {
		route = pattern(r)
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	attrs := make([]slog.Attr, 0, 9+len(x.notes))
	attrs = append(attrs,
		slog.String("method", method(r.Method)),
		slog.String("route", route),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes),
		slog.Float64("ms", float64(time.Since(start).Microseconds())/1000),
		slog.String("request", x.id),
	)
	attrs = append(attrs, x.notes...)
	if x.failure != nil {
		attrs = append(attrs, slog.String("failure", x.failure.Error()))
	}
	if x.stack != "" {
		attrs = append(attrs, slog.String("stack", x.stack))
	}
	logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// method keeps a made-up method out of the log: it is text from outside.
func method(m string) string {
	switch m {
	case "GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS":
		return m
	}
	return "other"
}

// pattern is the route that chi chose; a dash when none did.
func pattern(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		if p := c.RoutePattern(); p != "" {
			return p
		}
	}
	return "-"
}

// Route names the route of the request for its log line, where a router of its
// own chose it.
func Route(r *http.Request, pattern string) {
	if x := recordOf(r); x != nil {
		x.route = pattern
	}
}

// Note adds a field to the request's log line: ids and kinds only, never
// personal data or secrets.
func Note(r *http.Request, name, value string) {
	if x := recordOf(r); x != nil {
		x.notes = append(x.notes, slog.String(name, value))
	}
}

// RequestID is the id that the log line and X-Request-Id carry; empty outside
// of Log and Serve.
func RequestID(r *http.Request) string {
	if x := recordOf(r); x != nil {
		return x.id
	}
	return ""
}
