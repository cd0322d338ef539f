package oauth

import (
	"slices"
	"testing"
)

func TestParseScope(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"  \t ", nil},
		{"openid", []string{"openid"}},
		{" openid  profile\temail\r\n", []string{"openid", "profile", "email"}},
		{"email openid email openid", []string{"email", "openid"}},
		{"Openid openid", []string{"Openid", "openid"}},
		{"a,b c", []string{"a,b", "c"}},
	} {
		if got := ParseScope(c.in); !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("ParseScope(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestIntersect(t *testing.T) {
	for _, c := range []struct{ requested, allowed, want []string }{
		{nil, OIDCScopes, nil},
		{[]string{"openid"}, nil, nil},
		{[]string{"read:a", "email", "openid"}, OIDCScopes, []string{"email", "openid"}},
		{[]string{"b", "a"}, []string{"a", "b", "c"}, []string{"b", "a"}},
		{[]string{"A"}, []string{"a"}, nil},
	} {
		if got := Intersect(c.requested, c.allowed); !slices.Equal(got, c.want) {
			t.Errorf("Intersect(%q, %q) = %q, want %q", c.requested, c.allowed, got, c.want)
		}
	}
}
