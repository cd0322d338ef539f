package idptest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// KeyPair is an RSA key with a certificate that it has signed itself.
type KeyPair struct {
	Key         *rsa.PrivateKey
	Certificate *x509.Certificate
	KeyPEM      string // PKCS #8
	CertPEM     string
}

// NewKeyPair makes a key pair that is valid for a day around now.
func NewKeyPair(t testing.TB, name string) KeyPair {
	t.Helper()
	p, err := newKeyPair(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ours are the keys of the providers of this process, made once.
var ours = sync.OnceValues(func() (KeyPair, error) { return newKeyPair("identity provider") })

func newKeyPair(name string) (KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return KeyPair{}, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return KeyPair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-12 * time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return KeyPair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return KeyPair{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{
		Key: key, Certificate: cert,
		KeyPEM:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		CertPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}, nil
}

// write puts the pair into dir as idp.key and idp.pem.
func (p KeyPair) write(dir string) error {
	for name, text := range map[string]string{"idp.key": p.KeyPEM, "idp.pem": p.CertPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
