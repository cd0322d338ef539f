package key

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"time"
)

// Bits of a generated RSA key.
const Bits = 2048

// certificateLife is how long the certificate says it is valid. Verifiers of
// tokens do not look at it; a key ends by rotation and revocation.
const certificateLife = 10 * 365 * 24 * time.Hour

// Generate makes a Current RS256 key with a self-signed certificate for host
// (without port). The kid is 22 characters of base64url: 128 random bits.
func Generate(host string, now time.Time) (Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, Bits)
	if err != nil {
		return Key{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, err
	}
	serial := make([]byte, 16)
	kid := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	_, _ = rand.Read(kid)
	serial[0] &= 0x7f // a positive number in DER
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: host},
		NotBefore:    now.Add(-time.Hour), // clocks of verifiers may be behind
		NotAfter:     now.Add(certificateLife),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return Key{}, err
	}
	return Key{
		ID:        base64.RawURLEncoding.EncodeToString(kid),
		Alg:       RS256,
		Private:   der,
		Cert:      cert,
		State:     Current,
		CreatedAt: now.UnixMicro(),
	}, nil
}
