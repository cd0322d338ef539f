package saml

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/upstream"
)

// weakKey has 1024 bits.
var weakKey = sync.OnceValue(func() pair {
	k, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // it is to be refused
	if err != nil {
		panic(err)
	}
	return newPair(k, clockAt.Add(-time.Hour), clockAt.Add(time.Hour))
})

// longKey is a certificate of a key of 16,392 bits, which nobody has the other half of.
func longKey() *x509.Certificate {
	n := new(big.Int).SetBit(big.NewInt(1), 16391, 1)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: clockAt, NotAfter: clockAt.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, idpKey().cert, &rsa.PublicKey{N: n, E: 65537}, idpKey().key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

// A key that could be forged, or that takes minutes to check, is refused when it is
// written; one that is there all the same is no key.
func TestKeyLengths(t *testing.T) {
	long := pair{cert: longKey()}
	for name, options := range map[string]map[string]any{
		"short":           {"signInEndpoint": "https://x", "signingCert": weakKey().certPEM()},
		"short beside":    {"signInEndpoint": "https://x", "cert": idpKey().certPEM() + weakKey().certPEM()},
		"long":            {"signInEndpoint": "https://x", "signingCert": long.certPEM()},
		"short, metadata": {"metadataXml": idpMetadata(weakKey(), "https://idp.example/sso", "")},
		"long, metadata":  {"metadataXml": idpMetadata(long, "https://idp.example/sso", "")},
	} {
		_, err := prepare(t, "samlp", nil, options)
		var refused *errs.Error
		if !errors.As(err, &refused) || refused.Kind != errs.Invalid || !strings.Contains(refused.Text, "the key has to be RSA of 2048 to 16384 bits, or ECDSA") {
			t.Errorf("%s: %v", name, err)
		}
	}
	rotation := strings.Replace(idpMetadata(idpKey(), "https://idp.example/sso", ""), "<KeyDescriptor ",
		strings.Join(strings.SplitAfter(idpMetadata(weakKey(), "", ""), "</KeyDescriptor>")[:1], "")[strings.Index(idpMetadata(weakKey(), "", ""), "<KeyDescriptor "):]+"<KeyDescriptor ", 1)
	got, err := prepare(t, "samlp", nil, map[string]any{"metadataXml": rotation})
	if err != nil || got.Text("cert") != idpKey().certPEM() {
		t.Errorf("a short key before a good one: %v %s", err, got.Encode())
	}
	r := newRig(map[string]any{"cert": weakKey().certPEM() + idpKey().certPEM()})
	_, err = r.callback(posted(said().signed(weakKey())))
	refused(t, err, "signature not valid")
	if _, err := r.callback(posted(said().signed(idpKey()))); err != nil {
		t.Error(err)
	}
	_, err = r.ReadSignOut(t.Context(), r.c, left().redirected(weakKey(), false))
	refused(t, err, "signature not valid")
	r = newRig(map[string]any{"cert": weakKey().certPEM()})
	if _, err := r.callback(posted(said().signed(weakKey()))); !errors.Is(err, upstream.ErrConfig) {
		t.Errorf("no key at all: %v", err)
	}
}

// security.md 102: a LogoutRequest ends sessions once, whichever of the provider's
// connections it is brought to; one that is refused is not remembered.
func TestSignOutOnce(t *testing.T) {
	for name, m := range map[string]upstream.SignOutMessage{"posted": left().posted(idpKey()), "redirected": left().redirected(idpKey(), false)} {
		r := newRig(nil)
		sibling := *r.c
		sibling.ID, sibling.Name = "con_2", "sibling"
		forged := left()
		forged.destination = "https://elsewhere.example/logout"
		if _, err := r.ReadSignOut(t.Context(), r.c, forged.posted(idpKey())); err == nil {
			t.Errorf("%s: for another address", name)
		}
		if _, err := r.ReadSignOut(t.Context(), r.c, m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := r.ReadSignOut(t.Context(), r.c, m)
		refused(t, err, "used before")
		_, err = r.ReadSignOut(t.Context(), &sibling, m)
		refused(t, err, "used before")
		other := left()
		other.id = "_l2"
		if _, err := r.ReadSignOut(t.Context(), r.c, other.posted(idpKey())); err != nil {
			t.Errorf("%s: another one: %v", name, err)
		}
		for _, until := range r.memory.(*memory).seen {
			if until < clockAt.Add(logoutLife+2*skew).UnixMicro() {
				t.Errorf("%s: forgotten at %s, when it could be sent again", name, time.UnixMicro(until))
			}
		}
	}
}
