package outbound

import (
	"errors"
	"net/netip"
	"testing"
)

func TestReachable(t *testing.T) {
	lan := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	rows := []struct {
		addr  string
		allow []netip.Prefix
		want  bool
	}{
		{"93.184.216.34", nil, true},
		{"1.1.1.1", nil, true},
		{"172.15.255.255", nil, true},
		{"172.32.0.1", nil, true},
		{"100.63.255.255", nil, true},
		{"100.128.0.1", nil, true},
		{"2606:4700::1111", nil, true},

		{"0.0.0.0", nil, false},
		{"0.1.2.3", nil, false},
		{"10.0.0.1", nil, false},
		{"100.64.0.1", nil, false},
		{"100.100.100.200", nil, false},
		{"127.0.0.1", nil, false},
		{"127.255.255.254", nil, false},
		{"169.254.169.254", nil, false},
		{"172.16.0.1", nil, false},
		{"172.31.255.255", nil, false},
		{"192.0.0.8", nil, false},
		{"192.0.2.1", nil, false},
		{"192.88.99.1", nil, false},
		{"192.168.1.1", nil, false},
		{"198.18.0.1", nil, false},
		{"198.19.255.255", nil, false},
		{"198.51.100.1", nil, false},
		{"203.0.113.1", nil, false},
		{"224.0.0.1", nil, false},
		{"240.0.0.1", nil, false},
		{"255.255.255.255", nil, false},

		{"::", nil, false},
		{"::1", nil, false},
		{"::7f00:1", nil, false}, // IPv4-compatible, long deprecated
		{"::ffff:127.0.0.1", nil, false},
		{"::ffff:10.0.0.1", nil, false},
		{"::ffff:93.184.216.34", nil, true},
		{"64:ff9b::7f00:1", nil, false},
		{"64:ff9b::169.254.169.254", nil, false},
		{"64:ff9b::93.184.216.34", nil, true},
		{"64:ff9b:1::1", nil, false},
		{"2002:7f00:1::", nil, false},
		{"2002:5db8:d822::1", nil, true},
		{"100::1", nil, false},
		{"2001::1", nil, false},
		{"2001:db8::1", nil, false},
		{"3fff::1", nil, false},
		{"fc00::1", nil, false},
		{"fd12::1", nil, false},
		{"fe80::1", nil, false},
		{"fe80::1%eth0", nil, false},
		{"fec0::1", nil, false},
		{"ff02::1", nil, false},

		{"10.1.2.3", lan, true},
		{"::ffff:10.1.2.3", lan, true},
		{"64:ff9b::10.1.2.3", lan, true},
		{"10.2.0.1", lan, false},
		{"fd00:1::5", lan, true},
		{"fd00:2::5", lan, false},
	}
	for _, row := range rows {
		if got := Reachable(netip.MustParseAddr(row.addr), row.allow); got != row.want {
			t.Errorf("Reachable(%s, %v) = %v", row.addr, row.allow, got)
		}
	}
}

func TestControl(t *testing.T) {
	rows := []struct {
		network, address string
		want             error
	}{
		{"tcp4", "93.184.216.34:443", nil},
		{"tcp4", "93.184.216.34:80", nil},
		{"tcp4", "93.184.216.34:8443", nil},
		{"tcp6", "[2606:4700::1111]:443", nil},
		{"tcp4", "93.184.216.34:25", ErrPort},
		{"tcp4", "93.184.216.34:22", ErrPort},
		{"tcp4", "93.184.216.34:0", ErrPort},
		{"tcp4", "10.0.0.1:443", ErrInternalAddress},
		{"tcp6", "[fe80::1%eth0]:443", ErrInternalAddress},
		{"udp4", "93.184.216.34:443", ErrInternalAddress},
		{"unix", "/run/docker.sock", ErrInternalAddress},
		{"tcp", "localhost:80", ErrInternalAddress}, // not an address: was not looked up
	}
	check := control(nil)
	for _, row := range rows {
		if err := check(row.network, row.address, nil); !errors.Is(err, row.want) || (row.want == nil && err != nil) {
			t.Errorf("%s %s: %v, want %v", row.network, row.address, err, row.want)
		}
	}
}

// The law: what carries an IPv4 address is judged as that address is.
func FuzzReachable(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		v4 := netip.AddrFrom4([4]byte(b[:4]))
		mapped := netip.AddrFrom16(v4.As16())
		n := nat64.Addr().As16()
		copy(n[12:], b[:4])
		s := to4.Addr().As16()
		copy(s[2:], b[:4])
		want := Reachable(v4, nil)
		for _, a := range []netip.Addr{mapped, netip.AddrFrom16(n), netip.AddrFrom16(s)} {
			if Reachable(a, nil) != want {
				t.Fatalf("%s is judged otherwise than %s", a, v4)
			}
		}
		if want && (v4.IsPrivate() || v4.IsLoopback() || v4.IsLinkLocalUnicast() || v4.IsMulticast() || v4.IsUnspecified()) {
			t.Fatalf("%s is reachable", v4)
		}
	})
}

// A protocol of its own opens its ports, and no address.
func TestControlOfAnotherProtocol(t *testing.T) {
	check := Dialer(loopback, 389, 636).Control
	for address, want := range map[string]error{
		"127.0.0.1:636": nil, "127.0.0.1:389": nil, "127.0.0.1:443": nil, "127.0.0.1:3269": nil,
		"127.0.0.1:25": ErrPort, "10.0.0.1:636": ErrInternalAddress,
	} {
		if err := check("tcp4", address, nil); !errors.Is(err, want) || (want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
}
