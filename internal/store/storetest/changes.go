package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runChanges(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("no update is lost", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"))
		const n = 300
		got := race(n, func(i int) error {
			_, err := s.UpdateUser(bg, "auth0|u", func(u *user.User) (user.Effect, error) {
				seen, _ := strconv.Atoi(u.Profile.Text(profile.Name))
				u.Profile.Set(profile.Name, profile.Text(strconv.Itoa(seen+1)), src(day))
				u.Profile.Set(fmt.Sprintf("from_%03d", i), profile.Bool(true), src(day))
				return user.Effect{}, nil
			})
			return err
		})
		u, err := s.User(bg, "auth0|u")
		must(t, err)
		if got["ok"] != n || u.Profile.Text(profile.Name) != strconv.Itoa(n) || u.Version != n+1 || len(u.Profile.All()) != n+3 {
			t.Errorf("outcomes %v, name %s, version %d, %d attributes", got, u.Profile.Text(profile.Name), u.Version, len(u.Profile.All()))
		}
	})

	t.Run("versions", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"))
		var seen int64
		u, err := s.UpdateUser(bg, "auth0|u", func(u *user.User) (user.Effect, error) {
			seen = u.Version
			u.Profile.Set(profile.Name, profile.Text("N"), src(day))
			return user.Effect{}, nil
		})
		must(t, err)
		if seen != 1 || u.Version != 2 {
			t.Errorf("fn saw %d, the result has %d", seen, u.Version)
		}
	})

	t.Run("a refusal and an unchanged user leave no trace", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"))
		before, err := s.View(bg, "auth0|u")
		must(t, err)
		refusal := errs.New(errs.Invalid, "invalid_body", "no")
		for name, fn := range map[string]func(*user.User) (user.Effect, error){
			"refused": func(u *user.User) (user.Effect, error) {
				u.Profile.Set("name", profile.Text("x"), src(day))
				return user.Effect{}, refusal
			},
			"unchanged": func(*user.User) (user.Effect, error) { return user.Effect{Unchanged: true}, nil },
		} {
			_, err := s.UpdateUser(bg, "auth0|u", fn)
			if name == "refused" != errors.Is(err, refusal) {
				t.Errorf("%s: %v", name, err)
			}
			after, err := s.View(bg, "auth0|u")
			must(t, err)
			if string(after.Attributes) != string(before.Attributes) || after.Version != before.Version {
				t.Errorf("%s: %+v", name, after)
			}
		}
	})

	t.Run("a panic is one caller's own", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"), ourUser("v", "v@example.com"))
		got := race(20, func(i int) error {
			if i%2 == 0 {
				_, err := s.UpdateUser(bg, "auth0|u", func(*user.User) (user.Effect, error) { panic("boom") })
				if err == nil || errs.KindOf(err) != errs.Internal {
					return fmt.Errorf("a panic gave %w", err)
				}
				return nil
			}
			_, err := s.UpdateUser(bg, "auth0|v", set(profile.Name, "ok"))
			return err
		})
		if got["ok"] != 20 {
			t.Errorf("outcomes: %v", got)
		}
		v, err := s.View(bg, "auth0|v")
		must(t, err)
		if v.Version != 11 {
			t.Errorf("version %d", v.Version)
		}
	})

	t.Run("identifiers follow the profile", func(t *testing.T) {
		s := open(t)
		other := ourUser("other", "other@example.com")
		other.Profile.Set(profile.Username, profile.Text("other"), src(day))
		create(t, s, ourUser("u", "u@example.com"), other)
		for _, c := range []struct {
			name, value string
			want        error
		}{
			{profile.Email, "Other@example.com", user.ErrExists},
			{profile.Username, "OTHER", user.ErrUsernameTaken},
			{profile.Email, "new@example.com", nil},
			{profile.Email, "NEW@example.com", nil},
			{profile.Username, "mine", nil},
		} {
			if _, err := s.UpdateUser(bg, "auth0|u", set(c.name, c.value)); !errors.Is(err, c.want) {
				t.Errorf("%s=%s: %v", c.name, c.value, err)
			}
		}
		create(t, s, ourUser("next", "u@example.com")) // the old e-mail is free
		for kind, v := range map[string]string{user.ByEmail: "new@example.com", user.ByUsername: "mine"} {
			u, err := s.UserByIdentifier(bg, ourConnection, kind, v)
			if err != nil || u.ID != "auth0|u" {
				t.Errorf("%s %s: %v, %v", kind, v, u, err)
			}
		}
		views, err := s.ViewsByEmail(bg, "NEW@example.com")
		must(t, err)
		if len(views) != 1 {
			t.Errorf("by e-mail as written: %v", ids(views))
		}
	})

	t.Run("identities by difference", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"), upstreamUser("taken", "t@example.com"))
		link := func(subject string) func(*user.User) (user.Effect, error) {
			return func(u *user.User) (user.Effect, error) {
				u.Identities = append(u.Identities, upstreamUser(subject, "").Identities[0])
				return user.Effect{}, nil
			}
		}
		if _, err := s.UpdateUser(bg, "auth0|u", link("taken")); !errors.Is(err, user.ErrExists) {
			t.Errorf("an identity of somebody else: %v", err)
		}
		_, err := s.UpdateUser(bg, "auth0|u", link("free"))
		must(t, err)
		_, err = s.UpdateUser(bg, "auth0|u", set(profile.Name, "n")) // claims are not loaded: they must stay
		must(t, err)
		u, err := s.User(bg, "auth0|u")
		must(t, err)
		if len(u.Identities) != 2 || string(u.Identities[1].Tokens) != `{"access_token":"at-free"}` || u.Identities[1].Claims == nil {
			t.Errorf("identities: %+v", u.Identities)
		}
		_, err = s.UpdateUser(bg, "auth0|u", func(u *user.User) (user.Effect, error) {
			u.Identities = u.Identities[:1]
			return user.Effect{}, nil
		})
		must(t, err)
		create(t, s, upstreamUser("free", "f@example.com")) // unlinked: may be somebody's again
	})

	t.Run("sessions end with the change", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", ""), ourUser("v", ""))
		for _, id := range []string{"u", "v"} {
			must(t, s.CreateSession(bg, session.Session{Hash: id, UserID: "auth0|" + id, ExpiresAt: day * 2, IdleUntil: day * 2}))
		}
		_, err := s.UpdateUser(bg, "auth0|u", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Blocked, profile.Bool(true), src(day))
			return user.Effect{EndSessions: true}, nil
		})
		must(t, err)
		if _, err := s.Session(bg, "u", day); !errors.Is(err, session.ErrNone) {
			t.Errorf("the session lives: %v", err)
		}
		_, err = s.Session(bg, "v", day)
		must(t, err)
	})
}

