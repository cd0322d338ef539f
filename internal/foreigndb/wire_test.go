package foreigndb

import (
	"net"
	"testing"
)

// Whether a server has hung up is told at once, also while somebody waits for its words.
func TestAliveWhileRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		left <- raw.Read(func(uintptr) bool { close(entered); <-leave; return true })
	}()
	<-entered
	w := &wire{Conn: c}
	w.expect()
	if !w.alive() {
		t.Error("it is open, and nothing came")
	}
	close(leave)
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	if _, err := w.Read(make([]byte, 1)); err == nil || w.alive() {
		t.Errorf("it was closed: %v", err)
	}
}

// pgconn may read ahead: a read that began before an answer does not take its room.
func TestExpectWhileRead(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _ = client.Close() }()
	begun := make(chan struct{})
	w := &wire{Conn: beginning{client, begun}}
	w.left.Store(1) // what an answer before has left
	ended := make(chan error, 1)
	go func() {
		_, err := w.Read(make([]byte, 8))
		ended <- err
	}()
	<-begun
	w.expect()
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || w.left.Load() != MaxBytes+MaxBytes/2-6 {
		t.Errorf("%v, %d left", err, w.left.Load())
	}
}

// beginning tells that a read has begun.
type beginning struct {
	net.Conn
	begun chan struct{}
}

func (b beginning) Read(p []byte) (int, error) {
	close(b.begun)
	return b.Conn.Read(p)
}
