package saml

import (
	"crypto/tls"
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/russellhaering/gosaml2/types"

	"mangrove/internal/upstream/safexml"
)

// Algorithms of encryption (XML Encryption 1.1 §5).
var (
	goodContent = []string{types.MethodAES128GCM, types.MethodAES192GCM, types.MethodAES256GCM}
	// oldContent can be tampered with: which of two plain texts comes out wrong can
	// be asked, one request per guess. The profile v2026-1 refuses it.
	oldContent = []string{types.MethodAES128CBC, types.MethodAES256CBC}
	goodKeys   = []string{types.MethodRSAOAEP, types.MethodRSAOAEP2}
	// oldKeys (PKCS #1 v1.5) only where the connection excepts them.
	oldKeys = []string{types.MethodRSAv1_5}
)

// allowed reports whether a connection takes what is encrypted so.
func (o *options) allowed(content, key string) bool {
	excepted := func(algorithm string) bool { return slices.Contains(o.Weak, algorithm) }
	contentOK := slices.Contains(goodContent, content) || slices.Contains(oldContent, content) && (!o.Profiled || excepted(content))
	keyOK := slices.Contains(goodKeys, key) || slices.Contains(oldKeys, key) && excepted(key)
	return contentOK && keyOK
}

var errEncrypted = errors.New("the assertion cannot be decrypted: compare decryptionKey with the certificate that the provider encrypts for")

// decrypt opens an EncryptedAssertion. Whatever is wrong inside has one error: a
// sender must not learn how far it came.
func decrypt(e *etree.Element, o *options) (*etree.Element, error) {
	if o.DecryptionKey == nil {
		return nil, errors.New("the assertion is encrypted and there is no decryptionKey")
	}
	for _, name := range []string{"EncryptedData", "CipherValue", "EncryptedKey"} {
		most := 1
		if name == "CipherValue" {
			most = 2
		}
		if len(safexml.Descendants(e, nsEncryption, name)) > most {
			return nil, errEncrypted
		}
	}
	var sealed types.EncryptedAssertion
	if err := xml.Unmarshal([]byte(text(detached(e))), &sealed); err != nil {
		return nil, errEncrypted
	}
	key := &sealed.EncryptedKey
	if key.CipherValue == "" {
		key = &sealed.DetEncryptedKey
	}
	if !o.allowed(sealed.EncryptionMethod.Algorithm, key.EncryptionMethod.Algorithm) {
		return nil, errors.New("the assertion is encrypted with an algorithm that is not allowed: see assertion_decryption_settings")
	}
	// For whose certificate it says it was encrypted means nothing: the key fits or not.
	key.X509Data = ""
	sealed.CipherValue, key.CipherValue = squeeze(sealed.CipherValue), squeeze(key.CipherValue)
	raw, err := sealed.DecryptBytes(&tls.Certificate{Certificate: [][]byte{nil}, PrivateKey: o.DecryptionKey})
	if err != nil {
		return nil, errEncrypted
	}
	doc, err := safexml.Parse(raw, maxMessage)
	if err != nil {
		return nil, errEncrypted
	}
	return doc.Root(), nil
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// detached is a copy of e that declares the prefixes which its ancestors declare.
func detached(e *etree.Element) *etree.Element {
	copied := e.Copy()
	for up := e.Parent(); up != nil; up = up.Parent() {
		for _, a := range up.Attr {
			if a.Space != "xmlns" && (a.Space != "" || a.Key != "xmlns") {
				continue
			}
			if !slices.ContainsFunc(copied.Attr, func(b etree.Attr) bool { return a.Space == b.Space && a.Key == b.Key }) {
				copied.Attr = append(copied.Attr, a)
			}
		}
	}
	return copied
}
