package pushed

import (
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	uri, hash := NewReference()
	other, _ := NewReference()
	if !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || uri == other || strings.Contains(uri, hash) {
		t.Errorf("%q %q", uri, hash)
	}
	if got, ok := HashOf(uri); !ok || got != hash {
		t.Errorf("HashOf: %q, %v", got, ok)
	}
	for _, s := range []string{"", "https://evil.test/r", "urn:ietf:params:oauth:request_uri:", "URN:ietf:params:oauth:request_uri:x", " " + uri} {
		if _, ok := HashOf(s); ok {
			t.Errorf("%q passes for a reference", s)
		}
	}
}
