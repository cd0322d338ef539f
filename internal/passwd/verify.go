package passwd

import (
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Verify reports whether password matches a stored form: first as received, for
// hashes that came from elsewhere, then in its normal form. A form that cannot be
// read never matches. rehash, on a match, says that the form is weaker than or
// foreign to the one that Hash writes, and that Hash takes the password.
func Verify(stored, password string) (ok, rehash bool) {
	if len(password) > maxPassword {
		return false, false
	}
	normal := Normalize(password)
	ok, rehash = verify(stored, password)
	if normal == password {
		return ok, rehash
	}
	if ok {
		return true, len(normal) <= MaxBytes
	}
	return verify(stored, normal)
}

func verify(stored, password string) (ok, rehash bool) {
	if len(password) > maxPassword || len(stored) > maxStored || strings.Contains(password, "\x00") {
		return false, false
	}
	if len(stored) > 0 && stored[0] == '{' {
		c, err := parseCustom([]byte(stored))
		if err != nil {
			return false, false
		}
		match, err := c.matcher()
		if err != nil {
			return false, false
		}
		plain, ok := encodePassword(c.Password.Encoding, password)
		ok = ok && match(plain)
		return ok, ok && len(password) <= MaxBytes
	}
	cost, err := bcryptCost(stored)
	if err != nil || len(password) > MaxBytes {
		return false, false
	}
	ok = bcrypt.CompareHashAndPassword([]byte(stored), []byte(password)) == nil
	return ok, ok && cost < Cost
}

// nobody is a hash of random bytes that were thrown away, of the cost of Hash.
const nobody = "$2a$10$/7EqZk3/6k/wz5NNXo2Ge.RXug22omq85E42vg/Y1MGMzvk8osAWy"

// Dummy takes as long as Verify on a form that Hash wrote, and is always false:
// for people who do not exist.
func Dummy(password string) bool {
	Verify(nobody, password)
	return false
}
