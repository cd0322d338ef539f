package ldap_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"mangrove/internal/upstream"
	"mangrove/internal/upstream/ldaptest"
)

func TestSamba(t *testing.T) {
	d := ldaptest.Samba(t)
	const password, never, past = "B0b.Passw0rd", "9223372036854775807", "132000000000000000"
	bob := d.AddSambaUser("bob", password, map[string][]string{
		"displayName": {"Bob Brown"}, "givenName": {"Bob"}, "sn": {"Brown"}, "mail": {"bob@corp.example"}, "department": {"R&D"},
		"thumbnailPhoto": {"\xff\xd8\xff"}, "accountExpires": {never},
	})
	d.AddSambaUser("off", password, map[string][]string{"userAccountControl": {"514"}})
	d.AddSambaUser("past", password, map[string][]string{"accountExpires": {past}})
	d.AddSambaUser("fresh", password, map[string][]string{"pwdLastSet": {"0"}})
	locked := d.AddSambaUser("shut", password, nil)
	staff := d.AddSambaGroup("staff", bob)
	d.AddSambaGroup("everybody", staff)
	d.Set(d.Base, map[string][]string{"lockoutThreshold": {"2"}})

	k := connector(t)
	var counted []string
	signIn := func(name, password string, changes ...any) (upstream.Result, error) {
		return k.SignIn(t.Context(), to(t, d.Options(), changes...), name, password, func(who string) error { counted = append(counted, who); return nil })
	}
	var id string
	for _, name := range []string{"bob", "BOB", `ADEX\bob`, `adex\bob`, "bob@ad.ex.org", "bob@corp.example"} {
		for _, url := range []string{d.LDAPS, d.StartTLS} {
			r, err := signIn(name, password, "urls", []string{url})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if id == "" {
				id = r.Claims.Subject
			}
			if r.Claims.Subject != id || !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
				t.Errorf("%s: subject %s, not %s", name, r.Claims.Subject, id)
			}
			for attr, want := range map[string]string{
				"name": `"Bob Brown"`, "given_name": `"Bob"`, "family_name": `"Brown"`, "nickname": `"bob"`, "email": `"bob@corp.example"`,
				"emails": `["bob@corp.example"]`, "sAMAccountName": `"bob"`, "userPrincipalName": `"bob@ad.ex.org"`, "department": `"R&D"`,
				"dn": `"` + bob + `"`, "distinguishedName": `"` + bob + `"`, "groups": `["everybody","staff"]`, "email_verified": "", "thumbnailPhoto": "",
			} {
				if got := attribute(r, attr); got != want {
					t.Errorf("%s: %s is %s, want %s", name, attr, got, want)
				}
			}
		}
	}
	if slices.ContainsFunc(counted, func(who string) bool { return who != bob }) {
		t.Errorf("one person is counted as %q", slices.Compact(slices.Sorted(slices.Values(counted))))
	}
	counted = nil
	for _, name := range []string{"nobody", `ADEX\nobody`, "nobody@ad.ex.org"} {
		if _, err := signIn(name, password); !errors.Is(err, upstream.ErrWrongCredentials) || counted[len(counted)-1] != "nobody" {
			t.Errorf("%s: %v, counted as %q", name, err, counted)
		}
	}
	full := errors.New("too many")
	if _, err := k.SignIn(t.Context(), to(t, d.Options()), "bob", password, func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("refused by the count: %v", err)
	}
	for _, row := range []struct {
		name, password string
		want           error
	}{
		{"bob", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		{`OTHER\bob`, password, upstream.ErrWrongCredentials},
		{`\bob`, password, upstream.ErrWrongCredentials},
		{`ADEX\`, password, upstream.ErrWrongCredentials},
		{"bob@elsewhere.example", password, upstream.ErrWrongCredentials},
		{"b*", password, upstream.ErrWrongCredentials},
		{"bób", password, upstream.ErrWrongCredentials},
		{"off", password, upstream.ErrAccountDisabled},
		{"off", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		{"past", password, upstream.ErrAccountExpired},
		{"past", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		{"fresh", password, upstream.ErrPasswordChange},
		{"fresh", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		{"shut", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		{"shut", "Wr0ng.Passw0rd", upstream.ErrWrongCredentials},
		// Locked: the server says so to wrong passwords as well.
		{"shut", password, upstream.ErrWrongCredentials},
	} {
		if _, err := signIn(row.name, row.password); !errors.Is(err, row.want) {
			t.Errorf("%s, %s: %v, want %v", row.name, row.password, err, row.want)
		}
	}
	if at := d.Text(locked, "lockoutTime"); at == "" || at == "0" {
		t.Error("the account was not locked")
	}
	if err := k.Status(t.Context(), to(t, d.Options())); err != nil {
		t.Errorf("status: %v", err)
	}
}
