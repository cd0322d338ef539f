package tdstest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// Options of a server.
type Options struct {
	User, Password string
	// TLS, where it is nil, is not supported. Required: nobody gets in without.
	TLS      *tls.Config
	Required bool
	// Answer answers requests, one at a time for each session. Its context ends when the
	// client gives the request up, or hangs up.
	Answer func(context.Context, Request) Answer
	// Silent: connections are accepted and nothing is ever said.
	Silent bool
}

// Request is a batch, a statement with parameters, or a procedure.
type Request struct {
	Session  int64 // counts connections
	Database string
	// Reset: the client asked for a session as new.
	Reset bool
	// Text of a batch or statement; of a procedure its name.
	Text      string
	Procedure bool
	// Declared are the parameters as sp_executesql has them: "@a nvarchar(3),@b bigint".
	Declared string
	// Params by name, without @: nil, bool, int64, float64, string, []byte, time.Time.
	Params map[string]any
}

// Answer is what statements answered, or why not.
type Answer struct {
	Sets []Set
	Err  *Error
	// Hangup closes the connection instead.
	Hangup bool
}

// Set is the answer of one statement. Without columns only Affected counts; with them
// the number of its rows does.
type Set struct {
	Columns  []Column
	Rows     [][]any
	Affected int64
}

// Column of a Set. Type is one of int, bigint, bit, float, decimal (two digits behind the
// point), nvarchar, varbinary, datetime, datetime2, date, time, uniqueidentifier.
type Column struct{ Name, Type string }

// Error is what SQL Server would say.
type Error struct {
	Number  int32
	Class   byte // 11 to 16: of the user's making
	Message string
}

// Server is a double that runs.
type Server struct {
	options Options
	listen  net.Listener

	mu    sync.Mutex
	count int64
	all   sync.WaitGroup
	conns map[net.Conn]bool
}

// New starts a server on a port of this machine, until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{options: o, listen: l, conns: map[net.Conn]bool{}}
	s.all.Go(s.accept)
	t.Cleanup(s.Close)
	return s
}

// Port it listens on, of 127.0.0.1.
func (s *Server) Port() int { return s.listen.Addr().(*net.TCPAddr).Port }

