package social

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"

	"net/url"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Sign in with Apple. The whole profile is in the ID token; the name comes in a
// form field, at the first consent only.
var _ = register(&Provider{
	Strategy:  "apple",
	Authorize: "https://appleid.apple.com/auth/authorize",
	Token:     "https://appleid.apple.com/auth/token",
	// Apple posts the answer whenever name or email is asked for.
	Params: url.Values{"response_mode": {"form_post"}},
	Scope: Scope{
		Flags:  []Flag{{"name", "name"}, {"email", "email"}},
		Stored: SpacedText,
	},
	Secret: appleSecret,
	IDToken: &IDToken{
		Issuers: []string{appleIssuer}, JWKS: "https://appleid.apple.com/auth/keys", Required: true, Nonce: true,
	},
	Map: Mapping{
		ID: "id_token:sub",
		Fields: []Field{
			{profile.Email, "id_token:email"},
			{profile.Name, "form:name.firstName + form:name.lastName"},
			{profile.GivenName, "form:name.firstName"},
			{profile.FamilyName, "form:name.lastName"},
		},
		Verified: "id_token:email_verified", TextProof: true,
		Copied: "id_token",
		Once:   []string{profile.Name, profile.GivenName, profile.FamilyName},
	},
})

const (
	appleIssuer = "https://appleid.apple.com"
	// A client secret is used for this long; Apple takes them for up to six months.
	appleSecretLife = time.Hour
	appleSecretTail = 5 * time.Minute
	maxSecrets      = 64 // that are kept
)

// secrets keeps client secrets that were made, by what they were made of.
type secrets struct {
	mu   sync.Mutex
	made map[[sha256.Size]byte]madeSecret
}

type madeSecret struct {
	token   string
	expires time.Time
}

// appleSecret is the client secret of Apple: a JWT that app_secret signs.
func appleSecret(k *Connector, o strictjson.Document) (string, error) {
	team, kid, client, key := o.Text("team_id"), o.Text("kid"), o.Text("client_id"), o.Text("app_secret")
	of, err := jsonv2.Marshal([]string{team, kid, client, key})
	if err != nil {
		return "", errors.New("app_secret is not text")
	}
	id, now := sha256.Sum256(of), k.now()
	k.secrets.mu.Lock()
	defer k.secrets.mu.Unlock()
	if s, ok := k.secrets.made[id]; ok && now.Before(s.expires.Add(-appleSecretTail)) {
		return s.token, nil
	}
	s := madeSecret{expires: now.Add(appleSecretLife)}
	if s.token, err = signAppleSecret(team, kid, client, key, now, s.expires); err != nil {
		return "", err
	}
	if k.secrets.made == nil || len(k.secrets.made) >= maxSecrets {
		k.secrets.made = map[[sha256.Size]byte]madeSecret{}
	}
	k.secrets.made[id] = s
	return s.token, nil
}

func signAppleSecret(team, kid, client, key string, now, expires time.Time) (string, error) {
	if team == "" || kid == "" {
		return "", errors.New("team_id or kid is not set")
	}
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return "", errors.New("app_secret is not a PEM key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return "", errors.New("app_secret is not a PKCS #8 elliptic key")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, nil)
	if err != nil {
		return "", errors.New("app_secret does not sign ES256")
	}
	payload, err := jsonv2.Marshal(struct {
		Issuer   string `json:"iss"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Audience string `json:"aud"`
		Subject  string `json:"sub"`
	}{team, now.Unix(), expires.Unix(), appleIssuer, client})
	if err != nil {
		return "", errors.New("team_id is not text")
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", errors.New("app_secret does not sign ES256")
	}
	return signed.CompactSerialize()
}
