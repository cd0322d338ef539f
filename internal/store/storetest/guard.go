package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/guard"
	"mangrove/internal/store"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

func runGuard(t *testing.T, open func(testing.TB) *store.Store) {
	const here = "203.0.113.4"
	count := func(change func(*guard.Count)) guard.Count {
		c := guard.Count{
			At: day, Subject: "auth0|ann", Address: here, Identifier: "ann@example.com", ConnectionID: ourConnection,
			MaxAttempts: 3, Forgotten: day - guard.Memory.Microseconds(), RefuseAccount: true,
		}
		if change != nil {
			change(&c)
		}
		return c
	}
	tried := func(t *testing.T, s *store.Store, c guard.Count) guard.Counted {
		t.Helper()
		got, err := s.CountAttempt(bg, c)
		must(t, err)
		return got
	}
	blocks := func(t *testing.T, s *store.Store, subject string) []guard.Block {
		t.Helper()
		list, err := s.Blocks(bg, subject, 3, day-1)
		must(t, err)
		return list
	}

	t.Run("attempts are counted up to the measure", func(t *testing.T) {
		s := open(t)
		for i := int64(1); i <= 3; i++ {
			if got := tried(t, s, count(func(c *guard.Count) { c.At += i })); got.Failures != i {
				t.Fatalf("attempt %d: %+v", i, got)
			}
		}
		for _, refuse := range []bool{true, false} {
			got := tried(t, s, count(func(c *guard.Count) { c.At, c.RefuseAccount = day+9, refuse }))
			if got.Failures != 0 || got.LastAt != day+3 {
				t.Errorf("beyond: %+v", got)
			}
		}
		if got := blocks(t, s, "auth0|ann"); !slices.Equal(got, []guard.Block{{Identifier: "ann@example.com", Address: here, ConnectionID: ourConnection}}) {
			t.Errorf("blocks: %+v", got)
		}
		// Others are not touched: another address, another subject.
		for _, c := range []guard.Count{count(func(c *guard.Count) { c.Address = "" }), count(func(c *guard.Count) { c.Subject = "auth0|ben" })} {
			if got := tried(t, s, c); got.Failures != 1 {
				t.Errorf("another: %+v", got)
			}
		}
		later := count(func(c *guard.Count) { c.At, c.Forgotten = day+100, day+3 })
		if got := tried(t, s, later); got.Failures != 1 {
			t.Errorf("after the memory of the last one: %+v", got)
		}
	})

	t.Run("of 200 at once no more than the measure", func(t *testing.T) {
		s := open(t)
		got := race(200, func(int) error {
			c, err := s.CountAttempt(bg, count(nil))
			if err != nil {
				return err
			}
			return fmt.Errorf("%d", c.Failures)
		})
		if got["1"] != 1 || got["2"] != 1 || got["3"] != 1 || got["0"] != 197 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("a bucket", func(t *testing.T) {
		s := open(t)
		l := guard.Limit{Burst: 2, Every: time.Second}
		draw := func(at int64) (int64, bool) {
			t.Helper()
			full, ok, err := s.Draw(bg, "b", "w", l, at)
			must(t, err)
			return full - day, ok
		}
		for i, want := range []struct {
			at, full int64
			ok       bool
		}{{0, 1e6, true}, {0, 2e6, true}, {0, 2e6, false}, {999_999, 2e6, false}, {1e6, 3e6, true}, {1e6, 3e6, false}, {9e6, 10e6, true}} {
			if full, ok := draw(day + want.at); full != want.full || ok != want.ok {
				t.Errorf("draw %d: full at %d, %v; want %+v", i, full, ok, want)
			}
		}
		if full, err := s.Bucket(bg, "b", "w"); err != nil || full != day+10e6 {
			t.Errorf("bucket: %d, %v", full, err)
		}
		if full, err := s.Bucket(bg, "b", "other"); err != nil || full != 0 {
			t.Errorf("another: %d, %v", full, err)
		}
		must(t, s.Refill(bg, []string{"a", "b"}, "w", event("")))
		if full, err := s.Bucket(bg, "b", "w"); err != nil || full != 0 {
			t.Errorf("refilled: %d, %v", full, err)
		}
	})

	t.Run("an empty bucket refuses and counts nothing", func(t *testing.T) {
		s := open(t)
		c := count(func(c *guard.Count) {
			c.Network, c.Limit, c.RefuseAddress = here, guard.Limit{Burst: 1, Every: time.Second}, true
		})
		if got := tried(t, s, c); got.Failures != 1 || got.Empty || got.FullAt != day+1e6 {
			t.Fatalf("first: %+v", got)
		}
		if got := tried(t, s, c); !got.Empty || got.Failures != 0 || got.FullAt != day+1e6 {
			t.Errorf("second: %+v", got)
		}
		c.RefuseAddress = false
		if got := tried(t, s, c); !got.Empty || got.Failures != 2 {
			t.Errorf("watched: %+v", got)
		}
	})

	t.Run("a refused account costs the address nothing", func(t *testing.T) {
		s := open(t)
		c := count(func(c *guard.Count) {
			c.MaxAttempts, c.Network, c.Limit = 1, here, guard.Limit{Burst: 9, Every: time.Second}
		})
		tried(t, s, c)
		tried(t, s, c)
		if full, err := s.Bucket(bg, "login", here); err != nil || full != day+1e6 {
			t.Errorf("full at %d, %v", full-day, err)
		}
	})

	t.Run("a right password forgives what it was counted under", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"))
		limit := guard.Limit{Burst: 9, Every: time.Second}
		for _, address := range []string{here, "198.51.100.7"} {
			for range 3 {
				tried(t, s, count(func(c *guard.Count) { c.Address, c.Network, c.Limit = address, address, limit }))
			}
		}
		f := user.Forgiveness{Subject: "auth0|ann", Address: here, Network: here, Refund: 1e6}
		must(t, s.RecordLogin(bg, "auth0|ann", user.Logins{Last: day, Count: 1}, "", "", user.Effect{Forgives: f}))
		if got := blocks(t, s, "auth0|ann"); len(got) != 1 || got[0].Address != "198.51.100.7" {
			t.Errorf("blocks: %+v", got)
		}
		if full, err := s.Bucket(bg, "login", here); err != nil || full != day+2e6 {
			t.Errorf("full at %d, %v", full-day, err)
		}
		change := func(u *user.User) (user.Effect, error) {
			return user.Effect{Forgives: user.Forgiveness{Subject: string(u.ID), Address: user.EveryAddress}}, nil
		}
		must(t, second(s.UpdateUser(bg, "auth0|ann", change)))
		if got := blocks(t, s, "auth0|ann"); len(got) != 0 {
			t.Errorf("after a new password: %+v", got)
		}
	})

	t.Run("an attempt that was not made is taken back", func(t *testing.T) {
		s := open(t)
		tried(t, s, count(nil))
		tried(t, s, count(nil))
		must(t, s.Forgive(bg, user.Forgiveness{Subject: "auth0|ann", Address: here}))
		if got := tried(t, s, count(nil)); got.Failures != 2 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("release uses up its ticket", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"))
		must(t, s.CreateTicket(bg, &ticket.Ticket{Hash: "h", Purpose: ticket.Unblock, UserID: "auth0|ann", ExpiresAt: day + 1, KeptUntil: day + 1}, audit.Event{}))
		for i := range 2 {
			for range 3 {
				tried(t, s, count(nil))
			}
			err := s.ReleaseLogins(bg, []string{"auth0|ann", "other"}, user.Redemption{Ticket: "h", At: day}, event("auth0|ann"))
			if i == 0 && err != nil || i == 1 && !errors.Is(err, user.ErrTicketUsed) {
				t.Fatalf("use %d: %v", i, err)
			}
			if got := blocks(t, s, "auth0|ann"); len(got) != i {
				t.Errorf("use %d: %+v", i, got)
			}
		}
	})

	t.Run("what is over goes", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", "ben@example.com"))
		for range 3 {
			tried(t, s, count(nil))
			tried(t, s, count(func(c *guard.Count) { c.Subject = "auth0|ben" }))
		}
		must(t, s.DeleteUser(bg, "auth0|ben", 0, user.Effect{}))
		if got := blocks(t, s, "auth0|ben"); len(got) != 0 {
			t.Errorf("of somebody who is gone: %+v", got)
		}
		must(t, s.Sweep(bg, day+guard.Memory.Microseconds()-1))
		if got := blocks(t, s, "auth0|ann"); len(got) != 1 {
			t.Errorf("too early: %+v", got)
		}
		must(t, s.Sweep(bg, day+guard.Memory.Microseconds()))
		if got := blocks(t, s, "auth0|ann"); len(got) != 0 {
			t.Errorf("too late: %+v", got)
		}
	})

	t.Run("replaced passwords", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", "ben@example.com"))
		for i := range 4 {
			must(t, second(s.UpdateUser(bg, "auth0|ann", func(*user.User) (user.Effect, error) {
				old := user.OldPassword{Hash: fmt.Sprint("hash", i), SetAt: day + int64(i)}
				return user.Effect{Retires: user.Retirement{ConnectionID: ourConnection, OldPassword: old, Keep: 2}}, nil
			})))
		}
		old := func(id user.ID, limit int) []user.OldPassword {
			list, err := s.OldPasswords(bg, id, ourConnection, limit)
			must(t, err)
			return list
		}
		if got := old("auth0|ann", 24); !slices.Equal(got, []user.OldPassword{{Hash: "hash3", SetAt: day + 3}, {Hash: "hash2", SetAt: day + 2}}) {
			t.Errorf("kept: %+v", got)
		}
		if got := old("auth0|ann", 1); len(got) != 1 || got[0].Hash != "hash3" {
			t.Errorf("the newest: %+v", got)
		}
		if got := old("auth0|ben", 24); len(got) != 0 {
			t.Errorf("another's: %+v", got)
		}
		must(t, s.DeleteUser(bg, "auth0|ann", 0, user.Effect{}))
		if got := old("auth0|ann", 24); len(got) != 0 {
			t.Errorf("of somebody who is gone: %+v", got)
		}
	})
}
