package safexml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func TestStrong(t *testing.T) {
	bits := func(n uint) crypto.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), int(n)-1, 1), E: 65537}
	}
	for _, row := range []struct {
		name string
		key  crypto.PublicKey
		want bool
	}{
		{"1024", bits(1024), false},
		{"2047", bits(2047), false},
		{"2048", bits(2048), true},
		{"16384", bits(16384), true},
		{"16385", bits(16385), false},
		{"ECDSA", &ecdsa.PublicKey{Curve: elliptic.P256()}, true},
		{"Ed25519", ed25519.PublicKey{}, false},
		{"none", nil, false},
	} {
		if got := Strong(row.key); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// A signature that is right counts for nothing when the key is too short.
func TestShortKeySignsNothing(t *testing.T) {
	for bits, want := range map[int]error{1024: ErrSignature, 2048: nil} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		cert := pair(t, key)
		doc := etree.NewDocument()
		if err := doc.ReadFromString(signed(t, `<a ID="_1"><b>x</b></a>`, "_1", key, cert, dsig.RSASHA256SignatureMethod, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""))); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(doc.Root(), "ID", Keys{Certificates: []*x509.Certificate{cert}}); !errors.Is(err, want) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}
