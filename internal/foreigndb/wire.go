package foreigndb

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// wire is the connection below a driver. It bounds what an answer may bring, since
// drivers read what servers send, and keeps what the server said first.
type wire struct {
	net.Conn
	left atomic.Int64 // bytes that may still come

	head  [512]byte // of the first bytes
	taken int       // of head; belongs to whoever opens the connection
}

var errTooLarge = errors.New("the answer is too large")

// opened is how much an opening may bring.
const opened = 1 << 20

// wire opens one.
func (o *Opener) wire(ctx context.Context, address string) (*wire, error) {
	c, err := o.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c}
	w.left.Store(opened)
	return w, nil
}

// expect begins an answer. What MaxBytes of values take on the way is a little more.
func (w *wire) expect() { w.left.Store(MaxBytes + MaxBytes/2) }

func (w *wire) Read(b []byte) (int, error) {
	if w.left.Load() <= 0 {
		return 0, errTooLarge
	}
	n, err := w.Conn.Read(b)
	w.left.Add(-int64(n))
	if w.taken < len(w.head) {
		w.taken += copy(w.head[w.taken:], b[:n])
	}
	return n, err
}

// alive reports whether the server has said nothing since, not even that it hangs up.
func (w *wire) alive() bool {
	c, ok := w.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var silent bool
	// Not raw.Read: after a slow write pgconn has a goroutine that reads until the next
	// answer, and it would wait for that.
	if err := raw.Control(func(fd uintptr) { silent = quiet(fd) }); err != nil {
		return false
	}
	return silent
}
