package server_test

import (
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
)

// The bare public URL says what this is, in the browser's language, until the
// tenant has somewhere better to lead people.
func TestHome(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	ask := func(language string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", language)
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	w.set(`{"enabled_locales":["en","de","es"]}`)
	for _, lang := range []string{"en", "de", "es"} {
		res := ask(lang)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Language") != lang || !strings.Contains(res.Header.Get("Cache-Control"), "no-store") ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", lang, res.StatusCode, res.Header)
		}
	}
	w.set(`{"default_redirection_uri":"https://app.example/start?a=b"}`)
	res := ask("en")
	if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "https://app.example/start?a=b" || !strings.Contains(res.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
