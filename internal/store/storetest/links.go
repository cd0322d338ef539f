package storetest

import (
	"errors"
	"fmt"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// link is the smallest function that links: identities and what they sign in with.
func link(u, other *user.User) (user.Effect, error) {
	if other == nil {
		return user.Effect{}, user.ErrNoSecondary
	}
	for i, id := range other.Identities {
		if i == 0 {
			id.ProfileData, id.Password = profile.Linked(other.Profile), other.Password
		}
		u.Identities = append(u.Identities, id)
	}
	return user.Effect{}, nil
}

// unlink makes the last identity a user of its own.
func unlink(u *user.User) (*user.User, user.Effect, error) {
	last := len(u.Identities) - 1
	if last == 0 {
		return nil, user.Effect{}, user.ErrMainIdentity
	}
	id := u.Identities[last]
	u.Identities = u.Identities[:last]
	alone := &user.User{ID: user.ID(id.Provider + "|" + id.UserID), Profile: id.ProfileData, Password: id.Password, CreatedAt: day + 9, UpdatedAt: day + 9}
	id.ProfileData, id.Password = profile.Profile{}, user.Password{}
	alone.Identities = []user.Identity{id}
	return alone, user.Effect{}, nil
}

func runLinks(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("a link moves all that hangs on the identity", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), upstreamUser("g", "g@example.com"), ourUser("b", "b@example.com"))
		for _, id := range []user.ID{"auth0|a", "auth0|b"} {
			must(t, s.CreateSession(bg, session.Session{Hash: string(id), UserID: string(id), ConnectionID: ourConnection, ExpiresAt: day * 2, IdleUntil: day * 2}))
		}
		for _, other := range []user.ID{"google-oauth2|g", "auth0|b"} {
			_, err := s.LinkUsers(bg, "auth0|a", other, link)
			must(t, err)
			if _, err := s.View(bg, other); !errors.Is(err, user.ErrNotFound) {
				t.Errorf("%s is there: %v", other, err)
			}
		}
		u, err := s.User(bg, "auth0|a")
		must(t, err)
		if len(u.Identities) != 3 || u.Version != 3 || u.Profile.Text(profile.Email) != "a@example.com" {
			t.Fatalf("got %+v", u)
		}
		if g := u.Identities[1]; string(g.Claims) != `{"sub":"g"}` || string(g.Tokens) != `{"access_token":"at-g"}` || g.ClaimsAt != day {
			t.Errorf("the upstream identity: %+v", g)
		}
		if b := u.Identities[2]; b.Password.Hash != "$2a$10$hash-of-b" {
			t.Errorf("the password: %+v", b.Password)
		}
		if u.Identities[0].ProfileData.Text(profile.Email) != "a@example.com" {
			t.Error("the primary does not show its profile data")
		}
		for _, email := range []string{"a@example.com", "b@example.com"} {
			if found, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, email); err != nil || found.ID != u.ID {
				t.Errorf("%s: %v, %v", email, found, err)
			}
			if err := s.CreateUser(bg, ourUser("new", email), user.Effect{}); !errors.Is(err, user.ErrExists) {
				t.Errorf("%s is free: %v", email, err)
			}
		}
		if _, err := s.Session(bg, "auth0|b", day); !errors.Is(err, session.ErrNone) {
			t.Errorf("the second user's session: %v", err)
		}
		_, err = s.Session(bg, "auth0|a", day)
		must(t, err)
		if has, err := s.HasIdentity(bg, upstream, "g"); err != nil || !has {
			t.Errorf("has the identity: %v, %v", has, err)
		}
		if has, err := s.HasIdentity(bg, upstream, "h"); err != nil || has {
			t.Errorf("has another: %v, %v", has, err)
		}
		got, err := s.Federate(bg, upstream, "g", user.Logins{Last: day, Count: 1}, func(u *user.User) (*user.User, user.Effect, error) {
			return u, user.Effect{Unchanged: true}, nil
		})
		if err != nil || got == nil || got.ID != u.ID {
			t.Errorf("a login by the linked identity: %v, %v", got, err)
		}
	})

	t.Run("one user has each sign-in name once", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"))
		_, err := s.LinkUsers(bg, "auth0|a", "auth0|b", link)
		must(t, err)
		if _, err := s.UpdateUser(bg, "auth0|a", set(profile.Email, "B@example.com")); !errors.Is(err, user.ErrExists) {
			t.Errorf("the e-mail of its own secondary: %v", err)
		}
		_, err = s.UpdateUser(bg, "auth0|a", func(u *user.User) (user.Effect, error) {
			u.Identities[1].ProfileData.Set(profile.Email, profile.Text("c@example.com"), src(day))
			return user.Effect{}, nil
		})
		must(t, err)
		create(t, s, ourUser("next", "b@example.com")) // free again
		if u, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "c@example.com"); err != nil || u.ID != "auth0|a" {
			t.Errorf("by the new e-mail: %v, %v", u, err)
		}
	})

	t.Run("an unlink is the way back", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"), upstreamUser("g", "g@example.com"))
		for _, other := range []user.ID{"auth0|b", "google-oauth2|g"} {
			_, err := s.LinkUsers(bg, "auth0|a", other, link)
			must(t, err)
		}
		for _, connectionID := range []string{ourConnection, upstream} {
			must(t, s.CreateSession(bg, session.Session{Hash: connectionID, UserID: "auth0|a", ConnectionID: connectionID, ExpiresAt: day * 2, IdleUntil: day * 2}))
		}
		u, err := s.UnlinkUser(bg, "auth0|a", unlink)
		must(t, err)
		if len(u.Identities) != 2 {
			t.Errorf("left: %+v", u.Identities)
		}
		g, err := s.User(bg, "google-oauth2|g")
		must(t, err)
		if id := g.Identities[0]; string(id.Claims) != `{"sub":"g"}` || string(id.Tokens) != `{"access_token":"at-g"}` || g.Profile.Text(profile.Email) != "g@example.com" {
			t.Errorf("the upstream user: %+v", g)
		}
		if _, err := s.Session(bg, upstream, day); !errors.Is(err, session.ErrNone) {
			t.Errorf("the session that came by the identity: %v", err)
		}
		_, err = s.Session(bg, ourConnection, day)
		must(t, err)
		_, err = s.UnlinkUser(bg, "auth0|a", unlink)
		must(t, err)
		b, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "b@example.com")
		must(t, err)
		if b.ID != "auth0|b" || b.Password.Hash != "$2a$10$hash-of-b" || b.Version != 1 || b.CreatedAt != day+9 {
			t.Errorf("the user of ours: %+v", b)
		}
		before, err := s.View(bg, "auth0|a")
		must(t, err)
		if _, err := s.UnlinkUser(bg, "auth0|a", unlink); !errors.Is(err, user.ErrMainIdentity) {
			t.Errorf("the main identity: %v", err)
		}
		after, err := s.View(bg, "auth0|a")
		must(t, err)
		if after.Version != before.Version {
			t.Error("a refusal changed the version")
		}
	})

	t.Run("a part that cannot be a user stays where it was", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"))
		_, err := s.LinkUsers(bg, "auth0|a", "auth0|b", link)
		must(t, err)
		other := ourUser("b", "other@example.com") // the id is free, in another connection
		other.Identities[0].ConnectionID = otherConnection
		create(t, s, other)
		if _, err := s.UnlinkUser(bg, "auth0|a", unlink); !errors.Is(err, user.ErrExists) {
			t.Errorf("got %v", err)
		}
		u, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "b@example.com")
		if err != nil || u.ID != "auth0|a" || len(u.Identities) != 2 {
			t.Errorf("the user is %+v, %v", u, err)
		}
	})

	t.Run("who is not there", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"))
		if _, err := s.LinkUsers(bg, "auth0|none", "auth0|a", link); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("no first user: %v", err)
		}
		if _, err := s.LinkUsers(bg, "auth0|a", "auth0|none", link); !errors.Is(err, user.ErrNoSecondary) {
			t.Errorf("no second user: %v", err)
		}
		if _, err := s.UnlinkUser(bg, "auth0|none", unlink); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("nobody to unlink from: %v", err)
		}
		v, err := s.View(bg, "auth0|a")
		if err != nil || v.Version != 1 {
			t.Errorf("the user: %+v, %v", v, err)
		}
	})

	t.Run("one second user, many links: one wins", func(t *testing.T) {
		s := open(t)
		const n = 12
		names := numbered("p%02d", n)
		for _, id := range names {
			create(t, s, ourUser(id, id+"@example.com"))
		}
		create(t, s, ourUser("b", "b@example.com"))
		got := race(n, func(i int) error {
			_, err := s.LinkUsers(bg, user.ID("auth0|"+names[i]), "auth0|b", link)
			return err
		})
		if got["ok"] != 1 || got[user.ErrNoSecondary.Error()] != n-1 {
			t.Errorf("outcomes: %v", got)
		}
		linked := 0
		for _, id := range names {
			u, err := s.User(bg, user.ID("auth0|"+id))
			must(t, err)
			linked += len(u.Identities) - 1
		}
		if linked != 1 {
			t.Errorf("linked %d times", linked)
		}
	})

	t.Run("two users that link each other: one wins", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"))
		pair := []user.ID{"auth0|a", "auth0|b"}
		got := race(2, func(i int) error {
			_, err := s.LinkUsers(bg, pair[i], pair[1-i], link)
			if errors.Is(err, user.ErrNotFound) || errors.Is(err, user.ErrNoSecondary) {
				return errors.New("lost")
			}
			return err
		})
		if got["ok"] != 1 || got["lost"] != 1 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("links, unlinks, edits and deletions at once leave nobody half", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"))
		const n = 40
		got := race(n, func(i int) error {
			var err error
			switch i % 4 {
			case 0:
				_, err = s.LinkUsers(bg, "auth0|a", "auth0|b", link)
			case 1:
				_, err = s.UnlinkUser(bg, "auth0|a", unlink)
			default:
				_, err = s.UpdateUser(bg, "auth0|a", set(fmt.Sprintf("from_%02d", i), "x"))
			}
			if k := errs.KindOf(err); err == nil || k == errs.Invalid {
				return nil
			}
			return err
		})
		if got["ok"] != n {
			t.Errorf("outcomes: %v", got)
		}
		u, err := s.User(bg, "auth0|a")
		must(t, err)
		edits := 0
		for _, a := range u.Profile.All() {
			if a.Name[0] == 'f' {
				edits++
			}
		}
		if edits != n/2 {
			t.Errorf("%d edits of %d are there", edits, n/2)
		}
		_, err = s.View(bg, "auth0|b")
		if linked := len(u.Identities) == 2; linked == (err == nil) {
			t.Errorf("linked %v, and on its own: %v", linked, err)
		}
		if owner, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "b@example.com"); err != nil || len(u.Identities) == 2 != (owner.ID == u.ID) {
			t.Errorf("the e-mail is of %v, %v", owner, err)
		}
	})

	t.Run("a deletion of a version", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"))
		if err := s.DeleteUser(bg, "auth0|a", 2, user.Effect{}); !errors.Is(err, user.ErrStale) {
			t.Errorf("another version: %v", err)
		}
		v, err := s.View(bg, "auth0|a")
		if err != nil || v.Version != 1 {
			t.Errorf("%+v, %v", v, err)
		}
		must(t, s.DeleteUser(bg, "auth0|a", 1, user.Effect{}))
		if err := s.DeleteUser(bg, "auth0|a", 1, user.Effect{}); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
	})
}
