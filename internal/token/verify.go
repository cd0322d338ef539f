package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/key"
)

// Failures of a bearer token, in the words of reference/users.md §3.0.
var (
	// ErrMalformed: not a JWT of ours at all, or not an access token.
	ErrMalformed = errs.New(errs.Unauthenticated, "", "Invalid token")
	// ErrSignature: no key of ours signed it.
	ErrSignature = errs.New(errs.Unauthenticated, "", "Invalid signature received for JSON Web Token validation")
	// ErrExpired: it was good once.
	ErrExpired = errs.New(errs.Unauthenticated, "", "Expired token received for JSON Web Token validation")
)

// BadAudience is the failure of a token that is for somebody else.
func BadAudience(audience []string) *errs.Error {
	return errs.New(errs.Unauthenticated, "", "Bad audience: %s", strings.Join(audience, ","))
}

// MaxLength of a bearer token in bytes: longer ones are not looked at.
const MaxLength = 128 << 10

// Bearer is a verified access token. It is shared: do not change it.
type Bearer struct {
	Subject   string // user_id, or CLIENT_ID@clients
	ClientID  string // azp
	Audience  []string
	Scopes    []string
	GrantType string // gty: client-credentials, password, or empty
	IssuedAt  int64  // seconds
	ExpiresAt int64  // seconds
	// Multifactor: the token says that a second factor was shown (amr).
	Multifactor bool
}

// Has reports whether the token has the scope.
func (b *Bearer) Has(scope string) bool { return slices.Contains(b.Scopes, scope) }

// For reports whether the token is for the audience.
func (b *Bearer) For(audience string) bool { return slices.Contains(b.Audience, audience) }

// Machine reports whether a client got the token for itself: there is no user.
func (b *Bearer) Machine() bool { return b.Subject == b.ClientID+"@clients" }

// Verifier checks access tokens that this server issued. It knows no other keys
// than the ring's: what a token's header says about keys (jwk, jku, x5u, x5c) is
// not read. RS256 is taken for every audience, RS512 and PS256 where an API of the
// token's audience signs so, and HS256 nowhere: whoever has the secret of an API
// could make tokens for any of our users.
type Verifier struct {
	// SigningAlg is the algorithm of the API with that identifier; empty when there
	// is none. Nil: RS256 alone. To be set before first use.
	SigningAlg func(ctx context.Context, audience string) (string, error)
	// HintSecret is what the client's ID tokens are keyed with where they are signed
	// with HS256; empty: they are not. Nil: no client's are. It is for ID tokens that
	// come back as a hint, and for nothing else. To be set before first use.
	HintSecret func(ctx context.Context, clientID string) (string, error)

	keys   *key.Ring
	issuer string
	now    func() time.Time
	cache  cache
}

// NewVerifier makes a verifier; issuer is the URL with its trailing slash.
func NewVerifier(keys *key.Ring, issuer string, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, issuer: issuer, now: now}
}

// VerifyFor is Verify for a token that must be for one of the audiences.
func (v *Verifier) VerifyFor(ctx context.Context, raw string, audiences ...string) (*Bearer, error) {
	b, err := v.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(audiences, b.For) {
		return nil, BadAudience(b.Audience)
	}
	return b, nil
}

// Verify checks an access token for any audience: its signature, issuer, expiry
// and kind. The caller has to look at the audience. Errors: ErrMalformed,
// ErrSignature, ErrExpired.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Bearer, error) {
	if len(raw) > MaxLength {
		return nil, ErrMalformed
	}
	now := v.now()
	generation := v.keys.Generation(ctx, now)
	sum := hash(raw)
	if b := v.cache.get(sum, generation, now.Unix()); b != nil {
		return b, nil
	}
	c, err := v.signed(ctx, raw)
	if err != nil {
		return nil, err
	}
	b, err := c.bearer()
	if err != nil {
		return nil, err
	}
	switch ok, err := v.expected(ctx, c); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrMalformed
	}
	if now.Unix() >= b.ExpiresAt {
		return nil, ErrExpired
	}
	v.cache.put(sum, generation, b)
	return b, nil
}

