package approval

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/errs"
)

func TestPoll(t *testing.T) {
	const now = int64(1_000_000_000)
	end := now + 1
	for _, row := range []struct {
		name    string
		request Request
		client  string
		want    error
		state   State
	}{
		{"pending", Request{State: Pending, ExpiresAt: end}, "c", ErrPending, Pending},
		{"too fast", Request{State: Pending, ExpiresAt: end, PolledAt: now - 4_999_999}, "c", errSlowDown, Pending},
		{"after the interval", Request{State: Pending, ExpiresAt: end, PolledAt: now - 5_000_000}, "c", ErrPending, Pending},
		{"approved", Request{State: Approved, ExpiresAt: end}, "c", nil, Over},
		{"approved, too fast", Request{State: Approved, ExpiresAt: end, PolledAt: now - 1}, "c", errSlowDown, Approved},
		{"denied", Request{State: Denied, ExpiresAt: end}, "c", ErrDenied, Denied},
		{"denied, told again", Request{State: Denied, ExpiresAt: end, PolledAt: now - 1}, "c", ErrDenied, Denied},
		{"expired", Request{State: Pending, ExpiresAt: now}, "c", ErrDenied, Pending},
		{"expired, approved", Request{State: Approved, ExpiresAt: now}, "c", ErrDenied, Approved},
		{"used", Request{State: Over, ExpiresAt: end}, "c", ErrUnknown, Over},
		{"another client", Request{State: Approved, ExpiresAt: end}, "d", ErrUnknown, Approved},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.request.ClientID = "c"
			err := row.request.Poll(row.client, now)
			if !errors.Is(err, row.want) || row.request.State != row.state {
				t.Errorf("%v, %s", err, row.request.State)
			}
			if Waiting(err) != (strings.HasPrefix(row.name, "pending") || strings.Contains(row.name, "interval") || strings.Contains(row.name, "fast")) {
				t.Errorf("waiting: %v", Waiting(err))
			}
		})
	}
	if f := errs.From(errSlowDown); f.Kind != errs.TooMany || f.Text != "You are polling faster than allowed. Try again in 10 seconds." {
		t.Errorf("%v", f)
	}
}

func TestSubject(t *testing.T) {
	const issuer = "https://id.example/"
	for hint, want := range map[string]error{
		`{"format":"iss_sub","iss":"https://id.example/","sub":"auth0|1"}`: nil,
		`{"sub":"auth0|1","iss":"https://id.example/","format":"iss_sub"}`: nil,
		``: errNoHint, `auth0|1`: errHint, `{}`: errHint, `[]`: errHint, `{"format":"email","iss":"https://id.example/","sub":"auth0|1"}`: errHint,
		`{"format":"iss_sub","iss":"https://id.example","sub":"auth0|1"}`:           ErrNobody,
		`{"format":"iss_sub","iss":"https://id.example/"}`:                          ErrNobody,
		`{"format":"iss_sub","iss":"https://id.example/","sub":1}`:                  ErrNobody,
		`{"format":"iss_sub","format":"x","iss":"https://id.example/","sub":"a|1"}`: errHint,
	} {
		if sub, err := Subject(hint, issuer); !errors.Is(err, want) || (sub == "auth0|1") != (want == nil) {
			t.Errorf("%s: %q, %v", hint, sub, err)
		}
	}
}

// The law: a hint names somebody or is refused, never both.
func FuzzSubject(f *testing.F) {
	f.Add(`{"format":"iss_sub","iss":"i","sub":"s"}`)
	f.Add("{\"sub\":\"\xff\"}")
	f.Fuzz(func(t *testing.T, hint string) {
		if sub, err := Subject(hint, "i"); (sub == "") == (err == nil) {
			t.Fatalf("%q: %q, %v", hint, sub, err)
		}
	})
}

func TestMessage(t *testing.T) {
	for text, want := range map[string]error{
		"AB-12": nil, "Pay 10 € to Ann": nil, strings.Repeat("ä", 64): nil,
		"": errNoMessage, strings.Repeat("ä", 65): errMessage, "a\nb": errMessage, "a\u202eb": errMessage, "   ": errMessage,
	} {
		if err := CheckMessage(text); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	for text, want := range map[string]time.Duration{"": MaxLifetime, "1": time.Second, "300": MaxLifetime, "060": time.Minute} {
		if d, err := Lifetime(text); err != nil || d != want {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"0", "301", "-1", "1.5", "1e2", "x", "99999999999999999999"} {
		if _, err := Lifetime(text); !errors.Is(err, errExpiry) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLink(t *testing.T) {
	a, hash := Link("https://id.example")
	b, other := Link("https://id.example")
	if !strings.HasPrefix(a, "https://id.example/u/approval?ticket=") || a == b || hash == other || strings.Contains(a, hash) {
		t.Errorf("%s %s", a, hash)
	}
}
