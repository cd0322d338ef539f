package op

import "testing"

func TestDecide(t *testing.T) {
	sec := func(n int64) *int64 { return &n }
	const now = int64(1_700_000_000_000_000)
	in := func(c circumstances) circumstances { // a session that fits, unless changed
		c.signedIn, c.now = true, now
		if c.authTime == 0 {
			c.authTime = now - 100_000_000
		}
		return c
	}
	for _, row := range []struct {
		name string
		c    circumstances
		want step
	}{
		{"nobody", circumstances{now: now}, login},
		{"nobody, none", circumstances{now: now, prompt: "none"}, refuse},
		{"nobody, login", circumstances{now: now, prompt: "login"}, login},
		{"nobody, max_age", circumstances{now: now, maxAge: sec(10000)}, login},
		{"session", in(circumstances{}), proceed},
		{"session, none", in(circumstances{prompt: "none"}), proceed},
		{"session, login", in(circumstances{prompt: "login"}), login},
		{"session, consent asked for", in(circumstances{prompt: "consent", consent: true}), interact},
		{"session, select_account", in(circumstances{prompt: "select_account"}), login},
		{"session, consent login", in(circumstances{prompt: "consent login"}), login},
		{"session, young enough", in(circumstances{maxAge: sec(10000)}), proceed},
		{"session, exactly", in(circumstances{maxAge: sec(100)}), proceed},
		{"session, too old", in(circumstances{maxAge: sec(99)}), login},
		{"session, too old, none", in(circumstances{maxAge: sec(99), prompt: "none"}), refuse},
		{"session, max_age 0", in(circumstances{maxAge: sec(0), authTime: now}), login},
		{"session, max_age huge", in(circumstances{maxAge: sec(1<<63 - 1)}), proceed},
		{"session from the future, max_age", in(circumstances{maxAge: sec(100), authTime: now + 60_000_000}), login},
		{"session from the future", in(circumstances{authTime: now + 60_000_000}), proceed},
		{"other", in(circumstances{other: true}), login},
		{"other, none", in(circumstances{other: true, prompt: "none"}), refuse},
		{"consent missing", in(circumstances{consent: true}), interact},
		{"consent missing, login first", in(circumstances{consent: true, prompt: "login"}), login},
		{"consent missing, too old", in(circumstances{consent: true, maxAge: sec(99)}), login},
		{"factor due", in(circumstances{factor: true}), interact},
		{"factor due, login", in(circumstances{factor: true, prompt: "login"}), login},
		{"ticket", in(circumstances{ticket: true}), login},
		{"ticket, nobody", circumstances{now: now, ticket: true}, login},
	} {
		got, refusal := decide(row.c)
		if got != row.want || (refusal != nil) != (got == refuse) {
			t.Errorf("%s: %d %v, want %d", row.name, got, refusal, row.want)
		}
	}
	for _, row := range []struct {
		name string
		c    circumstances
		want string
	}{
		{"nobody", circumstances{now: now}, "login_required: Login required"},
		{"nobody, ticket", circumstances{now: now, ticket: true}, "login_required: Login required"},
		{"other", in(circumstances{other: true, factor: true, consent: true}), "login_required: Login required"},
		{"factor", in(circumstances{factor: true, consent: true}), "login_required: Multifactor authentication required"},
		{"consent", in(circumstances{consent: true}), "consent_required: Consent required"},
	} {
		row.c.prompt = "none"
		if got, refusal := decide(row.c); got != refuse || refusal.Error() != row.want {
			t.Errorf("silently, %s: %d %v, want %s", row.name, got, refusal, row.want)
		}
	}
}
