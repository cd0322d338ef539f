package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"mangrove/internal/errs"
)

// Handler is an HTTP handler that may fail.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Serve makes an http.Handler of h; render writes what h returned.
//
// A panic becomes an Internal error; its stack is in the log line only. An error
// after the answer has begun cuts the connection, so that a half answer cannot
// be taken for a whole one.
func Serve(h Handler, render func(w http.ResponseWriter, r *http.Request, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := attach(w, r)
		log := recordOf(r)
		if log.route == "" {
			log.route = pattern(r)
		}
		err := run(h, x, r, log)
		if err == nil {
			return
		}
		if x.status != 0 {
			log.failure = err
			panic(http.ErrAbortHandler)
		}
		if errs.KindOf(err) == errs.TooLarge {
			// The rest of the body is not read, so the connection cannot be used again.
			x.Header().Set("Connection", "close")
		}
		render(x, r, err)
		// render knows errors that errs does not (a weak password, a schema
		// violation); what it answered tells whether this was our fault.
		if x.status >= http.StatusInternalServerError {
			log.failure = err
		}
	})
}

// run is h with its panics made errors.
func run(h Handler, w http.ResponseWriter, r *http.Request, log *record) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			panic(p)
		}
		log.stack = string(debug.Stack())
		// What was thrown may hold anything; only the runtime's own words are sure
		// not to hold a person's data.
		if e, ok := p.(runtime.Error); ok {
			err = fmt.Errorf("panic: %w", e)
			return
		}
		err = fmt.Errorf("panic: %T", p)
	}()
	return h(w, r)
}
