package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/refresh"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// refreshToken is a token of a user and client, newer by n microseconds than the first.
func refreshToken(userID, clientID string, n int64) *refresh.Token {
	_, secret := refresh.New()
	return &refresh.Token{
		Hash: secret.Family, ID: refresh.NewID(), UserID: userID, ClientID: clientID, SessionID: "sid", CodeHash: "", Audience: "api",
		Scope: []string{"openid", "offline_access"}, AuthTime: day - 5, WantsAuthTime: true, Methods: []string{"pwd", "mfa"},
		Leaves:    []refresh.Leaf{{Hash: secret.Leaf}},
		Device:    refresh.Device{InitialIP: "192.0.2.1", InitialUserAgent: "first", LastIP: "192.0.2.2", LastUserAgent: "last"},
		CreatedAt: day + n,
	}
}

func cleanup(userID string) audit.Event {
	return audit.Event{Type: audit.ResourceCleanup, At: day, UserID: userID}
}

// logTypesOf are the types of the records about a user, oldest first.
func logTypesOf(t testing.TB, s *store.Store, userID string) []string {
	t.Helper()
	list, err := s.Events(bg, audit.Span{UserID: userID, Limit: 100})
	must(t, err)
	var types []string
	for i := range list {
		types = append(types, list[i].Type)
	}
	return types
}

