package safexml

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Refusals of signatures.
var (
	ErrUnsigned  = errors.New("no signature over the element")
	ErrSignature = errors.New("signature not valid: compare the connection's signing certificate with the provider's")
	ErrWeak      = errors.New("signature with an algorithm that is not allowed")
)

// Algorithms that a signature may use. HMAC is none: its key would be the public one.
var (
	signatureMethods = []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
	digestMethods = []string{
		"http://www.w3.org/2001/04/xmlenc#sha256",
		"http://www.w3.org/2001/04/xmldsig-more#sha384",
		"http://www.w3.org/2001/04/xmlenc#sha512",
	}
	canonicalizations = []string{
		string(dsig.CanonicalXML10ExclusiveAlgorithmId),
		string(dsig.CanonicalXML10RecAlgorithmId), string(dsig.CanonicalXML11AlgorithmId),
	}
)

const (
	sha1Signature = dsig.RSASHA1SignatureMethod
	sha1Digest    = "http://www.w3.org/2000/09/xmldsig#sha1"
)

// Keys are whose signatures count.
type Keys struct {
	// Certificates are pinned: their keys count, whatever their dates say, and the
	// certificate that a signature carries along counts for nothing. Keys that are
	// not Strong do not count.
	Certificates []*x509.Certificate
	// AllowSHA1 lets RSA with SHA-1 pass.
	AllowSHA1 bool
}

// Verify returns what one of the keys has signed: a tree of its own, made of the
// very bytes under the signature, without the signature. Only that may be read.
//
// e has to have its ID in the attribute idAttribute and exactly one signature,
// directly within it, with one reference, to that ID; no other element of e's
// document may have the same ID.
func Verify(e *etree.Element, idAttribute string, keys Keys) (*etree.Element, error) {
	if err := checkShape(e, idAttribute, keys.AllowSHA1); err != nil {
		return nil, err
	}
	detached := detach(e)
	signature := Child(detached, dsig.Namespace, dsig.SignatureTag)
	// The certificate in the signature is a stranger's word.
	for _, info := range Children(signature, dsig.Namespace, dsig.KeyInfoTag) {
		signature.RemoveChild(info)
	}
	// The library looks at no more than 1,000 elements to find the signature, which
	// SAML 1.1 has at the end, behind everybody's groups. Where it is makes no
	// difference to what it covers: it is taken out first.
	detached.RemoveChild(signature)
	detached.InsertChildAt(0, signature)
	for _, cert := range keys.Certificates {
		if !Strong(cert.PublicKey) {
			continue
		}
		v := dsig.ValidationContext{
			CertificateStore: &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}},
			IdAttribute:      idAttribute,
			Clock:            at(cert.NotBefore),
		}
		signed, err := v.Validate(detached)
		if err != nil || signed == nil {
			continue
		}
		if signed.Tag != e.Tag || signed.NamespaceURI() != e.NamespaceURI() || Attr(signed, idAttribute) != Attr(e, idAttribute) {
			return nil, fmt.Errorf("%w: another element", ErrSignature)
		}
		return signed, nil
	}
	return nil, ErrSignature
}

// detach copies e with the namespaces that its ancestors declare.
func detach(e *etree.Element) *etree.Element {
	c := e.Copy()
	for p := e.Parent(); p != nil; p = p.Parent() {
		for _, a := range p.Attr {
			declares := a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns"
			if declares && !slices.ContainsFunc(c.Attr, func(has etree.Attr) bool { return has.Space == a.Space && has.Key == a.Key }) {
				c.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	return c
}

func at(t time.Time) *dsig.Clock { return dsig.NewFakeClockAt(t) }

// checkShape allows the one form of signature that identity providers make.
func checkShape(e *etree.Element, idAttribute string, sha1 bool) error {
	id := Attr(e, idAttribute)
	signature := Child(e, dsig.Namespace, dsig.SignatureTag)
	if id == "" || signature == nil {
		return ErrUnsigned
	}
	root := e
	for root.Parent() != nil {
		root = root.Parent()
	}
	if countID(root, id) != 1 {
		return fmt.Errorf("%w: the ID is not unique", ErrSignature)
	}
	for _, other := range Descendants(e, dsig.Namespace, dsig.SignatureTag) {
		for _, r := range Descendants(other, dsig.Namespace, dsig.ReferenceTag) {
			if uri := Attr(r, dsig.URIAttr); other != signature && (uri == "" || uri == "#"+id) {
				return fmt.Errorf("%w: more than one", ErrSignature)
			}
		}
	}
	info := Child(signature, dsig.Namespace, dsig.SignedInfoTag)
	reference := Child(info, dsig.Namespace, dsig.ReferenceTag)
	if reference == nil || Attr(reference, dsig.URIAttr) != "#"+id {
		return fmt.Errorf("%w: reference", ErrUnsigned)
	}
	if len(Descendants(signature, dsig.Namespace, dsig.SignedInfoTag)) != 1 || len(Descendants(signature, dsig.Namespace, dsig.SignatureTag)) != 1 {
		return fmt.Errorf("%w: nested", ErrSignature)
	}
	method := func(in *etree.Element, name string) string {
		return Attr(Child(in, dsig.Namespace, name), dsig.AlgorithmAttr)
	}
	sign, digest := method(info, dsig.SignatureMethodTag), method(reference, dsig.DigestMethodTag)
	signOK := slices.Contains(signatureMethods, sign) || sha1 && sign == sha1Signature
	digestOK := slices.Contains(digestMethods, digest) || sha1 && digest == sha1Digest
	if !signOK || !digestOK || !slices.Contains(canonicalizations, method(info, dsig.CanonicalizationMethodTag)) {
		return ErrWeak
	}
	return checkTransforms(Child(reference, dsig.Namespace, dsig.TransformsTag))
}

// checkTransforms wants the signature taken out and the rest canonicalized, so
// that nothing else can be taken out.
func checkTransforms(list *etree.Element) error {
	transforms := Children(list, dsig.Namespace, dsig.TransformTag)
	if len(transforms) != 2 ||
		Attr(transforms[0], dsig.AlgorithmAttr) != string(dsig.EnvelopedSignatureAltorithmId) ||
		!slices.Contains(canonicalizations, Attr(transforms[1], dsig.AlgorithmAttr)) {
		return fmt.Errorf("%w: transforms", ErrWeak)
	}
	return nil
}

// countID counts elements that have the ID in any of the attributes by which
// SAML and its neighbours name elements.
func countID(e *etree.Element, id string) int {
	n := 0
	for _, a := range e.Attr {
		switch a.Key {
		case "ID", "Id", "id", "AssertionID", "ResponseID", "RequestID":
			if a.Value == id {
				n++
			}
		}
	}
	for _, c := range e.ChildElements() {
		n += countID(c, id)
	}
	return n
}
