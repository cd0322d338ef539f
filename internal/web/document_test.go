package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDocument(t *testing.T) {
	d := NewDocument(map[string]string{"a": "<&>"}, "public")
	const want = `{"a":"<&>"}`
	first := httptest.NewRecorder()
	d.Write(first)
	// What one answer adds to its headers is not in the next.
	first.Header().Add("Cache-Control", "private")
	rec := httptest.NewRecorder()
	d.Write(rec)
	h := rec.Header()
	if rec.Code != http.StatusOK || rec.Body.String() != want || string(d.Body()) != want || h.Get("Content-Type") != TypeJSON || h.Get("Content-Length") != "11" ||
		len(h["Cache-Control"]) != 1 || h.Get("Cache-Control") != "public" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %s %v", rec.Code, rec.Body, h)
	}
	if got := string(NewDocument([]byte(`[]`), "").Body()); got != `[]` {
		t.Errorf("bytes: %s", got)
	}
}
