package oidc

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"mangrove/internal/connection"
)

// Signer has the keys of connections (connection.KeyService).
type Signer interface {
	Signing(ctx context.Context, c *connection.Connection) (connection.Key, error)
}

// proof is how we show the token endpoint who we are.
type proof struct {
	style      oauth2.AuthStyle
	secret     string
	parameters []oauth2.AuthCodeOption
	keyed      bool // by a key of the connection
}

// assertionLife is how long a client assertion is good, in seconds.
const assertionLife = 60

// proof is made anew for each request. A provider that says it takes Basic and not
// the form gets Basic.
func (k *Connector) proof(ctx context.Context, c *connection.Connection, o *connection.OIDCOptions, p provider) (proof, error) {
	const basic, post = "client_secret_basic", "client_secret_post"
	switch o.TokenEndpointAuthMethod {
	case basic:
		return proof{style: oauth2.AuthStyleInHeader, secret: o.ClientSecret}, nil
	case post:
		if slices.Contains(p.AuthMethods, basic) && !slices.Contains(p.AuthMethods, post) {
			return proof{style: oauth2.AuthStyleInHeader, secret: o.ClientSecret}, nil
		}
		return proof{style: oauth2.AuthStyleInParams, secret: o.ClientSecret}, nil
	case "private_key_jwt":
		token, err := k.assertion(ctx, c, o, p)
		if err != nil {
			return proof{}, err
		}
		return proof{style: oauth2.AuthStyleInParams, keyed: true, parameters: []oauth2.AuthCodeOption{
			oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
			oauth2.SetAuthURLParam("client_assertion", token),
		}}, nil
	}
	return proof{}, errConfig.Because(fmt.Errorf("token_endpoint_auth_method %q is not offered", o.TokenEndpointAuthMethod))
}

// assertion is a JWT by which the connection's key speaks for the client
// (RFC 7523 §2.2, OpenID Connect Core §9).
func (k *Connector) assertion(ctx context.Context, c *connection.Connection, o *connection.OIDCOptions, p provider) (string, error) {
	if k.Keys == nil {
		return "", errConfig.Because(errors.New("private_key_jwt is not offered for this connection"))
	}
	own, err := k.Keys.Signing(ctx, c)
	if errors.Is(err, connection.ErrNoKeys) {
		return "", errConfig.Because(err)
	}
	if err != nil {
		return "", err
	}
	private, err := x509.ParsePKCS8PrivateKey(own.Private)
	if err != nil {
		return "", fmt.Errorf("connection key %s: %w", own.ID, err)
	}
	audience := p.TokenEndpoint
	if optionsOf(c).audienceIsIssuer {
		audience = p.Issuer
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(k.rand, id); err != nil {
		return "", fmt.Errorf("random jti: %w", err)
	}
	now := k.now().Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": o.ClientID, "sub": o.ClientID, "aud": audience, "jti": base64.RawURLEncoding.EncodeToString(id),
		"iat": now, "exp": now + assertionLife,
	})
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: assertionAlg(own.Alg, o.TokenEndpointAuthSigningAlg), Key: private},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", own.ID))
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	return jws.CompactSerialize()
}

// assertionAlg is what the connection is set to, where its key can do that: an
// RSA key signs by all RSA algorithms, an EC key by one.
func assertionAlg(of, wanted string) jose.SignatureAlgorithm {
	rsa := func(alg string) bool { return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") }
	if rsa(of) && rsa(wanted) && slices.Contains(connection.KeyAlgs(), wanted) {
		return jose.SignatureAlgorithm(wanted)
	}
	return jose.SignatureAlgorithm(of)
}
