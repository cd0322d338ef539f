package social

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/strictjson"
	"mangrove/internal/upstream/fetched"
)

// skew is how far the provider's clock may be behind or ahead of ours.
const skew = time.Minute

// algorithms that an ID token may be signed with, where its signature counts.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}

// readIDToken judges the ID token of the token answer and fills Answers.IDToken.
func (k *Connector) readIDToken(ctx context.Context, p *Provider, a *Answers, nonce string) error {
	rule := p.IDToken
	if rule == nil {
		return nil
	}
	raw := a.Token.Text("id_token")
	if raw == "" {
		if rule.Required {
			return errRefused.Because(errors.New("id token: none"))
		}
		return nil
	}
	payload, err := payloadOf(raw)
	if rule.JWKS != "" {
		payload, err = k.verified(ctx, p, a.Options, raw)
	}
	if err != nil {
		return err
	}
	claims, err := strictjson.Object(payload)
	if err != nil {
		return errRefused.Because(errors.New("id token: payload is not strict JSON"))
	}
	a.IDToken = strictjson.NewDocument(claims)
	if err := rule.accept(a.IDToken, a.ClientID, nonce, k.now()); err != nil {
		return errRefused.Because(err)
	}
	return nil
}

// payloadOf reads a token without its signature.
func payloadOf(raw string) ([]byte, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errRefused.Because(errors.New("id token: not a token"))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errRefused.Because(errors.New("id token: not a token"))
	}
	return payload, nil
}

// accept is OpenID Connect Core §3.1.3.7 but for the signature.
func (t *IDToken) accept(d strictjson.Document, clientID, nonce string, now time.Time) error {
	audience := d.Texts("aud")
	if one := d.Text("aud"); one != "" {
		audience = []string{one}
	}
	var expires float64
	if jsonv2.Unmarshal(d["exp"], &expires) != nil {
		expires = 0
	}
	switch {
	case !slices.Contains(t.Issuers, d.Text("iss")):
		return errors.New("id token: iss is not the provider's")
	case clientID == "" || !slices.Contains(audience, clientID):
		return errors.New("id token: aud does not name this client")
	case len(audience) > 1 && d.Text("azp") != clientID:
		return errors.New("id token: azp is another client")
	case float64(now.Add(-skew).Unix()) >= expires:
		return errors.New("id token: expired")
	case t.Nonce && (nonce == "" || subtle.ConstantTimeCompare([]byte(d.Text("nonce")), []byte(nonce)) != 1):
		return errors.New("id token: nonce is not the one that was sent")
	}
	return nil
}

// verified is the payload of a token that a key of the provider signed. Keys come
// from the provider's address alone: what the token's header says of keys is not
// looked at.
func (k *Connector) verified(ctx context.Context, p *Provider, o strictjson.Document, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, errRefused.Because(errors.New("id token: not a token, or its algorithm is not allowed"))
	}
	to, err := p.address(o, jwksEndpoint, p.IDToken.JWKS)
	if err != nil {
		return nil, errConfig.Because(err)
	}
	payload, ok, err := k.keySets.Verify(ctx, to.String(), k.now(), jws, func(ctx context.Context) (fetched.Keys, error) {
		got, err := k.ask(ctx, jwksEndpoint, http.MethodGet, to, nil, "")
		if err != nil {
			return nil, err
		}
		set, err := fetched.ParseKeys(got.body)
		if err != nil {
			return nil, errRefused.Because(err)
		}
		return set, nil
	})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, errUnreachable.Because(err)
	case err != nil:
		return nil, err
	case !ok:
		return nil, errRefused.Because(errors.New("id token: no key of the provider verifies the signature"))
	}
	return payload, nil
}

// sameSubject refuses a profile of somebody else than the ID token's (OpenID
// Connect Core §5.3.2).
func sameSubject(a *Answers) error {
	if a.IDToken != nil && a.IDToken.Text("sub") != a.Profile.Text("sub") {
		return errors.New("profile: sub is not the ID token's")
	}
	return nil
}
