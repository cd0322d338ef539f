package storetest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runUsers(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("what is created is read", func(t *testing.T) {
		s := open(t)
		u := ourUser("full", "Full@Example.com")
		u.Profile.Set(profile.UserMetadata, profile.Value(`{"n":1234567890123456789012,"t":"ä\u0001\"<>&"}`), src(day))
		u.Profile.Set("locale", profile.Text("de"), profile.Source{Origin: profile.FromUpstream, Connection: upstream, At: day + 7})
		u.MFAFactors = profile.Value(`[{"totp":{"secret":"AAAA"}}]`)
		u.Password = user.Password{Hash: "$2b$10$x", SetAt: day + 3, Imported: true}
		u.Logins = user.Logins{Last: day + 9, IP: "203.0.113.9", Count: 4}
		second := upstreamUser("sub|with|bars", "other@example.com").Identities[0]
		second.ProfileData.Set(profile.Name, profile.Text("Linked"), src(day))
		u.Identities = append(u.Identities, second)
		create(t, s, u)

		got, err := s.User(bg, u.ID)
		must(t, err)
		if !got.Profile.Equal(u.Profile) || !bytes.Equal(user.EncodeSources(got.Profile), user.EncodeSources(u.Profile)) {
			t.Errorf("profile: %s, want %s", user.EncodeAttributes(got.Profile), user.EncodeAttributes(u.Profile))
		}
		if got.Password != u.Password || got.Logins != u.Logins || got.CreatedAt != day || got.UpdatedAt != day || got.Version != 1 {
			t.Errorf("got %+v", got)
		}
		if string(got.MFAFactors) != string(u.MFAFactors) {
			t.Errorf("factors: %s", got.MFAFactors)
		}
		id := got.Identities[1]
		if id.Subject != "sub|with|bars" || string(id.Claims) != string(second.Claims) || id.ClaimsAt != day || string(id.Tokens) != string(second.Tokens) ||
			!id.ProfileData.Equal(second.ProfileData) {
			t.Errorf("second identity: %+v", id)
		}
		v, err := s.View(bg, u.ID)
		must(t, err)
		want := user.ViewOf(u)
		if !bytes.Equal(v.Attributes, want.Attributes) || !bytes.Equal(v.Identities, want.Identities) ||
			v.Logins != want.Logins || v.LastPasswordReset != want.LastPasswordReset || v.ID != u.ID || v.Version != 1 {
			t.Errorf("view %+v, want %+v", v, want)
		}
	})

	t.Run("not found", func(t *testing.T) {
		s := open(t)
		none := user.ID("auth0|none")
		_, e1 := s.View(bg, none)
		_, e2 := s.User(bg, none)
		_, e3 := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "none@example.com")
		_, e4 := s.UpdateUser(bg, none, set("name", "x"))
		e5 := s.DeleteUser(bg, none, 0, user.Effect{})
		e6 := s.RecordLogin(bg, none, user.Logins{Last: day, Count: 1}, "", "", user.Effect{})
		for i, err := range []error{e1, e2, e3, e4, e5, e6} {
			if !errors.Is(err, user.ErrNotFound) {
				t.Errorf("case %d: %v", i, err)
			}
		}
		if list, err := s.ViewsByEmail(bg, ""); err != nil || len(list) != 0 {
			t.Errorf("empty e-mail found %v, %v", list, err)
		}
	})

	t.Run("uniqueness", func(t *testing.T) {
		s := open(t)
		one := ourUser("one", "one@example.com")
		one.Profile.Set(profile.Username, profile.Text("First"), src(day))
		one.Profile.Set(profile.PhoneNumber, profile.Text("+4912345"), src(day))
		create(t, s, one, upstreamUser("g", "one@example.com"))
		withName := func(id, name string) *user.User {
			u := ourUser(id, "")
			u.Profile.Set(profile.Username, profile.Text(name), src(day))
			return u
		}
		withPhone := ourUser("p", "")
		withPhone.Profile.Set(profile.PhoneNumber, profile.Text("+4912345"), src(day))
		elsewhere := ourUser("elsewhere", "one@example.com")
		elsewhere.Identities[0].ConnectionID = otherConnection
		for name, c := range map[string]struct {
			u    *user.User
			want error
		}{
			"id":                        {ourUser("one", "two@example.com"), user.ErrExists},
			"e-mail":                    {ourUser("two", "one@example.com"), user.ErrExists},
			"e-mail in capitals":        {ourUser("two", "ONE@example.com"), user.ErrExists},
			"username":                  {withName("two", "fIRST"), user.ErrUsernameTaken},
			"phone number":              {withPhone, user.ErrExists},
			"identity of an upstream":   {upstreamUser("g", "new@example.com"), user.ErrExists},
			"e-mail, other connection":  {elsewhere, nil},
			"e-mail of upstream's user": {upstreamUser("h", "one@example.com"), nil},
		} {
			if err := s.CreateUser(bg, c.u, user.Effect{}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			} else if c.want != nil && c.u.ID != one.ID && c.u.ID != "google-oauth2|g" {
				if _, err := s.View(bg, c.u.ID); !errors.Is(err, user.ErrNotFound) {
					t.Errorf("%s: a refused user is there: %v", name, err)
				}
			}
		}
		views, err := s.ViewsByEmail(bg, "one@example.com")
		must(t, err)
		if len(views) != 4 {
			t.Errorf("by e-mail: %v", ids(views))
		}
		wanted := []user.ID{one.ID, "auth0|nobody", views[3].ID, one.ID}
		if list, err := s.Views(bg, wanted); err != nil || len(list) != 2 || list[0].ID == list[1].ID {
			t.Errorf("by their ids: %v, %v", ids(list), err)
		}
		if list, err := s.Views(bg, nil); err != nil || len(list) != 0 {
			t.Errorf("nobody: %v, %v", ids(list), err)
		}
	})

	t.Run("uniqueness under a race", func(t *testing.T) {
		s := open(t)
		names := numbered("racer%02d", 40)
		got := race(len(names), func(i int) error {
			return s.CreateUser(bg, ourUser(names[i], "same@example.com"), user.Effect{Events: nil})
		})
		if got["ok"] != 1 || got[user.ErrExists.Error()] != 39 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("deletion frees all", func(t *testing.T) {
		s := open(t)
		u := ourUser("gone", "gone@example.com")
		u.Profile.Set(profile.Username, profile.Text("gone"), src(day))
		u.Identities = append(u.Identities, upstreamUser("linked", "x@example.com").Identities[0])
		u.Logins = user.Logins{Last: day, IP: "::1", Count: 9}
		create(t, s, u)
		must(t, s.CreateSession(bg, session.Session{Hash: "h", ID: "sid", UserID: string(u.ID), ExpiresAt: day * 2, IdleUntil: day * 2}))
		must(t, s.DeleteUser(bg, u.ID, 0, user.Effect{}))
		if _, err := s.Session(bg, "h", day); !errors.Is(err, session.ErrNone) {
			t.Errorf("session: %v", err)
		}
		u.Logins, u.Version = user.Logins{}, 0
		create(t, s, u)
		v, err := s.View(bg, u.ID)
		must(t, err)
		if v.Logins != (user.Logins{}) {
			t.Errorf("the new user inherited logins: %+v", v.Logins)
		}
	})

	t.Run("keyset pages are stable under inserts, mixed case by bytes", func(t *testing.T) {
		s := open(t)
		all := []string{"B", "a", "C", "b", "_", "0", "é", "Z", "A", "c"}
		for _, id := range all {
			create(t, s, ourUser(id, ""))
		}
		want := slices.Clone(all)
		slices.Sort(want) // Go orders by bytes
		var got []string
		var after user.ID
		for {
			page, err := s.Users(bg, after, 3)
			must(t, err)
			if len(page) == 0 {
				break
			}
			for _, v := range page {
				got = append(got, strings.TrimPrefix(string(v.ID), "auth0|"))
			}
			after = page[len(page)-1].ID
			create(t, s, ourUser("0"+strings.Repeat("0", len(got)), "")) // before the page: must not shift it
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("oldest first by e-mail", func(t *testing.T) {
		s := open(t)
		young, old := upstreamUser("a", "e@example.com"), upstreamUser("b", "e@example.com")
		young.CreatedAt, old.CreatedAt = day+1, day
		create(t, s, young, old, upstreamUser("c", "E@example.com"))
		views, err := s.ViewsByEmail(bg, "e@example.com")
		must(t, err)
		if !slices.Equal(ids(views), []string{string(old.ID), string(young.ID)}) {
			t.Errorf("got %v", ids(views))
		}
	})

	t.Run("a cancelled caller gets an answer", func(t *testing.T) {
		s := open(t)
		ctx, cancel := cancelled()
		defer cancel()
		err := s.CreateUser(ctx, ourUser("late", ""), user.Effect{})
		if errs.KindOf(err) != errs.Unavailable {
			t.Errorf("got %v", err)
		}
		if _, err := s.View(bg, "auth0|late"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a skipped write is there: %v", err)
		}
	})
}
