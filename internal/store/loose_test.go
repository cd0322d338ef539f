package store_test

import (
	"slices"
	"testing"

	"mangrove/internal/session"
	"mangrove/internal/store/storetest"
)

// TestLooseWrites: only the steps of a login commit without waiting for the disk, and
// the write after such a step waits again.
func TestLooseWrites(t *testing.T) {
	words := map[string][2]string{storetest.SQLite: {"2", "1"}, storetest.Postgres: {"on", "off"}} // SQLite: FULL, NORMAL
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			if engine == storetest.Postgres {
				url += "&synchronous_commit=on" // the servers of tests may have it off
			}
			s := storetest.OpenURL(t, url, nil)
			var got, want []string
			for _, loose := range []bool{false, true, true, false, true, false} {
				word, err := s.Durability(bg, loose)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, word)
				if loose {
					want = append(want, words[engine][1])
				} else {
					want = append(want, words[engine][0])
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			v := session.Transaction{Hash: "h", Browser: "b", ClientID: "c", Request: []byte(`{}`), CreatedAt: 1, ExpiresAt: 10}
			if err := s.SaveTransaction(bg, v); err != nil {
				t.Fatal(err)
			}
			if got, err := s.TakeTransaction(bg, "h", 2); err != nil || got.ClientID != "c" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
