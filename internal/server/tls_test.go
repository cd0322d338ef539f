package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		t.Fatalf("no certificate in %s", file)
	}
	return p
}

func TestDevTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first, ca, err := devTLS(dir, "id.example.test", noon)
	if err != nil {
		t.Fatal(err)
	}
	if !ca.New {
		t.Error("the authority is not said to be new")
	}
	roots := pool(t, ca.File)
	verify := func(c *tls.Config, name string, at time.Time) error {
		_, err := c.Certificates[0].Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at})
		return err
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "id.example.test"} {
		if err := verify(first, name, noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if verify(first, "other.example.test", noon) == nil {
		t.Error("valid for a name that was not asked for")
	}
	for _, f := range []string{"ca.key", "key.pem"} {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}

	for _, tc := range []struct {
		name             string
		host             string
		at               time.Time
		newCA, keepsLeaf bool
	}{
		{"again", "id.example.test", noon, false, true},
		{"fewer names", "localhost", noon, false, true},
		{"the leaf is about to expire", "id.example.test", noon.Add(leafLife - renewBefore/2), false, false},
		{"another name", "new.example.test", noon, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
			if err != nil {
				t.Fatal(err)
			}
			c, ca, err := devTLS(dir, tc.host, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
			if err != nil {
				t.Fatal(err)
			}
			if ca.New != tc.newCA || bytes.Equal(before, after) != tc.keepsLeaf {
				t.Errorf("new authority %v, leaf kept %v", ca.New, bytes.Equal(before, after))
			}
			roots = pool(t, ca.File)
			if err := verify(c, tc.host, tc.at); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whoever steals the authority's key can sign for loopback names only.
func TestAuthorityIsConfined(t *testing.T) {
	dir := t.TempDir()
	_, ca, err := devTLS(dir, "localhost", noon)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := readPair(ca.File, filepath.Join(dir, "ca.key"))
	if err != nil || authority == nil {
		t.Fatal(authority, err)
	}
	for _, names := range []devNames{{dns: []string{"bank.example"}}, {dns: []string{"localhost"}, ips: []net.IP{net.IPv4(192, 0, 2, 1)}}} {
		forged, err := makeLeaf(names, authority, noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := forged.Leaf.Verify(x509.VerifyOptions{Roots: pool(t, ca.File), CurrentTime: noon}); err == nil {
			t.Errorf("a certificate for %v %v is accepted", names.dns, names.ips)
		}
	}
}

func TestDevTLSBrokenFile(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := devTLS(dir, "", noon); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("oops"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := devTLS(dir, "", noon); err == nil {
		t.Error("a broken key is no error")
	}
}

// A renewed certificate is served without a restart; a broken one is not.
func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func(stamp time.Time) {
		t.Helper()
		pair, err := makeAuthority(devNames{dns: []string{"localhost"}}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if err := writePair(cert, key, pair); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{cert, key} {
			if err := os.Chtimes(f, stamp, stamp); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := noon
	write(now)
	var logged bytes.Buffer
	c, err := fileTLS(cert, key, func() time.Time { return now }, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		t.Helper()
		p, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Leaf.SerialNumber.String()
	}
	first := serial()
	write(now.Add(time.Second))
	if serial() != first {
		t.Error("looked at the files more than once a minute")
	}
	now = now.Add(time.Minute)
	second := serial()
	if second == first {
		t.Error("the renewed certificate is not served")
	}
	if err := os.WriteFile(cert, []byte("oops"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if serial() != second || logged.Len() == 0 {
		t.Errorf("broken file: logged %q", logged.String())
	}
	if _, err := fileTLS(cert, key, time.Now, slog.Default()); err == nil {
		t.Error("a broken file at the start is no error")
	}
}
