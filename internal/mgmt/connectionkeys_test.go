package mgmt

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/connection"
)

// keysOf reads an array of connection keys.
func keysOf(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return list
}

func TestConnectionKeys(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		all := "read:connections_keys create:connections_keys update:connections_keys create:connections"
		admin := w.machine(t, all)
		made := w.call(t, "POST", "/connections", admin, `{"name":"by-key","strategy":"oidc","options":{"client_id":"x","type":"back_channel","token_endpoint_auth_method":"private_key_jwt"}}`)
		answers(t, made, http.StatusCreated, nil, nil)
		path := "/connections/" + member(t, made.Body.Bytes(), "id") + "/keys"

		rec := w.call(t, "GET", path, admin, "")
		answers(t, rec, http.StatusOK, []string{`"key_use":"signing"`, `"subject_dn":"/CN=by-key"`, "BEGIN CERTIFICATE", "BEGIN PKCS7", `"algorithm":"RS256"`}, []string{"private", "PRIVATE"})
		keys := keysOf(t, rec.Body.Bytes())
		if len(keys) != 2 || keys[1]["next"] != true || keys[1]["current"] != nil || keys[0]["current"] != true || keys[0]["current_since"] == nil {
			t.Fatalf("%v", keys)
		}
		answers(t, w.call(t, "POST", path, admin, `{}`), http.StatusConflict, []string{"Keys have already been created for this connection."}, nil)

		rec = w.call(t, "POST", path+"/rotate", admin, `{"signing_alg":"ES256"}`)
		answers(t, rec, http.StatusCreated, []string{`"next":true`, `"algorithm":"ES256"`}, []string{"PRIVATE"})
		answers(t, w.call(t, "POST", path+"/rotate", admin, ""), http.StatusCreated, []string{`"algorithm":"RS256"`}, nil)
		rec = w.call(t, "GET", path, admin, "")
		after := keysOf(t, rec.Body.Bytes())
		if len(after) != 3 || after[0]["algorithm"] != "ES256" || after[1]["previous"] != true || after[1]["kid"] != keys[1]["kid"] || after[1]["current_until"] == nil {
			t.Errorf("%s", rec.Body)
		}

		for _, body := range []string{`{"signing_alg":"HS256"}`, `{"signing_alg":1}`, `{"other":1}`, `[]`, `7`} {
			answers(t, w.call(t, "POST", path+"/rotate", admin, body), http.StatusBadRequest, []string{"invalid_body"}, nil)
		}
		if rec := w.call(t, "GET", path, admin, ""); len(keysOf(t, rec.Body.Bytes())) != 3 {
			t.Errorf("refusals changed something: %s", rec.Body)
		}
	})
}

func TestConnectionKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	admin := w.machine(t, "read:connections_keys create:connections_keys update:connections_keys create:connections")
	made := w.call(t, "POST", "/connections", admin, `{"name":"by-secret","strategy":"okta","options":{"client_id":"x","domain":"acme.okta.test"}}`)
	answers(t, made, http.StatusCreated, nil, nil)
	plain := "/connections/" + member(t, made.Body.Bytes(), "id") + "/keys"
	database := "/connections/" + usersID + "/keys"
	const none = "/connections/con_0000000000000000/keys"
	for _, row := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", database, 400, "keys are not available for this connection"},
		{"POST", database, 400, "keys are not available for this connection"},
		{"POST", database + "/rotate", 400, "Key rotation is not supported on this connection"},
		{"POST", plain + "/rotate", 400, "Connection is not configured to use JWT Client Authentication"},
		{"GET", none, 404, connection.ErrNotFound.Text},
		{"POST", none, 404, connection.ErrNotFound.Text},
		{"POST", none + "/rotate", 404, connection.ErrNotFound.Text},
	} {
		answers(t, w.call(t, row.method, row.path, admin, ""), row.status, []string{row.text}, nil)
	}
	rec := w.call(t, "GET", plain, admin, "")
	if answers(t, rec, http.StatusOK, nil, nil); strings.TrimSpace(rec.Body.String()) != "[]" {
		t.Errorf("%s", rec.Body)
	}
	answers(t, w.call(t, "POST", plain, admin, "null"), http.StatusCreated, []string{`"current":true`}, nil)

	for _, row := range []struct{ method, path, scopes, text string }{
		{"GET", plain, "read:connections", "Insufficient scope, expected any of: read:connections_keys"},
		{"POST", plain, "read:connections_keys", "Insufficient scope, expected any of: create:connections_keys"},
		{"POST", plain + "/rotate", "create:connections_keys", "Insufficient scope, expected all of: create:connections_keys,update:connections_keys"},
		{"POST", plain + "/rotate", "update:connections_keys", "Insufficient scope, expected all of: create:connections_keys,update:connections_keys"},
	} {
		answers(t, w.call(t, row.method, row.path, w.machine(t, row.scopes), ""), http.StatusForbidden, []string{row.text, "insufficient_scope"}, nil)
	}
}
