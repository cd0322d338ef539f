package pushed

import (
	"context"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/token"
)

// Request is one that was pushed. It is used once.
type Request struct {
	Hash      string // of the reference's secret
	ClientID  string
	Params    []byte // form encoded
	ExpiresAt int64  // microseconds
}

// ErrNone is for references that are unknown, late, used, or another client's.
var ErrNone = errs.New(errs.Invalid, "invalid_request_uri", "The request_uri is invalid, has expired or was already used.")

// Store keeps them.
type Store interface {
	PushRequest(ctx context.Context, r Request) error
	// TakePushed gives the request to one caller: of any number of calls by its
	// client before its end one succeeds; ErrNone. Another client's call does not
	// use it up.
	TakePushed(ctx context.Context, hash, clientID string, now int64) (Request, error)
}

// prefix of a reference (RFC 9126 §2.2).
const prefix = "urn:ietf:params:oauth:request_uri:"

// NewReference is a request_uri and the hash under which its request is kept.
func NewReference() (uri, hash string) {
	secret := token.NewSecret()
	return prefix + secret, token.HashOf(secret)
}

// HashOf is the hash of a request_uri; false for one that is no reference of
// this kind: an address that somebody wants to be fetched, say.
func HashOf(uri string) (string, bool) {
	secret, ok := strings.CutPrefix(uri, prefix)
	return token.HashOf(secret), ok && secret != ""
}
