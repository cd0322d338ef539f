package foreigndb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// reach says why a server could not be reached, or was lost, in the codes that Node.js
// has for it; nil: err is of another kind. Nothing but host names and addresses is in
// its texts.
func reach(err error) *Error {
	var (
		guarded interface{ Internal() bool }
		name    *net.DNSError
		dial    *net.OpError
	)
	switch {
	case errors.As(err, &guarded) && guarded.Internal():
		return &Error{Code: "EACCES", Message: "the database has an internal address, which --outbound-allow does not name"}
	case errors.Is(err, context.Canceled):
		return &Error{Code: "ECANCELED", Message: "nobody waits for the answer any more"}
	case errors.As(err, &name):
		return &Error{Code: "ENOTFOUND", Message: "getaddrinfo ENOTFOUND " + name.Name}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return &Error{Code: "ETIMEDOUT", Message: "the database did not answer in time"}
	}
	if e := untrusted(err); e != nil {
		return e
	}
	for _, one := range []struct {
		errno syscall.Errno
		code  string
	}{
		{syscall.ECONNREFUSED, "ECONNREFUSED"}, {syscall.EHOSTUNREACH, "EHOSTUNREACH"}, {syscall.ENETUNREACH, "ENETUNREACH"},
		{syscall.ECONNRESET, "ECONNRESET"}, {syscall.EPIPE, "EPIPE"}, {syscall.EADDRNOTAVAIL, "EADDRNOTAVAIL"},
	} {
		if errors.Is(err, one.errno) {
			text := one.code
			if errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil {
				text = "connect " + one.code + " " + dial.Addr.String()
			}
			return &Error{Code: one.code, Message: text}
		}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return tooLarge()
	case errors.As(err, &dial) && dial.Op == "dial":
		return &Error{Code: "EACCES", Message: "the database's address or port is not allowed"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, driver.ErrBadConn):
		return &Error{Code: "ECONNRESET", Message: "the server closed the connection"}
	}
	return nil
}

// untrusted is what is wrong with a server's certificate.
func untrusted(err error) *Error {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		other     *tls.CertificateVerificationError
		alert     tls.AlertError
		header    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return &Error{Code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE", Message: "unable to verify the certificate of the database's server"}
	case errors.As(err, &host):
		return &Error{Code: "ERR_TLS_CERT_ALTNAME_INVALID", Message: "the certificate of the database's server is for another name"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &Error{Code: "CERT_HAS_EXPIRED", Message: "the certificate of the database's server has expired"}
	case errors.As(err, &invalid), errors.As(err, &other):
		return &Error{Code: "ERR_TLS_CERT", Message: "the certificate of the database's server is not valid"}
	case errors.As(err, &alert), errors.As(err, &header):
		return &Error{Code: "EPROTO", Message: "the TLS of the database's server does not fit"}
	case strings.Contains(err.Error(), "refused TLS connection"):
		return &Error{Code: "EPROTO", Message: "The server does not support SSL connections"}
	}
	return nil
}

// tooLarge is what becomes of an answer beyond MaxRows and MaxBytes.
func tooLarge() *Error {
	return &Error{Code: "ERANGE", Message: "the answer of the database is too large: at most 10000 rows and 8 MB"}
}

// tlsConfig is what a target asks of TLS; nil: none.
func (t Target) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.Host}
	switch t.TLS {
	case Plain:
		return nil, nil
	case Verify:
		if t.CA == "" {
			return c, nil
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, &Error{Code: "ERR_TLS_CERT", Message: "the authority's certificate is no PEM"}
		}
	default:
		c.InsecureSkipVerify = true // asked for: whoever answers is believed
	}
	return c, nil
}
