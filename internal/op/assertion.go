package op

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
	"mangrove/internal/token"
)

// assertionType is the one client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Bounds of a client assertion (reference/authentication.md §3.1).
const (
	maxAssertion     = 2048 // bytes
	maxAssertionID   = 64   // characters of jti
	maxAssertionLife = 5 * time.Minute
	assertionSkew    = 10 * time.Second
	// assertionMemory is how much longer than its life a jti is remembered: the
	// clock of the node that forgets may be ahead of the one that asks.
	assertionMemory = 10 * time.Minute
)

// assertionAlgs are what an assertion may be signed with.
var assertionAlgs = []string{"RS256", "RS384", "PS256"}

// errAssertion is the one answer as long as it is not proven who asks.
var errAssertion = errs.New(errs.Unauthenticated, "invalid_client", "The client assertion is not valid.")

// refusedAssertion tells the holder of the key what is wrong.
func refusedAssertion(text string) error {
	return errs.New(errs.Unauthenticated, "invalid_client", "%s", text)
}

// assertion is a JWT of the form of a client assertion. Nothing of it is proven.
type assertion struct {
	alg, kid  string // kid may be empty
	input     []byte // what is signed
	signature []byte

	issuer, subject  string
	audience         string // empty: not exactly one
	id               string
	expires          float64 // seconds
	issued, notUntil float64 // seconds; zero: absent
}

// parseAssertion reads the form alone. It takes one spelling of each part, and no
// member twice.
func parseAssertion(text string) (a assertion, ok bool) {
	if len(text) > maxAssertion {
		return assertion{}, false
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") {
		return assertion{}, false
	}
	var decoded [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p)
		if err != nil {
			return assertion{}, false
		}
		decoded[i] = b
	}
	head, err := strictjson.Object(decoded[0])
	if err != nil {
		return assertion{}, false
	}
	body, err := strictjson.Object(decoded[1])
	if err != nil {
		return assertion{}, false
	}
	header, claims := strictjson.NewDocument(head), strictjson.NewDocument(body)
	a = assertion{
		alg: header.Text("alg"), kid: header.Text("kid"), input: []byte(parts[0] + "." + parts[1]), signature: decoded[2],
		issuer: claims.Text("iss"), subject: claims.Text("sub"), audience: claims.Text("aud"), id: claims.Text("jti"),
	}
	if _, critical := header["crit"]; critical || !slices.Contains(assertionAlgs, a.alg) {
		return assertion{}, false
	}
	var list []string
	if json.Unmarshal(claims["aud"], &list) == nil && len(list) == 1 {
		a.audience = list[0]
	}
	for name, to := range map[string]*float64{"exp": &a.expires, "iat": &a.issued, "nbf": &a.notUntil} {
		if v, given := claims[name]; given && json.Unmarshal(v, to) != nil {
			return assertion{}, false
		}
	}
	return a, a.issuer != "" && a.issuer == a.subject
}

// problem is what is wrong with the claims; empty: nothing.
func (a *assertion) problem(issuer string, now time.Time) string {
	at := float64(now.UnixMicro()) / 1e6
	skew := assertionSkew.Seconds()
	switch {
	case a.audience != issuer:
		return "The aud claim of the client assertion has to be " + issuer
	case a.expires <= at:
		return "The client assertion has expired."
	case a.expires > at+maxAssertionLife.Seconds()+skew:
		return "The exp claim of the client assertion is more than 5 minutes ahead."
	case a.issued > at+skew:
		return "The iat claim of the client assertion is in the future."
	case a.notUntil > at+skew:
		return "The nbf claim of the client assertion is in the future."
	case a.id == "" || utf8.RuneCountInString(a.id) > maxAssertionID:
		return "The jti claim of the client assertion has to have 1 to 64 characters."
	}
	return ""
}

// signedBy reports whether the assertion was signed with the key of the credential.
func (a *assertion) signedBy(c *client.Credential) bool {
	if a.alg != c.Alg || a.kid != "" && a.kid != c.KID {
		return false
	}
	parsed, err := x509.ParsePKIXPublicKey(c.Public)
	public, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	switch a.alg {
	case "RS256":
		sum := sha256.Sum256(a.input)
		err = rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], a.signature)
	case "RS384":
		sum := sha512.Sum384(a.input)
		err = rsa.VerifyPKCS1v15(public, crypto.SHA384, sum[:], a.signature)
	case "PS256":
		sum := sha256.Sum256(a.input)
		err = rsa.VerifyPSS(public, crypto.SHA256, sum[:], a.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	default:
		return false
	}
	return err == nil
}

// authenticateByKey is authenticate for a request with a client assertion. It is
// the only proof in the request, or none at all (RFC 6749 §2.3).
func (e *Endpoints) authenticateByKey(ctx context.Context, w http.ResponseWriter, r *http.Request, p map[string]string) (caller, string, error) {
	a, ok := parseAssertion(p["client_assertion"])
	if !ok || p["client_assertion_type"] != assertionType || p["client_secret"] != "" || r.Header.Get("Authorization") != "" {
		return caller{}, p["client_id"], errAssertion
	}
	id := a.subject
	if given := p["client_id"]; given != "" && given != id || strings.IndexByte(id, 0) >= 0 {
		return caller{}, p["client_id"], errAssertion
	}
	c, err := e.d.Clients.Client(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return caller{}, id, errAssertion
	}
	if err != nil {
		return caller{}, id, err
	}
	s := c.Settings()
	if c.Global || s.AuthMethod != client.AuthPrivateKeyJWT {
		return caller{}, id, errAssertion
	}
	credentials, err := e.d.Credentials.Credentials(ctx, id)
	if err != nil {
		return caller{}, id, err
	}
	now := e.d.Now()
	if !slices.ContainsFunc(credentials, func(k *client.Credential) bool {
		return slices.Contains(s.Credentials, k.ID) && k.Valid(now.UnixMicro()) && a.signedBy(k)
	}) {
		return caller{}, id, errAssertion
	}
	if text := a.problem(e.issuer, now); text != "" {
		return caller{}, id, refusedAssertion(text)
	}
	until := now.Add(maxAssertionLife + assertionSkew + assertionMemory)
	fresh, err := e.d.Credentials.UseAssertion(ctx, token.HashOf(id+" "+a.id), until.UnixMicro())
	if err != nil {
		return caller{}, id, err
	}
	if !fresh {
		return caller{}, id, refusedAssertion("The client assertion was already used.")
	}
	allowOrigin(w, r, c)
	return caller{c, true}, id, nil
}
