package passwd

import (
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Cost of the bcrypt hashes that Hash writes.
const Cost = 10

// MaxBytes is how much of a password bcrypt looks at. What is longer is refused
// everywhere, since two passwords that differ only behind it would be one.
const MaxBytes = 72

// What Hash does not take. Policy.Check refuses both before.
var (
	ErrTooLong = errors.New("the password is longer than 72 bytes")
	// ErrNUL: bcrypt repeats the password and a NUL over and over, so that a\x00a
	// would be the same as a.
	ErrNUL = errors.New("the password contains NUL")
)

// Hash makes the stored form of a password: bcrypt, cost 10, of its normal form;
// what is over 72 bytes then is ErrTooLong (never truncated).
func Hash(password string) (string, error) {
	password = Normalize(password)
	if len(password) > MaxBytes {
		return "", ErrTooLong
	}
	if strings.Contains(password, "\x00") {
		return "", ErrNUL
	}
	h, err := bcrypt.GenerateFromPassword([]byte(password), Cost)
	return string(h), err
}
