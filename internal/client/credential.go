package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Credential is a public key with which a client proves who it is
// (reference/authentication.md §3.1, §7.1).
type Credential struct {
	ID       string // cred_ and 22 base58 characters
	ClientID string
	Name     string
	KID      string // unique among the client's
	Alg      string // RS256, RS384, PS256: what assertions have to be signed with
	// Public is the SubjectPublicKeyInfo of an RSA key, DER.
	Public               []byte
	CreatedAt, UpdatedAt int64 // microseconds
	ExpiresAt            int64 // microseconds; zero: never
}

// Valid reports whether the credential may be used at that time.
func (c *Credential) Valid(now int64) bool { return c.ExpiresAt == 0 || now < c.ExpiresAt }

// MaxCredentials of one client. An assertion without a kid is tried with each.
const MaxCredentials = 20

// Failures of credentials.
var (
	ErrNoCredential      = errs.New(errs.NotFound, "inexistent_credential", "The credential does not exist.")
	ErrCredentialExists  = errs.New(errs.Conflict, "conflict", "A credential with the same kid already exists.")
	ErrCredentialsFull   = errs.New(errs.Invalid, "invalid_body", "The client has too many credentials.")
	errCredentialType    = errs.New(errs.Invalid, "operation_not_supported", "Only credentials of the type public_key are available: there is no mTLS here.")
	errAuthMethods       = errs.New(errs.Invalid, "invalid_body", "token_endpoint_auth_method and client_authentication_methods cannot be specified together.")
	ErrUnknownCredential = errs.New(errs.Invalid, "invalid_body", "client_authentication_methods names a credential that does not exist.")
)

// CredentialStore keeps credentials, and remembers the assertions that were made
// with them.
type CredentialStore interface {
	Credential(ctx context.Context, clientID, id string) (*Credential, error)
	// Credentials are all of a client, oldest first.
	Credentials(ctx context.Context, clientID string) ([]*Credential, error)
	// CreateCredential: ErrNotFound without the client, ErrCredentialExists, ErrCredentialsFull.
	CreateCredential(ctx context.Context, c *Credential, e audit.Event) error
	UpdateCredential(ctx context.Context, clientID, id string, fn func(*Credential) error, e audit.Event) (*Credential, error)
	DeleteCredential(ctx context.Context, clientID, id string, e audit.Event) error
	// UseAssertion remembers the hash of an assertion's id until then, and reports
	// whether it is seen for the first time.
	UseAssertion(ctx context.Context, hash string, until int64) (bool, error)
}

// CredentialService is the use cases. All fields are required; events as in Service.
type CredentialService struct {
	Store   CredentialStore
	Clients Store
	Now     func() time.Time
}

// List is all credentials of a client; ErrNotFound.
func (s *CredentialService) List(ctx context.Context, clientID string) ([]*Credential, error) {
	if _, err := s.Clients.Client(ctx, clientID); err != nil {
		return nil, err
	}
	return s.Store.Credentials(ctx, clientID)
}

// Get finds one; ErrNotFound, ErrNoCredential.
func (s *CredentialService) Get(ctx context.Context, clientID, id string) (*Credential, error) {
	if _, err := s.Clients.Client(ctx, clientID); err != nil {
		return nil, err
	}
	return s.Store.Credential(ctx, clientID, id)
}

