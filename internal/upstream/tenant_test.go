package upstream_test

import (
	"testing"

	"mangrove/internal/upstream"
)

func TestTenant(t *testing.T) {
	for in, want := range map[string]string{
		"https://acme.id.example":        "acme",
		"https://ACME.eu.auth.example/x": "acme",
		"http://localhost:8080":          "localhost",
		"http://127.0.0.1:8080":          "127.0.0.1",
		"http://[::1]:8080":              "::1",
		"://":                            "",
	} {
		if got := upstream.Tenant(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
