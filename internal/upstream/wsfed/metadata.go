package wsfed

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the wire format of thumbprints; nothing is signed with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"mangrove/internal/upstream/safexml"
)

const (
	// maxMetadata bounds federation metadata (reference/connections.md §2.9).
	maxMetadata = 128 << 10
	maxKeys     = 20 // of a provider

	nsMetadata   = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsFederation = "http://docs.oasis-open.org/wsfed/federation/200706"
	nsAddressing = "http://www.w3.org/2005/08/addressing"
	nsSignature  = "http://www.w3.org/2000/09/xmldsig#"
	nsInstance   = "http://www.w3.org/2001/XMLSchema-instance"
)

// metadata is what a provider says of itself (WS-Federation §3.1).
type metadata struct {
	issuer   string
	endpoint string
	certs    []*x509.Certificate
}

var (
	errMetadata  = errors.New("not the metadata of a WS-Federation identity provider")
	errWeakKeys  = errors.New("federation metadata without a usable signing certificate: the key has to be " + safexml.StrongKeys)
	errNoKeys    = errors.New("federation metadata without a signing certificate")
	errEndpoint  = errors.New("federation metadata without an https sign-in endpoint")
	errManyTrust = errors.New("federation metadata with too many certificates")
)

// parseMetadata reads federation metadata: the one role that issues tokens.
func parseMetadata(b []byte) (metadata, error) {
	doc, err := safexml.Parse(b, maxMetadata)
	if err != nil {
		return metadata{}, err
	}
	root := doc.Root()
	if !safexml.Is(root, nsMetadata, "EntityDescriptor") {
		return metadata{}, errMetadata
	}
	m := metadata{issuer: safexml.Attr(root, "entityID")}
	for _, role := range safexml.Children(root, nsMetadata, "RoleDescriptor") {
		if !issuesTokens(role) {
			continue
		}
		for _, e := range safexml.Children(role, nsFederation, "PassiveRequestorEndpoint") {
			for _, a := range safexml.Descendants(e, nsAddressing, "Address") {
				m.endpoint = firstOf(m.endpoint, safexml.Text(a))
			}
		}
		if err := m.addKeys(role); err != nil {
			return metadata{}, err
		}
	}
	u, err := url.Parse(m.endpoint)
	switch {
	case m.issuer == "":
		return metadata{}, errMetadata
	case len(m.certs) == 0:
		return metadata{}, errNoKeys
	case !slices.ContainsFunc(m.certs, strong):
		return metadata{}, errWeakKeys
	case err != nil || !safeAddress(u):
		return metadata{}, errEndpoint
	}
	m.certs = slices.DeleteFunc(m.certs, func(c *x509.Certificate) bool { return !strong(c) })
	return m, nil
}

// strong reports whether signatures of the certificate's key count.
func strong(c *x509.Certificate) bool { return safexml.Strong(c.PublicKey) }

// issuesTokens tells the role of an identity provider from that of an application.
func issuesTokens(role *etree.Element) bool {
	for _, a := range role.Attr {
		if a.Key == "type" && a.NamespaceURI() == nsInstance {
			_, name, _ := strings.Cut(a.Value, ":")
			return name == "SecurityTokenServiceType" || a.Value == "SecurityTokenServiceType"
		}
	}
	return false
}

func (m *metadata) addKeys(role *etree.Element) error {
	for _, k := range safexml.Children(role, nsMetadata, "KeyDescriptor") {
		if use := safexml.Attr(k, "use"); use != "" && use != "signing" {
			continue
		}
		for _, e := range safexml.Descendants(k, nsSignature, "X509Certificate") {
			cert, err := certificateOf(e)
			if err != nil {
				return errNoKeys
			}
			if !slices.ContainsFunc(m.certs, cert.Equal) {
				m.certs = append(m.certs, cert)
			}
		}
	}
	if len(m.certs) > maxKeys {
		return errManyTrust
	}
	return nil
}

// certificateOf reads an X509Certificate element.
func certificateOf(e *etree.Element) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(safexml.Text(e)), ""))
	if err != nil {
		return nil, errNoKeys
	}
	return x509.ParseCertificate(der)
}

// thumbprints are SHA-1 or SHA-256 sums of certificates in lower-case hexadecimal.
type thumbprints []string

func thumbprintsOf(list []string) thumbprints {
	var t thumbprints
	for _, s := range list {
		if s = strings.ToLower(strings.TrimSpace(s)); s != "" && !slices.Contains(t, s) {
			t = append(t, s)
		}
	}
	return t
}

// thumbprint is the form that is shown.
func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// has reports whether the certificate is one of those.
func (t thumbprints) has(c *x509.Certificate) bool {
	long := sha256.Sum256(c.Raw)
	return slices.Contains(t, thumbprint(c)) || slices.Contains(t, hex.EncodeToString(long[:]))
}

func printsOf(certs []*x509.Certificate) thumbprints {
	t := make(thumbprints, 0, len(certs))
	for _, c := range certs {
		t = append(t, thumbprint(c))
	}
	return t
}

// same reports whether both lists have the same members.
func (t thumbprints) same(other thumbprints) bool {
	a, b := slices.Sorted(slices.Values(t)), slices.Sorted(slices.Values(other))
	return slices.Equal(a, b)
}

// trimmed is a document without white space around it.
func trimmed(s string) []byte { return bytes.TrimSpace([]byte(s)) }
