package op

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is kept of the document must not outlive the settings that it shows.
func TestDiscoveryFollowsTheSettings(t *testing.T) {
	w := newWorld(t)
	w.d.Tenant = w.store // the stored settings themselves, which are the same until they change
	ask := func() string { return w.send(t, "GET", "/.well-known/openid-configuration", "").Body.String() }
	const member = `"authorization_response_iss_parameter_supported":true`
	first := ask()
	if strings.Contains(first, member) || ask() != first {
		t.Fatalf("%s", first)
	}
	w.setTenant(t, `{"authorization_response_iss_parameter_supported":true}`)
	if changed := ask(); !strings.Contains(changed, member) {
		t.Errorf("%s", changed)
	}
	w.setTenant(t, `{}`)
	if again := ask(); again != first {
		t.Errorf("%s", again)
	}
}

// blank is an answer of which nothing is kept.
type blank struct{ h http.Header }

func (b blank) Header() http.Header         { return b.h }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

func BenchmarkPublicDocuments(b *testing.B) {
	w := newWorld(b)
	w.d.Tenant = w.store
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		b.Run(path, func(b *testing.B) {
			handle := w.discovery
			if strings.HasSuffix(path, "jwks.json") {
				handle = w.jwks
			}
			r, rec := httptest.NewRequestWithContext(b.Context(), "GET", publicURL+path, nil), blank{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				must(b, handle(rec, r))
			}
		})
	}
}
