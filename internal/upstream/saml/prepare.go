package saml

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// derived are the options that come of a provider's metadata, or of its certificate
// (reference/connections.md §1.5, §2.6). issuer, the provider's entity id, is ours.
var derived = []string{
	"signInEndpoint", "signOutEndpoint", "signingCert", "cert", "thumbprints", "expires", "subject", "bindingMethod", "issuer",
}

// aboutCertificate are those of them that belong to the certificate.
var aboutCertificate = []string{"signingCert", "cert", "thumbprints", "expires", "subject"}

// preparer completes the options of a strategy.
type preparer struct {
	k        *Connector
	strategy string
}

// Preparer completes the options of one of the two strategies when they are written.
func (k *Connector) Preparer(strategy string) connection.Preparer { return preparer{k, strategy} }

func refuse(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_body", format, args...)
}

// Prepare reads metadata, which is not stored, and settles the certificate. Without
// metadata, what an earlier one made stays where the request does not say otherwise:
// without it nobody could sign in. Metadata at an address that does not answer now
// leaves what it made before.
func (p preparer) Prepare(ctx context.Context, name string, stored, next strictjson.Document) (strictjson.Document, error) {
	found, err := p.metadata(ctx, stored, next)
	if err != nil {
		return nil, err
	}
	delete(next, "metadataXml")
	if found != nil {
		found.fill(next)
	} else {
		carryOver(stored, next)
	}
	if p.strategy == "pingfederate" {
		pingFederate(stored, next)
	}
	if err := settleCertificate(stored, next); err != nil {
		return nil, err
	}
	return next, p.check(name, next)
}

// check refuses what would fail at each login.
func (p preparer) check(name string, next strictjson.Document) error {
	o, err := readDocument(p.strategy, next)
	if err != nil {
		return refuse("options.%s", err.Error())
	}
	c := &connection.Connection{Name: name, Strategy: p.strategy, Options: next.Encode()}
	if _, err := p.k.request(c, o, newID(), upstream.Start{LoginHint: "hint"}); err != nil {
		return refuse("options.requestTemplate has to be an AuthnRequest with ID=\"@@ID@@\" once its @@…@@ are replaced")
	}
	return nil
}

// metadata is what metadataXml or metadataUrl say; nil: neither is there.
func (p preparer) metadata(ctx context.Context, stored, next strictjson.Document) (*provider, error) {
	raw, from := []byte(next.Text("metadataXml")), "metadataXml"
	if len(raw) > maxMetadataXML {
		return nil, refuse("options.metadataXml has more than %d characters; use options.metadataUrl", maxMetadataXML)
	}
	if address := next.Text("metadataUrl"); len(raw) == 0 && address != "" {
		from = "metadataUrl"
		var err error
		if raw, err = p.k.fetch(ctx, address); err != nil {
			if stored.Text("metadataUrl") == address && stored.Has("signInEndpoint") {
				return nil, nil //nolint:nilnil // what it said before stays
			}
			return nil, refuse("options.metadataUrl cannot be read: %s", err.Error())
		}
	}
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	found, err := parseProvider(raw, next.Text("protocolBinding"))
	if err != nil {
		return nil, refuse("options.%s is not usable: %s", from, err.Error())
	}
	return &found, nil
}

// fetch reads metadata. Errors say what failed, never what was answered.
func (k *Connector) fetch(ctx context.Context, address string) ([]byte, error) {
	if !webAddress(address) {
		return nil, errors.New("not an http or https address")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not an http or https address")
	}
	r.Header.Set("Accept", "application/samlmetadata+xml, application/xml;q=0.9, */*;q=0.1")
	resp, err := k.client.Do(r)
	if err != nil {
		return nil, errors.New("the server cannot be reached; an address inside your network has to be in --outbound-allow")
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	case err != nil || len(raw) > maxMetadata:
		return nil, errors.New("the answer is too large or breaks off")
	}
	return raw, nil
}

// fill writes what metadata says into the options.
func (p *provider) fill(next strictjson.Document) {
	put := func(name, v string) {
		if v == "" {
			delete(next, name)
			return
		}
		next[name] = profile.Text(v)
	}
	put("issuer", p.EntityID)
	put("signInEndpoint", p.SignIn)
	put("signOutEndpoint", p.SignOut)
	put("bindingMethod", p.Binding)
	pinned := encodePEM(p.Certificates)
	put("signingCert", base64.StdEncoding.EncodeToString([]byte(pinned)))
	put("cert", pinned)
}

// carryOver keeps what was derived and is not sent. With another signInEndpoint the
// provider is another one, whose entity id and other addresses nobody has said yet.
func carryOver(stored, next strictjson.Document) {
	own := next.Has("signingCert") || next.Has("cert")
	moved := next.Has("signInEndpoint") && stored.Has("signInEndpoint") && next.Text("signInEndpoint") != stored.Text("signInEndpoint")
	if moved && next.Text("issuer") == stored.Text("issuer") {
		delete(next, "issuer")
	}
	for _, name := range derived {
		_, sent := next[name]
		certificate := slices.Contains(aboutCertificate, name)
		if sent || !stored.Has(name) || own && certificate || moved && !certificate {
			continue
		}
		next[name] = stored[name]
	}
}

// pingFederate makes signInEndpoint the base address, as the live service does, where
// no other one was set by hand. pingEndpoints says what it stands for.
func pingFederate(stored, next strictjson.Document) {
	base, before := next.Text("pingFederateBaseUrl"), stored.Text("pingFederateBaseUrl")
	if now := next.Text("signInEndpoint"); base != "" && (now == "" || now == before) {
		next["signInEndpoint"] = profile.Text(base)
	}
}

// asSent is the PEM that was sent, where it is nothing but the certificates: clients
// compare it with what they have, line breaks and all.
func asSent(pinned string, certs []*x509.Certificate) string {
	text := encodePEM(certs)
	for _, sent := range []string{pinned, decoded(pinned)} {
		if strings.Join(strings.Fields(sent), " ") == strings.Join(strings.Fields(text), " ") {
			return sent
		}
	}
	return text
}

func decoded(s string) string {
	raw, err := decode64(s)
	if err != nil {
		return ""
	}
	return string(raw)
}

// settleCertificate makes cert of signingCert (or the other way around) and what is
// shown of it. signingCert counts, unless only cert was changed.
func settleCertificate(stored, next strictjson.Document) error {
	pinned, from := next.Text("signingCert"), "signingCert"
	if cert := next.Text("cert"); cert != "" && (pinned == "" || pinned == stored.Text("signingCert") && cert != stored.Text("cert")) {
		pinned, from = cert, "cert"
	}
	if pinned == "" {
		for _, name := range aboutCertificate {
			if next.Has(name) {
				delete(next, name)
			}
		}
		return nil
	}
	certs, err := certificates(pinned)
	if err != nil {
		return refuse("options.%s has to be one or several X.509 certificates, PEM or base64 of it: %s", from, err.Error())
	}
	if len(strong(certs)) < len(certs) {
		return refuse("options.%s has a certificate that is too weak, or too long: %s", from, errWeakKey.Error())
	}
	text := asSent(pinned, certs)
	if from == "cert" {
		next["signingCert"] = profile.Text(base64.StdEncoding.EncodeToString([]byte(text)))
	}
	next["cert"] = profile.Text(text)
	next["thumbprints"] = json.RawMessage(`["` + thumbprint(certs[0]) + `"]`)
	next["expires"] = profile.Text(instant(certs[0].NotAfter))
	next["subject"] = subject(certs[0].Subject).Encode()
	return nil
}
