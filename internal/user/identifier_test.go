package user

import (
	"errors"
	"fmt"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

func TestFold(t *testing.T) {
	for _, row := range []struct{ kind, in, want string }{
		{ByEmail, " ADMIN@Example.Test ", "admin@example.test"},
		{ByEmail, "\uff41dmin@example.test", "admin@example.test"},
		{ByUsername, "\u212aelvin", "kelvin"},
		{ByUsername, "Ann", "ann"},
		{ByUsername, "Rene\u0301", "ren\u00e9"},
		{ByUsername, "REN\u00c9", "ren\u00e9"},
		{ByUsername, "\u0131", "\u0131"}, // a letter of its own
		{ByPhone, " +47 (900) 00-000 ", "+4790000000"},
		{ByPhone, "\uff0b4790000000", "+4790000000"},
	} {
		if got := Fold(row.kind, row.in); got != row.want {
			t.Errorf("%s %q: %q, want %q", row.kind, row.in, got, row.want)
		}
	}
}

// The law: what is folded stays as it is, whatever it was.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ann", "\u0130", "\u1e9e\u0323", " +47 (9) ", "\u212a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []string{ByEmail, ByUsername, ByPhone} {
			if once := Fold(kind, s); Fold(kind, once) != once {
				t.Errorf("%s %q: %q, then %q", kind, s, once, Fold(kind, once))
			}
		}
	})
}

func TestNames(t *testing.T) {
	all := []string{ByEmail, ByPhone, ByUsername}
	for _, row := range []struct {
		kinds []string
		typed string
		want  string
	}{
		{[]string{ByEmail}, "Ann@Example.com", "[{email ann@example.com}]"},
		{[]string{ByEmail}, "ann", "[]"},
		{[]string{ByEmail, ByUsername}, "Ann", "[{username ann}]"},
		{[]string{ByEmail, ByUsername}, "ann@example.com", "[{email ann@example.com} {username ann@example.com}]"},
		{[]string{ByUsername, ByEmail}, "ann@example.com", "[{username ann@example.com} {email ann@example.com}]"},
		{all, "+47 900 00 000", "[{phone_number +4790000000} {username +47 900 00 000}]"},
		{all, "+0", "[{username +0}]"},
		{[]string{ByPhone}, "90000000", "[]"},
		{all, "  ", "[]"},
		{nil, "ann", "[]"},
	} {
		if got := fmt.Sprint(Names(row.kinds, row.typed)); got != row.want {
			t.Errorf("%v %q: %s, want %s", row.kinds, row.typed, got, row.want)
		}
	}
}

func TestWrongPasswordTexts(t *testing.T) {
	all := []string{ByEmail, ByPhone, ByUsername}
	const email, phone, username = "Wrong email or password.", "Wrong phone number or password.", "Wrong username or password."
	for _, row := range []struct {
		kinds []string
		typed string
		want  string
	}{
		{[]string{ByEmail}, "ann@example.com", email},
		{[]string{ByEmail}, "ann", email},
		{[]string{ByEmail, ByUsername}, "ann", email},
		{all, "+4790000000", phone},
		{all, "ann", email},
		{[]string{ByUsername}, "ann", username},
		{[]string{ByUsername}, "ann@example.com", username},
		{[]string{ByPhone}, "ann", phone},
		{[]string{ByPhone, ByUsername}, "ann", username},
		{nil, "ann", email},
	} {
		err := wrongPassword(row.kinds, Names(row.kinds, row.typed))
		if f := errs.From(err); f.Text != row.want || f.Code != "invalid_grant" || f.Kind != errs.Forbidden || !errors.Is(err, ErrWrongPassword) {
			t.Errorf("%v %q: %v, want %s", row.kinds, row.typed, err, row.want)
		}
	}
}

func TestSignInNames(t *testing.T) {
	for _, row := range []struct{ email, phone, username, want string }{
		{"A@x.example", "", "", "[{email a@x.example}]"},
		{"a@x.example", "+4790000000", "Ann", "[{email a@x.example} {phone_number +4790000000} {username ann}]"},
		{"a@x.example", "", "B@x.example", "[{email a@x.example} {username b@x.example} {email b@x.example}]"},
		{"a@x.example", "", "A@x.example", "[{email a@x.example} {username a@x.example}]"},
		{"", "", "+4790000000", "[{username +4790000000} {phone_number +4790000000}]"},
		{"", "+4790000000", "+4790000000", "[{phone_number +4790000000} {username +4790000000}]"},
		{"", "", "", "[]"},
	} {
		u := &User{Identities: []Identity{{}}}
		for name, v := range map[string]string{ByEmail: row.email, ByPhone: row.phone, ByUsername: row.username} {
			if v != "" {
				u.Profile.Set(name, profile.Text(v), profile.Source{})
			}
		}
		if got := fmt.Sprint(u.SignInNames(0)); got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
}
