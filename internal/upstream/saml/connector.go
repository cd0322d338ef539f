package saml

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"mangrove/internal/connection"
	"mangrove/internal/replay"
	"mangrove/internal/upstream"
)

// Keys sign what we send, unless a connection has a key of its own.
type Keys interface {
	// Signer is the key and its certificate, DER.
	Signer(ctx context.Context) (crypto.Signer, []byte, error)
}

// Connector speaks SAML 2.0. It is safe for many goroutines.
type Connector struct {
	publicURL string
	client    *http.Client
	keys      Keys
	memory    replay.Memory
	now       func() time.Time
}

var (
	_ upstream.Redirect    = (*Connector)(nil)
	_ upstream.Unsolicited = (*Connector)(nil)
	_ upstream.Leaver      = (*Connector)(nil)
	_ upstream.Ender       = (*Connector)(nil)
)

// New makes a connector for the server at publicURL, whose requests all go through
// client (package outbound).
func New(publicURL string, client *http.Client, keys Keys, memory replay.Memory, now func() time.Time) *Connector {
	return &Connector{publicURL: publicURL, client: client, keys: keys, memory: memory, now: now}
}

// Paths of this service provider (reference/authentication.md §2.10).
const (
	callbackPath = "/login/callback"
	logoutPath   = "/logout" // for LogoutRequest and LogoutResponse
	// MetadataPath is where our metadata is, with ?connection=<name>.
	MetadataPath = "/samlp/metadata"
)

// consumer is the address to which responses for the connection go.
func (k *Connector) consumer(c *connection.Connection) string {
	return k.publicURL + callbackPath + "?connection=" + url.QueryEscape(c.Name)
}

// entityID is who we are for the connection's provider.
func (k *Connector) entityID(c *connection.Connection, o *options) string {
	if o.EntityID != "" {
		return o.EntityID
	}
	return "urn:auth0:" + upstream.Tenant(k.publicURL) + ":" + c.Name
}

// configured are the options of a connection that is ready for logins.
func configured(c *connection.Connection) (*options, error) {
	o, err := read(c)
	if err != nil {
		return nil, upstream.ErrConfig.Because(err)
	}
	if len(o.Certificates) == 0 {
		return nil, upstream.ErrConfig.Because(errors.New("no signingCert"))
	}
	return o, nil
}

// Callback verifies the response to a request of this browser (HTTP-POST).
func (k *Connector) Callback(ctx context.Context, c *connection.Connection, _ upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	if p.RequestID == "" {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("no request was made"))
	}
	return k.consume(ctx, c, p.RequestID, got)
}

// Unsolicited verifies a response that nobody asked for; it must not say that it
// answers anything.
func (k *Connector) Unsolicited(ctx context.Context, c *connection.Connection, _ upstream.Start, got url.Values) (upstream.Result, error) {
	return k.consume(ctx, c, "", got)
}

// consume reads a response once. It is remembered at the end: one that is refused
// leaves nothing.
func (k *Connector) consume(ctx context.Context, c *connection.Connection, requestID string, got url.Values) (upstream.Result, error) {
	o, err := configured(c)
	if err != nil {
		return upstream.Result{}, err
	}
	if name, named := got.Get("connection"), got.Has("connection"); named && name != c.Name {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("the response was sent to another connection's address"))
	}
	a, err := open(got.Get("SAMLResponse"), o)
	if err != nil {
		return upstream.Result{}, upstream.ErrRefused.Because(err)
	}
	if err := check(a, facts{
		now:         k.now(),
		audience:    k.entityID(c, o),
		recipient:   orElse(o.Recipient, k.consumer(c)),
		destination: orElse(o.Destination, k.consumer(c)),
		issuer:      o.Issuer,
		requestID:   requestID,
	}); err != nil {
		return upstream.Result{}, upstream.ErrRefused.Because(err)
	}
	said := c.Upstream()
	if o.Fixed {
		plain := *said
		plain.Fields = nil
		said = &plain
	}
	claims, err := a.assertion.statement().Claims(said, o.SubjectOf)
	if err != nil {
		return upstream.Result{}, err
	}
	if !sayable(claims.Subject) {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("the name of the person is too long, or has control characters"))
	}
	first, err := k.memory.Seen(ctx, replay.Key(c.ID, a.assertion.ID), a.assertion.end().Add(skew).UnixMicro())
	if err != nil {
		return upstream.Result{}, fmt.Errorf("remember an assertion: %w", err)
	}
	if !first {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("the assertion was used before"))
	}
	return upstream.Result{Claims: claims, Foreign: a.assertion.foreign()}, nil
}

// maxSubject is the length of a name, in bytes (SAML core §8.3.7).
const maxSubject = 256

func sayable(subject string) bool {
	return len(subject) <= maxSubject && strings.IndexFunc(subject, unicode.IsControl) < 0
}

// orElse are the acceptable addresses: ours, and the one that is set.
func orElse(set, standard string) []string {
	if set == "" {
		return []string{standard}
	}
	return []string{set, standard}
}

// newID makes an ID of a message: an XML name, 160 random bits.
func newID() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails
	return "_" + hex.EncodeToString(b)
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
