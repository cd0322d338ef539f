package saml

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a thumbprint is defined as SHA-1
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream/safexml"
)

// maxCertificates of one provider: those of a rotation, and some to spare.
const maxCertificates = 16

// certificates reads one or several certificates in the forms in which they are
// pasted: PEM, base64 of PEM, base64 of DER.
func certificates(text string) ([]*x509.Certificate, error) {
	raw := []byte(strings.TrimSpace(text))
	if !bytes.Contains(raw, []byte("-----BEGIN")) {
		der, err := decode64(string(raw))
		if err != nil {
			return nil, errors.New("neither PEM nor base64")
		}
		if !bytes.Contains(der, []byte("-----BEGIN")) {
			return parse([][]byte{der})
		}
		raw = der
	}
	var list [][]byte
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			list = append(list, block.Bytes)
		}
	}
	return parse(list)
}

func parse(list [][]byte) ([]*x509.Certificate, error) {
	if len(list) == 0 || len(list) > maxCertificates {
		return nil, errors.New("no certificate, or too many")
	}
	certs := make([]*x509.Certificate, len(list))
	for i, der := range list {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errors.New("not a certificate")
		}
		certs[i] = c
	}
	return certs, nil
}

var errWeakKey = errors.New("the key has to be " + safexml.StrongKeys)

// strong are the certificates whose signatures count.
func strong(certs []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(certs), func(c *x509.Certificate) bool { return !safexml.Strong(c.PublicKey) })
}

// encodePEM is all certificates, one after the other.
func encodePEM(certs []*x509.Certificate) string {
	var b bytes.Buffer
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes everything
	}
	return b.String()
}

func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// subject is a name as options.subject shows it.
func subject(n pkix.Name) strictjson.Document {
	d := strictjson.Document{}
	put := func(name string, values []string) {
		if len(values) > 0 && values[0] != "" {
			d[name] = profile.Text(values[0])
		}
	}
	put("commonName", []string{n.CommonName})
	put("countryName", n.Country)
	put("stateOrProvinceName", n.Province)
	put("localityName", n.Locality)
	put("organizationName", n.Organization)
	put("organizationalUnitName", n.OrganizationalUnit)
	return d
}

// privateKey reads PEM: PKCS #8 or PKCS #1.
func privateKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a private key without a password")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}

// decode64 reads base64 as it is pasted and posted: with line breaks.
func decode64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s))
}
