package idptest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mangrove/internal/outbound"
	"mangrove/internal/parttest"
)

// SAMLP is a process with the npm packages samlp and wsfed (test/saml/server.mjs).
// It trusts every service provider and answers where the request says.
type SAMLP struct {
	t   testing.TB
	URL string
	KeyPair
}

// StartSAMLP starts it; it ends with the test. People sign in with the password
// that is their name with "pw" behind it.
func StartSAMLP(t testing.TB) *SAMLP {
	t.Helper()
	dir := parttest.Need(t, "npm samlp and wsfed", EnvSAML)
	keys, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	if err := keys.write(files); err != nil {
		t.Fatal(err)
	}
	// t.Context() would end before the clean-up, which lets the server end.
	cmd := exec.CommandContext(context.Background(), "node", "--no-deprecation", filepath.Join(dir, "server.mjs"))
	cmd.Env = append(os.Environ(), "PORT=0", "KEY="+filepath.Join(files, "idp.key"), "CERT="+filepath.Join(files, "idp.pem"))
	cmd.Stderr = os.Stderr
	var hello struct{ URL string }
	output := func(c *exec.Cmd) (io.Reader, error) { return c.StdoutPipe() }
	if !start(t, cmd, output, func(line string) bool { return json.Unmarshal([]byte(line), &hello) == nil }) {
		t.Fatal("the npm identity providers ended before they were ready")
	}
	return &SAMLP{t: t, URL: hello.URL, KeyPair: keys}
}

// SAMLPEntity and WSFedEntity are the names of the providers.
const (
	SAMLPEntity = "urn:mangrove:test:samlp"
	WSFedEntity = "urn:mangrove:test:wsfed"
)

const metadataPath = "/FederationMetadata/2007-06/FederationMetadata.xml"

// SAMLMetadata is the address of the metadata of the SAML provider.
func (s *SAMLP) SAMLMetadata() string { return s.URL + "/samlp" + metadataPath }

// WSFedMetadata is the address of the metadata of the WS-Federation provider.
func (s *SAMLP) WSFedMetadata() string { return s.URL + "/wsfed" + metadataPath }

// SAMLEndpoint is where people sign in by SAML.
func (s *SAMLP) SAMLEndpoint() string { return s.URL + "/samlp" }

// WSFedEndpoint is where people sign in by WS-Federation.
func (s *SAMLP) WSFedEndpoint() string { return s.URL + "/wsfed" }

// Begin is the address at which the provider begins a login itself.
func (s *SAMLP) Begin(serviceProvider, acs, relayState string) string {
	return s.URL + "/samlp/begin?" + url.Values{"sp": {serviceProvider}, "acs": {acs}, "RelayState": {relayState}}.Encode()
}

// SetPerson says what the providers say about a person from now on; nil removes
// the person. Attribute names are sent as they are; "uid" is the NameID, without
// it the name is.
func (s *SAMLP) SetPerson(name string, attributes map[string][]string) {
	s.t.Helper()
	s.post("/test/people", map[string]any{name: attributes})
}

// Set replaces the options of the libraries (signResponse, signAssertion,
// signatureAlgorithm, digestAlgorithm, encryptionCert with encryptionPublicKey,
// lifetimeInSeconds, …).
func (s *SAMLP) Set(options map[string]any) {
	s.t.Helper()
	s.post("/test/settings", options)
}

func (s *SAMLP) post(path string, v any) {
	s.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := outbound.New(loopback).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d", path, res.StatusCode)
	}
}
