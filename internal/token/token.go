package token

import (
	"context"

	"mangrove/internal/errs"
)

// Code is an authorization code. Only the SHA-256 of the code is stored.
type Code struct {
	Hash          string // hex SHA-256
	ClientID      string
	UserID        string
	SessionID     string // the session's public id (sid)
	ConnectionID  string // through which the session began
	RedirectURI   string // as sent; empty when the request had none
	Scope         string // granted, space separated
	Requested     string // as requested
	Audience      string
	Nonce         string
	Challenge     string // code_challenge; empty: none
	Method        string // S256 or plain
	AuthTime      int64  // microseconds
	WantsAuthTime bool   // max_age was sent: the ID token carries auth_time
	Methods       string // of the session, space separated
	ExpiresAt     int64
	// NoteUntil: with the code the client is noted with the session until then
	// (session.Store.AddSessionClient). It is not kept; 0: that is not needed.
	NoteUntil int64
}

// Opaque is an access token for /userinfo alone. Only its SHA-256 is stored.
type Opaque struct {
	Hash      string
	UserID    string
	ClientID  string
	Scope     string
	CodeHash  string // of the code it came from: reuse of the code kills it
	SessionID string // of the session it came of: an administrator ends both; empty: none
	ExpiresAt int64
}

// ErrCode is for codes that are unknown, expired, used, or another client's (reference/authentication.md §3.5).
var ErrCode = errs.New(errs.Forbidden, "invalid_grant", "Invalid authorization code")

// Store keeps codes and opaque tokens.
type Store interface {
	SaveCode(ctx context.Context, c Code) error
	// RedeemCode takes the code: of any number of calls one gets it, the others
	// ErrCode. A second redemption also deletes every Opaque that came of the first,
	// and its refresh token.
	RedeemCode(ctx context.Context, hash string, now int64) (Code, error)
	SaveOpaque(ctx context.Context, o Opaque) error
	// Opaque finds a token that has not expired; ErrToken otherwise.
	Opaque(ctx context.Context, hash string, now int64) (Opaque, error)
}

// ErrToken says that there is no such token, or it is no longer valid.
var ErrToken = errs.New(errs.Unauthenticated, "invalid_token", "Invalid token")