// Create makes a credential of the members of a body. Errors: schema.Error, *errs.Error.
func (s *CredentialService) Create(ctx context.Context, clientID string, members []strictjson.Member, by audit.Event) (*Credential, error) {
	c, err := newCredential(strictjson.Join(members), "", s.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	c.ClientID = clientID
	return c, s.Store.CreateCredential(ctx, c, s.event(by, "Create a client credential"))
}

// Patch changes when a credential expires; null: never.
func (s *CredentialService) Patch(ctx context.Context, clientID, id string, members []strictjson.Member, by audit.Event) (*Credential, error) {
	if bad := credentialPatch.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	until := expiry(strictjson.NewDocument(members))
	return s.Store.UpdateCredential(ctx, clientID, id, func(c *Credential) error {
		c.ExpiresAt, c.UpdatedAt = until, s.Now().UnixMicro()
		return nil
	}, s.event(by, "Update a client credential"))
}

// Delete revokes a credential, at once.
func (s *CredentialService) Delete(ctx context.Context, clientID, id string, by audit.Event) error {
	return s.Store.DeleteCredential(ctx, clientID, id, s.event(by, "Delete a client credential"))
}

func (s *CredentialService) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

// credentialBody is PostClientCredentialRequestContent.
var credentialBody = schema.Property{
	Types: obj, Closed: true, Required: []string{"credential_type"},
	Members: []schema.Property{
		enum("credential_type", "The type of credential.", "public_key", "cert_subject_dn", "x509_cert"),
		{Name: "name", Types: str, Max: 128, Description: "Friendly name for a credential."},
		{Name: "subject_dn", Types: str, Min: 1, Max: 256, Description: "Subject Distinguished Name. Mutually exclusive with `pem` property. Applies to `cert_subject_dn` credential type."},
		{Name: "pem", Types: str, Max: 16384, Description: "PEM-formatted public key (SPKI and PKCS1) or X509 certificate. Must be JSON escaped."},
		enum("alg", "Algorithm which will be used with the credential. Can be one of RS256, RS384, PS256. If not specified, RS256 will be used. Applies to `public_key` credential type.", "RS256", "RS384", "PS256"),
		{Name: "parse_expiry_from_cert", Types: boolean, Description: "Parse expiry from x509 certificate. If true, attempts to parse the expiry date from the provided PEM. Applies to `public_key` credential type."},
		{Name: "expires_at", Types: str, Format: schema.FormatDateTime, Description: "The ISO 8601 formatted date representing the expiration of the credential. If not specified (not recommended), the credential never expires. Applies to `public_key` credential type."},
		{Name: "kid", Types: str, Min: 10, Max: 64, Pattern: regexp.MustCompile(`^([0-9a-zA-Z-_]{10,64})$`), Description: "Optional kid (Key ID), used to uniquely identify the credential. If not specified, a kid value will be auto-generated. The kid header parameter in JWTs sent by your client should match this value. Valid format is [0-9a-zA-Z-_]{10,64}"},
	},
}

// credentialPatch is PatchClientCredentialRequestContent.
var credentialPatch = schema.Property{
	Types: obj, Closed: true, Min: 1,
	Members: []schema.Property{
		{Name: "expires_at", Types: str | orNull, Format: schema.FormatDateTime, Description: "The ISO 8601 formatted date representing the expiration of the credential."},
	},
}

// newCredential makes a credential of a body, which stands at path.
func newCredential(v json.RawMessage, path string, now int64) (*Credential, error) {
	if bad := credentialBody.Check(path, v); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	body := strictjson.ParseDocument(v)
	if body.Text("credential_type") != "public_key" {
		return nil, errCredentialType
	}
	if !body.Has("pem") {
		return nil, schema.Error{schema.Missing("pem")}
	}
	public, end, err := parsePublicKey(body.Text("pem"))
	if err != nil {
		return nil, err
	}
	c := &Credential{
		ID: newCredentialID(), Name: body.Text("name"), KID: body.Text("kid"), Alg: body.Text("alg"), Public: public,
		CreatedAt: now, UpdatedAt: now, ExpiresAt: expiry(body),
	}
	if body.Flag("parse_expiry_from_cert") && c.ExpiresAt == 0 {
		c.ExpiresAt = end
	}
	if c.Alg == "" {
		c.Alg = "RS256"
	}
	if c.KID == "" {
		sum := sha256.Sum256(public)
		c.KID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return c, nil
}

// expiry is expires_at in microseconds; zero: none.
func expiry(body strictjson.Document) int64 {
	t, err := time.Parse(time.RFC3339Nano, body.Text("expires_at"))
	if err != nil {
		return 0
	}
	return max(1, t.UnixMicro()) // zero would mean never
}

// Bounds of a key in bits: a shorter one is weak, a longer one is slow to verify with.
const (
	leastBits = 2048
	mostBits  = 4096
)

func badPEM(why string) error { return invalid("The PEM of the credential is not usable: %s", why) }

// parsePublicKey reads an RSA key of SPKI, PKCS #1 or a certificate, and until
// when a certificate says it is valid, in microseconds.
func parsePublicKey(text string) (spki []byte, end int64, err error) {
	block, rest := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, 0, badPEM("it has to be one block.")
	}
	var parsed any
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		parsed, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			parsed, end = cert.PublicKey, cert.NotAfter.UnixMicro()
		}
	default:
		return nil, 0, badPEM("it is neither a public key nor a certificate.")
	}
	if err != nil {
		return nil, 0, badPEM("it cannot be read.")
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, 0, badPEM("it is not an RSA key.")
	}
	if bits := key.N.BitLen(); bits < leastBits || bits > mostBits || key.E < 3 || key.E%2 == 0 {
		return nil, 0, badPEM("RSA keys have 2048 to 4096 bits.")
	}
	spki, err = x509.MarshalPKIXPublicKey(key)
	return spki, end, err
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// newCredentialID is cred_ and 22 base58 characters (reference/authentication.md §0.3).
func newCredentialID() string {
	b := make([]byte, 16)
	rand.Read(b)
	n, radix, digit := new(big.Int).SetBytes(b), big.NewInt(int64(len(base58))), new(big.Int)
	text := make([]byte, 22)
	for i := range text {
		n.DivMod(n, radix, digit)
		text[i] = base58[digit.Int64()]
	}
	return "cred_" + string(text)
}

