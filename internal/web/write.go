package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Content types (reference/authentication.md §0.1).
const (
	TypeJSON      = "application/json; charset=utf-8"
	TypeJSONPlain = "application/json"
	TypeHTML      = "text/html; charset=utf-8"
)

// Header values that never change, in the form a header map takes them.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
)

// WriteJSON writes v (a json.RawMessage or []byte is written as it is).
func WriteJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body := bodyOf(v)
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer is gone; nobody is left to tell
}

// bodyOf is what is written for v.
func bodyOf(v any) []byte {
	switch t := v.(type) {
	case []byte:
		return t
	case json.RawMessage:
		return t
	}
	return encode(v)
}

// encode is the compact JSON of v, with <, > and & as they are. What cannot be
// encoded is a mistake in the program, and panics.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// NoStore keeps the answer out of every cache: tokens and personal data
// (RFC 6749 §5.1, errors included).
func NoStore(w http.ResponseWriter) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache
}
