package web

import (
	"net/http"
	"time"
)

// The limits of the HTTP server. A caller who drips a byte a second, or who
// never reads what it asked for, holds a connection no longer than these.
const (
	// MaxBody is the limit of a JSON or form body in bytes (reference/users.md §4.4).
	MaxBody = 1 << 20
	// MaxHeader is the limit of all header lines of a request in bytes.
	MaxHeader = 64 << 10
	// HeaderTimeout is how long the header may take to come.
	HeaderTimeout = 10 * time.Second
	// ReadTimeout is how long header and body may take to come; Extend moves it.
	ReadTimeout = 30 * time.Second
	// WriteTimeout is how long handling and the answer may take, counted from
	// the end of the header; Extend moves it.
	WriteTimeout = 60 * time.Second
	// IdleTimeout is how long a kept connection may wait for its next request.
	IdleTimeout = 120 * time.Second
)

// Bound sets the limits on a server.
func Bound(s *http.Server) {
	s.MaxHeaderBytes = MaxHeader
	s.ReadHeaderTimeout = HeaderTimeout
	s.ReadTimeout = ReadTimeout
	s.WriteTimeout = WriteTimeout
	s.IdleTimeout = IdleTimeout
}

// Extend gives a long upload or download d more from now, for reading and for
// writing. Called for each piece, it bounds the pace and not the whole.
func Extend(w http.ResponseWriter, d time.Duration) {
	c := http.NewResponseController(w)
	until := time.Now().Add(d)
	// A writer without deadlines (a test's recorder) has no slow peer either.
	_ = c.SetReadDeadline(until)
	_ = c.SetWriteDeadline(until)
}
