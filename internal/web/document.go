package web

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Document is a public JSON answer that is made once and given to many: nothing
// is allocated for a request.
type Document struct {
	body []byte
	// length and cache are header values. Headers share them, as nobody changes
	// the elements of one.
	length, cache []string
}

// NewDocument makes the answer v (a json.RawMessage or []byte is taken as it is);
// cacheControl says who may keep it, and for how long.
func NewDocument(v any, cacheControl string) *Document {
	body := bodyOf(v)
	return &Document{body, []string{strconv.Itoa(len(body))}, []string{cacheControl}}
}

// Body of the answer; not to be changed.
func (d *Document) Body() json.RawMessage { return d.body }

var typeJSON = []string{TypeJSON}

// Write answers with the document and status 200.
func (d *Document) Write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = d.length
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = d.cache
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(d.body) // the peer is gone; nobody is left to tell
}
