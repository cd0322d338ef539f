package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// maxAnswer is how much one login may be sent by a server: 10,000 groups and a
// person with large attributes fit.
const maxAnswer = 16 << 20 // bytes

var errTooMuch = errors.New("the server sends too much")

// wire is the connection below TLS and LDAP. Neither bounds what it reads.
type wire struct {
	net.Conn
	left atomic.Int64
}

func (w *wire) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := w.Conn.Read(p)
	w.left.Add(-int64(n))
	return n, err
}

// link is a secured connection that one caller uses at a time.
type link struct {
	*ldapv3.Conn
	wire *wire
	// spent: it is in a state that nobody should go on with.
	spent bool
	// idle closes it when it was not used for a while.
	idle *time.Timer
}

// longAgo as a deadline ends reads and writes that are under way.
var longAgo = time.Unix(1, 0)

// begin holds what follows to the context's deadline and to maxAnswer; the returned
// function ends that.
func (l *link) begin(ctx context.Context) (end func()) {
	l.wire.left.Store(maxAnswer)
	stop, closing := l.wire.holdTo(ctx), context.AfterFunc(ctx, l.close)
	return func() {
		closing()
		if !stop() {
			l.spent = true
		}
	}
}

// holdTo ends reads and writes with the context. The returned function takes that
// back; false: it was too late.
func (w *wire) holdTo(ctx context.Context) (stop func() bool) {
	deadline, _ := ctx.Deadline()
	_ = w.SetDeadline(deadline) // of a closed connection; it fails at its use
	cancelled := context.AfterFunc(ctx, func() { _ = w.SetDeadline(longAgo) })
	return func() bool {
		if !cancelled() {
			return false
		}
		_ = w.SetDeadline(time.Time{})
		return true
	}
}

func (l *link) close() { _ = l.Conn.Close() } // says goodbye; nothing depends on it

// dial makes a connection that is secured before anything is said on it.
func (d *directory) dial(ctx context.Context, a address) (*link, error) {
	raw, err := d.dialer.DialContext(ctx, "tcp", a.String())
	if err != nil {
		return nil, &silence{err}
	}
	l := &link{wire: &wire{Conn: raw}}
	l.wire.left.Store(maxAnswer)
	stop := l.wire.holdTo(ctx)
	config := d.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = a.Host
	}
	if a.StartTLS {
		err = l.startTLS(ctx, config)
	} else {
		secured := tls.Client(l.wire, config)
		if err = secured.HandshakeContext(ctx); err == nil {
			l.Conn = ldapv3.NewConn(secured, true)
			l.Start()
		}
	}
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		if l.Conn != nil {
			l.close()
		}
		_ = raw.Close()
		return nil, &silence{fmt.Errorf("TLS: %w", err)}
	}
	return l, nil
}

// startTLS refuses to go on without: a server, or somebody before it, that says no
// is sent nothing.
func (l *link) startTLS(ctx context.Context, config *tls.Config) error {
	l.Conn = ldapv3.NewConn(l.wire, false)
	l.Start()
	// The library reads one message, and waits for ever if that is no answer.
	defer context.AfterFunc(ctx, l.close)()
	if err := l.StartTLS(config); err != nil {
		return err
	}
	if _, ok := l.TLSConnectionState(); !ok {
		return errors.New("the connection is not secured")
	}
	return nil
}
