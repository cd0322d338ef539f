package storetest

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/consent"
	"mangrove/internal/pushed"
	"mangrove/internal/refresh"
	"mangrove/internal/resourceserver"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runConsents(t *testing.T, open func(testing.TB) *store.Store) {
	given := func(id, userID, clientID, api string, scope ...string) consent.Consent {
		return consent.Consent{ID: id, UserID: userID, ClientID: clientID, API: api, Audience: "urn:" + api, Scope: scope, CreatedAt: day}
	}
	save := func(t *testing.T, s *store.Store, list ...consent.Consent) {
		t.Helper()
		for _, c := range list {
			must(t, s.SaveConsent(bg, c, c.Event("", "")))
		}
	}
	has := func(t *testing.T, s *store.Store, c consent.Consent, want bool) {
		t.Helper()
		if _, err := s.Consent(bg, c.UserID, c.ClientID, c.API); (err == nil) != want || err != nil && !errors.Is(err, consent.ErrNotFound) {
			t.Errorf("consent %s: %v", c.ID, err)
		}
	}
	ann := given("1", "auth0|ann", "c1", "api", "openid", "read:a")

	t.Run("kept as given, and grows", func(t *testing.T) {
		s := open(t)
		save(t, s, ann)
		got, err := s.Consent(bg, ann.UserID, ann.ClientID, ann.API)
		if err != nil || got.ID != "1" || got.Audience != "urn:api" || got.CreatedAt != day || !slices.Equal(got.Scope, ann.Scope) {
			t.Fatalf("%+v, %v", got, err)
		}
		save(t, s, given("2", "auth0|ann", "c1", "api", "write:a", "openid"))
		got, err = s.Consent(bg, ann.UserID, ann.ClientID, ann.API)
		if err != nil || got.ID != "1" || !slices.Equal(got.Scope, []string{"openid", "read:a", "write:a"}) {
			t.Errorf("%+v, %v", got, err)
		}
		has(t, s, given("", "auth0|ann", "c1", ""), false)
		has(t, s, given("", "auth0|ann", "c2", "api"), false)
		has(t, s, given("", "auth0|ben", "c1", "api"), false)
	})

	t.Run("many at once lose nothing", func(t *testing.T) {
		s := open(t)
		out := race(20, func(i int) error {
			return s.SaveConsent(bg, given("id"+strconv.Itoa(i), "auth0|ann", "c1", "api", "s"+strconv.Itoa(i)), audit.Event{})
		})
		got, err := s.Consent(bg, "auth0|ann", "c1", "api")
		if out["ok"] != 20 || err != nil || len(got.Scope) != 20 {
			t.Errorf("%v: %+v, %v", out, got, err)
		}
	})

	t.Run("lists", func(t *testing.T) {
		s := open(t)
		save(t, s, ann, given("2", "auth0|ann", "c2", ""), given("3", "auth0|ben", "c1", "api"), given("4", "auth0|ben", "c1", "other"))
		for _, row := range []struct {
			f     consent.Filter
			p     consent.Page
			want  string
			total int
		}{
			{consent.Filter{}, consent.Page{Limit: 10}, "1234", 4},
			{consent.Filter{}, consent.Page{Limit: 2, Offset: 1}, "23", 4},
			{consent.Filter{}, consent.Page{}, "", 4},
			{consent.Filter{UserID: "auth0|ann"}, consent.Page{Limit: 10}, "12", 2},
			{consent.Filter{ClientID: "c1"}, consent.Page{Limit: 10}, "134", 3},
			{consent.Filter{ClientID: "c1", Audience: "urn:api"}, consent.Page{Limit: 10}, "13", 2},
			{consent.Filter{UserID: "auth0|ben", ClientID: "c1", Audience: "urn:other"}, consent.Page{Limit: 10}, "4", 1},
			{consent.Filter{UserID: "auth0|eve"}, consent.Page{Limit: 10}, "", 0},
		} {
			list, total, err := s.Consents(bg, row.f, row.p)
			got := ""
			for _, c := range list {
				got += c.ID
			}
			if err != nil || got != row.want || total != row.total {
				t.Errorf("%+v: %q, %d, %v", row.f, got, total, err)
			}
		}
	})

	t.Run("revoked", func(t *testing.T) {
		s := open(t)
		other, bens := given("2", "auth0|ann", "c2", ""), given("3", "auth0|ben", "c1", "api")
		save(t, s, ann, other, bens)
		must(t, s.RevokeConsent(bg, "1", event("auth0|ann")))
		has(t, s, ann, false)
		has(t, s, other, true)
		if err := s.RevokeConsent(bg, "1", event("auth0|ann")); !errors.Is(err, consent.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
		must(t, s.RevokeConsents(bg, "auth0|ann", event("auth0|ann")))
		must(t, s.RevokeConsents(bg, "auth0|ann", event("auth0|ann")))
		has(t, s, other, false)
		has(t, s, bens, true)
	})

	t.Run("go with the user, the client, the API", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"))
		must(t, s.CreateClient(bg, &client.Client{ID: "c1", Doc: []byte(`{}`)}, event("")))
		must(t, s.CreateResourceServer(bg, &resourceserver.ResourceServer{ID: "api", Identifier: "urn:api", Doc: []byte(`{}`)}, event("")))
		bens, withAPI, last := given("2", "auth0|ben", "c1", ""), given("3", "auth0|ben", "c2", "api"), given("4", "auth0|ben", "c2", "")
		save(t, s, ann, bens, withAPI, last)
		must(t, s.DeleteUser(bg, "auth0|ann", 0, user.Effect{}))
		has(t, s, ann, false)
		token, kept := refreshToken("auth0|ben", "c1", 0), refreshToken("auth0|ben", "c2", 0)
		must(t, s.StartRefresh(bg, token, cleanup("auth0|ben")))
		must(t, s.StartRefresh(bg, kept, cleanup("auth0|ben")))
		must(t, s.DeleteClient(bg, "c1", event("")))
		must(t, s.DeleteResourceServer(bg, "api", event("")))
		must(t, s.Sweep(bg, day))
		if _, err := s.RefreshToken(bg, token.Hash); !errors.Is(err, refresh.ErrUnknown) {
			t.Errorf("the client's refresh token: %v", err)
		}
		must(t, second(s.RefreshToken(bg, kept.Hash)))
		has(t, s, bens, false)
		has(t, s, withAPI, false)
		has(t, s, last, true)
	})
}

