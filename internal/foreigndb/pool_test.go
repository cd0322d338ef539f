package foreigndb

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestPool(t *testing.T) {
	for name, part := range map[string]func(testing.TB) Target{"postgres": postgresPart, "mysql": mariadbPart} {
		t.Run(name, func(t *testing.T) {
			d, target := through(t, part(t))
			o := loopback(t)
			one := func() error { _, err := o.Query(t.Context(), target, "SELECT 1", nil); return err }
			for range 5 {
				if err := one(); err != nil {
					t.Fatal(err)
				}
			}
			if d.count() != 1 {
				t.Errorf("%d connections for one after the other", d.count())
			}
			if _, err := o.Query(t.Context(), target, "SELECT nonsense", nil); err == nil {
				t.Error("nonsense")
			}
			if err := one(); err != nil || d.count() != 1 {
				t.Errorf("an error of a statement's cost the connection: %v, %d", err, d.count())
			}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := one(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if d.count() > PoolSize {
				t.Errorf("%d connections", d.count())
			}
			before := d.count()
			d.slam() // as a server does that starts anew
			if err := one(); err != nil || d.count() == before {
				t.Errorf("after the server hung up: %v", err)
			}
			_ = d.listener.Close()
			d.slam()
			var e *Error
			if err := one(); !errors.As(err, &e) || e.Code != "ECONNREFUSED" {
				t.Errorf("without a server: %v", err)
			}
			o.pools.mu.Lock()
			defer o.pools.mu.Unlock()
			if p := o.pools.all[target]; p != nil && p.users != 0 {
				t.Errorf("%d users", p.users)
			}
		})
	}
}

func TestPoolForgets(t *testing.T) {
	target := postgresPart(t)
	o := loopback(t)
	if _, err := o.Query(t.Context(), target, "BEGIN", nil); err != nil {
		t.Fatal(err)
	}
	if len(o.pools.all) != 0 {
		t.Error("a connection within a transaction is kept")
	}
	o.pools.idle = time.Nanosecond
	if _, err := o.Query(t.Context(), target, "SELECT 1", nil); err != nil {
		t.Fatal(err)
	}
	clock := connected(t, target)
	for range 500 {
		o.pools.mu.Lock()
		n := len(o.pools.all)
		o.pools.mu.Unlock()
		if n == 0 {
			return
		}
		answer(t, clock, "SELECT pg_sleep(0.01)")
	}
	t.Error("a connection that nobody uses is kept")
}
