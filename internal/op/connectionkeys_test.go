package op

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
)

func TestConnectionKeysArePublished(t *testing.T) {
	w := newWorld(t)
	for _, c := range []connection.Connection{
		{ID: "con_key0000000000000", Name: "by-key", Strategy: "okta", Options: json.RawMessage(`{"token_endpoint_auth_method":"private_key_jwt"}`)},
		{ID: "con_plain00000000000", Name: "by-secret", Strategy: "okta", Options: json.RawMessage(`{}`)},
	} {
		if err := w.store.CreateConnection(t.Context(), &c, audit.Event{}); err != nil {
			t.Fatal(err)
		}
	}
	path := func(name string) string { return "/oauth/connection/" + name + "/.well-known/jwks.json" }
	rec := w.send(t, "GET", path("by-key"), "")
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil || rec.Code != http.StatusOK || len(set.Keys) != 2 || set.Keys[0]["kid"] == set.Keys[1]["kid"] {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if set.Keys[0]["d"] != nil || !strings.HasPrefix(rec.Header().Get("Cache-Control"), "public") {
		t.Errorf("%v %s", rec.Header(), rec.Body)
	}
	// A name without keys is not found, whether there is such a connection or not.
	want := ""
	for _, name := range []string{"by-secret", "nobody", "a%00b", "%2e%2e", strings.Repeat("x", 300)} {
		rec := w.send(t, "GET", path(name), "")
		if rec.Code >= 500 || rec.Code < 400 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if name == "by-secret" {
			want = rec.Body.String()
		}
		if name == "nobody" && rec.Body.String() != want {
			t.Errorf("told apart: %s and %s", want, rec.Body)
		}
	}
}