func runRefresh(t *testing.T, open func(testing.TB) *store.Store) {
	exchange := func(v *refresh.Token, next string) refresh.Exchange {
		return refresh.Exchange{
			Hash: v.Hash, Rotated: true, Before: v.Leaves, After: []refresh.Leaf{{Hash: next, Parent: v.Leaves[0].Hash}},
			At: day + 7, IP: "192.0.2.9", UserAgent: "new", Event: audit.Event{Type: audit.RefreshOK, At: day, UserID: v.UserID},
		}
	}
	alive := func(t testing.TB, s *store.Store, v *refresh.Token, want bool) {
		t.Helper()
		got, err := s.RefreshToken(bg, v.Hash)
		switch {
		case errors.Is(err, refresh.ErrUnknown):
			if want {
				t.Errorf("token %s is gone", v.ID)
			}
		case err != nil:
			t.Fatal(err)
		case (got.EndedAt == 0) != want:
			t.Errorf("token %s: ended at %d", v.ID, got.EndedAt)
		}
	}

	t.Run("comes back as it went", func(t *testing.T) {
		s := open(t)
		v := refreshToken("auth0|u", "c", 0)
		v.ExpiresAt, v.IdleUntil, v.Metadata = day+100, day+50, json.RawMessage(`{"a":"b"}`)
		must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		got, err := s.RefreshToken(bg, v.Hash)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, v)
		}
		if got, err = s.RefreshTokenByID(bg, v.ID, day+49); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("by id %+v, %v", got, err)
		}
		for _, err := range []error{second(s.RefreshTokenByID(bg, v.ID, day+50)), second(s.RefreshTokenByID(bg, "rft_none", day))} {
			if !errors.Is(err, refresh.ErrNone) {
				t.Errorf("by id, over or unknown: %v", err)
			}
		}
		if _, err := s.RefreshToken(bg, "none"); !errors.Is(err, refresh.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
		if types := logTypesOf(t, s, "auth0|u"); len(types) != 0 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("an exchange", func(t *testing.T) {
		s := open(t)
		v := refreshToken("auth0|u", "c", 0)
		must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		x := exchange(v, "next")
		x.IdleUntil, x.KeptUntil, x.Opaque = day+60, day+90, &token.Opaque{Hash: "o", UserID: "auth0|u", ClientID: "c", Scope: "openid", SessionID: "sid", ExpiresAt: day + 10}
		must(t, s.ExchangeRefresh(bg, x))
		got, err := s.RefreshToken(bg, v.Hash)
		must(t, err)
		if !reflect.DeepEqual(got.Leaves, x.After) || got.LastExchangedAt != day+7 || got.IdleUntil != day+60 || got.Device.LastIP != "192.0.2.9" ||
			got.Device.LastUserAgent != "new" || got.Device.InitialIP != "192.0.2.1" {
			t.Errorf("after: %+v", got)
		}
		o, err := s.Opaque(bg, "o", day)
		if err != nil || o != *x.Opaque {
			t.Errorf("opaque %+v, %v", o, err)
		}
		// What was read before is no longer so; then nothing is written.
		x.Opaque = &token.Opaque{Hash: "p", ExpiresAt: day + 10}
		if err := s.ExchangeRefresh(bg, x); !errors.Is(err, refresh.ErrChanged) {
			t.Errorf("again: %v", err)
		}
		if _, err := s.Opaque(bg, "p", day); !errors.Is(err, token.ErrToken) {
			t.Errorf("the token of an exchange that failed: %v", err)
		}
		// Without rotation the leaves do not count.
		x.Rotated, x.Opaque, x.KeptUntil = false, nil, 0
		must(t, s.ExchangeRefresh(bg, x))
		if types := logTypesOf(t, s, "auth0|u"); !slices.Equal(types, []string{audit.RefreshOK, audit.RefreshOK}) {
			t.Errorf("recorded %q", types)
		}
		must(t, s.Sweep(bg, day+89))
		alive(t, s, v, true)
		must(t, s.Sweep(bg, day+90))
		alive(t, s, v, false)
		if err := s.ExchangeRefresh(bg, x); !errors.Is(err, refresh.ErrChanged) {
			t.Errorf("of what is gone: %v", err)
		}
	})

	t.Run("one of twenty at once rotates", func(t *testing.T) {
		s := open(t)
		v := refreshToken("auth0|u", "c", 0)
		must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		next := numbered("next%d", 20)
		got := race(20, func(i int) error { return s.ExchangeRefresh(bg, exchange(v, next[i])) })
		if got["ok"] != 1 || got[refresh.ErrChanged.Error()] != 19 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("the oldest give way", func(t *testing.T) {
		s := open(t)
		var first, over *refresh.Token
		for i := range int64(refresh.MaxPerClient) {
			v := refreshToken("auth0|u", "c", i)
			switch i {
			case 0:
				first = v
			case 7:
				over = v
				v.ExpiresAt = day + 8
			}
			must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		}
		other, stranger := refreshToken("auth0|u", "d", -5), refreshToken("auth0|v", "c", -5)
		must(t, s.StartRefresh(bg, other, cleanup("auth0|u")))
		must(t, s.StartRefresh(bg, stranger, cleanup("auth0|v")))
		if types := logTypesOf(t, s, "auth0|u"); len(types) != 0 {
			t.Errorf("recorded %q", types)
		}
		// What is over goes before what is good.
		must(t, s.StartRefresh(bg, refreshToken("auth0|u", "c", 1000), cleanup("auth0|u")))
		alive(t, s, over, false)
		alive(t, s, first, true)
		must(t, s.StartRefresh(bg, refreshToken("auth0|u", "c", 1001), cleanup("auth0|u")))
		alive(t, s, first, false)
		alive(t, s, other, true)
		alive(t, s, stranger, true)
		if types := logTypesOf(t, s, "auth0|u"); !slices.Equal(types, []string{audit.ResourceCleanup, audit.ResourceCleanup}) {
			t.Errorf("recorded %q", types)
		}
		list, err := s.RefreshTokens(bg, refresh.Filter{UserID: "auth0|u", ClientID: "c"}, session.Mark{}, 1000)
		if err != nil || len(list) != refresh.MaxPerClient {
			t.Errorf("%d tokens, %v", len(list), err)
		}
	})

	t.Run("a code that is used twice takes its refresh token along", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveCode(bg, token.Code{Hash: "code", UserID: "auth0|u", ClientID: "c", ConnectionID: "con_1", Methods: "pwd mfa", ExpiresAt: day + 10}))
		code, err := s.RedeemCode(bg, "code", day)
		if err != nil || code.Methods != "pwd mfa" {
			t.Errorf("%+v, %v", code, err)
		}
		v, other := refreshToken("auth0|u", "c", 0), refreshToken("auth0|u", "c", 1)
		v.CodeHash = "code"
		must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		must(t, s.StartRefresh(bg, other, cleanup("auth0|u")))
		if _, err := s.RedeemCode(bg, "code", day); !errors.Is(err, token.ErrCode) {
			t.Errorf("again: %v", err)
		}
		alive(t, s, v, false)
		alive(t, s, other, true)
		late := refreshToken("auth0|u", "c", 2)
		late.CodeHash = "code"
		must(t, s.StartRefresh(bg, late, cleanup("auth0|u")))
		alive(t, s, late, false)
	})

	t.Run("revoked", func(t *testing.T) {
		s := open(t)
		a, b, c, d := refreshToken("auth0|u", "c", 0), refreshToken("auth0|u", "c", 1), refreshToken("auth0|u", "d", 2), refreshToken("auth0|v", "c", 3)
		b.Audience = "other"
		for _, v := range []*refresh.Token{a, b, c, d} {
			must(t, s.StartRefresh(bg, v, cleanup(v.UserID)))
		}
		e := audit.Event{Type: audit.RefreshRevoked, At: day, UserID: "auth0|u"}
		if was, err := s.RevokeRefresh(bg, a.Hash, e); err != nil || !was {
			t.Errorf("%v, %v", was, err)
		}
		if was, err := s.RevokeRefresh(bg, a.Hash, e); err != nil || was {
			t.Errorf("again: %v, %v", was, err)
		}
		alive(t, s, a, false)
		must(t, s.RevokeRefreshTokens(bg, "auth0|u", "c", "api", e))
		alive(t, s, b, true)
		if was, err := s.RevokeRefreshOf(bg, "auth0|u", "c", e); err != nil || !was {
			t.Errorf("%v, %v", was, err)
		}
		alive(t, s, b, false)
		alive(t, s, c, true)
		must(t, s.RevokeRefreshTokens(bg, "auth0|u", "", "", e))
		alive(t, s, c, false)
		must(t, s.RevokeRefreshIDs(bg, []string{"none", d.ID}, e))
		must(t, s.RevokeRefreshIDs(bg, nil, e))
		alive(t, s, d, false)
		if types := logTypesOf(t, s, "auth0|u"); len(types) != 4 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("metadata", func(t *testing.T) {
		s := open(t)
		v := refreshToken("auth0|u", "c", 0)
		v.ExpiresAt = day + 5
		must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		e := audit.Event{Type: audit.APIOperation, At: day}
		got, err := s.SetRefreshMetadata(bg, v.ID, json.RawMessage(`{"a":"b"}`), day, e)
		if err != nil || string(got.Metadata) != `{"a":"b"}` || got.ID != v.ID {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err = s.SetRefreshMetadata(bg, v.ID, nil, day, e); err != nil || got.Metadata != nil {
			t.Errorf("%+v, %v", got, err)
		}
		for _, err := range []error{second(s.SetRefreshMetadata(bg, v.ID, nil, day+5, e)), second(s.SetRefreshMetadata(bg, "none", nil, day, e))} {
			if !errors.Is(err, refresh.ErrNone) {
				t.Error(err)
			}
		}
		if types := logTypesOf(t, s, "auth0|u"); len(types) != 2 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("pages", func(t *testing.T) {
		s := open(t)
		var want []string
		for i := range int64(7) {
			v := refreshToken("auth0|u", "c", i/2)
			must(t, s.StartRefresh(bg, v, cleanup("auth0|u")))
		}
		all, err := s.RefreshTokens(bg, refresh.Filter{UserID: "auth0|u"}, session.Mark{}, 100)
		must(t, err)
		for _, v := range all {
			want = append(want, v.ID)
		}
		var got []string
		for mark := (session.Mark{}); ; {
			page, err := s.RefreshTokens(bg, refresh.Filter{UserID: "auth0|u", ClientID: "c"}, mark, 2)
			must(t, err)
			if len(page) == 0 {
				break
			}
			for _, v := range page {
				got = append(got, v.ID)
			}
			last := page[len(page)-1]
			mark = session.Mark{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		if len(want) != 7 || !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})

	// everything a user can have been given.
	given := func(t testing.TB, s *store.Store, userID, suffix string) *refresh.Token {
		must(t, s.CreateSession(bg, session.Session{Hash: "s" + suffix, ID: "sid" + suffix, UserID: userID, CreatedAt: day, ExpiresAt: day + 100, IdleUntil: day + 100}))
		must(t, s.SaveCode(bg, token.Code{Hash: "code" + suffix, UserID: userID, SessionID: "sid" + suffix, ExpiresAt: day + 100}))
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "of session" + suffix, UserID: userID, SessionID: "sid" + suffix, ExpiresAt: day + 100}))
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "of password" + suffix, UserID: userID, ExpiresAt: day + 100}))
		v := refreshToken(userID, "c", 0)
		v.SessionID = "sid" + suffix
		must(t, s.StartRefresh(bg, v, cleanup(userID)))
		return v
	}
	// left says what of it is there: session, code, both opaque tokens, refresh token.
	left := func(t testing.TB, s *store.Store, v *refresh.Token, suffix string) string {
		t.Helper()
		out := ""
		_, e1 := s.Session(bg, "s"+suffix, day)
		_, e2 := s.Opaque(bg, "of session"+suffix, day)
		_, e3 := s.Opaque(bg, "of password"+suffix, day)
		now, e4 := s.RefreshToken(bg, v.Hash)
		if e4 == nil && now.EndedAt != 0 {
			e4 = refresh.ErrUnknown
		}
		_, e5 := s.RedeemCode(bg, "code"+suffix, day)
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if err == nil {
				out += "sopri"[i : i+1]
			}
		}
		return out
	}

	for _, row := range []struct {
		name string
		end  func(s *store.Store, v *refresh.Token) error
		want string // s session, o opaque of it, p opaque without one, r refresh token, i code
	}{
		{"nothing", func(*store.Store, *refresh.Token) error { return nil }, "sopri"},
		{"session ended", func(s *store.Store, _ *refresh.Token) error { return s.EndSession(bg, "sid1", "", event("auth0|one")) }, "pr"},
		{"session revoked", func(s *store.Store, _ *refresh.Token) error {
			return s.RevokeSession(bg, "sid1", "auth0|one", false, event("auth0|one"))
		}, "p"},
		{"session revoked, tokens kept", func(s *store.Store, _ *refresh.Token) error {
			return s.RevokeSession(bg, "sid1", "", true, event("auth0|one"))
		}, "pr"},
		{"session of somebody else revoked", func(s *store.Store, _ *refresh.Token) error {
			return s.RevokeSession(bg, "sid1", "auth0|two", false, event("auth0|one"))
		}, "sopri"},
		{"all sessions ended", func(s *store.Store, _ *refresh.Token) error {
			return s.EndSessions(bg, "auth0|one", event("auth0|one"))
		}, "pr"},
		{"access revoked", func(s *store.Store, _ *refresh.Token) error {
			return s.RevokeAccess(bg, "auth0|one", false, event("auth0|one"))
		}, ""},
		{"access revoked, tokens kept", func(s *store.Store, _ *refresh.Token) error {
			return s.RevokeAccess(bg, "auth0|one", true, event("auth0|one"))
		}, "r"},
		{"blocked, or a new password", func(s *store.Store, _ *refresh.Token) error {
			_, err := s.UpdateUser(bg, "auth0|one", func(*user.User) (user.Effect, error) { return user.Effect{EndSessions: true}, nil })
			return err
		}, ""},
		{"deleted", func(s *store.Store, _ *refresh.Token) error {
			return s.DeleteUser(bg, "auth0|one", 0, user.Effect{})
		}, ""},
	} {
		t.Run("what ends: "+row.name, func(t *testing.T) {
			s := open(t)
			create(t, s, ourUser("one", ""), ourUser("two", ""))
			v, other := given(t, s, "auth0|one", "1"), given(t, s, "auth0|two", "2")
			must(t, row.end(s, v))
			if got := left(t, s, v, "1"); got != row.want {
				t.Errorf("left %q, want %q", got, row.want)
			}
			if got := left(t, s, other, "2"); got != "sopri" {
				t.Errorf("of somebody else %q is left", got)
			}
		})
	}

	t.Run("what a user lost is known for a while, and says nothing about them", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("one", ""))
		v := given(t, s, "auth0|one", "1")
		must(t, s.DeleteUser(bg, "auth0|one", 0, user.Effect{}))
		got, err := s.RefreshToken(bg, v.Hash)
		if err != nil || got.EndedAt == 0 || got.Device != (refresh.Device{}) || got.Metadata != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		x := exchange(v, "next")
		x.Rotated = false
		if err := s.ExchangeRefresh(bg, x); !errors.Is(err, refresh.ErrChanged) {
			t.Errorf("exchanged: %v", err)
		}
		if _, err := s.RefreshTokenByID(bg, v.ID, day); !errors.Is(err, refresh.ErrNone) {
			t.Errorf("shown: %v", err)
		}
		must(t, s.Sweep(bg, got.EndedAt+31*24*3600*1_000_000))
		if _, err := s.RefreshToken(bg, v.Hash); !errors.Is(err, refresh.ErrUnknown) {
			t.Errorf("after a month: %v", err)
		}
	})

	t.Run("called off", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		v := refreshToken("auth0|u", "c", 0)
		if err := s.StartRefresh(ctx, v, cleanup("auth0|u")); err == nil {
			t.Error("kept for nobody")
		}
		alive(t, s, v, false)
	})
}
