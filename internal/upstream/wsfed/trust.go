package wsfed

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/beevik/etree"

	"mangrove/internal/connection"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// When metadata is read again.
const (
	refreshAfter = 24 * time.Hour
	// retryAfter lets a provider rest: after a failure, and before its metadata is
	// read again for a key that nobody knows. restAfter is for one that does not
	// answer while enough is known: nobody should wait for it often.
	retryAfter = time.Minute
	restAfter  = time.Hour
	maxTrusts  = 512
)

// trust is whom a connection believes: what its options say, and what its metadata
// has said since in the memory of this process. A key that the metadata no longer
// has counts until the keys change once more, so that tokens that are on their way
// arrive.
type trust struct {
	endpoint string
	issuer   string // empty: not known
	certs    []*x509.Certificate
	keys     thumbprints
	previous thumbprints
	formerly []*x509.Certificate // those of previous that were read
	read     time.Time           // when metadata was last read; zero: never
	tried    time.Time
}

// keysFor are the certificates whose signature over the assertion counts: those that
// metadata brought, and the one that the signature carries along if the options know
// its thumbprint.
func (t *trust) keysFor(assertion *etree.Element) safexml.Keys {
	certs := slices.Concat(t.certs, t.formerly)
	signature := safexml.Child(assertion, nsSignature, "Signature")
	info := safexml.Child(signature, nsSignature, "KeyInfo")
	for _, e := range safexml.Descendants(info, nsSignature, "X509Certificate") {
		cert, err := certificateOf(e)
		if err == nil && (t.keys.has(cert) || t.previous.has(cert)) && !slices.ContainsFunc(certs, cert.Equal) {
			certs = append(certs, cert)
		}
	}
	return safexml.Keys{Certificates: certs}
}

// enough reports whether people can be sent there and believed when they return.
func (t *trust) enough() bool { return t.endpoint != "" && len(t.keys) > 0 }

// learn takes over what metadata says.
func (t *trust) learn(m metadata, now time.Time) {
	if next := printsOf(m.certs); !next.same(t.keys) {
		t.previous, t.formerly, t.keys = t.keys, t.certs, next
	}
	t.endpoint, t.issuer, t.certs, t.read = m.endpoint, m.issuer, m.certs, now
}

// trustBefore is what the options alone say.
func trustBefore(o options) (*trust, error) {
	t := &trust{endpoint: o.endpoint, issuer: o.issuer, keys: o.keys, previous: o.previous}
	if o.metadataURL == "" && o.metadataXML != "" {
		m, err := parseMetadata(trimmed(o.metadataXML))
		if err != nil {
			return nil, upstream.ErrConfig.Because(fmt.Errorf("fedMetadataXml: %w", err))
		}
		t.learn(m, time.Time{})
	}
	return t, nil
}

// trusts keeps one trust per connection as it is written now.
type trusts struct {
	mu   sync.Mutex
	list map[string]*keeper
}

type keeper struct {
	turn    chan struct{} // holds one token while somebody works on it
	options string
	trust   *trust
}

func (s *trusts) keeper(id string) *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.list[id]; ok {
		return k
	}
	if s.list == nil {
		s.list = map[string]*keeper{}
	}
	if len(s.list) >= maxTrusts {
		for old := range s.list { // any one: what is needed again is read again
			delete(s.list, old)
			break
		}
	}
	k := &keeper{turn: make(chan struct{}, 1)}
	s.list[id] = k
	return k
}

// trust is whom the connection believes now. With unknownKey it asks for metadata
// that is younger than the last.
func (k *Connector) trust(ctx context.Context, c *connection.Connection, o options, unknownKey bool) (trust, error) {
	e := k.trusts.keeper(c.ID)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return trust{}, upstream.ErrUnreachable.Because(ctx.Err())
	}
	defer func() { <-e.turn }()
	if e.trust == nil || e.options != string(c.Options) {
		t, err := trustBefore(o)
		if err != nil {
			return trust{}, err
		}
		e.trust, e.options = t, string(c.Options)
	}
	t, now := e.trust, k.now()
	var err error
	if o.metadataURL != "" && due(t, now, unknownKey) {
		t.tried = now
		var m metadata
		if m, err = k.fetch(ctx, o.metadataURL); err == nil {
			t.learn(m, now)
		}
	}
	switch {
	case t.enough():
		return *t, nil // what is known goes on to count while the metadata cannot be read
	case err != nil:
		return trust{}, err
	case o.metadataURL != "":
		return trust{}, upstream.ErrUnreachable.Because(errors.New("no federation metadata yet"))
	default:
		return trust{}, upstream.ErrConfig.Because(errors.New("neither metadata nor signInEndpoint and thumbprints"))
	}
}

// due reports whether metadata is to be read.
func due(t *trust, now time.Time, unknownKey bool) bool {
	rest := retryAfter
	if t.enough() && !unknownKey {
		rest = restAfter
	}
	if !t.tried.IsZero() && now.Sub(t.tried) < rest {
		return false
	}
	return t.read.IsZero() || unknownKey || now.Sub(t.read) >= refreshAfter
}

// fetch reads the metadata at an address.
func (k *Connector) fetch(ctx context.Context, address string) (metadata, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return metadata{}, upstream.ErrConfig.Because(errors.New("the address of the federation metadata is not a URL"))
	}
	r.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	resp, err := k.client.Do(r)
	if err != nil {
		return metadata{}, upstream.ErrUnreachable.Because(fmt.Errorf("federation metadata: %w", bare(err)))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return metadata{}, upstream.ErrUnreachable.Because(fmt.Errorf("federation metadata: status %d", resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil {
		return metadata{}, upstream.ErrUnreachable.Because(fmt.Errorf("federation metadata: %w", bare(err)))
	}
	m, err := parseMetadata(body)
	if err != nil {
		return metadata{}, upstream.ErrRefused.Because(err)
	}
	return m, nil
}

// bare takes the URL away from a request's error.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
