package passwd

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
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

// Parameters of HashAny where bcrypt is no way: argon2id with the least that OWASP's
// Password Storage Cheat Sheet has.
const (
	anyMemory  = 19 << 10 // KiB
	anyTime    = 2
	anyThreads = 1
)

// HashAny is Hash for a password that was good elsewhere and has to stay: what is too long
// for it becomes argon2id, of the password as it is. What is too long for Verify, too, is
// ErrTooLong.
func HashAny(password string) (string, error) {
	stored, err := Hash(password)
	if !errors.Is(err, ErrTooLong) || len(password) > maxPassword || strings.Contains(password, "\x00") {
		return stored, err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	key := argon2.IDKey([]byte(password), salt, anyTime, anyMemory, anyThreads, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return ParseText(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", anyMemory, anyTime, anyThreads, encode(salt), encode(key)))
}
