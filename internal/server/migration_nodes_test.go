package server_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

// People move in through two nodes over one database: whoever comes to both at once is
// one user and counted once, and what an administrator changes at one holds at the other.
func TestMigrationOnTwoNodes(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		if engine == storetest.SQLite { // has one server
			continue
		}
		const people = 3
		var ahead atomic.Int64 // of the second node's clock
		later := func() { ahead.Add(int64(time.Second)) }
		old := newClub(t, people)
		dir, database := t.TempDir(), storetest.EmptyURL(t, engine)
		one := newWorldIn(t, dir, database)
		two := newWorldIn(t, dir, database, func(c *config.Config, o *server.Options) {
			c.PublicURL = one.url
			o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		importing := func(migration map[string]any) map[string]any {
			return old.options(old.address(), map[string]any{"import_mode": true, "migration": migration})
		}
		id := one.customDatabase("Old", importing(nil))
		first := one.newApplication("Old")
		second := &application{w: two, oauth: first.oauth}

		var all sync.WaitGroup
		for n := range people {
			for _, node := range []*application{first, second, first, second} {
				all.Go(func() {
					if status, body := node.grant("Old", member(n+1), passwordOf(n+1)); status != 200 {
						t.Errorf("member %d: %d %s", n+1, status, body)
					}
				})
			}
		}
		all.Wait()
		for n := range people {
			want(t, member(n+1), one.profileOf(memberID(n+1)), map[string]any{"name": fmt.Sprint("Member ", n+1), "logins_count": 4})
		}
		if n := one.users(); n != people {
			t.Errorf("%d users", n)
		}
		want(t, "progress", one.progress(id), map[string]any{"migrated": people, "failing": 0})

		// A grave that one node made is seen by the other, and so is that it counts no more.
		one.deleteUser(memberID(1))
		if status, body := second.grant("Old", member(1), passwordOf(1)); status != 403 || !strings.Contains(body, "Wrong email or password.") {
			t.Errorf("who was deleted came back: %d %s", status, body)
		}
		one.setOptions(id, importing(map[string]any{"recreate_deleted": true}))
		later()
		if status, body := second.grant("Old", member(1), passwordOf(1)); status != 200 {
			t.Errorf("who may come back: %d %s", status, body)
		}
		want(t, "progress", one.progress(id), map[string]any{"migrated": people + 1, "deleted": 1})

		// Off at one is off at the other.
		old.join(people + 1)
		one.setOptions(id, importing(map[string]any{"mode": "off"}))
		later()
		asked := old.asks(func() {
			if status, body := second.grant("Old", member(people+1), passwordOf(people+1)); status != 403 || !strings.Contains(body, "Wrong email or password.") {
				t.Errorf("a newcomer after the end: %d %s", status, body)
			}
			if status, body := second.grant("Old", member(2), passwordOf(2)); status != 200 {
				t.Errorf("who has come: %d %s", status, body)
			}
		})
		if asked != "" {
			t.Errorf("the old database was asked:\n%s", asked)
		}
	}
}
