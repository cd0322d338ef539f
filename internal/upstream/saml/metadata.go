package saml

import (
	"context"
	"encoding/base64"

	"github.com/beevik/etree"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
)

// Metadata is our own for the connection's provider (reference/authentication.md
// §2.10), an XML document.
func (k *Connector) Metadata(ctx context.Context, c *connection.Connection) ([]byte, error) {
	o, err := read(c)
	if err != nil {
		return nil, upstream.ErrConfig.Because(err)
	}
	signing := o.SigningCert
	if o.SigningKey == nil {
		if _, signing, err = k.keys.Signer(ctx); err != nil {
			return nil, err
		}
	}
	root := etree.NewElement("EntityDescriptor")
	root.CreateAttr("xmlns", nsMetadata)
	root.CreateAttr("entityID", k.entityID(c, o))
	sp := root.CreateElement("SPSSODescriptor")
	sp.CreateAttr("protocolSupportEnumeration", nsProtocol)
	if o.Sign {
		sp.CreateAttr("AuthnRequestsSigned", "true")
	}
	addKey(sp, "signing", signing)
	addKey(sp, "encryption", o.DecryptionCert)
	for _, binding := range []string{bindingRedirect, bindingPOST} {
		e := sp.CreateElement("SingleLogoutService")
		e.CreateAttr("Binding", binding)
		e.CreateAttr("Location", k.publicURL+logoutPath)
	}
	for _, format := range []string{formatEmail, formatPersistent, formatTransient} {
		sp.CreateElement("NameIDFormat").SetText(format)
	}
	acs := sp.CreateElement("AssertionConsumerService")
	acs.CreateAttr("Binding", bindingPOST)
	acs.CreateAttr("Location", k.consumer(c))
	acs.CreateAttr("index", "0")
	acs.CreateAttr("isDefault", "true")
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + text(root)), nil
}

func addKey(sp *etree.Element, use string, cert []byte) {
	if cert == nil {
		return
	}
	k := sp.CreateElement("KeyDescriptor")
	k.CreateAttr("use", use)
	info := k.CreateElement("KeyInfo")
	info.CreateAttr("xmlns", nsSignature)
	info.CreateElement("X509Data").CreateElement("X509Certificate").SetText(base64.StdEncoding.EncodeToString(cert))
}
