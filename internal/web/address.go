package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
)

// Proxies are the addresses whose X-Forwarded-For is believed. None: nobody's.
type Proxies []netip.Prefix

type proxiesKey struct{}

// Trust makes ClientIP believe the proxies.
func (p Proxies) Trust(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), proxiesKey{}, p)))
	})
}

func (p Proxies) has(a netip.Addr) bool {
	for _, x := range p {
		if x.Contains(a) {
			return true
		}
	}
	return false
}

// ClientIP is the address of the peer, or what a trusted proxy says it is: the
// rightmost entry of X-Forwarded-For that is no proxy of ours. Everything left
// of that entry is the caller's own invention.
func ClientIP(r *http.Request) string {
	peer, ok := address(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr
	}
	p, _ := r.Context().Value(proxiesKey{}).(Proxies)
	if !p.has(peer) {
		return peer.String()
	}
	return p.behind(peer, r.Header["X-Forwarded-For"]).String()
}

// maxUserAgent is how many characters are kept of a User-Agent.
const maxUserAgent = 512

// UserAgent is what is kept of the header: it may be of any length, and hold
// bytes that are no text, which no store of texts takes.
func UserAgent(r *http.Request) string { return Printable(r.UserAgent(), maxUserAgent) }

// Printable keeps the printable characters of a foreign text, up to limit of them.
func Printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n == limit {
			break
		}
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			continue
		}
		b.WriteRune(c)
		n++
	}
	return strings.TrimSpace(b.String())
}

// behind walks the header lines from the right as long as proxies of ours vouch
// for what they say.
func (p Proxies) behind(peer netip.Addr, lines []string) netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for more := true; more; {
			var entry string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				entry, more = rest, false
			}
			a, ok := address(strings.TrimSpace(entry))
			if !ok {
				return peer
			}
			if peer = a; !p.has(a) {
				return a
			}
		}
	}
	return peer
}

// address reads an address with or without a port.
func address(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(s)
		if splitErr != nil {
			return netip.Addr{}, false
		}
		if a, err = netip.ParseAddr(host); err != nil {
			return netip.Addr{}, false
		}
	}
	return a.Unmap().WithZone(""), true
}
