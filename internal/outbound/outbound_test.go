package outbound

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func port(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func get(c *http.Client, raw string) (string, error) {
	resp, err := c.Get(raw)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestInternalIsRefusedHoweverItIsSpelled(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	c := New(nil)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1.2.3"} {
		if _, err := get(c, "http://"+host+":"+port(t, s.URL)); !errors.Is(err, ErrInternalAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	// Spellings that some resolvers take for an address; here they are names at best.
	for _, host := range []string{"2130706433", "0x7f.1", "0177.0.0.1", "127.1"} {
		if _, err := get(c, "http://"+host+":"+port(t, s.URL)); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	if hits.Load() != 0 {
		t.Fatalf("%d requests arrived", hits.Load())
	}
	if _, err := get(New(loopback), s.URL); err != nil || hits.Load() != 1 {
		t.Fatalf("the allow list does not allow: %v, %d", err, hits.Load())
	}
}

// names is a name server of one's own: it answers each question for an A record
// with the next address of the list.
type names struct {
	answers [][4]byte
	asked   atomic.Int32
}

func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			size, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.answer(buf[:size]), peer)
		}
	}()
	addr := conn.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", addr)
	}}
}

// answer copies the question and adds one A record, or none for other types.
func (n *names) answer(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	out := append([]byte{}, q[:end]...)
	out[2], out[3] = 0x81, 0x80
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	if binary.BigEndian.Uint16(q[end-4:]) != 1 { // not A
		return out
	}
	ip := n.answers[min(int(n.asked.Add(1))-1, len(n.answers)-1)]
	binary.BigEndian.PutUint16(out[6:], 1)
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(out, ip[:]...)
}

func TestNameThatLeadsInside(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	n := &names{answers: [][4]byte{{127, 0, 0, 1}}}
	r := n.resolver(t)
	withResolver := func(o *options) { o.resolver = r }
	if _, err := get(New(nil, withResolver), "http://metadata.example.:"+port(t, s.URL)); !errors.Is(err, ErrInternalAddress) {
		t.Fatalf("got %v", err)
	}
	if hits.Load() != 0 || n.asked.Load() == 0 {
		t.Fatalf("hits %d, questions %d", hits.Load(), n.asked.Load())
	}
	if _, err := get(New(loopback, withResolver), "http://metadata.example.:"+port(t, s.URL)); err != nil || hits.Load() != 1 {
		t.Fatalf("twin: %v, %d", err, hits.Load())
	}
}

// A name that answers with another address each time is judged by the address
// that is dialled, at every request.
func TestNameThatChanges(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	n := &names{answers: [][4]byte{{127, 0, 0, 1}, {127, 0, 0, 2}}}
	r := n.resolver(t)
	c := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, func(o *options) { o.resolver = r })
	address := "http://changing.example.:" + port(t, s.URL)
	if _, err := get(c, address); err != nil || hits.Load() != 1 {
		t.Fatalf("first: %v", err)
	}
	c.CloseIdleConnections()
	if _, err := get(c, address); !errors.Is(err, ErrInternalAddress) || hits.Load() != 1 {
		t.Fatalf("second: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	var posts atomic.Int32
	mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		_, _ = io.WriteString(w, "end")
	})
	for i := range 5 {
		next := fmt.Sprintf("/%d", i-1)
		if i == 0 {
			next = "/end"
		}
		mux.HandleFunc(fmt.Sprintf("/%d", i), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, next, http.StatusTemporaryRedirect)
		})
	}
	to := func(target string) string {
		path := "/to-" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r
			}
			return '-'
		}, target)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusFound)
		})
		return path
	}
	c := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	rows := []struct {
		path string
		want error
	}{
		{"/end", nil}, {"/0", nil}, {"/2", nil},
		{"/3", ErrRedirect}, {"/4", ErrRedirect},
		{to("http://127.0.0.2:1/"), ErrInternalAddress},
		{to("http://[::1]:8080/"), ErrInternalAddress},
		{to("file:///etc/passwd"), ErrURL},
		{to("gopher://127.0.0.1/"), ErrURL},
		{to("http://user:pass@127.0.0.1/"), ErrURL},
	}
	for _, row := range rows {
		_, err := get(c, s.URL+row.path)
		if (row.want == nil) != (err == nil) || !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.path, err, row.want)
		}
	}
	if _, err := c.Post(s.URL+"/0", "application/x-www-form-urlencoded", strings.NewReader("client_secret=s")); !errors.Is(err, ErrRedirect) || posts.Load() != 0 {
		t.Errorf("a posted secret followed a redirect: %v", err)
	}
	if _, err := c.Post(s.URL+"/end", "application/x-www-form-urlencoded", strings.NewReader("a=b")); err != nil || posts.Load() != 1 {
		t.Errorf("twin: %v", err)
	}
}

func TestNoStepDownFromTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
		}
	}))
	defer secure.Close()
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	c := New(loopback, WithRoots(pool))
	if _, err := get(c, secure.URL+"/down"); !errors.Is(err, ErrRedirect) {
		t.Errorf("down: %v", err)
	}
	if _, err := get(c, secure.URL); err != nil {
		t.Errorf("twin: %v", err)
	}
	if _, err := get(New(loopback), secure.URL); err == nil || errors.Is(err, ErrInternalAddress) {
		t.Errorf("an unknown authority was accepted: %v", err)
	}
}

func TestURLs(t *testing.T) {
	c := New(nil)
	for _, raw := range []string{"file:///etc/passwd", "gopher://a.example/", "ftp://a.example/", "http://user@a.example/", "https:///path", "javascript:alert(1)"} {
		if _, err := get(c, raw); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
	if c.Jar != nil {
		t.Error("the client keeps cookies")
	}
	if p := c.Transport.(*limited).next.(*http.Transport).Proxy; p != nil {
		t.Error("the client takes a proxy")
	}
}

func TestBodyLimit(t *testing.T) {
	size := 0
	chunked := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !chunked {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		block := []byte(strings.Repeat("x", 64<<10))
		for left := size; left > 0; left -= len(block) {
			if _, err := w.Write(block[:min(left, len(block))]); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	c := New(loopback)
	for _, chunked = range []bool{false, true} {
		for _, row := range []struct {
			size int
			want error
		}{{0, nil}, {10, nil}, {MaxBody, nil}, {MaxBody + 1, ErrTooLarge}, {64 << 20, ErrTooLarge}} {
			size = row.size
			body, err := get(c, s.URL)
			if (row.want == nil) != (err == nil) || !errors.Is(err, row.want) {
				t.Errorf("chunked %v, %d bytes: %v", chunked, size, err)
			}
			if row.want == nil && len(body) != size || len(body) > MaxBody {
				t.Errorf("chunked %v: %d bytes of %d", chunked, len(body), size)
			}
		}
	}
}
