package foreigndb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"mangrove/internal/outbound"
	"mangrove/internal/parttest"
)

// loopback opens databases on this machine.
func loopback(t testing.TB) *Opener {
	t.Helper()
	o := New(outbound.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).DialContext)
	t.Cleanup(o.Close)
	return o
}

// postgresPart is a database of the test's own on a real PostgreSQL.
func postgresPart(t testing.TB) Target {
	t.Helper()
	return ownDatabase(t, parttest.Need(t, "PostgreSQL", "MANGROVE_TEST_POSTGRES"), "CREATE DATABASE ", "", " WITH (FORCE)")
}

// mariadbPart is a database of the test's own on a real MariaDB.
func mariadbPart(t testing.TB) Target {
	t.Helper()
	return ownDatabase(t, parttest.Need(t, "MariaDB", "MANGROVE_TEST_MARIADB"), "CREATE DATABASE ", " CHARACTER SET utf8mb4", "")
}

func ownDatabase(t testing.TB, url, create, charset, force string) Target {
	t.Helper()
	target, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	name := "mangrove_" + hex.EncodeToString(b[:])
	own := target
	own.Database = name
	run := func(text string) {
		t.Helper()
		c, err := loopback(t).Connect(context.Background(), target)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := c.Query(context.Background(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	run(create + name + charset)
	t.Cleanup(func() { run("DROP DATABASE IF EXISTS " + name + force) })
	return own
}

// connected is a session of the test's.
func connected(t testing.TB, target Target) Conn {
	t.Helper()
	c, err := loopback(t).Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// answer is what a statement must answer without an error.
func answer(t testing.TB, c Conn, statement string, args ...any) Result {
	t.Helper()
	r, err := c.Query(t.Context(), statement, args)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return r
}

// refusal is the error of a statement that must have one.
func refusal(t testing.TB, c Conn, statement string, args ...any) *Error {
	t.Helper()
	_, err := c.Query(t.Context(), statement, args)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", statement, err)
	}
	return e
}

// door is a way to a server that can be shut.
type door struct {
	listener net.Listener
	mu       sync.Mutex
	open     []net.Conn
	came     int
	hold     string
	held     chan struct{}
	frozen   bool
}

// through makes a door to a target, and the target behind it.
func through(t testing.TB, target Target) (*door, Target) {
	t.Helper()
	to := net.JoinHostPort(target.Host, strconv.Itoa(target.Port))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: l}
	t.Cleanup(func() { _ = l.Close(); d.slam() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			d.enter(in, out)
			go func() { d.pass(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	target.Host, target.Port = "127.0.0.1", l.Addr().(*net.TCPAddr).Port
	return d, target
}

func (d *door) enter(conns ...net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came++
	d.open = append(d.open, conns...)
}

// freeze lets nothing of what clients say through any more, from a text on; the channel
// is closed then.
func (d *door) freeze(text string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hold, d.held = text, make(chan struct{})
	return d.held
}

func (d *door) pass(to, from net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		d.mu.Lock()
		if d.hold != "" && !d.frozen && bytes.Contains(b[:n], []byte(d.hold)) {
			d.frozen = true
			close(d.held)
		}
		frozen := d.frozen
		d.mu.Unlock()
		if frozen {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.came
}

// slam closes what is open; the next one may come in again.
func (d *door) slam() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.open {
		_ = c.Close()
	}
	d.open = nil
}

// speaks is a server that says one thing to each who comes, and hangs up.
func speaks(t testing.TB, say func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { say(c); _ = c.Close() }()
		}
	}()
	return Target{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "app", Password: "pass-geheim"}
}
