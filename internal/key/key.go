package key

import "context"

// State of a key.
const (
	Current  = "current"  // signs
	Next     = "next"     // published, will sign after a rotation
	Previous = "previous" // verifies what it signed before
	Revoked  = "revoked"  // neither
)

// Key as stored.
type Key struct {
	ID        string // kid
	Alg       string // RS256
	Private   []byte // PKCS#8 DER; the store seals it
	Cert      []byte // X.509 DER
	State     string
	CreatedAt int64 // microseconds
	Since     int64 // microseconds, in this state; zero: since it was made
}

// Store keeps keys.
type Store interface {
	Keys(ctx context.Context) ([]Key, error)
}
