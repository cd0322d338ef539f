package passwd

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// The ceilings: what a stored form may cost at a login. Above them an import is
// refused, so that no row of a file can make a login cost minutes or gigabytes.
const (
	maxBcryptCost    = 14
	maxArgonMemory   = 256 << 10 // KiB
	maxArgonTime     = 16
	maxArgonThreads  = 16
	maxScryptMemory  = 128 << 20 // bytes: 128·N·r
	maxScryptWork    = 4 << 20   // N·r·p
	maxScryptThreads = 16
	maxRounds        = 5_000_000 // PBKDF2: iterations times blocks of output
	maxPhpassCost    = 20        // base-2 logarithm of the rounds
	maxCryptRounds   = 500_000   // of sha-crypt
	maxHashText      = 4 << 10   // bytes of any hash, salt or key as written
	maxPassword      = 4 << 10   // bytes of a password that is tried

	// minDerived is the least output of a key derivation in bytes: below it,
	// other passwords would match by chance.
	minDerived = 8
)

// Refused says why a hash cannot be taken.
type Refused struct {
	Code string // as z-schema names violations: INVALID_TYPE, ENUM_MISMATCH, FORMAT, …
	Path string // within the object: hash.encoding; empty: the whole
	Text string // never repeats a hash, salt or key
}

func (r *Refused) Error() string { return r.Text }

func refuse(code, path, format string, args ...any) *Refused {
	return &Refused{Code: code, Path: path, Text: fmt.Sprintf(format, args...)}
}

// ParseBcrypt checks a password_hash of an import ($2a$, $2b$; also $2y$) and
// returns the stored form. Costs over 14 are refused. Errors: *Refused.
func ParseBcrypt(hash string) (stored string, err error) {
	if _, err := bcryptCost(hash); err != nil {
		return "", err
	}
	return hash, nil
}

// bcryptCost checks the form $2b$10$ and 53 characters.
func bcryptCost(hash string) (int, error) {
	if len(hash) != 60 || !(strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")) ||
		strings.Trim(hash[7:], "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return 0, refuse("FORMAT", "", "Not a bcrypt hash ($2a$, $2b$ or $2y$)")
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || hash[6] != '$' || hash[4] < '0' || hash[4] > '9' || hash[5] < '0' || hash[5] > '9' {
		return 0, refuse("FORMAT", "", "Not a bcrypt hash ($2a$, $2b$ or $2y$)")
	}
	if cost > maxBcryptCost {
		return 0, refuse("MAXIMUM", "", "bcrypt cost %d is greater than maximum %d", cost, maxBcryptCost)
	}
	return cost, nil
}
