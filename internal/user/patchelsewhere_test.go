package user

import (
	"slices"
	"strings"
	"testing"

	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// profileOf reads "email=a verified username=b phone=c".
func profileOf(text string) profile.Profile {
	var p profile.Profile
	for _, f := range strings.Fields(text) {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "verified":
			p.Set(profile.EmailVerified, profile.Bool(true), profile.Source{})
		case "phone":
			p.Set(profile.PhoneNumber, profile.Text(value), profile.Source{})
		default:
			p.Set(name, profile.Text(value), profile.Source{})
		}
	}
	return p
}

func TestCallsOf(t *testing.T) {
	both := &customdb.Options{Scripts: map[customdb.Action]string{customdb.Verify: "x"}}
	for _, row := range []struct {
		about         string
		o             *customdb.Options
		before, after string
		password      string
		want          []customdb.Call
	}{
		{"nothing", both, "email=a verified", "email=a verified", "", nil},
		{"metadata", both, "email=a", "email=a name=n", "", nil},
		{"password", both, "email=a username=u", "email=a username=u", "p", []customdb.Call{customdb.NewPassword("a", "p")}},
		{"password of a username", both, "username=u phone=+1", "username=u phone=+1", "p", []customdb.Call{customdb.NewPassword("u", "p")}},
		{"password of a number", both, "phone=+1", "phone=+1", "p", []customdb.Call{customdb.NewPassword("+1", "p")}},
		{"e-mail", both, "email=a verified", "email=b", "", []customdb.Call{customdb.NewEmail("a", "b", false)}},
		{"e-mail, verified", both, "email=a", "email=b verified", "", []customdb.Call{customdb.NewEmail("a", "b", true)}},
		{"a first e-mail", both, "username=u", "username=u email=b", "", []customdb.Call{customdb.NewEmail("u", "b", false)}},
		{"verified", both, "email=a", "email=a verified", "", []customdb.Call{customdb.Proved("a")}},
		{"verified, without verify", &customdb.Options{}, "email=a", "email=a verified", "", []customdb.Call{customdb.NewEmail("a", "a", true)}},
		{"no longer verified", both, "email=a verified", "email=a", "", []customdb.Call{customdb.NewEmail("a", "a", false)}},
		{"username", both, "email=a username=u", "email=a username=w", "", []customdb.Call{customdb.NewUsername("a", "w")}},
		{"username of who has nothing else", both, "username=u", "username=w", "", []customdb.Call{customdb.NewUsername("u", "w")}},
		{"phone number", both, "email=a phone=+1", "email=a phone=+2", "", []customdb.Call{customdb.NewPhoneNumber("a", "+2")}},
	} {
		got := callsOf(row.o, profileOf(row.before), profileOf(row.after), row.password)
		if !slices.EqualFunc(got, row.want, func(a, b customdb.Call) bool {
			return a.Action == b.Action && slices.EqualFunc(a.Args, b.Args, func(x, y customdb.Arg) bool { return x.Name == y.Name && string(x.Value) == string(y.Value) })
		}) {
			t.Errorf("%s: %+v", row.about, got)
		}
	}
}

func TestRenamed(t *testing.T) {
	for _, row := range []struct{ before, after, want string }{
		{"email=a", "email=a verified", ""},
		{"email=a", "email=b", "email"},
		{"email=a username=u", "email=a username=w phone=+1", "username phone_number"},
	} {
		if got := strings.Join(renamed(profileOf(row.before), profileOf(row.after)), " "); got != row.want {
			t.Errorf("%s to %s: %s", row.before, row.after, got)
		}
	}
}
