package connection

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// publicKey is one key of the document. It has no member for anything private.
type publicKey struct {
	Kty string   `json:"kty"`
	Use string   `json:"use"`
	Alg string   `json:"alg"`
	Kid string   `json:"kid"`
	N   string   `json:"n,omitempty"`
	E   string   `json:"e,omitempty"`
	Crv string   `json:"crv,omitempty"`
	X   string   `json:"x,omitempty"`
	Y   string   `json:"y,omitempty"`
	X5c []string `json:"x5c"`
}

// KeySet is the JWKS document (RFC 7517 §5) of the keys that sign now or next. A
// key that was rotated out is not in it: what it signed lived for a minute.
func KeySet(keys []Key) (json.RawMessage, error) {
	doc := struct {
		Keys []publicKey `json:"keys"`
	}{Keys: []publicKey{}}
	for _, k := range keys {
		if k.State != KeyCurrent && k.State != KeyNext {
			continue
		}
		j, err := published(k)
		if err != nil {
			return nil, fmt.Errorf("connection key %s: %w", k.ID, err)
		}
		doc.Keys = append(doc.Keys, j)
	}
	return json.Marshal(doc)
}

func published(k Key) (publicKey, error) {
	cert, err := x509.ParseCertificate(k.Cert)
	if err != nil {
		return publicKey{}, err
	}
	enc := base64.RawURLEncoding
	j := publicKey{Use: "sig", Alg: k.Alg, Kid: k.ID, X5c: []string{base64.StdEncoding.EncodeToString(k.Cert)}}
	switch public := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		j.Kty = "RSA"
		j.N, j.E = enc.EncodeToString(public.N.Bytes()), enc.EncodeToString(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, X, Y (SEC 1 §2.3.3)
		if err != nil {
			return publicKey{}, err
		}
		half := (len(point) - 1) / 2
		j.Kty, j.Crv = "EC", public.Curve.Params().Name
		j.X, j.Y = enc.EncodeToString(point[1:1+half]), enc.EncodeToString(point[1+half:])
	default:
		return publicKey{}, fmt.Errorf("a key of type %T", public)
	}
	return j, nil
}
