package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"mangrove/internal/letter"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runPasswordless(t *testing.T, open func(testing.TB) *store.Store) {
	fresh := passwordless.Code{
		ConnectionID: ourConnection, Recipient: "lea", LocalID: "1", Hash: "hash", ClientID: "app", Link: true,
		Params: map[string]string{"state": "s"}, Browser: "b", ExpiresAt: day + 10, KeptUntil: day + 20,
	}
	with := func(change func(*passwordless.Code)) *passwordless.Code {
		c := fresh
		change(&c)
		return &c
	}
	made := func(t *testing.T, codes ...*passwordless.Code) *store.Store {
		t.Helper()
		s := open(t)
		for _, c := range codes {
			must(t, s.IssueCode(bg, c, day, nil, nil, event("")))
		}
		return s
	}
	gone := func(t *testing.T, s *store.Store, recipient string) {
		t.Helper()
		if _, err := s.Code(bg, ourConnection, recipient); !errors.Is(err, passwordless.ErrNone) {
			t.Errorf("%s: %v", recipient, err)
		}
	}

	t.Run("kept as made, and a newer one replaces it", func(t *testing.T) {
		s := made(t, &fresh)
		if got, err := s.Code(bg, ourConnection, "lea"); err != nil || !reflect.DeepEqual(got, fresh) {
			t.Errorf("%+v, %v", got, err)
		}
		gone(t, s, "ben")
		must(t, second(s.TryCode(bg, ourConnection, "lea", day, 3)))
		newer := with(func(c *passwordless.Code) {
			c.Hash, c.LocalID, c.Link, c.Params, c.Browser = "newer", "2", false, nil, ""
		})
		must(t, s.IssueCode(bg, newer, day, nil, nil, event("")))
		if got, err := s.Code(bg, ourConnection, "lea"); err != nil || !reflect.DeepEqual(got, *newer) {
			t.Errorf("%+v, %v", got, err)
		}
		if err := s.TakeCode(bg, ourConnection, "lea", "hash"); !errors.Is(err, passwordless.ErrNone) {
			t.Errorf("the code before: %v", err)
		}
	})

	t.Run("tries are counted, and end", func(t *testing.T) {
		s := made(t, &fresh)
		for i := range 3 {
			if c, err := s.TryCode(bg, ourConnection, "lea", day, 3); err != nil || c.Tries != int64(i)+1 || c.Params["state"] != "s" {
				t.Errorf("%+v, %v", c, err)
			}
		}
		if _, err := s.TryCode(bg, ourConnection, "lea", day, 3); !errors.Is(err, passwordless.ErrNone) {
			t.Error(err)
		}
		must(t, s.ForgiveTry(bg, ourConnection, "lea", "other"))
		if _, err := s.TryCode(bg, ourConnection, "lea", day, 3); !errors.Is(err, passwordless.ErrNone) {
			t.Error(err)
		}
		must(t, s.ForgiveTry(bg, ourConnection, "lea", "hash"))
		must(t, second(s.TryCode(bg, ourConnection, "lea", day+9, 3)))
		if _, err := s.TryCode(bg, ourConnection, "lea", day+10, 9); !errors.Is(err, passwordless.ErrNone) {
			t.Errorf("expired: %v", err)
		}
	})

	t.Run("two hundred guesses at once, three are judged", func(t *testing.T) {
		s := made(t, &fresh)
		got := race(200, func(int) error { return second(s.TryCode(bg, ourConnection, "lea", day, 3)) })
		if got["ok"] != 3 || got[passwordless.ErrNone.Error()] != 197 {
			t.Errorf("%v", got)
		}
	})

	t.Run("fifty at once, one takes it", func(t *testing.T) {
		s := made(t, &fresh)
		got := race(50, func(int) error { return s.TakeCode(bg, ourConnection, "lea", "hash") })
		if got["ok"] != 1 {
			t.Errorf("%v", got)
		}
		gone(t, s, "lea")
	})

	t.Run("budgets", func(t *testing.T) {
		s := open(t)
		ten := passwordless.Budget{Name: "ten", Burst: 10, Every: 100}
		one := passwordless.Budget{Name: "one", Burst: 1, Every: 1000}
		issue := func(now int64, b ...passwordless.Budget) error {
			return s.IssueCode(bg, with(func(c *passwordless.Code) { c.Recipient = fmt.Sprint(now) }), now, b, nil, event(""))
		}
		got := race(30, func(int) error { return issue(day, ten) })
		if got["ok"] != 10 {
			t.Errorf("%v", got)
		}
		var limited *passwordless.Limited
		if err := issue(day+40, ten); !errors.As(err, &limited) || limited.After != 60 || limited.Until != day+100 || limited.Budget != ten {
			t.Errorf("%+v", limited)
		}
		gone(t, s, fmt.Sprint(day+40))
		must(t, issue(day+100, ten))
		// One that is used up spares the others.
		must(t, issue(day+200, one))
		if err := issue(day+201, ten, one); !errors.As(err, &limited) || limited.Budget != one {
			t.Error(err)
		}
		must(t, issue(day+202, ten))
		// Without a code it is the same.
		two := passwordless.Budget{Name: "two", Burst: 1, Every: 1000}
		if err := s.SpendBudgets(bg, []passwordless.Budget{two, one}, day+203); !errors.As(err, &limited) || limited.Budget != one {
			t.Error(err)
		}
		must(t, s.SpendBudgets(bg, []passwordless.Budget{two}, day+203))
		three := passwordless.Budget{Name: "three", Burst: 3, Every: 100}
		for i := range 4 {
			if err := s.SpendBudgets(bg, []passwordless.Budget{three}, day); (err == nil) != (i < 3) {
				t.Errorf("%d: %v", i, err)
			}
		}
		must(t, s.Sweep(bg, day+1_000_000))
		must(t, issue(day+203, one))
	})

	t.Run("letters go with it", func(t *testing.T) {
		s := open(t)
		l := letter.Letter{Template: letter.Passwordless, To: "lea@example.com", Code: "123456"}
		must(t, s.IssueCode(bg, &fresh, day, nil, []letter.Letter{l}, event("")))
		none := passwordless.Budget{Name: "none", Burst: 0, Every: 1}
		must(t, s.IssueCode(bg, with(func(c *passwordless.Code) { c.Recipient = "x" }), day, []passwordless.Budget{none}, nil, event("")))
		if err := s.IssueCode(bg, &fresh, day, []passwordless.Budget{none}, []letter.Letter{l}, event("")); err == nil {
			t.Error("an empty budget was spent")
		}
		q, err := s.ClaimLetter(bg, 1<<62, 1<<62)
		must(t, err)
		if q == nil || q.Letter.Code != "123456" {
			t.Fatalf("%+v", q)
		}
		must(t, s.FinishLetter(bg, q))
		if q, err = s.ClaimLetter(bg, 1<<62, 1<<62); err != nil || q != nil {
			t.Errorf("%+v, %v", q, err)
		}
	})

	t.Run("it goes with its user, and with time", func(t *testing.T) {
		late := with(func(c *passwordless.Code) { c.Recipient, c.LocalID, c.KeptUntil = "late", "2", day+30 })
		other := with(func(c *passwordless.Code) { c.Recipient, c.ConnectionID = "lea", otherConnection })
		s := made(t, &fresh, late, other)
		u := &user.User{
			ID: "email|1", Identities: []user.Identity{{Provider: "email", Connection: "email", ConnectionID: ourConnection, UserID: "1", Subject: "1"}},
			CreatedAt: day, UpdatedAt: day,
		}
		u.Profile.Set(profile.Email, profile.Text("lea@example.com"), src(day))
		create(t, s, u)
		must(t, s.DeleteUser(bg, u.ID, 0, user.Effect{}))
		gone(t, s, "lea")
		if _, err := s.Code(bg, otherConnection, "lea"); err != nil {
			t.Errorf("the other connection's: %v", err)
		}
		must(t, s.Sweep(bg, day+29))
		must(t, second(s.Code(bg, ourConnection, "late")))
		must(t, s.Sweep(bg, day+30))
		gone(t, s, "late")
	})
}
