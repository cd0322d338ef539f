package mgmt

import (
	"strings"
	"testing"
)

func TestSigningKeyStory(t *testing.T) {
	const all = "read:signing_keys create:signing_keys update:signing_keys"
	onEngines(t, func(t *testing.T, w *world) {
		kept := w.story(t, []step{
			{name: "rotate", scopes: all, method: "POST", path: "/keys/signing/rotate", status: 201, has: []string{`"cert":"-----BEGIN CERTIFICATE-----`}, keep: "kid", as: "a"},
			{name: "is next", scopes: all, method: "GET", path: "/keys/signing/$a", status: 200, has: []string{`"kid":"$a"`, `"next":true`, `"current":false`, "BEGIN PKCS7", `"fingerprint":"`}, hasNot: []string{"PRIVATE"}},
			{name: "rotate again", scopes: all, method: "POST", path: "/keys/signing/rotate", status: 201, hasNot: []string{"$a"}, keep: "kid", as: "b"},
			{name: "is current", scopes: all, method: "GET", path: "/keys/signing/$a", status: 200, has: []string{`"current":true`, `"current_since":"2`}},
			{name: "list", scopes: all, method: "GET", path: "/keys/signing", status: 200, has: []string{`[{"kid":"$a"`, `"kid":"$b"`, `"previous":true`, `"current_until":"2`}, hasNot: []string{"PRIVATE"}},
			{name: "the current one", scopes: all, method: "PUT", path: "/keys/signing/$a/revoke", status: 400, has: []string{"The current signing key cannot be revoked"}},
			{name: "revoke", scopes: all, method: "PUT", path: "/keys/signing/$b/revoke", status: 200, has: []string{`"kid":"$b"`}},
			{name: "is revoked", scopes: all, method: "GET", path: "/keys/signing/$b", status: 200, has: []string{`"revoked":true`, `"revoked_at":"2`, `"next":false`}},
			{name: "no such key", scopes: all, method: "GET", path: "/keys/signing/none", status: 404, has: []string{"inexistent_signing_key"}},
			{name: "revoke no such key", scopes: all, method: "PUT", path: "/keys/signing/none/revoke", status: 404, has: []string{"inexistent_signing_key"}},
			{name: "reading is not rotating", scopes: "read:signing_keys", method: "POST", path: "/keys/signing/rotate", status: 403, has: []string{"expected any of: create:signing_keys,update:signing_keys"}},
		})
		keys, err := w.store.Keys(t.Context())
		must(t, err)
		if len(keys) != 3 || strings.Count(kept["a"]+kept["b"], "") < 40 {
			t.Errorf("%d keys, %v", len(keys), kept)
		}
	})
}
