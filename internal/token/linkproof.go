package token

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/key"
)

// Failures of link_with (reference/users.md §3.7).
var (
	ErrLinkToken      = errs.New(errs.Invalid, "invalid_body", "Invalid token (link_with).")
	ErrLinkAlgorithm  = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) must have an alg of RS256.")
	ErrLinkIssuer     = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) must have the same issuer as the calling user.")
	ErrLinkNoAudience = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) contains an invalid aud claim.")
	ErrLinkAudience   = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) must have an aud claim that matches that of the calling token's azp.")
	ErrLinkNoSubject  = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) must contains sub claim.")
	ErrLinkSubject    = errs.New(errs.Invalid, "invalid_body", "JWT (link_with) contains an invalid sub claim.")
)

// LinkProof reads an ID token by which a caller shows that a second account is
// its own, too, and returns the user_id of that account. The token has to be
// ours, not expired, and for the client of the calling token. Errors: those above.
func (v *Verifier) LinkProof(ctx context.Context, raw, clientID string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > MaxLength || len(parts) != 3 {
		return "", ErrLinkToken
	}
	header, ok := decode(parts[0])
	payload, ok2 := decode(parts[1])
	if !ok || !ok2 {
		return "", ErrLinkToken
	}
	subject, err := linkSubject(header, payload, v.issuer, clientID, v.now().Unix())
	if err != nil {
		return "", err
	}
	c, err := v.signed(ctx, raw)
	if errs.KindOf(err) == errs.Unauthenticated {
		return "", ErrLinkToken.Because(err)
	}
	if err != nil {
		return "", err
	}
	// Only an ID token has at_hash, and only an access token names its client: an
	// API may have been given a client's id as its identifier.
	if c.Hash == "" || c.Party != "" || c.ClientID != "" || c.Subject != subject {
		return "", ErrLinkToken
	}
	return subject, nil
}

// linkSubject judges what a token says, before its signature is looked at, and
// returns its subject. clientID is the azp of the calling token, now in seconds.
func linkSubject(header, payload []byte, issuer, clientID string, now int64) (string, error) {
	var h struct {
		Alg string `json:"alg"`
	}
	var c struct {
		Issuer   json.RawMessage `json:"iss"`
		Audience json.RawMessage `json:"aud"`
		Subject  json.RawMessage `json:"sub"`
		Expires  json.RawMessage `json:"exp"`
	}
	if json.Unmarshal(header, &h) != nil || json.Unmarshal(payload, &c) != nil {
		return "", ErrLinkToken
	}
	if h.Alg != key.RS256 {
		return "", ErrLinkAlgorithm
	}
	var iss string
	if json.Unmarshal(c.Issuer, &iss) != nil || iss != issuer {
		return "", ErrLinkIssuer
	}
	var exp int64
	if json.Unmarshal(c.Expires, &exp) != nil || now >= exp {
		return "", ErrLinkToken
	}
	var aud audience
	if json.Unmarshal(c.Audience, &aud) != nil || len(aud) == 0 {
		return "", ErrLinkNoAudience
	}
	if len(aud) != 1 || !slices.Contains(aud, clientID) {
		return "", ErrLinkAudience
	}
	if len(c.Subject) == 0 || string(c.Subject) == "null" {
		return "", ErrLinkNoSubject
	}
	var sub string
	if json.Unmarshal(c.Subject, &sub) != nil {
		return "", ErrLinkSubject
	}
	if provider, id, _ := strings.Cut(sub, "|"); provider == "" || id == "" {
		return "", ErrLinkSubject
	}
	return sub, nil
}
