package passwordless

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func TestRecipient(t *testing.T) {
	const email, sms = profile.PasswordlessEmail, profile.PasswordlessSMS
	for _, row := range []struct {
		class         profile.Class
		text          string
		sent, byHands string // what Recipient and Typed make of it; empty: nothing
	}{
		{email, "Lea@X.example", "lea@x.example", "lea@x.example"},
		{email, " lea@x.example\n", "", "lea@x.example"},
		{email, "lea", "", ""},
		{email, "", "", ""},
		{email, "+4790", "", ""},
		{email, "a@b.example\r\nBcc: c@d.example", "", ""},
		{sms, "+4790000000", "+4790000000", "+4790000000"},
		{sms, "+123456789012345", "+123456789012345", "+123456789012345"},
		{sms, "+1234567890123456", "", ""},
		{sms, "+47 900 00-000", "", "+4790000000"},
		{sms, "(0047) 900/00.000", "", "+4790000000"},
		{sms, "90000000", "", ""},
		{sms, "+", "", ""},
		{sms, "+47x", "", ""},
		{sms, "lea@x.example", "", ""},
		{profile.Database, "lea@x.example", "", ""},
	} {
		if got, ok := Recipient(row.class, row.text); got != row.sent && ok || ok != (row.sent != "") {
			t.Errorf("%q: %q %v", row.text, got, ok)
		}
		if got, ok := Typed(row.class, row.text); got != row.byHands && ok || ok != (row.byHands != "") {
			t.Errorf("typed %q: %q %v", row.text, got, ok)
		}
	}
}

// FuzzTyped: whatever is taken is a recipient, and means itself.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"Lea@X.example", "+47 900", "0047", "\x00", "İ@x.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, class := range []profile.Class{profile.PasswordlessEmail, profile.PasswordlessSMS} {
			got, ok := Typed(class, s)
			if !ok {
				continue
			}
			if again, ok := Recipient(class, got); !ok || again != got || strings.ContainsAny(got, "\r\n\x00 ") {
				t.Errorf("%q: %q, then %q", s, got, again)
			}
		}
	})
}

