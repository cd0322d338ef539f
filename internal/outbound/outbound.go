package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The limits of one request, redirects included (security.md 97).
const (
	Timeout      = 10 * time.Second
	MaxBody      = 2 << 20 // bytes, after decompression
	MaxRedirects = 3
	maxHeader    = 64 << 10
)

// ErrRedirect is one hop too many, a change to another scheme, a step from https
// to http, or a request other than GET and HEAD that was sent elsewhere: its
// body may hold a client secret.
var ErrRedirect = errors.New("redirect refused")

// Option changes what New makes.
type Option func(*options)

type options struct {
	roots    *x509.CertPool
	resolver *net.Resolver
	timeout  time.Duration
}

// WithRoots trusts the pool instead of the system's roots, for private
// certificate authorities and tests.
func WithRoots(pool *x509.CertPool) Option { return func(o *options) { o.roots = pool } }

// WithTimeout replaces Timeout, for peers of which the contract says how long they
// may take.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// New makes the guarded client. allow lists the internal networks that may be
// reached all the same. It keeps no cookies, takes no proxy from the
// environment and always verifies certificates.
func New(allow []netip.Prefix, opts ...Option) *http.Client {
	o := options{timeout: Timeout}
	for _, opt := range opts {
		opt(&o)
	}
	dialer := &net.Dialer{
		Timeout:  5 * time.Second,
		Control:  control(allow),
		Resolver: o.resolver,
	}
	return &http.Client{
		Timeout: o.timeout,
		Transport: &limited{next: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.roots},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  o.timeout,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           32,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        60 * time.Second,
		}},
		CheckRedirect: checkRedirect,
	}
}

// Dialer makes guarded connections for a protocol other than HTTP: to addresses that
// New would reach, on its ports and those of the protocol.
func Dialer(allow []netip.Prefix, ports ...uint16) *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, Control: control(allow, ports...)}
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	from := via[len(via)-1]
	switch {
	case len(via) > MaxRedirects,
		via[0].Method != http.MethodGet && via[0].Method != http.MethodHead,
		from.URL.Scheme == "https" && next.URL.Scheme != "https":
		return ErrRedirect
	}
	return checkURL(next.URL)
}