// Connections is how many there have been.
func (s *Server) Connections() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Close ends it, and all that is open.
func (s *Server) Close() {
	_ = s.listen.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.count++
		number := s.count
		s.conns[c] = true
		s.mu.Unlock()
		s.all.Go(func() {
			x := &session{server: s, number: number, raw: c, conn: c}
			_ = x.serve() // it ends as the client wants
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// The kinds of packets and what a prelogin says about encryption.
const (
	kindBatch     = 1
	kindRPC       = 3
	kindReply     = 4
	kindAttention = 6
	kindLogin     = 16
	kindPrelogin  = 18

	encryptOn     = 1
	encryptNever  = 2
	encryptAlways = 3
)

type session struct {
	server   *Server
	number   int64
	raw      net.Conn
	conn     net.Conn // raw, or TLS on it
	database string
}

// message reads one message.
func (x *session) message() (kind, status byte, body []byte, err error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(x.conn, head[:]); err != nil {
			return 0, 0, nil, err
		}
		length := int(binary.BigEndian.Uint16(head[2:]))
		if length < len(head) {
			return 0, 0, nil, errors.New("a packet without a head")
		}
		part := make([]byte, length-len(head))
		if _, err := io.ReadFull(x.conn, part); err != nil {
			return 0, 0, nil, err
		}
		body = append(body, part...)
		status |= head[1]
		if head[1]&1 != 0 {
			return head[0], status, body, nil
		}
	}
}

// send writes one message, in packets of 4096 bytes.
func (x *session) send(kind byte, body []byte) error {
	const room = 4096 - 8
	for n := 1; ; n++ {
		part := body[:min(room, len(body))]
		body = body[len(part):]
		packet := []byte{kind, 0, 0, 0, 0, 0, byte(n), 0}
		if len(body) == 0 {
			packet[1] = 1
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(len(part)+8))
		if _, err := x.conn.Write(append(packet, part...)); err != nil {
			return err
		}
		if len(body) == 0 {
			return nil
		}
	}
}

func (x *session) serve() error {
	if x.server.options.Silent {
		_, err := io.Copy(io.Discard, x.conn)
		return err
	}
	if err := x.prelogin(); err != nil {
		return err
	}
	if ok, err := x.login(); err != nil || !ok {
		return err
	}
	type message struct {
		kind, status byte
		body         []byte
	}
	messages := make(chan message)
	ctx, hangup := context.WithCancel(context.Background())
	defer hangup()
	go func() {
		defer close(messages)
		defer hangup()
		for {
			kind, status, body, err := x.message()
			if err != nil {
				return
			}
			select {
			case messages <- message{kind, status, body}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for m := range messages {
		if m.kind == kindAttention {
			if err := x.send(kindReply, done(0xFD, 0x20, 0, 0)); err != nil {
				return err
			}
			continue
		}
		r, err := x.request(m.kind, m.body)
		if err != nil {
			return err
		}
		r.Reset = m.status&0x18 != 0
		within, cancel := context.WithCancel(ctx)
		answered := make(chan Answer, 1)
		go func() { answered <- x.server.options.Answer(within, r) }()
		var answer Answer
		given := false
		select {
		case answer = <-answered:
		case _, ok := <-messages: // an attention, since nothing else may come now
			cancel()
			<-answered
			given = ok
		}
		cancel()
		switch {
		case given:
			err = x.send(kindReply, done(0xFD, 0x20, 0, 0))
		case answer.Hangup:
			return nil
		default:
			err = x.send(kindReply, answer.encode(m.kind == kindRPC))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prelogin agrees about encryption.
func (x *session) prelogin() error {
	kind, _, body, err := x.message()
	if err != nil || kind != kindPrelogin {
		return errors.Join(err, errors.New("no prelogin"))
	}
	wish := byte(encryptNever)
	for i := 0; i+5 <= len(body) && body[i] != 0xFF; i += 5 {
		if at := int(binary.BigEndian.Uint16(body[i+1:])); body[i] == 1 && at < len(body) {
			wish = body[at]
		}
	}
	say := byte(encryptNever)
	switch o := x.server.options; {
	case o.TLS != nil && wish != encryptNever:
		say = encryptOn
	case o.Required:
		say = encryptAlways
	}
	// Two options (version, encryption), the end, and what they say.
	reply := []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, say}
	if err := x.send(kindReply, reply); err != nil || say != encryptOn {
		return err
	}
	config := x.server.options.TLS.Clone()
	config.SessionTicketsDisabled = true
	config.DynamicRecordSizingDisabled = true
	below := &handshake{session: x}
	secure := tls.Server(below, config)
	if err := secure.HandshakeContext(context.Background()); err != nil {
		return err
	}
	if err := below.flush(); err != nil {
		return err
	}
	below.over = true
	x.conn = secure
	return nil
}

// handshake puts the handshake of TLS into packets, a flight in each message; what comes
// later goes as it is.
type handshake struct {
	net.Conn
	session *session
	in, out bytes.Buffer
	over    bool
}

func (h *handshake) Read(b []byte) (int, error) {
	if h.over {
		return h.session.raw.Read(b)
	}
	if err := h.flush(); err != nil {
		return 0, err
	}
	for h.in.Len() == 0 {
		_, _, body, err := h.session.message()
		if err != nil {
			return 0, err
		}
		h.in.Write(body)
	}
	return h.in.Read(b)
}

func (h *handshake) Write(b []byte) (int, error) {
	if h.over {
		return h.session.raw.Write(b)
	}
	return h.out.Write(b)
}

func (h *handshake) flush() error {
	if h.out.Len() == 0 {
		return nil
	}
	defer h.out.Reset()
	return h.session.send(kindPrelogin, h.out.Bytes())
}

// login reports whether somebody may come in.
func (x *session) login() (bool, error) {
	kind, _, body, err := x.message()
	if err != nil || kind != kindLogin {
		return false, errors.Join(err, errors.New("no login"))
	}
	field := func(at int) []byte { // its place and its length in characters are at that place
		if at+4 > len(body) {
			return nil
		}
		from, n := int(binary.LittleEndian.Uint16(body[at:])), 2*int(binary.LittleEndian.Uint16(body[at+2:]))
		if from+n > len(body) {
			return nil
		}
		return body[from : from+n]
	}
	password := bytes.Clone(field(44))
	for i, b := range password {
		b ^= 0xA5
		password[i] = b<<4 | b>>4
	}
	user := fromUCS2(field(40))
	x.database = fromUCS2(field(68))
	if o := x.server.options; user != o.User || fromUCS2(password) != o.Password {
		return false, x.send(kindReply, append(Error{18456, 14, "Login failed for user '" + user + "'."}.encode(), done(0xFD, 2, 0, 0)...))
	}
	name := ucs2("Microsoft SQL Server")
	ack := append([]byte{1, 0x74, 0, 0, 4, byte(len(name) / 2)}, name...)
	ack = append(ack, 16, 0, 0, 0)
	out := append([]byte{0xAD, byte(len(ack)), byte(len(ack) >> 8)}, ack...)
	return true, x.send(kindReply, append(out, done(0xFD, 0, 0, 0)...))
}

// request reads a batch or a call.
func (x *session) request(kind byte, body []byte) (r Request, err error) {
	defer func() {
		if p := recover(); p != nil { // a reader that went past the end
			err = fmt.Errorf("a request that cannot be read: %v", p)
		}
	}()
	r = Request{Session: x.number, Database: x.database, Params: map[string]any{}}
	in := &reader{body}
	in.take(int(in.u32()) - 4) // headers
	switch kind {
	case kindBatch:
		r.Text = fromUCS2(in.rest)
		return r, nil
	case kindRPC:
	default:
		return r, fmt.Errorf("a packet of kind %d", kind)
	}
	number := uint16(0)
	if n := in.u16(); n == 0xFFFF {
		number = in.u16()
	} else {
		r.Text, r.Procedure = fromUCS2(in.take(2*int(n))), true
	}
	in.u16()
	for i := 0; len(in.rest) > 0; i++ {
		name := strings.TrimPrefix(fromUCS2(in.take(2*int(in.u8()))), "@")
		in.u8()
		v := in.value()
		switch text, _ := v.(string); {
		case number == executeSQL && i == 0:
			r.Text = text
		case number == executeSQL && i == 1:
			r.Declared = text
		default:
			r.Params[name] = v
		}
	}
	return r, nil
}

const executeSQL = 10 // sp_executesql

func done(token byte, status, command uint16, rows uint64) []byte {
	out := binary.LittleEndian.AppendUint16([]byte{token}, status)
	out = binary.LittleEndian.AppendUint16(out, command)
	return binary.LittleEndian.AppendUint64(out, rows)
}

func (e Error) encode() []byte {
	body := binary.LittleEndian.AppendUint32(nil, uint32(e.Number))
	body = append(body, 1, e.Class)
	message := ucs2(e.Message)
	body = binary.LittleEndian.AppendUint16(body, uint16(len(message)/2))
	body = append(append(body, message...), 0, 0, 1, 0, 0, 0)
	return append(binary.LittleEndian.AppendUint16([]byte{0xAA}, uint16(len(body))), body...)
}

// encode writes an answer; those of calls end otherwise than those of batches.
func (a Answer) encode(call bool) []byte {
	var out []byte
	const more, failed, counted = 1, 2, 16
	end, part := byte(0xFD), byte(0xFD)
	if call {
		end, part = 0xFE, 0xFF
	}
	for _, s := range a.Sets {
		command, n := uint16(0xC3), uint64(s.Affected)
		if len(s.Columns) > 0 {
			command, n = 0xC1, uint64(len(s.Rows))
			out = append(out, s.encode()...)
		}
		out = append(out, done(part, more|counted, command, n)...)
	}
	status := uint16(0)
	if a.Err != nil {
		out = append(out, a.Err.encode()...)
		status = failed
	}
	if call && a.Err == nil {
		out = append(out, 0x79, 0, 0, 0, 0)
	}
	return append(out, done(end, status, 0, 0)...)
}

func ucs2(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func fromUCS2(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
