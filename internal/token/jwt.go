package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/key"
	"mangrove/internal/profile"
)

// Grant types as the gty claim names them (reference/authentication.md §3.12).
const (
	GrantClientCredentials = "client-credentials"
	GrantPassword          = "password"
	GrantRefresh           = "refresh_token"
)

// HS256 is keyed with what the reader of the token shares with us: the secret of
// the client, or of the API.
const HS256 = "HS256"

// MultifactorACR is acr after a second factor (reference/authentication.md §3.12).
const MultifactorACR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"

// Signing says how a token is signed; the zero value is RS256.
type Signing struct {
	Alg string // RS256, RS512, PS256 or HS256
	// Secret is the key of HS256; not empty.
	Secret string
}

// Known reports whether a token can be signed so.
func (s Signing) Known() bool {
	switch s.Alg {
	case "", key.RS256, key.RS512, key.PS256:
		return true
	case HS256:
		return s.Secret != ""
	}
	return false
}

// Issuer mints JWTs.
type Issuer struct {
	Keys *key.Ring
	URL  string // with its trailing slash
	Now  func() time.Time
}

// Access says what goes into an access token.
type Access struct {
	Subject  string
	ClientID string
	// Audience is written as a string when it is one, as a list otherwise.
	Audience []string
	Scopes   []string // none: the claim is absent
	Lifetime time.Duration
	// GrantType is gty; empty: absent, as for authorization codes.
	GrantType string
	// Permissions is absent when nil, and may be an empty list.
	Permissions []string
	// ID, when set, makes the token of the RFC 9068 profile: header at+jwt,
	// client_id instead of azp, jti, no gty.
	ID      string
	Signing Signing
	// Multifactor: a second factor was shown; amr says so.
	Multifactor bool
}

// AccessToken mints an access token of the Auth0 profile, or of RFC 9068.
func (i *Issuer) AccessToken(ctx context.Context, a Access) (string, error) {
	now := i.Now().Unix()
	typ := "JWT"
	var o object
	o.text("iss", i.URL)
	o.text("sub", a.Subject)
	if len(a.Audience) == 1 {
		o.text("aud", a.Audience[0])
	} else {
		o.texts("aud", a.Audience)
	}
	o.number("iat", now)
	o.number("exp", now+int64(a.Lifetime/time.Second))
	if a.ID == "" {
		o.text("azp", a.ClientID)
	} else {
		typ = "at+jwt"
		o.text("client_id", a.ClientID)
		o.text("jti", a.ID)
	}
	if len(a.Scopes) > 0 {
		o.text("scope", strings.Join(a.Scopes, " "))
	}
	if a.GrantType != "" && a.ID == "" {
		o.text("gty", a.GrantType)
	}
	if a.Permissions != nil {
		o.texts("permissions", a.Permissions)
	}
	if a.Multifactor {
		o.texts("amr", []string{"mfa"})
	}
	return i.sign(ctx, a.Signing, typ, o.done())
}

// errNotKnown keeps a caller who did not ask Known from handing out what nobody can verify.
var errNotKnown = errors.New("token: there is no way to sign like this")

func (i *Issuer) sign(ctx context.Context, s Signing, typ string, payload []byte) (string, error) {
	switch {
	case !s.Known():
		return "", errNotKnown
	case s.Alg == "":
		return i.Keys.Sign(ctx, typ, payload)
	case s.Alg != HS256:
		return i.Keys.SignWith(ctx, s.Alg, typ, payload)
	}
	enc := base64.RawURLEncoding
	b := enc.AppendEncode(nil, []byte(`{"alg":"HS256","typ":"`+typ+`"}`))
	b = append(b, '.')
	b = enc.AppendEncode(b, payload)
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write(b)
	b = append(b, '.')
	return string(enc.AppendEncode(b, mac.Sum(nil))), nil
}

// Identity says what goes into an ID token.
type Identity struct {
	Subject   string
	ClientID  string
	Lifetime  time.Duration
	Claims    []Claim // of the profile, by scope
	Nonce     string  // empty: absent
	SessionID string  // sid; empty: absent
	AuthTime  int64   // seconds; zero: absent
	// Multifactor: a second factor was shown; amr and acr say so.
	Multifactor bool
	// AccessToken is what was issued with it; its hash is at_hash. Empty: absent.
	AccessToken string
	// Code is the authorization code that was issued with it; its hash is c_hash. Empty: absent.
	Code    string
	Signing Signing
}

// IDToken mints an ID token (OpenID Connect Core §2, reference §3.12).
func (i *Issuer) IDToken(ctx context.Context, t Identity) (string, error) {
	now := i.Now().Unix()
	var o object
	for _, c := range t.Claims {
		o.raw(c.Name, c.Value)
	}
	o.text("iss", i.URL)
	o.text("aud", t.ClientID)
	o.number("iat", now)
	o.number("exp", now+int64(t.Lifetime/time.Second))
	o.text("sub", t.Subject)
	if t.AuthTime != 0 {
		o.number("auth_time", t.AuthTime)
	}
	if t.Multifactor {
		o.text("acr", MultifactorACR)
		o.texts("amr", []string{"mfa"})
	}
	if t.AccessToken != "" {
		o.text("at_hash", leftHalf(t.Signing.Alg, t.AccessToken))
	}
	if t.Code != "" {
		o.text("c_hash", leftHalf(t.Signing.Alg, t.Code))
	}
	if t.SessionID != "" {
		o.text("sid", t.SessionID)
	}
	if t.Nonce != "" {
		o.text("nonce", t.Nonce)
	}
	return i.sign(ctx, t.Signing, "JWT", o.done())
}

// AccessHash is at_hash for RS256 (OpenID Connect Core §3.1.3.6).
func AccessHash(accessToken string) string { return leftHalf(key.RS256, accessToken) }

// leftHalf is the left half of the hash that belongs to the algorithm, as at_hash
// and c_hash have it (OpenID Connect Core §3.1.3.6, §3.3.2.11).
func leftHalf(alg, text string) string {
	if alg == key.RS512 {
		sum := sha512.Sum512([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// object writes a JSON object whose members keep their order.
type object struct{ b []byte }

func (o *object) raw(name string, v json.RawMessage) {
	if len(o.b) == 0 {
		o.b = append(make([]byte, 0, 512), '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, profile.Text(name)...)
	o.b = append(o.b, ':')
	o.b = append(o.b, v...)
}

func (o *object) text(name, v string) { o.raw(name, profile.Text(v)) }

func (o *object) number(name string, v int64) {
	o.raw(name, strconv.AppendInt(nil, v, 10))
}

func (o *object) texts(name string, list []string) {
	b := []byte{'['}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, profile.Text(v)...)
	}
	o.raw(name, append(b, ']'))
}

func (o *object) done() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}
