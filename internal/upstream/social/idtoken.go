package social

import (
	"context"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mangrove/internal/strictjson"
)

const (
	// skew is how far the provider's clock may be behind or ahead of ours.
	skew = time.Minute
	// keysTTL is how long a key that its provider has withdrawn is still believed.
	keysTTL = time.Hour
	// refetchAfter is how often at most an unknown key makes us ask again.
	refetchAfter = time.Minute
)

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
	for _, again := range []bool{false, true} {
		set, err := k.keySets.at(ctx, to.String(), k.now(), again, func() ([]jose.JSONWebKey, error) {
			got, err := k.ask(ctx, jwksEndpoint, http.MethodGet, to, nil, "")
			if err != nil {
				return nil, err
			}
			return parseKeys(got.body)
		})
		if err != nil {
			return nil, err
		}
		h := jws.Signatures[0].Header
		for _, key := range set {
			if h.KeyID != "" && key.KeyID != h.KeyID || key.Algorithm != "" && key.Algorithm != h.Algorithm {
				continue
			}
			if payload, err := jws.Verify(key.Key); err == nil {
				return payload, nil
			}
		}
	}
	return nil, errRefused.Because(errors.New("id token: no key of the provider verifies the signature"))
}

func parseKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := jsonv2.Unmarshal(raw, &doc); err != nil {
		return nil, errRefused.Because(errors.New("jwks: not a key set"))
	}
	var set []jose.JSONWebKey
	for _, j := range doc.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(j) == nil && key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") && fits(key) {
			set = append(set, key)
		}
	}
	return set, nil
}

// maxRSABits: a signature by a key of a million bits takes minutes to check.
const maxRSABits = 16384

func fits(key jose.JSONWebKey) bool {
	k, ok := key.Key.(*rsa.PublicKey)
	return !ok || k.N.BitLen() <= maxRSABits
}

// keySets keeps the key sets of addresses. One caller at a time asks for a set.
type keySets struct {
	mu   sync.Mutex
	sets map[string]*keySet
}

type keySet struct {
	turn chan struct{} // holds one token while somebody works on the set
	keys []jose.JSONWebKey
	at   time.Time // when the keys were fetched; zero: never
	// tried is when they were asked for last, with or without success.
	tried time.Time
}

// maxKeySets bounds the memory: addresses come from options.
const maxKeySets = 64

func (s *keySets) of(address string) *keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.sets[address]; e != nil {
		return e
	}
	if s.sets == nil || len(s.sets) >= maxKeySets {
		s.sets = map[string]*keySet{} // what is needed again is fetched again
	}
	e := &keySet{turn: make(chan struct{}, 1)}
	s.sets[address] = e
	return e
}

// at are the keys at an address. again: those that we had did not do.
func (s *keySets) at(ctx context.Context, address string, now time.Time, again bool, fetch func() ([]jose.JSONWebKey, error)) ([]jose.JSONWebKey, error) {
	e := s.of(address)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, errUnreachable.Because(ctx.Err())
	}
	defer func() { <-e.turn }()
	if e.at.IsZero() || now.Sub(e.at) >= keysTTL || again && now.Sub(e.tried) >= refetchAfter {
		e.tried = now
		keys, err := fetch()
		if err != nil {
			return nil, err
		}
		e.keys, e.at = keys, now
	}
	return e.keys, nil
}

// sameSubject refuses a profile of somebody else than the ID token's (OpenID
// Connect Core §5.3.2).
func sameSubject(a *Answers) error {
	if a.IDToken != nil && a.IDToken.Text("sub") != a.Profile.Text("sub") {
		return errors.New("profile: sub is not the ID token's")
	}
	return nil
}
