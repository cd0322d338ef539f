package storetest

import (
	"errors"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runFederate(t *testing.T, open func(testing.TB) *store.Store) {
	login := user.Logins{Last: day + 100, IP: "198.51.100.7", Count: 1}
	first := func(u *user.User) (*user.User, user.Effect, error) {
		if u != nil {
			return u, user.Effect{Unchanged: true}, nil
		}
		return upstreamUser("s", "s@example.com"), user.Effect{}, nil
	}

	t.Run("racing first logins make one user", func(t *testing.T) {
		s := open(t)
		const n = 20
		got := race(n, func(int) error {
			u, err := s.Federate(bg, upstream, "s", login, first)
			if err == nil && (u == nil || u.ID != "google-oauth2|s") {
				return errors.New("no user came back")
			}
			return err
		})
		u, err := s.User(bg, "google-oauth2|s")
		must(t, err)
		page, err := s.Users(bg, "", 10)
		must(t, err)
		if got["ok"] != n || len(page) != 1 || u.Logins.Count != n || u.Version != 1 {
			t.Errorf("outcomes %v, %d users, %+v, version %d", got, len(page), u.Logins, u.Version)
		}
	})

	t.Run("an unchanged login writes claims, tokens and the record only", func(t *testing.T) {
		s := open(t)
		_, err := s.Federate(bg, upstream, "s", login, first)
		must(t, err)
		u, err := s.Federate(bg, upstream, "s", login, func(u *user.User) (*user.User, user.Effect, error) {
			if string(u.Identities[0].Claims) != `{"sub":"s"}` || string(u.Identities[0].Tokens) != `{"access_token":"at-s"}` {
				t.Errorf("fn sees %s, %s", u.Identities[0].Claims, u.Identities[0].Tokens)
			}
			u.Identities[0].Claims, u.Identities[0].ClaimsAt = profile.Value(`{"sub":"s","new":1}`), day+8
			u.Identities[0].Tokens = profile.Value(`{"access_token":"fresh"}`)
			return u, user.Effect{Unchanged: true}, nil
		})
		must(t, err)
		if u.Version != 1 || u.Logins != (user.Logins{Last: login.Last, IP: login.IP, Count: 2}) {
			t.Errorf("got version %d, %+v", u.Version, u.Logins)
		}
		got, err := s.User(bg, u.ID)
		must(t, err)
		id := got.Identities[0]
		if got.Version != 1 || string(id.Claims) != `{"sub":"s","new":1}` || id.ClaimsAt != day+8 || string(id.Tokens) != `{"access_token":"fresh"}` {
			t.Errorf("stored %+v", got)
		}
	})

	t.Run("a changing login races with edits, and both stay", func(t *testing.T) {
		s := open(t)
		_, err := s.Federate(bg, upstream, "s", login, first)
		must(t, err)
		const n = 40
		got := race(n, func(i int) error {
			name := numbered("k%02d", n)[i]
			if i%2 == 0 {
				_, err := s.UpdateUser(bg, "google-oauth2|s", set(name, "v"))
				return err
			}
			_, err := s.Federate(bg, upstream, "s", login, func(u *user.User) (*user.User, user.Effect, error) {
				u.Profile.Set(name, profile.Text("v"), src(day))
				return u, user.Effect{}, nil
			})
			return err
		})
		u, err := s.User(bg, "google-oauth2|s")
		must(t, err)
		if got["ok"] != n || len(u.Profile.All()) != n+1 || u.Version != n+1 || u.Logins.Count != n/2+1 {
			t.Errorf("outcomes %v, %d attributes, version %d, %+v", got, len(u.Profile.All()), u.Version, u.Logins)
		}
	})

	t.Run("found by a linked identity", func(t *testing.T) {
		s := open(t)
		u := ourUser("u", "u@example.com")
		u.Identities = append(u.Identities, upstreamUser("s", "").Identities[0])
		create(t, s, u)
		got, err := s.Federate(bg, upstream, "s", login, func(u *user.User) (*user.User, user.Effect, error) {
			return u, user.Effect{Unchanged: true}, nil
		})
		if err != nil || got.ID != u.ID {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	t.Run("nothing to keep", func(t *testing.T) {
		s := open(t)
		u, err := s.Federate(bg, upstream, "s", login, func(*user.User) (*user.User, user.Effect, error) {
			return nil, user.Effect{Events: []audit.Event{event("")}}, nil
		})
		if u != nil || err != nil {
			t.Errorf("got %v, %v", u, err)
		}
		refusal := errs.New(errs.Forbidden, "access_denied", "no")
		if _, err := s.Federate(bg, upstream, "s", login, func(*user.User) (*user.User, user.Effect, error) {
			return upstreamUser("s", ""), user.Effect{}, refusal
		}); !errors.Is(err, refusal) {
			t.Errorf("got %v", err)
		}
		if page, err := s.Users(bg, "", 10); err != nil || len(page) != 0 {
			t.Errorf("users: %v, %v", ids(page), err)
		}
	})

	t.Run("the user id of somebody else", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("u", ""))
		_, err := s.Federate(bg, upstream, "s", login, func(*user.User) (*user.User, user.Effect, error) {
			u := upstreamUser("s", "")
			u.ID = "auth0|u"
			return u, user.Effect{}, nil
		})
		if !errors.Is(err, user.ErrExists) {
			t.Errorf("got %v", err)
		}
	})
}
