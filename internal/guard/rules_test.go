package guard

import (
	"encoding/json"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.4":          "203.0.113.4",
		"::ffff:203.0.113.4":   "203.0.113.4",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::/64",
		"2001:db8:1:3::1":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
		"":                     "",
		"@":                    "@",
	} {
		if got := Network(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add("203.0.113.4")
	f.Add("2001:db8::1%x")
	f.Fuzz(func(t *testing.T, s string) {
		// The law: what is counted under a name is counted under that name.
		if once := Network(s); once != s && Network(once) != once {
			t.Errorf("%q: %q, then %q", s, once, Network(once))
		}
	})
}

func TestAllowed(t *testing.T) {
	list := []string{"203.0.113.4", "198.51.100.0/24", "2001:db8::/32", "nonsense"}
	for address, want := range map[string]bool{
		"203.0.113.4": true, "203.0.113.5": false, "198.51.100.77": true, "::ffff:198.51.100.77": true,
		"2001:db8:9::1": true, "2001:db9::1": false, "": false, "nonsense": false,
	} {
		if got := allowed(list, address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

func TestLimit(t *testing.T) {
	l := limitOf(tenant.Stage{MaxAttempts: 3, Rate: 1000})
	if l != (Limit{3, time.Second}) {
		t.Fatalf("%+v", l)
	}
	const now = int64(1_000_000_000)
	for _, row := range []struct {
		fullAt int64
		want   time.Duration
	}{
		{0, 0}, {now, 0}, {now + 2_000_000, 0}, {now + 2_000_001, time.Microsecond}, {now + 3_000_000, time.Second},
	} {
		if got := l.wait(row.fullAt, now); got != row.want {
			t.Errorf("full at %d: %v, want %v", row.fullAt-now, got, row.want)
		}
	}
	for _, s := range []tenant.Stage{{}, {MaxAttempts: -1, Rate: -1}, {MaxAttempts: 1 << 62, Rate: 1 << 62}} {
		if l := limitOf(s); l.Burst < 1 || l.Every < time.Millisecond || l.room() < 0 {
			t.Errorf("%+v: %+v", s, l)
		}
	}
}

func TestCountOf(t *testing.T) {
	on := &connection.Connection{ID: "con_1", Strategy: "auth0", Options: json.RawMessage(`{}`)}
	off := &connection.Connection{ID: "con_1", Strategy: "auth0", Options: json.RawMessage(`{"brute_force_protection":false}`)}
	ann := &user.User{ID: "auth0|ann"}
	standard := func() *tenant.Settings {
		return &tenant.Settings{
			BruteForce:   tenant.BruteForce{Enabled: true, Block: true, MaxAttempts: 10},
			SuspiciousIP: tenant.SuspiciousIP{Enabled: true, Block: true, Login: tenant.Stage{MaxAttempts: 100, Rate: 864_000}},
		}
	}
	try := user.Attempt{Connection: on, User: ann, Identifier: "ann@example.com", By: user.Actor{IP: "203.0.113.4"}}
	const at = int64(1_753_900_000_000_000)
	full := Count{
		At: at, Subject: "auth0|ann", Address: "203.0.113.4", Identifier: "ann@example.com", ConnectionID: "con_1",
		MaxAttempts: 10, Forgotten: at - Memory.Microseconds(), RefuseAccount: true,
		Network: "203.0.113.4", Limit: Limit{100, 864 * time.Second}, RefuseAddress: true,
	}
	address := Count{At: at, Network: full.Network, Limit: full.Limit, RefuseAddress: true}
	account := full
	account.Network, account.Limit, account.RefuseAddress = "", Limit{}, false
	for _, row := range []struct {
		name   string
		change func(*tenant.Settings, *user.Attempt)
		want   func() Count
	}{
		{"all", func(*tenant.Settings, *user.Attempt) {}, func() Count { return full }},
		{"nobody", func(_ *tenant.Settings, t *user.Attempt) { t.User = nil }, func() Count {
			c := full
			c.Subject, c.Identifier = nobody("con_1", "ann@example.com"), ""
			return c
		}},
		{"whatever the address", func(s *tenant.Settings, _ *user.Attempt) { s.BruteForce.PerIdentifier = true }, func() Count {
			c := full
			c.Address = ""
			return c
		}},
		{"watched", func(s *tenant.Settings, _ *user.Attempt) { s.BruteForce.Block = false }, func() Count {
			c := full
			c.RefuseAccount = false
			return c
		}},
		{"a connection without", func(_ *tenant.Settings, t *user.Attempt) { t.Connection = off }, func() Count { return address }},
		{"off", func(s *tenant.Settings, _ *user.Attempt) { s.BruteForce.Enabled = false }, func() Count { return address }},
		{"allowed", func(s *tenant.Settings, _ *user.Attempt) { s.BruteForce.Allowlist = []string{"203.0.113.0/24"} }, func() Count { return address }},
		{"address off", func(s *tenant.Settings, _ *user.Attempt) { s.SuspiciousIP.Enabled = false }, func() Count { return account }},
		{"address allowed", func(s *tenant.Settings, _ *user.Attempt) { s.SuspiciousIP.Allowlist = []string{"203.0.113.4"} }, func() Count { return account }},
	} {
		s, a := standard(), try
		row.change(s, &a)
		if got := countOf(s, a, at); got != row.want() {
			t.Errorf("%s:\ngot  %+v\nwant %+v", row.name, got, row.want())
		}
	}
	if nobody("con_1", "a") == nobody("con_2", "a") || nobody("con_1", "a") == nobody("con_1", "b") {
		t.Error("two names are counted as one")
	}
}