func runLogins(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("logins add up and leave the user alone", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", "u@example.com"))
		const n = 50
		got := race(n, func(i int) error {
			return s.RecordLogin(bg, "auth0|u", user.Logins{Last: day + 5, IP: "192.0.2.1", Count: 1}, "", "", user.Effect{})
		})
		v, err := s.View(bg, "auth0|u")
		must(t, err)
		if got["ok"] != n || v.Logins != (user.Logins{Last: day + 5, IP: "192.0.2.1", Count: n}) || v.Version != 1 {
			t.Errorf("outcomes %v, %+v", got, v)
		}
	})

	t.Run("a rehash replaces the hash it was made from, and no other", func(t *testing.T) {
		s := open(t)
		u := ourUser("u", "u@example.com")
		u.Password.Imported = true
		create(t, s, u)
		login := user.Logins{Last: day, Count: 1}
		must(t, s.RecordLogin(bg, u.ID, login, "stale", "wrong", user.Effect{}))
		must(t, s.RecordLogin(bg, u.ID, login, u.Password.Hash, "new", user.Effect{}))
		got, err := s.User(bg, u.ID)
		must(t, err)
		if got.Password.Hash != "new" || got.Password.Imported || got.Logins.Count != 2 {
			t.Errorf("got %+v %+v", got.Password, got.Logins)
		}
	})
}
