package store_test

import (
	"fmt"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// TestUpgrade: a database from before the search index is found in its index
// afterwards, with its logins, and has room for new users.
func TestUpgrade(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			s := storetest.OpenURL(t, storetest.EmptyURL(t, engine), nil)
			if err := s.MigrateTo(bg, 1); err != nil {
				t.Fatal(err)
			}
			const users = 1200 // more than one step
			for i := range users {
				id, email := fmt.Sprintf("auth0|old%04d", i), fmt.Sprintf("old%04d@example.test", i)
				err := s.Exec(bg, `INSERT INTO users (user_id, version, attributes, sources, identities, identity_keys, connection_id, email,
					password_hash, password_set_at, password_imported, mfa_factors, import_job, created_at, updated_at)
					VALUES (?, 3, ?, ?, ?, ?, 'con_1', ?, '', 0, ?, ?, '', ?, ?)`, id,
					[]byte(`{"email":"`+email+`"}`), []byte(`{"s":[{"o":"import","t":1}],"of":[0]}`),
					[]byte(`[{"connection":"users","user_id":"`+id[6:]+`","provider":"auth0","isSocial":false}]`),
					[]byte(`[{"c":"con_1","s":"`+id[6:]+`"}]`), email, false, []byte{}, int64(1_000_000+i), int64(1_000_000+i))
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Exec(bg, `INSERT INTO user_logins (user_id, last_login, last_ip, logins_count) VALUES ('auth0|old0007', 9000000, '192.0.2.1', 4)`); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing left to do
				if err := s.Migrate(bg); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 3 {
				if err := s.CreateUser(bg, someUser(i), user.Effect{}); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range []struct {
				plan user.Plan
				want int
			}{
				{user.Everybody{}, users + 3},
				{&user.Lookup{Path: "email", Exact: []string{user.TextTerm("old0042@example.test")}}, 1},
				{&user.Lookup{Path: user.PathExists, Exact: []string{user.LoggedIn}}, 1},
				{&user.Lookup{Path: "logins_count", Exact: []string{user.NumberTerm(4)}}, 1},
			} {
				f, err := s.Search(bg, user.Search{Plan: c.plan, Limit: 1, Total: true})
				if err != nil || f.Total != c.want || len(f.Users) != 1 {
					t.Errorf("%+v: %d of %d, %v", c.plan, f.Total, c.want, err)
				}
			}
			v, err := s.View(bg, "auth0|old0007")
			if err != nil || v.Version != 3 || v.Logins != (user.Logins{Last: 9_000_000, IP: "192.0.2.1", Count: 4}) {
				t.Errorf("after the upgrade: %+v, %v", v, err)
			}
		})
	}
}