func runPushed(t *testing.T, open func(testing.TB) *store.Store) {
	r := pushed.Request{Hash: "h", ClientID: "c1", Params: []byte("a=b"), ExpiresAt: day + 10}
	s := open(t)
	must(t, s.PushRequest(bg, r))
	for _, row := range []struct {
		name, hash, client string
		at                 int64
	}{
		{"unknown", "x", "c1", day}, {"another client's", "h", "c2", day}, {"late", "h", "c1", day + 10},
	} {
		if _, err := s.TakePushed(bg, row.hash, row.client, row.at); !errors.Is(err, pushed.ErrNone) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	out := race(20, func(int) error {
		got, err := s.TakePushed(bg, "h", "c1", day)
		if err == nil && string(got.Params) != "a=b" {
			return errors.New("other parameters")
		}
		return err
	})
	if out["ok"] != 1 || out[pushed.ErrNone.Error()] != 19 {
		t.Errorf("outcomes: %v", out)
	}
	must(t, s.PushRequest(bg, r))
	must(t, s.Sweep(bg, day+9))
	if _, err := s.TakePushed(bg, "h", "c1", day); err != nil {
		t.Error(err)
	}
	must(t, s.PushRequest(bg, r))
	must(t, s.Sweep(bg, day+10))
	if _, err := s.TakePushed(bg, "h", "c1", day); !errors.Is(err, pushed.ErrNone) {
		t.Errorf("swept: %v", err)
	}
}
