package saml

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

const (
	rsaSHA1 = "rsa-sha1"
	sha1Sum = "sha1"
)

// options are those of reference/connections.md §2.6 that only SAML has.
type options struct {
	SignIn, SignOut string // addresses of the provider; SignOut may be empty
	// Issuer is the provider's entity id; empty: not known.
	Issuer       string
	Certificates []*x509.Certificate
	EntityID     string // ours; empty: urn:auth0:…
	// Recipient and Destination are other addresses than our own that answers may
	// name, where a proxy changes it.
	Recipient, Destination string
	POST                   bool // requests are posted, not redirected
	Deflate                bool
	Sign                   bool // signSAMLRequest
	SHA1Signatures         bool // requests are signed with RSA-SHA1
	// AllowSHA1 takes what is signed with SHA-1.
	AllowSHA1 bool
	// SigningKey is the connection's own; nil: the tenant's.
	SigningKey  crypto.Signer
	SigningCert []byte // DER
	// DecryptionKeys may be empty: encrypted assertions are refused.
	DecryptionKey  *rsa.PrivateKey
	DecryptionCert []byte // DER; nil: not known
	// Profiled: assertion_decryption_settings names the profile v2026-1.
	Profiled  bool
	Weak      []string // algorithm_exceptions
	Template  string   // requestTemplate
	SubjectOf string   // user_id_attribute
	Fixed     bool     // no fieldsMap: pingfederate
}

// reading is what became of the options of a connection.
type reading struct {
	*options
	err error
}

// read makes the options of a connection, which are shared. Errors say which option
// is wrong.
func read(c *connection.Connection) (*options, error) {
	r := connection.Memo(c, func(c *connection.Connection) reading {
		o, err := readDocument(c.Strategy, c.Document())
		return reading{o, err}
	})
	return r.options, r.err
}

func readDocument(strategy string, d strictjson.Document) (*options, error) {
	o := &options{
		SignIn:         d.Text("signInEndpoint"),
		SignOut:        cmp.Or(d.Text("signOutEndpoint"), d.Text("signInEndpoint")),
		Issuer:         d.Text("issuer"),
		EntityID:       d.Text("entityId"),
		Recipient:      d.Text("recipientUrl"),
		Destination:    d.Text("destinationUrl"),
		POST:           cmp.Or(d.Text("protocolBinding"), d.Text("bindingMethod")) == bindingPOST,
		Deflate:        string(d["deflate"]) != "false",
		Sign:           d.Flag("signSAMLRequest"),
		SHA1Signatures: d.Text("signatureAlgorithm") == rsaSHA1,
		AllowSHA1:      d.Text("signatureAlgorithm") == rsaSHA1 && d.Text("digestAlgorithm") == sha1Sum,
		Template:       d.Text("requestTemplate"),
		SubjectOf:      d.Text("user_id_attribute"),
		Fixed:          strategy == "pingfederate",
	}
	if o.Fixed {
		o.pingEndpoints(d.Text("pingFederateBaseUrl"), d.Text("signOutEndpoint"))
	}
	if d.Flag("disableSignout") {
		o.SignOut = ""
	}
	if decryption := d.Object("assertion_decryption_settings"); decryption.Text("algorithm_profile") != "" {
		o.Profiled, o.Weak = true, decryption.Texts("algorithm_exceptions")
	}
	for _, at := range []struct{ name, url string }{{"signInEndpoint", o.SignIn}, {"signOutEndpoint", o.SignOut}} {
		if at.url != "" && !webAddress(at.url) {
			return nil, fmt.Errorf("%s has to be an http or https address", at.name)
		}
	}
	if pinned := cmp.Or(d.Text("cert"), d.Text("signingCert")); pinned != "" {
		certs, err := certificates(pinned)
		if err != nil {
			return nil, fmt.Errorf("signingCert: %w", err)
		}
		if o.Certificates = strong(certs); len(o.Certificates) == 0 {
			return nil, fmt.Errorf("signingCert: %w", errWeakKey)
		}
	}
	if err := o.readKeys(d); err != nil {
		return nil, err
	}
	return o, nil
}

// pingEndpoints are those of PingFederate below its base address
// (reference/connections.md §2.7), where none were set by hand: signInEndpoint of a
// new connection is the base address itself.
func (o *options) pingEndpoints(baseURL, signOut string) {
	base := strings.TrimRight(baseURL, "/")
	if base == "" {
		return
	}
	if o.SignIn == "" || strings.TrimRight(o.SignIn, "/") == base {
		o.SignIn = base + "/idp/SSO.saml2"
	}
	o.SignOut = cmp.Or(signOut, base+"/idp/SLO.saml2")
}

func (o *options) readKeys(d strictjson.Document) error {
	if own := d.Object("signing_key"); own.Has("key") {
		key, cert, err := keyPair(own.Text("key"), own.Text("cert"))
		if err != nil {
			return fmt.Errorf("signing_key: %w", err)
		}
		o.SigningKey, o.SigningCert = key, cert
	}
	text, certText := d.Text("decryptionKey"), ""
	if pair := d.Object("decryptionKey"); pair != nil {
		text, certText = pair.Text("key"), pair.Text("cert")
	}
	if text == "" {
		return nil
	}
	key, cert, err := keyPair(text, certText)
	if err != nil {
		return fmt.Errorf("decryptionKey: %w", err)
	}
	o.DecryptionKey, o.DecryptionCert = key, cert
	return nil
}

// Bits of our own keys: to sign and decrypt with a longer one takes seconds.
const (
	minOwnBits = 2048
	maxOwnBits = 8192
)

// keyPair reads a key and, when there is one, its certificate (DER).
func keyPair(keyText, certText string) (*rsa.PrivateKey, []byte, error) {
	signer, err := privateKey(keyText)
	if err != nil {
		return nil, nil, err
	}
	key, ok := signer.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < minOwnBits || key.N.BitLen() > maxOwnBits {
		return nil, nil, errors.New("not an RSA key of 2048 to 8192 bits")
	}
	if certText == "" {
		return key, nil, nil
	}
	certs, err := certificates(certText)
	if err != nil {
		return nil, nil, fmt.Errorf("cert: %w", err)
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, nil, errors.New("the certificate is not the key's")
	}
	return key, certs[0].Raw, nil
}

// webAddress reports whether a browser can be sent there.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == "" && !strings.ContainsAny(s, " \t\r\n")
}
