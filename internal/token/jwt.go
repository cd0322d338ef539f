package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
)

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
	ID string
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
	return i.Keys.Sign(ctx, typ, o.done())
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
	// AccessToken is what was issued with it; its hash is at_hash.
	AccessToken string
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
	o.text("at_hash", AccessHash(t.AccessToken))
	if t.SessionID != "" {
		o.text("sid", t.SessionID)
	}
	if t.Nonce != "" {
		o.text("nonce", t.Nonce)
	}
	return i.Keys.Sign(ctx, "JWT", o.done())
}

// AccessHash is at_hash for RS256: the left half of the SHA-256 (OpenID Connect Core §3.1.3.6).
func AccessHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
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
