package fakeidp

import (
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// assertionAlgs are those of client assertions.
var assertionAlgs = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.ES256, jose.ES384,
}

// asserts checks a client assertion as a strict provider would (RFC 7523 §3):
// its own key by kid, this client, this provider, not over, and never seen before.
func (i *IdP) asserts(c Client, kind, token string) bool {
	jws, err := jose.ParseSignedCompact(token, assertionAlgs)
	if err != nil || kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return false
	}
	var set jose.JSONWebKeySet
	if json.Unmarshal(c.Keys(), &set) != nil {
		return false
	}
	header := jws.Signatures[0].Header
	keys := set.Key(header.KeyID)
	if len(keys) != 1 {
		return false
	}
	payload, err := jws.Verify(keys[0].Key)
	if err != nil {
		return false
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return false
	}
	now := i.o.Now().Unix()
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := claims.ID != "" && !slices.Contains(i.assertions, claims.ID)
	i.assertions = append(i.assertions, claims.ID)
	return fresh && claims.Issuer == c.ID && claims.Subject == c.ID &&
		(claims.Audience == i.issuer || claims.Audience == i.issuer+"/token") &&
		claims.IssuedAt <= now && now < claims.Expires && claims.Expires <= now+300
}
