package user

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
)

func TestTerms(t *testing.T) {
	long := strings.Repeat("é", 700) // 1,400 bytes
	for _, c := range []struct {
		name  string
		value profile.Value
		want  []Term
	}{
		{profile.Email, profile.Text("Ann@Mail.Example.Test"), []Term{{"email", "sann@mail.example.test"}, {"email.domain", "smail.example.test"}}},
		{profile.Email, nil, []Term{{"?", "-email"}}},
		{profile.Name, profile.Text("Ann LEE"), []Term{{"name", "sann lee"}}},
		{profile.Username, profile.Text("ann"), []Term{{"?", "username"}, {"username", "sann"}}},
		{profile.Username, nil, nil},
		{profile.Blocked, profile.Bool(false), []Term{{"blocked", "b0"}}},
		{profile.Picture, profile.Text("https://example.test/a.png"), nil},
		{"locale", profile.Text("en"), nil},
		{profile.UserMetadata, profile.Value(`{"A":"X","n":[1,[-2.5]],"o":{"t":true,"e":{},"l":[],"z":null}}`), []Term{
			{"?", "user_metadata"}, {"?", "user_metadata.A"}, {"?", "user_metadata.n"}, {"?", "user_metadata.o"}, {"?", "user_metadata.o.t"},
			{"user_metadata.A", "sX"}, {"user_metadata.n", NumberTerm(-2.5)}, {"user_metadata.n", NumberTerm(1)}, {"user_metadata.o.t", "b1"},
		}},
		{profile.AppMetadata, profile.Value(`{}`), nil},
		{profile.AppMetadata, profile.Value(`{"` + strings.Repeat("k", 300) + `":1}`), []Term{{"?", "app_metadata"}}},
		{profile.AppMetadata, profile.Value(`{"x":1e999}`), []Term{{"?", "app_metadata"}, {"?", "app_metadata.x"}, {"app_metadata.x", "s1e999"}}},
		{profile.AppMetadata, profile.Value(`{"x":"` + long + `"}`), []Term{{"?", "app_metadata"}, {"?", "app_metadata.x"}, {"app_metadata.x", TextTerm(long)}}},
	} {
		var got terms
		got.attribute(c.name, c.value)
		if list := got.sorted(); !slices.Equal(list, c.want) {
			t.Errorf("%s %.60s\n%v\nwant %v", c.name, c.value, list, c.want)
		}
	}
	if v := TextTerm(long); len(v) > 1300 || TermText(v) != "s"+strings.Repeat("é", 600) || v == TextTerm(long+"x") {
		t.Errorf("a long text is %d bytes", len(v))
	}
	var many terms
	many.attribute(profile.UserMetadata, profile.Value(`{"n":[`+strings.Repeat(`"x",`, 2500)+`1]}`))
	if len(many.sorted()) != 3 {
		t.Errorf("of a list beyond the bound %d terms", len(many.sorted()))
	}
}

// TestTermOrder: values order as what they mean, and say what they stand for.
func TestTermOrder(t *testing.T) {
	numbers := []float64{math.Inf(-1), -1e300, -3, -2.5, -1e-300, 0, 1e-300, 1, 1.5, 2, 1e17, math.Inf(1)}
	for i := 1; i < len(numbers); i++ {
		if NumberTerm(numbers[i-1]) >= NumberTerm(numbers[i]) {
			t.Errorf("%v is not before %v", numbers[i-1], numbers[i])
		}
	}
	if NumberTerm(math.Copysign(0, -1)) != NumberTerm(0) {
		t.Error("two zeros")
	}
	for value, want := range map[string][2]int64{
		NumberTerm(7): {7, 7}, NumberTerm(-7): {-7, -7}, NumberTerm(1.5): {2, 1}, NumberTerm(-1.5): {-1, -2},
		NumberTerm(1e300): {math.MaxInt64, math.MaxInt64}, TimeTerm(1_234_567): {1_234_000, 1_234_999}, TimeTerm(-5): {0, 999},
	} {
		if low, high, ok := TermBounds(value); !ok || low != want[0] || high != want[1] {
			t.Errorf("%s is %d to %d, %v; want %v", value, low, high, ok, want)
		}
	}
	if _, _, ok := TermBounds("sann"); ok {
		t.Error("a text has bounds")
	}
}

// TestTermChanges: the changes lead from the terms of one state to those of the other.
func TestTermChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	state := func() *User {
		u := &User{ID: "auth0|a", CreatedAt: 1000, Identities: []Identity{{Provider: "auth0", Connection: "users", UserID: "a"}}}
		for _, name := range []string{profile.Email, profile.Name, profile.Nickname, profile.GivenName, profile.Username} {
			if rnd.IntN(2) > 0 {
				u.Profile.Set(name, profile.Text(fmt.Sprintf("a%d@x.test", rnd.IntN(3))), profile.Source{})
			}
		}
		for _, name := range []string{profile.UserMetadata, profile.AppMetadata} {
			if rnd.IntN(2) > 0 {
				u.Profile.Set(name, profile.Value(fmt.Sprintf(`{"a":%d,"b":{"c":[%d,"x"]}}`, rnd.IntN(3), rnd.IntN(3))), profile.Source{})
			}
		}
		if rnd.IntN(3) == 0 {
			u.Identities = append(u.Identities, Identity{Provider: "google-oauth2", Connection: "google", UserID: "7", IsSocial: true, ProfileData: u.Profile})
		}
		return u
	}
	for range 500 {
		old, now := state(), state()
		gone, come := TermChanges(old, now)
		got := make(map[Term]bool)
		for _, term := range Terms(old) {
			got[term] = true
		}
		for _, term := range gone {
			if !got[term] {
				t.Fatalf("%v goes and was not there", term)
			}
			delete(got, term)
		}
		for _, term := range come {
			if got[term] {
				t.Fatalf("%v comes and is there", term)
			}
			got[term] = true
		}
		want := Terms(now)
		for _, term := range want {
			delete(got, term)
		}
		if len(got) > 0 || len(want) == 0 {
			t.Fatalf("%v remain", got)
		}
	}
	same := state()
	if gone, come := TermChanges(same, same); len(gone)+len(come) > 0 {
		t.Errorf("nothing changed, but %v %v", gone, come)
	}
}

func TestSortKey(t *testing.T) {
	v := &View{ID: "auth0|a", Attributes: []byte(`{"blocked":true,"email":"Ann@x.test","given_name":"Zoë"}`), CreatedAt: 5_000, UpdatedAt: 7_000, Logins: Logins{Last: 9_000, IP: "::1", Count: 2}}
	for field, want := range map[string]string{
		"user_id": "sauth0|a", "email": "sann@x.test", "given_name": "szoë", "family_name": "", "blocked": "b1", "name": "",
		"created_at": TimeTerm(5_000), "updated_at": TimeTerm(9_000), "last_login": TimeTerm(9_000), "logins_count": NumberTerm(2), "last_ip": "s::1",
	} {
		if got := SortKey(v, field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	for _, field := range []string{"last_login", "logins_count", "last_ip"} {
		if got := SortKey(&View{}, field); got != "" {
			t.Errorf("%s of nobody: %q", field, got)
		}
	}
}
