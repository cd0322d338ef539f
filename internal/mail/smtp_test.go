package mail

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	stdmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/errs"
)

// sink is an SMTP server that keeps what it gets.
type sink struct {
	t     *testing.T
	l     net.Listener
	cert  tls.Certificate
	roots *x509.CertPool
	// starttls and implicit: the TLS it speaks. refuse answers RCPT, when not empty.
	starttls, implicit bool
	refuse             string
	auth               string // mechanisms
	hang               bool   // says nothing at all

	mu    sync.Mutex
	mails []received
}

type received struct {
	from, to, data, login string
	tls                   bool
}

func newSink(t *testing.T, change func(*sink)) (*sink, Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{t: t, l: l, auth: "PLAIN LOGIN"}
	s.certify()
	if change != nil {
		change(s)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	server := Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	switch {
	case s.implicit:
		server.TLS = Implicit
	case !s.starttls:
		server.TLS = None
	}
	return s, server
}

func (s *sink) certify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(parsed)
}

func (s *sink) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	if s.hang {
		_, _ = c.Read(make([]byte, 1)) // returns when the other side gives up
		return
	}
	m := received{tls: s.implicit}
	if s.implicit {
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	r := bufio.NewReader(c)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\r\n", args...) }
	say("220 sink")
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text = strings.TrimRight(text, "\r\n")
		verb, rest, _ := strings.Cut(text, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-sink")
			if s.starttls && !m.tls {
				say("250-STARTTLS")
			}
			say("250 AUTH %s", s.auth)
		case "STARTTLS":
			say("220 go")
			c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			r, m.tls = bufio.NewReader(c), true
		case "AUTH":
			if rest == "LOGIN" {
				m.login = ask(r, say, "Username:") + "/" + ask(r, say, "Password:")
			} else {
				b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
				m.login = string(b)
			}
			say("235 fine")
		case "MAIL":
			m.from = rest
			say("250 fine")
		case "RCPT":
			m.to = rest
			if s.refuse != "" {
				say("%s", s.refuse)
				continue
			}
			say("250 fine")
		case "DATA":
			say("354 go")
			var b strings.Builder
			for {
				text, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if text == ".\r\n" {
					break
				}
				b.WriteString(text)
			}
			m.data = b.String()
			s.mu.Lock()
			s.mails = append(s.mails, m)
			s.mu.Unlock()
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// ask is one question of AUTH LOGIN.
func ask(r *bufio.Reader, say func(string, ...any), question string) string {
	say("334 %s", base64.StdEncoding.EncodeToString([]byte(question)))
	text, _ := r.ReadString('\n')
	b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	return string(b)
}

func (s *sink) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

var hello = Message{
	From: stdmail.Address{Name: "Mangrove", Address: "id@example.com"}, To: "ann@example.com", Subject: "Grüße", Text: "plain words", HTML: "<p>words</p>",
}

func TestSMTP(t *testing.T) {
	rows := []struct {
		name   string
		sink   func(*sink)
		server func(*Server)
		tls    bool
		login  string
	}{
		{"in the clear", nil, nil, false, ""},
		{"STARTTLS", func(s *sink) { s.starttls = true }, nil, true, ""},
		{"TLS", func(s *sink) { s.implicit = true }, nil, true, ""},
		{"TLS and a login", func(s *sink) { s.implicit = true }, func(s *Server) { s.User, s.Password = "us", "pw" }, true, "\x00us\x00pw"},
		{"TLS and a login of the old kind", func(s *sink) { s.implicit, s.auth = true, "LOGIN" }, func(s *Server) { s.User, s.Password = "us", "pw" }, true, "us/pw"},
		{"a login in the clear, on this machine", nil, func(s *Server) { s.User, s.Password = "us", "pw" }, false, "\x00us\x00pw"},
		{"STARTTLS and a login", func(s *sink) { s.starttls = true }, func(s *Server) { s.User, s.Password = "us", "pw" }, true, "\x00us\x00pw"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k, server := newSink(t, row.sink)
			if row.server != nil {
				row.server(&server)
			}
			s := newSMTP(server, k.roots)
			for range 2 {
				if err := s.Send(t.Context(), hello); err != nil {
					t.Fatal(err)
				}
			}
			mails := k.got()
			if len(mails) != 2 {
				t.Fatalf("%d mails", len(mails))
			}
			m := mails[0]
			if m.tls != row.tls || m.login != row.login || !strings.Contains(m.from, "<id@example.com>") || !strings.Contains(m.to, "<ann@example.com>") {
				t.Errorf("%+v", m)
			}
			parsed, err := stdmail.ReadMessage(strings.NewReader(m.data))
			if err != nil {
				t.Fatal(err)
			}
			if h := parsed.Header; h.Get("Auto-Submitted") != "auto-generated" || !strings.HasPrefix(h.Get("Content-Type"), "multipart/alternative") || h.Get("Message-Id") == "" {
				t.Errorf("header %v", h)
			}
		})
	}
}

// What fails says how, and names nobody.
func TestSMTPFailures(t *testing.T) {
	rows := []struct {
		name   string
		sink   func(*sink)
		server func(*Server, *sink)
		kind   errs.Kind
		text   string
	}{
		{"no such person", func(s *sink) { s.refuse = "550 no ann@example.com here" }, nil, errs.Invalid, "answered 550"},
		{"try later", func(s *sink) { s.refuse = "451 ann@example.com is busy" }, nil, errs.Unavailable, "answered 451"},
		{"nobody there", nil, func(_ *Server, k *sink) { _ = k.l.Close() }, errs.Unavailable, "no connection"},
		{"no STARTTLS where it is required", nil, func(s *Server, _ *sink) { s.TLS = StartTLS }, errs.Unavailable, "no connection"},
		{"another's certificate", func(s *sink) { s.implicit = true }, func(_ *Server, k *sink) { k.roots = x509.NewCertPool() }, errs.Unavailable, "no connection"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k, server := newSink(t, row.sink)
			if row.server != nil {
				row.server(&server, k)
			}
			s := newSMTP(server, k.roots)
			err := s.Send(t.Context(), hello)
			if errs.KindOf(err) != row.kind || !strings.Contains(err.Error(), row.text) || strings.Contains(err.Error(), "ann") {
				t.Errorf("%v", err)
			}
			if n := len(k.got()); n != 0 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

// A server that says nothing holds nobody longer than the context allows.
func TestSMTPSilence(t *testing.T) {
	_, server := newSink(t, func(s *sink) { s.hang = true })
	s := newSMTP(server, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Send(ctx, hello); errs.KindOf(err) != errs.Unavailable || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error(err)
	}
}
