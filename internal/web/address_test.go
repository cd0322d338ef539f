package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClientIP(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, row := range []struct {
		name    string
		proxies Proxies
		peer    string
		lines   []string
		want    string
	}{
		{"no proxies: the header is ignored", nil, "203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"peer is no proxy: the header is ignored", proxies, "203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"proxy without header", proxies, "10.0.0.1:1", nil, "10.0.0.1"},
		{"proxy with header", proxies, "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"rightmost that is no proxy", proxies, "10.0.0.1:1", []string{"1.2.3.4, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"lines join in order", proxies, "10.0.0.1:1", []string{"1.2.3.4", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"all proxies: the leftmost", proxies, "10.0.0.1:1", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"rubbish ends the walk", proxies, "10.0.0.1:1", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"with a port", proxies, "10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", proxies, "[fd00::1]:1", []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6 with a port", proxies, "[fd00::1]:1", []string{"[2001:db8::5]:443"}, "2001:db8::5"},
		{"mapped IPv4 peer", proxies, "[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = row.peer
			r.Header["X-Forwarded-For"] = row.lines
			var got string
			row.proxies.Trust(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = ClientIP(r) })).ServeHTTP(httptest.NewRecorder(), r)
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// What is kept of a User-Agent is text, whatever came.
func TestUserAgent(t *testing.T) {
	for sent, want := range map[string]string{
		"curl/8.5.0": "curl/8.5.0", "a\xffb": "ab", "\xe9t\xe9": "t", "": "", "\ta\x00 ": "a", strings.Repeat("é", 600): strings.Repeat("é", 512),
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["User-Agent"] = []string{sent}
		if got := UserAgent(r); got != want {
			t.Errorf("%q became %q", sent, got)
		}
	}
}

// The law: only printable characters, no more than the limit, in their order.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"plain", "a\r\nb", "\x1b[31mred", "\u202eabc", "\xff\xfe", "é日本", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s, 200)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 200 {
			t.Fatalf("%q became %q", s, got)
		}
		rest := s
		for _, c := range got {
			if !unicode.IsPrint(c) {
				t.Fatalf("%q holds %q", got, c)
			}
			i := strings.IndexRune(rest, c)
			if i < 0 {
				t.Fatalf("%q is not a part of %q", got, s)
			}
			rest = rest[i:]
		}
	})
}
