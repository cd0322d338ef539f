package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Refusals of the guard. They arrive wrapped in *url.Error and *net.OpError;
// errors.Is finds them.
var (
	// ErrInternalAddress: the name or the literal leads to an address that is
	// not on the public Internet and not on the allow list.
	ErrInternalAddress error = internal{}
	// ErrPort: a port below 1024 that is neither 80 nor 443, so that no mail
	// server, shell or name server can be spoken to.
	ErrPort = errors.New("port below 1024 that is not of the protocol")
)

// internal is known by its method to those who do not import this package.
type internal struct{}

func (internal) Error() string  { return "internal address, which --outbound-allow does not name" }
func (internal) Internal() bool { return true }

// closed4 are the IPv4 networks that are not the public Internet (RFC 6890 and
// the IANA special-purpose registry).
var closed4 = prefixes(
	"0.0.0.0/8",       // this network; 0.0.0.0 reaches the local host
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // carrier-grade NAT; cloud metadata of some providers
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link local; cloud metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
)

// Only 2000::/3 is handed out as public IPv6; everything else is closed
// without being named (::, ::1, fc00::/7, fe80::/10, fec0::/10, ff00::/8, …).
var (
	public6 = netip.MustParsePrefix("2000::/3")
	closed6 = prefixes(
		"2001::/23",     // protocol assignments: Teredo, ORCHID, benchmarks
		"2001:db8::/32", // documentation
		"3fff::/20",     // documentation
	)
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last 32 bits are IPv4
	to4   = netip.MustParsePrefix("2002::/16")    // RFC 3056: bits 16 to 48 are IPv4
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Reachable reports whether a request may go to a: it is public, or allow has it.
// An address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by
// what it carries.
func Reachable(a netip.Addr, allow []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	if within(allow, a) {
		return true
	}
	if a.Is4() {
		return !within(closed4, a)
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return Reachable(netip.AddrFrom4([4]byte(b[12:16])), allow)
	case to4.Contains(a):
		return Reachable(netip.AddrFrom4([4]byte(b[2:6])), allow)
	}
	return public6.Contains(a) && !within(closed6, a)
}

// control refuses a connection before its first packet. It runs after the name
// was looked up and once per address tried, so an answer that changes between
// a check and the dial cannot slip through. ports are open beside those of HTTP.
func control(allow []netip.Prefix, ports ...uint16) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return fmt.Errorf("%w: network %s", ErrInternalAddress, network)
		}
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInternalAddress, err)
		}
		if !Reachable(to.Addr(), allow) {
			return ErrInternalAddress
		}
		if p := to.Port(); p < 1024 && p != 80 && p != 443 && !slices.Contains(ports, p) {
			return ErrPort
		}
		return nil
	}
}
