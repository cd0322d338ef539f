package ip

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

func TestRecognize(t *testing.T) {
	for _, row := range []struct {
		ranges, from string
		want         bool
	}{
		{`"203.0.113.7"`, "203.0.113.7", true},
		{`"203.0.113.7"`, "203.0.113.8", false},
		{`"203.0.113.0/24"`, "203.0.113.255", true},
		{`"203.0.113.99/24"`, "203.0.113.1", true}, // bits behind the mask do not matter
		{`"203.0.113.0/24"`, "203.0.114.0", false},
		{`"10.0.0.1, 203.0.113.0/24"`, "203.0.113.9", true},
		{`["10.0.0.1"," 203.0.113.0/24 "]`, "203.0.113.9", true},
		{`["10.0.0.1","203.0.113.0/24"]`, "10.0.0.2", false},
		{`"203.0.113.0/24"`, "::ffff:203.0.113.9", true},
		{`"::ffff:203.0.113.0/120"`, "203.0.113.9", true},
		{`"::ffff:203.0.113.9"`, "203.0.113.9", true},
		{`"2001:db8::/32"`, "2001:db8:1::1", true},
		{`"2001:db8::/32"`, "2001:db9::1", false},
		{`"fe80::/10"`, "fe80::1%eth0", true},
		{`"203.0.113.0/24"`, "2001:db8::1", false},
	} {
		c := &connection.Connection{Strategy: "ip", Options: json.RawMessage(`{"username":"Front desk","range":` + row.ranges + `}`)}
		got, err := Connector{}.Recognize(t.Context(), c, netip.MustParseAddr(row.from))
		switch {
		case row.want && (err != nil || got.Claims.Subject != "Front desk" || len(got.Claims.Attributes) != 1 ||
			profile.TextOf(got.Claims.Attributes[0].Value) != "Front desk" || string(got.Claims.Raw) != `{"username":"Front desk"}`):
			t.Errorf("%s from %s: %+v, %v", row.ranges, row.from, got, err)
		case !row.want && !errors.Is(err, upstream.ErrUnknownPlace):
			t.Errorf("%s from %s: %v", row.ranges, row.from, err)
		}
	}
	c := &connection.Connection{Strategy: "ip", Options: json.RawMessage(`{"username":"x","range":"10.0.0.1"}`)}
	if _, err := (Connector{}).Recognize(t.Context(), c, netip.Addr{}); !errors.Is(err, upstream.ErrUnknownPlace) {
		t.Errorf("no address: %v", err)
	}
}

func TestPrepare(t *testing.T) {
	for options, want := range map[string]string{
		`{"username":"x","range":"10.0.0.0/8"}`:                              "",
		`{"username":"x","range":["10.0.0.0/8","::1"]}`:                      "",
		`{"range":"10.0.0.0/8"}`:                                             "options.username must be the name that everybody of the range gets, of at most 255 bytes",
		`{"username":"a\nb","range":"10.0.0.0/8"}`:                           "options.username must be the name that everybody of the range gets, of at most 255 bytes",
		`{"username":"x"}`:                                                   "options.range must list addresses or CIDR blocks, such as 203.0.113.7, 198.51.100.0/24",
		`{"username":"x","range":"10.0.0.0/33"}`:                             "options.range has an entry that is neither an address nor a CIDR block",
		`{"username":"x","range":"10.0.0.1-10.0.0.9"}`:                       "options.range has an entry that is neither an address nor a CIDR block",
		`{"username":"x","range":"fe80::1%eth0"}`:                            "options.range has an entry that is neither an address nor a CIDR block",
		`{"username":"x","range":["10.0.0.1","example"]}`:                    "options.range has an entry that is neither an address nor a CIDR block",
		`{"username":"x","range":"0.0.0.0/0"}`:                               "options.range must not be every address (0.0.0.0/0)",
		`{"username":"x","range":"::/0"}`:                                    "options.range must not be every address (::/0)",
		`{"username":"x","range":"::ffff:0.0.0.0/96"}`:                       "options.range must not be every address (0.0.0.0/0)",
		`{"username":"` + strings.Repeat("x", 256) + `","range":"10.0.0.1"}`: "options.username must be the name that everybody of the range gets, of at most 255 bytes",
	} {
		text := ""
		_, err := Connector{}.Prepare(t.Context(), "desk", nil, strictjson.ParseDocument(json.RawMessage(options)))
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%s: %q", options, text)
		}
	}
}

// FuzzParse: an entry that is taken contains its own address, and never all addresses.
func FuzzParse(f *testing.F) {
	f.Add("10.0.0.0/8")
	f.Add("::ffff:1.2.3.4/96")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse(text)
		if err != nil {
			return
		}
		if !p.IsValid() || p.Bits() == 0 || p.Addr().Is4In6() && p.Bits() >= 96 || !within([]netip.Prefix{p}, p.Addr()) && !p.Addr().Is4In6() {
			t.Fatalf("%q: %v", text, p)
		}
	})
}