// credentialID is what a list of credentials may name.
var credentialID = regexp.MustCompile(`^cred_[1-9A-HJ-NP-Za-km-z]{22}$`)

// methodsOf describes client_authentication_methods, with credentials as items.
func methodsOf(items schema.Property) schema.Property {
	method := func(name string) schema.Property {
		return schema.Property{
			Name: name, Types: obj, Closed: true, Required: []string{"credentials"},
			Members: []schema.Property{{Name: "credentials", Types: arr, Max: MaxCredentials, Items: &items}},
		}
	}
	return schema.Property{
		Types: obj, Closed: true, Min: 1, Max: 1, Description: "Defines client authentication methods.",
		Members: []schema.Property{method("private_key_jwt"), method("tls_client_auth"), method("self_signed_tls_client_auth")},
	}
}

var (
	namedMethods = methodsOf(schema.Property{
		Types: obj, Closed: true, Required: []string{"id"},
		Members: []schema.Property{{Name: "id", Types: str, Pattern: credentialID, PatternText: "credential-id", Description: "Credential ID"}},
	})
	wholeMethods = methodsOf(schema.Property{Types: obj})
)

const methodsMember = "client_authentication_methods"

// checkMethods looks at client_authentication_methods of a body; items are
// whole credentials in a new client and their ids afterwards.
func checkMethods(body strictjson.Document, methods *schema.Property) error {
	if !body.Has(methodsMember) {
		return nil
	}
	if bad := methods.Check(methodsMember, body[methodsMember]); len(bad) > 0 {
		return schema.Error(bad)
	}
	if body.Has("token_endpoint_auth_method") {
		return errAuthMethods
	}
	if !body.Object(methodsMember).Has("private_key_jwt") {
		return errCredentialType
	}
	return nil
}

// plant makes the credentials that come with a new client and leaves their ids
// in the document.
func plant(doc strictjson.Document, now int64) ([]Credential, error) {
	if err := checkMethods(doc, &wholeMethods); err != nil || !doc.Has(methodsMember) {
		return nil, err
	}
	var made []Credential
	for _, item := range schema.Elements(doc.Object(methodsMember).Object("private_key_jwt")["credentials"]) {
		c, err := newCredential(item, methodsMember+".private_key_jwt.credentials", now)
		if err != nil {
			return nil, err
		}
		made = append(made, *c)
	}
	nameCredentials(doc, made)
	return made, nil
}

// nameCredentials writes the ids of the credentials into the document.
func nameCredentials(doc strictjson.Document, list []Credential) {
	type named struct {
		ID string `json:"id"`
	}
	ids := []named{}
	for _, c := range list {
		ids = append(ids, named{c.ID})
	}
	b, err := jsonv2.Marshal(map[string]map[string][]named{"private_key_jwt": {"credentials": ids}})
	if err != nil {
		panic(err) // ids are text
	}
	doc[methodsMember] = b
}

// settleMethods keeps the rule that a client has one way of authentication: the
// one that a body sets takes the place of the other.
func settleMethods(doc, body strictjson.Document) {
	if body.Has(methodsMember) {
		delete(doc, "token_endpoint_auth_method")
	}
	if body.Has("token_endpoint_auth_method") {
		delete(doc, methodsMember)
	}
}

// WithoutCredential is the document of a client that no longer names a
// credential. A list that becomes empty stays: nobody authenticates by it, and
// the client does not fall back to its secret.
func WithoutCredential(raw json.RawMessage, id string) json.RawMessage {
	doc := strictjson.ParseDocument(raw)
	ids := parseSettings(raw).Credentials
	if !slices.Contains(ids, id) {
		return raw
	}
	var left []Credential
	for _, other := range ids {
		if other != id {
			left = append(left, Credential{ID: other})
		}
	}
	nameCredentials(doc, left)
	return doc.Encode()
}
