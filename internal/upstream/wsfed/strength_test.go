package wsfed

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream/idptest"
)

// Keys that could be forged, or that take minutes to check, are refused when metadata
// brings no others, and else are no keys.
func TestKeyLengths(t *testing.T) {
	good := testKeys(t)
	of := func(bits int) idptest.KeyPair {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, good.Certificate, &rsa.PublicKey{N: n, E: 65537}, good.Key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return idptest.KeyPair{Certificate: cert}
	}
	p := newRig(t, nil).connector.Preparer("adfs")
	for _, bits := range []int{1024, 16392} {
		weak := of(bits)
		prepare := func(keys ...idptest.KeyPair) (strictjson.Document, error) {
			options, err := json.Marshal(map[string]any{"fedMetadataXml": idptest.FederationMetadata(providerID, "https://adfs.example/adfs/ls/", keys...)})
			if err != nil {
				t.Fatal(err)
			}
			return p.Prepare(t.Context(), "corp", nil, strictjson.ParseDocument(options))
		}
		_, err := prepare(weak)
		var refused *errs.Error
		if !errors.As(err, &refused) || refused.Kind != errs.Invalid || !strings.Contains(refused.Text, "the key has to be RSA of 2048 to 16384 bits, or ECDSA") {
			t.Errorf("%d: %v", bits, err)
		}
		got, err := prepare(weak, good)
		if want := thumbprint(good.Certificate); err != nil || strings.Join(got.Texts("thumbprints"), " ") != want {
			t.Errorf("%d beside a good one: %v %v", bits, got.Texts("thumbprints"), err)
		}
	}
}
