package storetest

import (
	"errors"
	"testing"

	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

func runTickets(t *testing.T, open func(testing.TB) *store.Store) {
	fresh := ticket.Ticket{
		Hash: "hash", Purpose: ticket.VerifyEmail, UserID: "auth0|ann", ConnectionID: ourConnection, Subject: "ann",
		Email: "ann@example.com", PasswordSetAt: day, ResultURL: "https://app/x", IncludeEmail: true, MarksVerified: true,
		ExpiresAt: day + 1, KeptUntil: day + 2,
	}
	with := func(change func(*ticket.Ticket)) *ticket.Ticket {
		k := fresh
		change(&k)
		return &k
	}
	made := func(t *testing.T, tickets ...*ticket.Ticket) *store.Store {
		t.Helper()
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", "ben@example.com"))
		for _, k := range tickets {
			must(t, s.CreateTicket(bg, k, event(k.UserID)))
		}
		return s
	}
	redeem := func(s *store.Store, hash string) error {
		return second(s.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.EmailVerified, profile.Bool(true), src(day))
			return user.Effect{Redeems: user.Redemption{Ticket: hash, At: day}}, nil
		}))
	}
	verified := func(t *testing.T, s *store.Store) bool {
		t.Helper()
		u, err := s.User(bg, "auth0|ann")
		must(t, err)
		return u.Profile.True(profile.EmailVerified)
	}
	gone := func(t *testing.T, s *store.Store, hash string) {
		t.Helper()
		if _, err := s.Ticket(bg, hash); !errors.Is(err, user.ErrTicketOver) {
			t.Errorf("ticket %s: %v", hash, err)
		}
	}

	t.Run("kept as made, then used", func(t *testing.T) {
		s := made(t, &fresh)
		got, err := s.Ticket(bg, "hash")
		if err != nil || *got != fresh {
			t.Fatalf("got %+v, %v", got, err)
		}
		must(t, redeem(s, "hash"))
		got, err = s.Ticket(bg, "hash")
		if err != nil || got.UsedAt != day || !verified(t, s) {
			t.Errorf("after use: %+v, %v", got, err)
		}
	})

	t.Run("a refused ticket leaves the user alone", func(t *testing.T) {
		for name, row := range map[string]struct {
			ticket *ticket.Ticket
			hash   string
			want   error
		}{
			"used":    {with(func(k *ticket.Ticket) { k.UsedAt = day }), "hash", user.ErrTicketUsed},
			"expired": {with(func(k *ticket.Ticket) { k.ExpiresAt = day }), "hash", user.ErrTicketOver},
			"unknown": {&fresh, "other", user.ErrTicketOver},
		} {
			s := made(t, row.ticket)
			if err := redeem(s, row.hash); !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", name, err, row.want)
			}
			if verified(t, s) {
				t.Errorf("%s: the user was changed", name)
			}
		}
	})

	t.Run("a failed change does not use it up", func(t *testing.T) {
		s := made(t, &fresh)
		err := second(s.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Email, profile.Text("ben@example.com"), src(day))
			return user.Effect{Redeems: user.Redemption{Ticket: "hash", At: day}}, nil
		}))
		if !errors.Is(err, user.ErrExists) {
			t.Fatal(err)
		}
		must(t, redeem(s, "hash"))
	})

	t.Run("taken before a change elsewhere, and given back", func(t *testing.T) {
		s := made(t, &fresh)
		mine := user.Redemption{Ticket: "hash", At: day}
		must(t, s.TakeTicket(bg, mine))
		if err := s.TakeTicket(bg, mine); !errors.Is(err, user.ErrTicketUsed) {
			t.Errorf("twice: %v", err)
		}
		must(t, s.ReturnTicket(bg, user.Redemption{Ticket: "hash", At: day - 1})) // somebody else's
		if err := redeem(s, "hash"); !errors.Is(err, user.ErrTicketUsed) {
			t.Errorf("taken: %v", err)
		}
		must(t, s.ReturnTicket(bg, mine))
		must(t, redeem(s, "hash"))
		if err := s.TakeTicket(bg, user.Redemption{Ticket: "other", At: day}); !errors.Is(err, user.ErrTicketOver) {
			t.Errorf("unknown: %v", err)
		}
	})

	t.Run("fifty at once", func(t *testing.T) {
		s := made(t, &fresh)
		got := race(50, func(int) error { return redeem(s, "hash") })
		if got["ok"] != 1 || got[user.ErrTicketUsed.Error()] != 49 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("a newer one replaces that of its purpose and identity alone", func(t *testing.T) {
		s := made(t,
			&fresh,
			with(func(k *ticket.Ticket) { k.Hash, k.Purpose = "password", ticket.ChangePassword }),
			with(func(k *ticket.Ticket) { k.Hash, k.UserID = "ben", "auth0|ben" }),
			with(func(k *ticket.Ticket) { k.Hash, k.Subject = "second", "other" }),
		)
		must(t, redeem(s, "hash"))
		newer := with(func(k *ticket.Ticket) { k.Hash, k.ResultURL, k.ExpiresAt = "newer", "", day+5 })
		must(t, s.CreateTicket(bg, newer, event("auth0|ann")))
		gone(t, s, "hash")
		if got, err := s.Ticket(bg, "newer"); err != nil || *got != *newer {
			t.Errorf("newer: %+v, %v", got, err)
		}
		for _, hash := range []string{"password", "ben", "second"} {
			if _, err := s.Ticket(bg, hash); err != nil {
				t.Errorf("%s: %v", hash, err)
			}
		}
	})

	t.Run("it goes with its user, and with time", func(t *testing.T) {
		s := made(t, &fresh, with(func(k *ticket.Ticket) { k.Hash, k.UserID, k.KeptUntil = "ben", "auth0|ben", day }))
		must(t, s.DeleteUser(bg, "auth0|ann", 0, user.Effect{}))
		gone(t, s, "hash")
		must(t, s.Sweep(bg, day-1))
		if _, err := s.Ticket(bg, "ben"); err != nil {
			t.Error(err)
		}
		must(t, s.Sweep(bg, day))
		gone(t, s, "ben")
	})

	t.Run("a change asks for a mail", func(t *testing.T) {
		s := made(t)
		mail := user.VerificationMail{UserID: "auth0|ann", ConnectionID: ourConnection, Subject: "ann", ApplicationID: "app", At: day}
		claimed := func(want string) {
			t.Helper()
			j, _, err := s.Claim(bg, "me", day, day+100)
			must(t, err)
			if j == nil || j.Type != job.VerificationEmail || j.CreatedAt != day || string(j.Params) != want {
				t.Errorf("job %+v", j)
			}
		}
		_, err := s.UpdateUser(bg, "auth0|ann", func(*user.User) (user.Effect, error) {
			return user.Effect{Verification: &mail}, nil
		})
		must(t, err)
		claimed(`{"user_id":"auth0|ann","connection_id":"` + ourConnection + `","subject":"ann","client_id":"app"}`)

		mail.UserID, mail.Subject, mail.ApplicationID = "auth0|eve", "eve", ""
		if err := s.CreateUser(bg, ourUser("eve", "ann@example.com"), user.Effect{Verification: &mail}); !errors.Is(err, user.ErrExists) {
			t.Fatal(err)
		}
		if j, _, err := s.Claim(bg, "me", day, day+100); err != nil || j != nil {
			t.Errorf("a mail for nobody: %+v, %v", j, err)
		}
		must(t, s.CreateUser(bg, ourUser("eve", "eve@example.com"), user.Effect{Verification: &mail}))
		claimed(`{"user_id":"auth0|eve","connection_id":"` + ourConnection + `","subject":"eve"}`)
	})
}
