package saml

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// outgoing is a message on its way to a provider.
type outgoing struct {
	name       string // SAMLRequest or SAMLResponse
	document   string
	relayState string
	to         string
	sign       bool
}

// send puts a message into the binding of the connection (bindings §3.4, §3.5).
func (k *Connector) send(ctx context.Context, o *options, m outgoing) (upstream.Departure, error) {
	var signing *dsig.SigningContext
	if m.sign {
		var err error
		if signing, err = k.signing(ctx, o); err != nil {
			return upstream.Departure{}, err
		}
	}
	if !o.POST {
		return redirect(o, signing, m)
	}
	if signing != nil {
		var err error
		if m.document, err = signDocument(m.document, signing); err != nil {
			return upstream.Departure{}, err
		}
	}
	form := url.Values{m.name: {base64.StdEncoding.EncodeToString([]byte(m.document))}}
	if m.relayState != "" {
		form.Set("RelayState", m.relayState)
	}
	return upstream.Departure{URL: m.to, Form: form}, nil
}

// signing is the connection's key, or the tenant's.
func (k *Connector) signing(ctx context.Context, o *options) (*dsig.SigningContext, error) {
	key, cert := o.SigningKey, o.SigningCert
	if key == nil {
		var err error
		if key, cert, err = k.keys.Signer(ctx); err != nil {
			return nil, err
		}
	}
	return newSigning(key, cert, o.SHA1Signatures)
}

func newSigning(key crypto.Signer, cert []byte, sha1 bool) (*dsig.SigningContext, error) {
	var chain [][]byte
	if cert != nil {
		chain = [][]byte{cert}
	}
	s, err := dsig.NewSigningContext(key, chain)
	if err != nil {
		return nil, err
	}
	s.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	method := dsig.RSASHA256SignatureMethod
	if sha1 {
		method = dsig.RSASHA1SignatureMethod
	}
	return s, s.SetSignatureMethod(method)
}

// redirect puts the message into the query. Its signature is of the query.
func redirect(o *options, signing *dsig.SigningContext, m outgoing) (upstream.Departure, error) {
	raw := []byte(m.document)
	if o.Deflate {
		raw = deflate(raw)
	}
	query := m.name + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(raw))
	if m.relayState != "" {
		query += "&RelayState=" + url.QueryEscape(m.relayState)
	}
	if signing != nil {
		query += "&SigAlg=" + url.QueryEscape(signing.GetSignatureMethodIdentifier())
		signature, err := signing.SignString(query)
		if err != nil {
			return upstream.Departure{}, fmt.Errorf("sign a message: %w", err)
		}
		query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	}
	separator := "?"
	if strings.Contains(m.to, "?") {
		separator = "&"
	}
	return upstream.Departure{URL: m.to + separator + query}, nil
}

// signDocument puts the signature where the schema has it: after Issuer.
func signDocument(document string, signing *dsig.SigningContext) (string, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		return "", err
	}
	root := doc.Root()
	signature, err := signing.ConstructSignature(root, true)
	if err != nil {
		return "", fmt.Errorf("sign a message: %w", err)
	}
	at := 0
	if issuer := safexml.Child(root, nsAssertion, "Issuer"); issuer != nil {
		at = issuer.Index() + 1
	}
	root.InsertChildAt(at, signature)
	return text(root), nil
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(b) // a Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func inflate(b []byte) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxMessage+1))
	switch {
	case err != nil:
		return nil, errors.New("not deflated")
	case len(out) > maxMessage:
		return nil, safexml.ErrTooLarge
	}
	return out, nil
}

// incoming is a message that a browser brought from a provider.
type incoming struct {
	upstream.SignOutMessage
	name string // SAMLRequest
}

func (m incoming) posted() bool { return m.RawQuery == "" }

// part is one raw value of a query; two of a name are none.
func part(query, name string) (raw, decoded string, err error) {
	n := 0
	for piece := range strings.SplitSeq(query, "&") {
		if v, ok := strings.CutPrefix(piece, name+"="); ok {
			raw = v
			n++
		}
	}
	if n > 1 {
		return "", "", errors.New("a doubled " + name)
	}
	decoded, err = url.QueryUnescape(raw)
	if err != nil {
		return "", "", errors.New("a query that cannot be read")
	}
	return raw, decoded, nil
}

// document is the message as it came. Nothing of it is proven.
func (m incoming) document() (*etree.Element, error) {
	sent, err := m.Params.Get(m.name), error(nil)
	if !m.posted() { // what is signed is what is read
		_, sent, err = part(m.RawQuery, m.name)
	}
	if err != nil || sent == "" || len(sent) > maxMessage/3*4+maxMessage/16 {
		return nil, errors.New("no message, or too large a one")
	}
	raw, err := decode64(sent)
	if err == nil && !m.posted() {
		raw, err = inflate(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	doc, err := safexml.Parse(raw, maxMessage)
	if err != nil {
		return nil, err
	}
	return doc.Root(), nil
}

// verified is the message as one of the connection's keys has signed it.
func (m incoming) verified(o *options) (*etree.Element, error) {
	e, err := m.document()
	if err != nil {
		return nil, err
	}
	if m.posted() {
		return safexml.Verify(e, "ID", o.verifiers())
	}
	return e, m.verifyQuery(o)
}

var queryAlgorithms = map[string]x509.SignatureAlgorithm{
	dsig.RSASHA256SignatureMethod:   x509.SHA256WithRSA,
	dsig.RSASHA384SignatureMethod:   x509.SHA384WithRSA,
	dsig.RSASHA512SignatureMethod:   x509.SHA512WithRSA,
	dsig.ECDSASHA256SignatureMethod: x509.ECDSAWithSHA256,
	dsig.ECDSASHA384SignatureMethod: x509.ECDSAWithSHA384,
	dsig.ECDSASHA512SignatureMethod: x509.ECDSAWithSHA512,
	dsig.RSASHA1SignatureMethod:     x509.SHA1WithRSA,
}

// verifyQuery checks the signature of a redirect, over its parts as they were
// written (bindings §3.4.4.1).
func (m incoming) verifyQuery(o *options) error {
	var signed strings.Builder
	for _, p := range []string{m.name, "RelayState", "SigAlg"} {
		raw, _, err := part(m.RawQuery, p)
		if err != nil {
			return err
		}
		if p == "RelayState" && raw == "" && !strings.Contains("&"+m.RawQuery, "&RelayState=") {
			continue
		}
		if signed.Len() > 0 {
			signed.WriteByte('&')
		}
		signed.WriteString(p + "=" + raw)
	}
	_, method, err := part(m.RawQuery, "SigAlg")
	if err != nil {
		return err
	}
	_, encoded, err := part(m.RawQuery, "Signature")
	if err != nil {
		return err
	}
	if encoded == "" || method == "" {
		return safexml.ErrUnsigned
	}
	algorithm, known := queryAlgorithms[method]
	if !known || algorithm == x509.SHA1WithRSA && !o.AllowSHA1 {
		return safexml.ErrWeak
	}
	signature, err := decode64(encoded)
	if err != nil {
		return safexml.ErrSignature
	}
	for _, cert := range o.Certificates {
		if cert.CheckSignature(algorithm, []byte(signed.String()), signature) == nil {
			return nil
		}
	}
	return safexml.ErrSignature
}
