package fakeidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// signingKey is one key and its public form.
type signingKey struct {
	alg     jose.SignatureAlgorithm
	private crypto.Signer
	public  jose.JSONWebKey
}

// newKey makes a key. It panics on an algorithm it does not know: that is the
// test's own mistake.
func newKey(alg string) *signingKey {
	k := &signingKey{alg: jose.SignatureAlgorithm(alg)}
	var err error
	switch alg {
	case "RS256", "PS256":
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		panic("fakeidp: algorithm " + alg)
	}
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	k.public = jose.JSONWebKey{Key: k.private.Public(), KeyID: random(), Algorithm: alg, Use: "sig"}
	return k
}

// sign makes a compact token of payload. kid may differ from the key's own.
func (k *signingKey) sign(payload []byte, kid string, embed bool) string {
	opts := (&jose.SignerOptions{EmbedJWK: embed}).WithType("JWT")
	if kid != "" && !embed {
		opts = opts.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, opts)
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	return compact(signer, payload)
}

func compact(signer jose.Signer, payload []byte) string {
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	return token
}

// unsigned is a token with alg none.
func unsigned(payload []byte, kid string) string {
	header, _ := json.Marshal(map[string]string{"alg": "none", "typ": "JWT", "kid": kid}) // strings always encode
	enc := base64.RawURLEncoding
	return strings.Join([]string{enc.EncodeToString(header), enc.EncodeToString(payload), ""}, ".")
}

// encrypted is a token for somebody's own key, as no one here can read it.
func encrypted(payload []byte) string {
	encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: []byte("0123456789abcdef")}, nil)
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	jwe, err := encrypter.Encrypt(payload)
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	return token
}

// hmacked is a token signed with HMAC, keyed with the PEM of the public key:
// the confusion of a verifier that lets the token choose the algorithm.
func (k *signingKey) hmacked(payload []byte) string {
	der, err := x509.MarshalPKIXPublicKey(k.public.Key)
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", k.public.KeyID))
	if err != nil {
		panic(fmt.Sprintf("fakeidp: %v", err))
	}
	return compact(signer, payload)
}
