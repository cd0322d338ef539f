package key

import (
	"crypto/sha1" //nolint:gosec // x5t is defined as a SHA-1 thumbprint (RFC 7517 §4.8)
	"encoding/base64"
	"encoding/json"
	"math/big"
)

// jwk is one key of the document; the order of members is that of
// reference/authentication.md §1.2. It has no member for anything private.
type jwk struct {
	Kty string   `json:"kty"`
	Use string   `json:"use"`
	Alg string   `json:"alg,omitempty"`
	Kid string   `json:"kid"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	X5t string   `json:"x5t"`
	X5c []string `json:"x5c"`
}

// jwks writes the document for the keys that verify; alg may be empty.
func jwks(keys []*signer, alg string) ([]byte, error) {
	doc := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		public := &k.private.PublicKey
		thumbprint := sha1.Sum(k.key.Cert) //nolint:gosec // see the import
		doc.Keys = append(doc.Keys, jwk{
			Kty: "RSA",
			Use: "sig",
			Alg: alg,
			Kid: k.key.ID,
			N:   base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
			E:   base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
			X5t: base64.RawURLEncoding.EncodeToString(thumbprint[:]),
			X5c: []string{base64.StdEncoding.EncodeToString(k.key.Cert)},
		})
	}
	return json.Marshal(doc)
}
