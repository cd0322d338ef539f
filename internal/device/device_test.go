package device

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPoll(t *testing.T) {
	const now = int64(1_000_000_000)
	end := now + 1
	for _, row := range []struct {
		name   string
		code   Code
		client string
		want   error
		state  State
	}{
		{"pending", Code{State: Pending, ExpiresAt: end}, "c", ErrPending, Pending},
		{"too fast", Code{State: Pending, ExpiresAt: end, PolledAt: now - 4_999_999}, "c", ErrSlowDown, Pending},
		{"after the interval", Code{State: Pending, ExpiresAt: end, PolledAt: now - 5_000_000}, "c", ErrPending, Pending},
		{"approved", Code{State: Approved, ExpiresAt: end}, "c", nil, Over},
		{"approved, too fast", Code{State: Approved, ExpiresAt: end, PolledAt: now - 1}, "c", ErrSlowDown, Approved},
		{"denied", Code{State: Denied, ExpiresAt: end}, "c", ErrDenied, Over},
		{"expired", Code{State: Pending, ExpiresAt: now}, "c", ErrExpired, Over},
		{"expired, approved", Code{State: Approved, ExpiresAt: now}, "c", ErrExpired, Over},
		{"told before", Code{State: Over, ExpiresAt: end}, "c", ErrUnknown, Over},
		{"expired, told before", Code{State: Over, ExpiresAt: now}, "c", ErrUnknown, Over},
		{"another client", Code{State: Approved, ExpiresAt: end}, "d", ErrUnknown, Approved},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.code.ClientID = "c"
			if err := row.code.Poll(row.client, now); !errors.Is(err, row.want) || row.code.State != row.state {
				t.Errorf("%v, %s", err, row.code.State)
			}
		})
	}
}

func TestUserCode(t *testing.T) {
	for _, row := range []struct{ charset, mask, alphabet, inForce string }{
		{"base20", "****-****", base20, "****-****"},
		{"base20", "***-***-**", base20, "***-***-**"},
		{"base20", "****-***", base20, "****-****"},
		{"base20", "", base20, "****-****"},
		{"", "***** *****", base20, "***** *****"},
		{"base20", "****X****", base20, "****-****"},
		{"base20", strings.Repeat("*", 21), base20, "****-****"},
		{"digits", "****-****", digits, "***-***-***"},
		{"digits", "***-***-***", digits, "***-***-***"},
	} {
		code := NewUserCode(row.charset, row.mask)
		if len(code) != len(row.inForce) {
			t.Fatalf("%+v: %q", row, code)
		}
		for i := range code {
			if row.inForce[i] == '*' && !strings.ContainsRune(row.alphabet, rune(code[i])) || row.inForce[i] != '*' && code[i] != row.inForce[i] {
				t.Errorf("%+v: %q", row, code)
			}
		}
	}
	for typed, want := range map[string]string{
		"QTZL-MCBW": "QTZLMCBW", " qtzl mcbw ": "QTZLMCBW", "123-456-789": "123456789", "äöü": "", "": "", strings.Repeat("A", 101): "",
	} {
		if got := Normalize(typed); got != want {
			t.Errorf("%q: %q", typed, got)
		}
	}
}

// The law: what is normalized stays as it is, and is made of capitals and digits.
func FuzzNormalize(f *testing.F) {
	f.Add("QTZL-MCBW")
	f.Add("\x00\xff ß")
	f.Fuzz(func(t *testing.T, typed string) {
		n := Normalize(typed)
		if Normalize(n) != n || len(n) > 100 || len(Shown(typed)) > 20 {
			t.Fatalf("%q: %q", typed, n)
		}
		for _, r := range n {
			if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
				t.Fatalf("%q: %q", typed, n)
			}
		}
	})
}

// shelf is a store of one code.
type shelf struct {
	Store
	code    Code
	guesses map[string]int64
}

func (s *shelf) DeviceByUserCode(_ context.Context, userCode string) (Code, error) {
	if userCode != Normalize(s.code.UserCode) {
		return Code{}, ErrUnknown
	}
	return s.code, nil
}

func (s *shelf) CountGuess(_ context.Context, origin string, n, _, _ int64) (int64, error) {
	s.guesses[origin] += n
	return s.guesses[origin], nil
}

func TestFind(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &shelf{code: Code{UserCode: "ABCD-EFGH", State: Pending, ExpiresAt: now.UnixMicro() + 1}, guesses: map[string]int64{}}
	find := func(typed, origin string) error {
		_, err := Find(t.Context(), s, typed, origin, now)
		return err
	}
	// Right codes cost nothing.
	for range MaxGuesses + 5 {
		if err := find("abcdefgh", "a"); err != nil {
			t.Fatal(err)
		}
	}
	for range MaxGuesses {
		if err := find("XXXX-XXXX", "a"); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
	}
	if err := find("ABCD-EFGH", "a"); !errors.Is(err, ErrGuessing) {
		t.Errorf("the right code after too many wrong ones: %v", err)
	}
	if err := find("ABCD-EFGH", "b"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	for _, c := range []Code{
		{UserCode: "ABCD-EFGH", State: Approved, ExpiresAt: now.UnixMicro() + 1}, {UserCode: "ABCD-EFGH", State: Pending, ExpiresAt: now.UnixMicro()},
	} {
		s.code = c
		if err := find("ABCD-EFGH", "c"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
