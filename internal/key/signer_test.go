package key

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

func TestSigner(t *testing.T) {
	k := generated(t)
	r, _, _ := loaded(t, k)
	signer, der, err := r.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("text"))
	signature, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || cert.CheckSignature(x509.SHA256WithRSA, []byte("text"), signature) != nil {
		t.Error("the key is not that of the certificate", err)
	}
	if _, _, err := NewRing(&shelf{}, time.Now).Signer(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}
