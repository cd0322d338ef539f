package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/errs"
)

// Escaped makes chi route on the escaped path, so that a %2F inside an id stays
// in its segment. It belongs in front of the outermost router.
func Escaped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, OnEscaped(r))
	})
}

// OnEscaped is r with URL.RawPath set wherever the escaped path differs from
// the plain one; net/http leaves it empty for the usual spelling.
func OnEscaped(r *http.Request) *http.Request {
	escaped := r.URL.EscapedPath()
	if escaped == r.URL.Path || escaped == r.URL.RawPath {
		return r
	}
	c := *r
	u := *r.URL
	u.RawPath = escaped
	c.URL = &u
	return &c
}

// errPath: a segment that is not text.
var errPath = errs.New(errs.Invalid, "invalid_uri", "Path validation error: 'Invalid characters in the path'.")

// Param is the path parameter, unescaped once. Percent-encoding that is broken,
// invalid UTF-8 and NUL are errors (Invalid, invalid_uri).
func Param(r *http.Request, name string) (string, error) {
	v := chi.URLParam(r, name)
	// chi took the segment from the escaped path only where there is one.
	if r.URL.RawPath != "" && strings.IndexByte(v, '%') >= 0 {
		var err error
		if v, err = url.PathUnescape(v); err != nil {
			return "", errPath
		}
	}
	if !text(v) {
		return "", errPath
	}
	return v, nil
}

// text reports whether s is something that every part behind us can keep:
// valid UTF-8 without NUL.
func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
