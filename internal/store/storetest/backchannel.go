package storetest

import (
	"encoding/json"
	"slices"
	"testing"

	"mangrove/internal/client"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// runBackchannel: whichever way a session ends, the clients that want to know of
// that way are told, and no others.
func runBackchannel(t *testing.T, open func(testing.TB) *store.Store) {
	made := func(t *testing.T) *store.Store {
		t.Helper()
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", "ben@example.com"), upstreamUser("x", "x@example.com"))
		for id, doc := range map[string]string{
			"all":    `{"oidc_logout":{"backchannel_logout_urls":["https://all.example.test/"],"backchannel_logout_initiators":{"mode":"all"}}}`,
			"rp":     `{"oidc_logout":{"backchannel_logout_urls":["https://rp.example.test/"]}}`,
			"silent": `{"oidc_logout":{"backchannel_logout_initiators":{"mode":"all"}}}`,
		} {
			must(t, s.CreateClient(bg, &client.Client{ID: id, Doc: json.RawMessage(doc)}, event("")))
		}
		for _, v := range []session.Session{
			{Hash: "h1", ID: "s1", UserID: "auth0|ann", ExpiresAt: day + 100, IdleUntil: day + 100},
			{Hash: "h2", ID: "s2", UserID: "auth0|ann", ConnectionID: upstream, ExpiresAt: day + 100, IdleUntil: day + 100},
			{Hash: "h3", ID: "s3", UserID: "auth0|ben", ExpiresAt: day + 100, IdleUntil: day + 100},
		} {
			must(t, s.CreateSession(bg, v))
		}
		for _, of := range [][2]string{{"s1", "all"}, {"s1", "rp"}, {"s1", "silent"}, {"s1", "gone"}, {"s2", "all"}, {"s3", "all"}} {
			must(t, s.AddSessionClient(bg, of[0], of[1], day, day+100))
		}
		return s
	}
	told := func(t *testing.T, s *store.Store) []string {
		t.Helper()
		list := []string{}
		for {
			j, _, err := s.Claim(bg, "me", day, day+100, job.BackchannelLogout)
			must(t, err)
			if j == nil {
				break
			}
			var p struct {
				Client string `json:"client_id"`
				User   string `json:"user_id"`
				SID    string `json:"sid"`
			}
			must(t, json.Unmarshal(j.Params, &p))
			list = append(list, p.Client+" "+p.User+" "+p.SID)
		}
		slices.Sort(list)
		return list
	}
	patch := func(s *store.Store, name string) error {
		return second(s.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
			if name != "" {
				u.Profile.Set(name, profile.Bool(true), src(day))
			}
			return user.Effect{EndSessions: true}, nil
		}))
	}
	both := []string{"all auth0|ann s1", "all auth0|ann s2"}
	for _, row := range []struct {
		name string
		end  func(*store.Store) error
		want []string
	}{
		{"the person leaves", func(s *store.Store) error { return s.SignOut(bg, "h1", event("")) }, []string{"all auth0|ann s1", "rp auth0|ann s1"}},
		{"nobody leaves", func(s *store.Store) error { return s.SignOut(bg, "h9", event("")) }, []string{}},
		{"an administrator ends one", func(s *store.Store) error { return s.EndSession(bg, "s1", "", event("")) }, both[:1]},
		{"an administrator ends another's", func(s *store.Store) error { return s.EndSession(bg, "s3", "auth0|ann", event("")) }, []string{}},
		{"an administrator ends all", func(s *store.Store) error { return s.EndSessions(bg, "auth0|ann", event("")) }, both},
		{"another password", func(s *store.Store) error { return patch(s, "") }, both},
		{"blocked", func(s *store.Store) error { return patch(s, profile.Blocked) }, both},
		{"a login that ends the others", func(s *store.Store) error {
			return s.RecordLogin(bg, "auth0|ann", user.Logins{}, "", "", user.Effect{EndSessions: true})
		}, both},
		{"unlinked", func(s *store.Store) error {
			if _, err := s.LinkUsers(bg, "auth0|ann", "google-oauth2|x", func(primary, secondary *user.User) (user.Effect, error) {
				primary.Identities = append(primary.Identities, secondary.Identities...)
				return user.Effect{}, nil
			}); err != nil {
				return err
			}
			return second(s.UnlinkUser(bg, "auth0|ann", func(u *user.User) (*user.User, user.Effect, error) {
				u.Identities = u.Identities[:1]
				return nil, user.Effect{}, nil
			}))
		}, both[1:]},
		{"deleted", func(s *store.Store) error { return s.DeleteUser(bg, "auth0|ann", 0, user.Effect{}) }, both},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := made(t)
			must(t, row.end(s))
			if got := told(t, s); !slices.Equal(got, row.want) {
				t.Errorf("told %q, want %q", got, row.want)
			}
			if _, err := s.Session(bg, "h3", day); err != nil {
				t.Errorf("somebody else's session: %v", err)
			}
		})
	}
}
