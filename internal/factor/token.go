package factor

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/token"
)

// TokenLifetime of an mfa_token (reference/authentication.md §3.10), and how long
// an expired one is told from one that never was; microseconds.
const (
	TokenLifetime = 10 * 60 * 1_000_000
	TokenKept     = 24 * 3600 * 1_000_000
)

// Token is what an mfa_token stands for: a grant that was interrupted. Of its
// text only the SHA-256 is stored.
type Token struct {
	Hash     string
	UserID   string
	ClientID string
	Grant    Grant
	// ExpiresAt in microseconds; KeptUntil is when it is forgotten.
	ExpiresAt, KeptUntil int64
}

// Grant is what goes on after the second factor.
type Grant struct {
	Type     string   `json:"type"` // grant_type
	Audience string   `json:"audience,omitzero"`
	Scope    string   `json:"scope,omitzero"` // as sent
	Gty      string   `json:"gty,omitzero"`   // of the access token
	Methods  []string `json:"methods,omitzero"`
	// ConnectionID is that of the first factor; empty: not known.
	ConnectionID string `json:"connection_id,omitzero"`
}

// Refusals of an mfa_token (reference/authentication.md §3.10).
var (
	ErrMalformed    = errs.New(errs.Unauthenticated, "invalid_grant", "Malformed mfa_token")
	ErrTokenExpired = errs.New(errs.Unauthenticated, "expired_token", "mfa_token is expired")
)

// Begin interrupts a grant and returns the mfa_token.
func (s *Service) Begin(ctx context.Context, userID, clientID string, g Grant, events ...audit.Event) (string, error) {
	now := s.Now().UnixMicro()
	secret := token.NewSecret()
	t := Token{
		Hash: token.HashOf(secret), UserID: userID, ClientID: clientID, Grant: g,
		ExpiresAt: now + TokenLifetime, KeptUntil: now + TokenLifetime + TokenKept,
	}
	return secret, s.Store.SaveMFAToken(ctx, t, events...)
}

// Token finds what an mfa_token stands for. Errors: ErrMalformed, ErrTokenExpired.
func (s *Service) Token(ctx context.Context, secret string) (Token, error) {
	t, err := s.Store.MFAToken(ctx, token.HashOf(secret))
	if err == nil && s.Now().UnixMicro() >= t.ExpiresAt {
		return Token{}, ErrTokenExpired
	}
	return t, err
}

// Spend uses an mfa_token up: of any number of calls one succeeds.
func (s *Service) Spend(ctx context.Context, t Token) error {
	ok, err := s.Store.TakeMFAToken(ctx, t.Hash, s.Now().UnixMicro())
	if err == nil && !ok {
		return ErrMalformed
	}
	return err
}
