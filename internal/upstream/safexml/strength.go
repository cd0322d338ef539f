package safexml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
)

// Bits of an RSA key. A signature by a shorter one can be forged, and one by a key of
// a million bits takes minutes to check.
const (
	minRSABits = 2048
	maxRSABits = 16384
)

// StrongKeys says which keys those of Strong are.
const StrongKeys = "RSA of 2048 to 16384 bits, or ECDSA"

// Strong reports whether signatures of the key count.
func Strong(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		return true
	}
	return false
}
