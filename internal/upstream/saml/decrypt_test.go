package saml

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what RSA-OAEP means when it does not say
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/russellhaering/gosaml2/types"

	"mangrove/internal/upstream/safexml"
)

// encrypted puts what an assertion says into an EncryptedAssertion.
func encrypted(plain, content, transport string) string {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	size := 16
	if strings.Contains(content, "256") {
		size = 32
	}
	key := make([]byte, size)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	must(err)
	var sealed []byte
	if strings.HasSuffix(content, "gcm") {
		g, err := cipher.NewGCM(block)
		must(err)
		nonce := make([]byte, g.NonceSize())
		_, _ = rand.Read(nonce)
		sealed = g.Seal(nonce, nonce, []byte(plain), nil)
	} else {
		pad := 16 - len(plain)%16
		padded := append([]byte(plain), make([]byte, pad)...)
		padded[len(padded)-1] = byte(pad)
		sealed = make([]byte, 16+len(padded))
		_, _ = rand.Read(sealed[:16])
		cipher.NewCBCEncrypter(block, sealed[:16]).CryptBlocks(sealed[16:], padded)
	}
	public := spKey().cert.PublicKey.(*rsa.PublicKey)
	var wrapped []byte
	if transport == types.MethodRSAv1_5 {
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, public, key) //nolint:staticcheck // what old providers do
	} else {
		wrapped, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, public, key, nil) //nolint:gosec // see the import
	}
	must(err)
	b64 := base64.StdEncoding.EncodeToString
	return `<saml:EncryptedAssertion xmlns:saml="` + nsAssertion + `"><xenc:EncryptedData xmlns:xenc="` + nsEncryption + `"><xenc:EncryptionMethod Algorithm="` + content +
		`"/><ds:KeyInfo xmlns:ds="` + nsSignature + `"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="` + transport + `"/><xenc:CipherData><xenc:CipherValue>` + b64(wrapped) +
		"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>\n  " + b64(sealed) +
		"\n</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>"
}

func TestEncryptedAssertions(t *testing.T) {
	signed := func() string {
		a := said().assertion()
		idpKey().sign(a, method(idpKey()))
		return text(a)
	}
	profiled := map[string]any{"assertion_decryption_settings": map[string]any{"algorithm_profile": "v2026-1"}}
	excepting := func(names ...string) map[string]any {
		return map[string]any{"assertion_decryption_settings": map[string]any{"algorithm_profile": "v2026-1", "algorithm_exceptions": names}}
	}
	for _, row := range []struct {
		name               string
		options            map[string]any
		content, transport string
		want               string // empty: accepted
	}{
		{"AES-GCM", nil, types.MethodAES128GCM, types.MethodRSAOAEP, ""},
		{"AES-256-GCM under the profile", profiled, types.MethodAES256GCM, types.MethodRSAOAEP, ""},
		{"AES-CBC", nil, types.MethodAES256CBC, types.MethodRSAOAEP, ""},
		{"AES-CBC under the profile", profiled, types.MethodAES256CBC, types.MethodRSAOAEP, "not allowed"},
		{"AES-CBC excepted", excepting(types.MethodAES256CBC), types.MethodAES256CBC, types.MethodRSAOAEP, ""},
		{"PKCS #1 v1.5", nil, types.MethodAES128GCM, types.MethodRSAv1_5, "not allowed"},
		{"PKCS #1 v1.5 excepted", excepting(types.MethodRSAv1_5), types.MethodAES128GCM, types.MethodRSAv1_5, ""},
		{"triple DES", nil, types.MethodTripleDESCBC, types.MethodRSAOAEP, "not allowed"},
		{"triple DES excepted", excepting(types.MethodTripleDESCBC), types.MethodTripleDESCBC, types.MethodRSAOAEP, "not allowed"},
		{"nothing known", nil, "urn:x", "urn:y", "not allowed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			options := map[string]any{"decryptionKey": map[string]any{"key": spKey().keyPEM(), "cert": spKey().certPEM()}}
			maps.Copy(options, row.options)
			r := said().response()
			r.AddChild(parsed(encrypted(signed(), row.content, row.transport)))
			got, err := newRig(options).callback(posted(r))
			if row.want != "" {
				refused(t, err, row.want)
				return
			}
			if err != nil || got.Claims.Subject != "carol" {
				t.Errorf("%q, %v", got.Claims.Subject, err)
			}
		})
	}
	key := map[string]any{"decryptionKey": spKey().keyPEM()}
	seal := func(plain string) string { return encrypted(plain, types.MethodAES128GCM, types.MethodRSAOAEP) }
	t.Run("the response signed around it", func(t *testing.T) {
		r := said().response()
		r.AddChild(parsed(seal(text(said().assertion()))))
		idpKey().sign(r, method(idpKey()))
		if got, err := newRig(key).callback(posted(r)); err != nil || got.Claims.Subject != "carol" {
			t.Errorf("%q, %v", got.Claims.Subject, err)
		}
	})
	for _, row := range []struct {
		name, inner string
		options     map[string]any
		why         string
	}{
		{"not signed inside", text(said().assertion()), key, safexml.ErrUnsigned.Error()},
		{"two inside", `<x xmlns="urn:x">` + signed() + signed() + `</x>`, key, "not exactly one"},
		{"an assertion in the assertion", strings.Replace(signed(), "</saml:Assertion>", text(evil("_e"))+"</saml:Assertion>", 1), key, "not exactly one"},
		{"a DOCTYPE inside", "<!DOCTYPE x>" + signed(), key, errEncrypted.Error()},
		{"no XML inside", "x", key, errEncrypted.Error()},
		{"no key", signed(), nil, "no decryptionKey"},
		{"another key", signed(), map[string]any{"decryptionKey": otherKey().keyPEM()}, errEncrypted.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := said().response()
			r.AddChild(parsed(seal(row.inner)))
			_, err := newRig(row.options).callback(posted(r))
			refused(t, err, row.why)
		})
	}
	t.Run("tampered with", func(t *testing.T) {
		s := seal(signed())
		i := strings.Index(s, "\n  ") + 40
		s = s[:i] + "AAAA" + s[i+4:]
		r := said().response()
		r.AddChild(parsed(s))
		_, err := newRig(key).callback(posted(r))
		refused(t, err, errEncrypted.Error())
	})
}
