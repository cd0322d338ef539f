package saml

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/beevik/etree"

	"mangrove/internal/upstream/safexml"
)

// provider is what metadata says of an identity provider (SAML metadata §2.4.3).
type provider struct {
	EntityID        string
	SignIn, Binding string
	SignOut         string // empty: no single logout
	Certificates    []*x509.Certificate
}

// parseProvider reads the metadata of one identity provider; of a federation's it
// would have to guess. binding is the one wanted; empty: HTTP-Redirect before
// HTTP-POST. The signature of metadata is not looked at: whoever may write the
// connection has chosen the document, or the address it comes from.
func parseProvider(raw []byte, binding string) (provider, error) {
	doc, err := safexml.Parse(raw, maxMetadata)
	if err != nil {
		return provider{}, err
	}
	idps := safexml.Descendants(doc.Root(), nsMetadata, "IDPSSODescriptor")
	if len(idps) != 1 {
		return provider{}, errors.New("it does not describe exactly one identity provider (IDPSSODescriptor)")
	}
	idp := idps[0]
	p := provider{EntityID: safexml.Attr(idp.Parent(), "entityID")}
	if p.EntityID == "" || !safexml.Is(idp.Parent(), nsMetadata, "EntityDescriptor") {
		return provider{}, errors.New("it has no entityID")
	}
	p.SignIn, p.Binding = endpoint(idp, "SingleSignOnService", binding)
	if p.SignIn == "" {
		return provider{}, errors.New("it has no SingleSignOnService by HTTP-Redirect or HTTP-POST with an http or https address")
	}
	p.SignOut, _ = endpoint(idp, "SingleLogoutService", p.Binding)
	if p.Certificates, err = signingKeys(idp); err != nil {
		return provider{}, err
	}
	return p, nil
}

// endpoint is the first address by the binding that is preferred, or by the other.
func endpoint(idp *etree.Element, name, preferred string) (address, binding string) {
	order := []string{bindingRedirect, bindingPOST}
	if preferred == bindingPOST {
		slices.Reverse(order)
	}
	for _, b := range order {
		for _, e := range safexml.Children(idp, nsMetadata, name) {
			if at := safexml.Attr(e, "Location"); safexml.Attr(e, "Binding") == b && webAddress(at) {
				return at, b
			}
		}
	}
	return "", ""
}

// signingKeys are all keys that may sign, so that a rotation which was announced
// needs no hand.
func signingKeys(idp *etree.Element) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for _, k := range safexml.Children(idp, nsMetadata, "KeyDescriptor") {
		if use := safexml.Attr(k, "use"); use != "" && use != "signing" {
			continue
		}
		for _, e := range safexml.Descendants(k, nsSignature, "X509Certificate") {
			certs, err := certificates(safexml.Text(e))
			if err != nil {
				return nil, errors.New("it has a signing certificate that cannot be read")
			}
			for _, c := range certs {
				if !slices.ContainsFunc(list, c.Equal) {
					list = append(list, c)
				}
			}
		}
	}
	if len(list) == 0 || len(list) > maxCertificates {
		return nil, errors.New("it has no signing certificate, or too many")
	}
	if list = strong(list); len(list) == 0 {
		return nil, fmt.Errorf("of its signing certificates none is usable: %w", errWeakKey)
	}
	return list, nil
}
