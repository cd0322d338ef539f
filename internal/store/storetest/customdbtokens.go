package storetest

import (
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// runCustomDatabaseTokens: what a custom database told beside the profile is there when
// its people are read, while it keeps their passwords and after.
func runCustomDatabaseTokens(t *testing.T, open func(testing.TB) *store.Store) {
	const claims, tokens, fresh = `{"user_id":"u"}`, `{"access_token":"theirs"}`, `{"access_token":"fresh"}`
	login := user.Logins{Last: day + 100, IP: "198.51.100.7", Count: 1}
	is := func(t *testing.T, id user.Identity, wantTokens string) {
		t.Helper()
		if string(id.Claims) != claims || string(id.Tokens) != wantTokens {
			t.Errorf("claims %s, tokens %s", id.Claims, id.Tokens)
		}
	}
	s := open(t)
	u := ourUser("u", "u@example.com")
	id := &u.Identities[0]
	id.External, id.Claims, id.ClaimsAt, id.Tokens = true, profile.Value(claims), day, profile.Value(tokens)
	connection, subject := id.ConnectionID, id.Subject
	create(t, s, u)

	_, err := s.Federate(bg, connection, subject, login, func(u *user.User) (*user.User, user.Effect, error) {
		is(t, u.Identities[0], tokens)
		u.Identities[0].Tokens = profile.Value(fresh)
		return u, user.Effect{Unchanged: true}, nil
	})
	must(t, err)
	got, err := s.User(bg, u.ID)
	must(t, err)
	is(t, got.Identities[0], fresh)

	_, err = s.Federate(bg, connection, subject, login, func(u *user.User) (*user.User, user.Effect, error) {
		u.Identities[0].External, u.Identities[0].Kept = false, true
		return u, user.Effect{}, nil
	})
	must(t, err)
	got, err = s.User(bg, u.ID)
	must(t, err)
	is(t, got.Identities[0], fresh)
	if got.Identities[0].External || !got.Identities[0].Kept {
		t.Errorf("%+v", got.Identities[0])
	}
}