func TestWithheld(t *testing.T) {
	for _, row := range []struct {
		known, blocked, disabled bool
		want                     *errs.Error
	}{
		{false, false, false, nil},
		{true, false, false, nil},
		{true, false, true, nil},
		{false, false, true, user.ErrSignupDisabled},
		{true, true, false, user.ErrBlocked},
		{true, true, true, user.ErrBlocked},
	} {
		if got := withheld(row.known, row.blocked, row.disabled); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestWhyNot(t *testing.T) {
	for _, row := range []struct {
		tries, expires int64
		want           *errs.Error
	}{
		{0, 101, nil}, {2, 101, nil}, {3, 101, ErrTries}, {0, 100, ErrExpired}, {3, 100, ErrExpired},
	} {
		if got := whyNot(Code{Tries: row.tries, ExpiresAt: row.expires}, 100); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestBudgets(t *testing.T) {
	of := func(list []Budget) string {
		var s []string
		for _, b := range list {
			s = append(s, fmt.Sprintf("%s %d/%ds", b.Name, b.Burst, b.Every/1_000_000))
		}
		return strings.Join(s, ", ")
	}
	if got, want := of(budgets(profile.PasswordlessSMS, "192.0.2.1", "r", 360)), "ip 192.0.2.1 50/72s, sms r 10/3600s, sms 360/10s"; got != want {
		t.Error(got)
	}
	if got, want := of(budgets(profile.PasswordlessEmail, "192.0.2.1", "r", 360)), "ip 192.0.2.1 50/72s, email r 10/360s"; got != want {
		t.Error(got)
	}
	b := Budget{Burst: 3, Every: 10}
	if b.Slack() != 20 || b.Wait(125, 100) != 5 || b.Wait(120, 100) != 0 || b.Wait(0, 100) != 0 {
		t.Error(b.Slack(), b.Wait(125, 100))
	}
	for in, want := range map[int64]int64{0: 1, 1: 1, 1_000_000: 1, 1_000_001: 2} {
		if got := (&Limited{After: in}).Seconds(); got != want {
			t.Errorf("%d: %d", in, got)
		}
	}
	if errs.KindOf(&Limited{}) != errs.TooMany {
		t.Error("no 429")
	}
}

func TestCodes(t *testing.T) {
	seen := map[byte]bool{}
	for range 200 {
		s := newDigits(4)
		if !regexp.MustCompile(`^[0-9]{4}$`).MatchString(s) {
			t.Fatal(s)
		}
		for i := range s {
			seen[s[i]] = true
		}
	}
	if len(seen) != 10 || len(newDigits(40)) != 40 || len(newLinkCode()) != 43 {
		t.Error(len(seen))
	}
	k := hasher("key")
	a := &Code{ConnectionID: "c", Recipient: "r"}
	a.Hash = k.code(a, "1")
	for name, other := range map[string]*Code{
		"itself":           a,
		"other connection": {ConnectionID: "d", Recipient: "r", Hash: a.Hash},
		"other recipient":  {ConnectionID: "c", Recipient: "s", Hash: a.Hash},
		"a link":           {ConnectionID: "c", Recipient: "r", Hash: a.Hash, Link: true},
		"never sent":       {ConnectionID: "c", Recipient: "r"},
	} {
		if got := k.right(other, "1"); got != (name == "itself") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if k.right(a, "") || k.right(a, "11") || hasher("other").right(a, "1") {
		t.Error("a wrong code, or another key")
	}
	if guess(" 12\u00a03\t4\n") != "1234" {
		t.Errorf("%q", guess(" 12\u00a03\t4\n"))
	}
}

// desk is all that a Service needs, over one code.
type desk struct {
	Store
	issued []Code
	err    error // of the gateway
	texts  int
}

func (d *desk) SpendBudgets(context.Context, []Budget, int64) error { return nil }

func (d *desk) IssueCode(_ context.Context, c *Code, _ int64, _ []Budget, _ []letter.Letter, _ audit.Event) error {
	d.issued = append(d.issued, *c)
	return nil
}

func (d *desk) Code(context.Context, string, string) (Code, error) {
	if len(d.issued) == 0 {
		return Code{}, ErrNone
	}
	return d.issued[len(d.issued)-1], nil
}
func (d *desk) HasIdentity(context.Context, string, string) (bool, error) { return false, nil }
func (d *desk) FindPasswordless(context.Context, *connection.Connection, string) (*user.User, string, error) {
	return nil, "", nil
}

func (d *desk) SignInPasswordless(context.Context, *connection.Connection, string, string, user.Actor) (*user.User, error) {
	return nil, errors.New("nobody signs in here")
}

func (d *desk) SendText(context.Context, *connection.Connection, Text) error {
	d.texts++
	return d.err
}

// TestNobodyWaitsDifferently: where no message may be sent, the answer takes as
// long, and is the same, as that of the last one that was sent.
func TestNobodyWaitsDifferently(t *testing.T) {
	d := &desk{err: errs.New(errs.Invalid, "sms_provider_error", "down")}
	var waited []time.Duration
	s := &Service{
		Store: d, Users: d, Identities: d, Texts: d, Key: []byte("k"), Now: func() time.Time { return time.UnixMicro(1) },
		Wait: func(_ context.Context, d time.Duration) { waited = append(waited, d) },
	}
	c := &connection.Connection{ID: "c", Name: "sms", Strategy: "sms", Options: []byte(`{}`)}
	start := func() error {
		_, err := s.Start(t.Context(), Request{Connection: c, Recipient: "+47", ClientID: "app"}, user.Actor{})
		return err
	}
	if err := start(); !errors.Is(err, d.err) || d.texts != 1 {
		t.Fatalf("%v %d", err, d.texts)
	}
	c = &connection.Connection{ID: "c", Name: "sms", Strategy: "sms", Options: []byte(`{"disable_signup":true}`)}
	if err := start(); !errors.Is(err, d.err) || d.texts != 1 || len(waited) != 1 || waited[0] != s.last["c"].took {
		t.Errorf("%v %d %v", err, d.texts, waited)
	}
	if last := d.issued[1]; last.Hash != "" || last.LocalID != d.issued[0].LocalID || last.Recipient != d.issued[0].Recipient {
		t.Errorf("%+v", last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Wait = nil
	s.wait(ctx, time.Hour)
}
