package user

import (
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
)

func TestFactors(t *testing.T) {
	key := []byte("k")
	u := &User{ID: "auth0|a", MFAFactors: profile.Value(
		`[{"totp":{"secret":"AAAA"}},{"phone":{"value":"+15551239167"}},{"email":{"value":"ann@mail.example.com"}},{"totp":{ "secret" : "AAAA"}}]`)}
	all := Factors(u, key)
	var kinds, masked []string
	for _, f := range all {
		kinds, masked = append(kinds, f.Kind), append(masked, f.Shown)
		if len(f.Device) != 20 || !strings.HasPrefix(f.ID(), f.Kind+"|dev_") {
			t.Errorf("id %s", f.ID())
		}
	}
	if !slices.Equal(kinds, []string{"totp", "phone", "email"}) || !slices.Equal(masked, []string{"", "XXXXXXXX9167", "a***@***.com"}) {
		t.Errorf("%q %q", kinds, masked)
	}

	left, n := withoutFactors(u, key, func(f Factor) bool { return f.Kind == FactorTOTP })
	if n != 2 || string(left) != `[{"phone":{"value":"+15551239167"}},{"email":{"value":"ann@mail.example.com"}}]` {
		t.Errorf("removed %d, left %s", n, left)
	}
	fewer := &User{ID: u.ID, MFAFactors: left}
	if got := Factors(fewer, key); !slices.Equal(got, all[1:]) {
		t.Errorf("ids moved: %v, were %v", got, all[1:])
	}
	if left, n := withoutFactors(u, key, func(Factor) bool { return true }); left != nil || n != 4 {
		t.Errorf("removed %d, left %s", n, left)
	}
	if left, n := withoutFactors(u, key, func(Factor) bool { return false }); n != 0 || len(Factors(&User{ID: u.ID, MFAFactors: left}, key)) != 3 {
		t.Errorf("removed %d, left %s", n, left)
	}

	other := *u
	other.ID = "auth0|b"
	if Factors(&other, key)[0] == all[0] || Factors(u, []byte("l"))[0] == all[0] {
		t.Error("a device is told by the secret alone")
	}
	if got := Factors(&User{ID: "auth0|c"}, key); got != nil {
		t.Errorf("of nobody: %v", got)
	}
}

func TestFactorMask(t *testing.T) {
	for _, row := range []struct{ kind, value, want string }{
		{FactorPhone, "+15551239167", "XXXXXXXX9167"},
		{FactorPhone, "+1234567", "XXXXXXXX"},
		{FactorPhone, "+1", "XX"},
		{FactorEmail, "ann@example.com", "a***@***.com"},
		{FactorEmail, "ö.b@example", "ö***@***"},
		{FactorEmail, "é@a.b.co", "é***@***.co"},
		{FactorTOTP, "AAAA", ""},
	} {
		if got := MaskedAddress(row.kind, row.value); got != row.want {
			t.Errorf("%s %s: %s, want %s", row.kind, row.value, got, row.want)
		}
	}
}
