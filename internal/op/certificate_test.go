package op

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // what is tested
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
)

func TestCertificates(t *testing.T) {
	w := newWorld(t)
	get := func(path string) []byte {
		t.Helper()
		rec := w.send(t, "GET", path, "")
		if rec.Code != 200 {
			t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
		}
		return rec.Body.Bytes()
	}
	der := get("/cer")
	if _, err := x509.ParseCertificate(der); err != nil || !bytes.Equal(der, signingKey().Cert) {
		t.Errorf("cer: %v", err)
	}
	if block, rest := pem.Decode(get("/pem?cert=connection")); block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, der) {
		t.Error("pem is another certificate")
	}
	if raw, err := base64.StdEncoding.DecodeString(string(get("/rawpem"))); err != nil || !bytes.Equal(raw, der) {
		t.Errorf("rawpem: %v", err)
	}
	sum := sha1.Sum(der) //nolint:gosec // what is tested
	if got := strings.ReplaceAll(string(get("/fingerprint")), ":", ""); got != strings.ToUpper(hex.EncodeToString(sum[:])) {
		t.Errorf("fingerprint: %s", got)
	}
}