// Hint reads an ID token that comes back as id_token_hint: it has to be ours and
// for the client, but it may have expired (OpenID Connect Core §3.1.2.1).
func (v *Verifier) Hint(ctx context.Context, raw, clientID string) (subject, sid string, err error) {
	c, err := v.returned(ctx, raw)
	if err != nil {
		return "", "", err
	}
	if c.Audience[0] != clientID {
		return "", "", ErrMalformed
	}
	return c.Subject, c.SessionID, nil
}

// claims are what the server reads of its own tokens.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
	Party     string   `json:"azp"`
	ClientID  string   `json:"client_id"` // in the place of azp in the RFC 9068 profile
	Scope     string   `json:"scope"`
	GrantType string   `json:"gty"`
	SessionID string   `json:"sid"`
	Hash      string   `json:"at_hash"`
	Methods   []string `json:"amr"`

	alg string // of the signature
}

// audience is a string or a list of strings.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// bearer sorts out what is not an access token. Only an ID token has at_hash or
// sid, and only an access token names the client that it was issued to.
func (c *claims) bearer() (*Bearer, error) {
	client := c.Party
	if client == "" {
		client = c.ClientID
	}
	if client == "" || c.Hash != "" || c.SessionID != "" || c.Subject == "" || len(c.Audience) == 0 {
		return nil, ErrMalformed
	}
	return &Bearer{
		Subject:   c.Subject,
		ClientID:  client,
		Audience:  c.Audience,
		Scopes:    strings.Fields(c.Scope),
		GrantType: c.GrantType,
		IssuedAt:  c.IssuedAt,
		ExpiresAt: c.ExpiresAt,

		Multifactor: slices.Contains(c.Methods, "mfa"),
	}, nil
}

// jws is a JWT in its parts. Nothing of it is proven.
type jws struct {
	alg, kid                  string
	input, payload, signature []byte // input is what is signed
}

func parse(raw string) (j jws, err error) {
	head, rest, ok := strings.Cut(raw, ".")
	if !ok {
		return j, ErrMalformed
	}
	body, tail, ok := strings.Cut(rest, ".")
	if !ok {
		return j, ErrMalformed
	}
	header, ok1 := decode(head)
	payload, ok2 := decode(body)
	signature, ok3 := decode(tail)
	if !ok1 || !ok2 || !ok3 {
		return j, ErrMalformed
	}
	var h struct {
		Alg  string          `json:"alg"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	if json.Unmarshal(header, &h) != nil || h.Crit != nil {
		return j, ErrMalformed
	}
	return jws{h.Alg, h.Kid, []byte(raw[:len(head)+1+len(body)]), payload, signature}, nil
}

// signed reads the claims of a JWT that a key of ours signed as issuer.
func (v *Verifier) signed(ctx context.Context, raw string) (*claims, error) {
	j, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return v.signedBy(ctx, j)
}

func (v *Verifier) signedBy(ctx context.Context, j jws) (*claims, error) {
	if j.alg != key.RS256 && (v.SigningAlg == nil || j.alg != key.RS512 && j.alg != key.PS256) {
		return nil, ErrMalformed
	}
	switch err := v.keys.VerifyWith(ctx, j.alg, j.kid, j.input, j.signature); {
	case errors.Is(err, key.ErrUnknown), errors.Is(err, key.ErrSignature):
		return nil, ErrSignature.Because(err)
	case err != nil:
		return nil, err
	}
	// The bytes are our own.
	return v.claimsOf(j)
}

// claimsOf reads the claims of a JWT that says to be ours.
func (v *Verifier) claimsOf(j jws) (*claims, error) {
	var c claims
	if err := json.Unmarshal(j.payload, &c); err != nil {
		return nil, ErrMalformed.Because(err)
	}
	if c.Issuer != v.issuer {
		return nil, ErrMalformed
	}
	c.alg = j.alg
	return &c, nil
}

// expected reports whether an access token of that algorithm is to be taken.
func (v *Verifier) expected(ctx context.Context, c *claims) (bool, error) {
	if c.alg == key.RS256 {
		return true, nil
	}
	for _, audience := range c.Audience {
		if alg, err := v.SigningAlg(ctx, audience); alg == c.alg || err != nil {
			return err == nil, err
		}
	}
	return false, nil
}

// decode takes exactly one spelling of the bytes: the library skips line breaks
// and, unless told, spare bits; two spellings of one token would be two tokens.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}
