package connection

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// States of a Key.
const (
	KeyCurrent  = "current"  // signs
	KeyNext     = "next"     // published, signs after a rotation
	KeyPrevious = "previous" // signed before; no longer published
)

// Key is a key pair by which a connection of oidc or okta proves to its provider
// who is calling (private_key_jwt, RFC 7523 §2.2).
type Key struct {
	ID      string // kid
	Alg     string // one of KeyAlgs
	Private []byte // PKCS #8 DER; the store seals it
	Cert    []byte // X.509 DER, self-signed
	State   string
	// CurrentSince and CurrentUntil in microseconds; zero: not yet.
	CurrentSince, CurrentUntil int64
	CreatedAt                  int64 // microseconds
}

// KeyAlgs are the algorithms that a Key may be made for.
func KeyAlgs() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384"}
}

// KeyStore keeps the keys of connections.
type KeyStore interface {
	// ConnectionKeys lists by the time of making. A connection that is not there has none.
	ConnectionKeys(ctx context.Context, connectionID string) ([]Key, error)
	// UpdateConnectionKeys runs fn on the keys, of which nobody else changes any
	// meanwhile, and keeps exactly those it returns. fn may run twice. ErrNotFound.
	UpdateConnectionKeys(ctx context.Context, connectionID string, fn func([]Key) ([]Key, error), e audit.Event) ([]Key, error)
}

// Failures (reference/connections.md §1.4).
var (
	ErrNoKeys      = errs.New(errs.NotFound, "inexistent_connection_keys", "The connection has no keys")
	errKeyStrategy = errs.New(errs.Invalid, "invalid_uri", "keys are not available for this connection")
	errKeysExist   = errs.New(errs.Conflict, "conflict", "Keys have already been created for this connection.")
	errNoRotation  = errs.New(errs.Invalid, "invalid_uri", "Key rotation is not supported on this connection")
	errNoKeyJWT    = errs.New(errs.Invalid, "invalid_uri", "Connection is not configured to use JWT Client Authentication")
)

// hasKeys reports whether connections of the strategy can have keys.
func hasKeys(strategy string) bool { return strategy == "oidc" || strategy == "okta" }

// PrivateKeyJWT reports whether the connection proves itself by a key.
func (c *Connection) PrivateKeyJWT() bool {
	return hasKeys(c.Strategy) && c.OIDC().TokenEndpointAuthMethod == "private_key_jwt"
}
