package connection

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"
)

// keyBits of an RSA key.
const keyBits = 2048

// keyCertLife is how long the certificate says it is valid. Providers that take
// the certificate rather than the key may look at it; a key ends by rotation.
const keyCertLife = 10 * 365 * 24 * time.Hour

// GenerateKey makes a KeyNext key for an algorithm of KeyAlgs, with a self-signed
// certificate that names the connection. The kid is 22 characters of base64url.
func GenerateKey(alg, connectionName string, now time.Time) (Key, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "RS256", "RS384", "RS512", "PS256", "PS384":
		private, err = rsa.GenerateKey(rand.Reader, keyBits)
	default:
		return Key{}, fmt.Errorf("connection key: algorithm %q is not supported", alg)
	}
	if err != nil {
		return Key{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, err
	}
	serial, kid := make([]byte, 16), make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	_, _ = rand.Read(kid)
	serial[0] &= 0x7f // a positive number in DER
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: connectionName},
		NotBefore:    now.Add(-time.Hour), // clocks of providers may be behind
		NotAfter:     now.Add(keyCertLife),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return Key{}, err
	}
	return Key{
		ID: base64.RawURLEncoding.EncodeToString(kid), Alg: alg, Private: der, Cert: cert,
		State: KeyNext, CreatedAt: now.UnixMicro(),
	}, nil
}
