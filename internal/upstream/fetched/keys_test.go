package fetched

import (
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// A key that takes minutes to check with is none.
func TestKeysOfUnusualSize(t *testing.T) {
	for bits, want := range map[int]bool{1024: false, 2048: true, 16384: true, 16385: false, 1 << 20: false} {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		if got := usable(jose.JSONWebKey{Key: &rsa.PublicKey{N: n, E: 65537}}); got != want {
			t.Errorf("%d bits: %v", bits, got)
		}
	}
}
