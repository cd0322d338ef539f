package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/config"
	"mangrove/internal/seal"
	"mangrove/internal/store"
	"mangrove/internal/upstream/social/socialtest"
)

// security.md 124, 128: the secrets that the server makes for a connection, those of its
// scripts, and those of a trip by OAuth 1 can be read neither in a stolen file nor in
// the log.
func TestSecretsOfConnectionsStaySecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "stolen.db")
	w := newWorldIn(t, dir, file)
	secrets := kept{}

	h := newHouse(t, w)
	keyed := map[string]string{}
	for _, alg := range []string{"RS256", "ES256"} {
		keyed[alg] = h.lay("okta", "by-"+strings.ToLower(alg), map[string]any{
			"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": alg,
		}, nil)
		if status, body := w.call("GET", "/api/v2/connections/"+keyed[alg]+"/keys", ""); status != 200 || strings.Count(body, `"kid"`) != 2 {
			t.Fatalf("%d %s", status, body)
		}
		if status, body := w.call("POST", "/api/v2/connections/"+keyed[alg]+"/keys/rotate", "{}"); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	a := w.newApplication("by-rs256", "by-es256")
	for _, name := range []string{"by-rs256", "by-es256"} {
		a.signIn(w.newBrowser(), name, "") // the provider does not know the keys
	}

	const configured = "canary-of-the-configuration"
	secrets.add("options.configuration", configured)
	database := w.laid("auth0", "people", map[string]any{"configuration": map[string]any{"API_KEY": configured}}, nil)
	for _, body := range []string{`{"options":{"configuration":{"API_KEY":"` + configured + `","more":7}}}`, `{"options":{"configuration":{"API_KEY":"` + configured + `"},"nonsense":1,"mfa":7}}`} {
		_, answer := w.call("PATCH", "/api/v2/connections/"+database, body)
		if strings.Contains(answer, configured) {
			t.Errorf("an answer shows it: %s", answer)
		}
	}

	d := socialtest.Start(t, "twitter.oauth1")
	d.Redirect(w.url + "/login/callback")
	var options map[string]any
	if err := json.Unmarshal(d.Options(), &options); err != nil {
		t.Fatal(err)
	}
	w.laid(d.Strategy, "bird", options, nil)
	bird := w.newApplication("bird")
	one, two := w.newBrowser(), w.newBrowser()
	trip := away("carol")(bird, one, "bird")
	secrets.add("temporary secret of OAuth 1", d.TemporarySecrets()...)
	d.Rude(socialtest.Garbage, "token")
	late := away("carol")(bird, two, "bird")
	secrets.add("temporary secret of OAuth 1", d.TemporarySecrets()...)
	stolen := read(t, file)
	if told, _, _ := late.deliver(two); told.Get("error") != "access_denied" {
		t.Errorf("garbage for a token: %v", told)
	}
	d.Rude(socialtest.Polite, "token")
	if told, _, _ := trip.deliver(one); !told.Has("code") {
		t.Errorf("half-way: %v", told)
	}
	w.stop()
	stolen = append(stolen, read(t, file)...)

	for alg, id := range keyed {
		for _, der := range privateKeys(t, dir, file, id) {
			secrets.add("key for "+alg, string(der[len(der)/2:len(der)/2+24]))
			secrets.private("key for "+alg, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
			key, err := x509.ParsePKCS8PrivateKey(der)
			if err != nil {
				t.Fatal(err)
			}
			if key, ok := key.(*ecdsa.PrivateKey); ok {
				scalar, err := key.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				secrets.add("key for "+alg, string(scalar), base64.RawURLEncoding.EncodeToString(scalar))
			}
		}
	}
	logs := w.logs.Bytes()
	if !bytes.Contains(stolen, []byte("by-rs256")) || !bytes.Contains(logs, []byte("/login/callback")) {
		t.Fatal("the scan does not even find what is not secret")
	}
	kinds := map[string]bool{}
	for value, what := range secrets {
		kinds[what] = true
		for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value))} {
			for where, data := range map[string][]byte{"file": stolen, "log": logs} {
				if bytes.Contains(data, []byte(form)) {
					t.Errorf("%s can be read in the %s", what, where)
				}
			}
		}
	}
	for _, what := range []string{"key for RS256", "key for ES256", "options.configuration", "temporary secret of OAuth 1"} {
		if !kinds[what] {
			t.Errorf("there was no %s: the test looks at nothing", what)
		}
	}
}

// read is the database as it lies on the disk.
func read(t *testing.T, file string) []byte {
	t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// privateKeys are those of a connection, as only the server can read them; PKCS #8.
func privateKeys(t *testing.T, dir, file, id string) [][]byte {
	t.Helper()
	keys, err := config.Config{Data: dir, Database: file}.Keys(false)
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{URL: file, Box: box})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	list, err := db.ConnectionKeys(t.Context(), id)
	if err != nil || len(list) < 3 {
		t.Fatalf("%d keys, %v", len(list), err)
	}
	var all [][]byte
	for _, k := range list {
		all = append(all, k.Private)
	}
	return all
}
