package foreigndb

import (
	"context"
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

// cut hangs up on who says a text, the first times; it is not passed on. The function ends
// that, and says how often it was said till then.
func (d *door) cut(text string, times int) (said func() int) {
	held, end, count := d.freeze(text), make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; {
			select {
			case <-held:
			case <-end:
				count <- n
				return
			}
			d.mu.Lock()
			d.frozen = false
			if n++; n < times {
				d.held = make(chan struct{})
				held = d.held
			} else {
				d.hold, held = "", nil
			}
			d.mu.Unlock()
			d.slam()
		}
	}()
	return func() int {
		close(end)
		n := <-count
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hold = ""
		return n
	}
}

// A session that is lost while a statement is under way: what only reads is asked once
// more, and nothing else.
func TestReadAgain(t *testing.T) {
	for name, part := range map[string]func(testing.TB) Target{"postgres": postgresPart, "mysql": mariadbPart} {
		t.Run(name, func(t *testing.T) {
			d, target := through(t, part(t))
			o := loopback(t)
			const statement = "SELECT 'marked'"
			for _, kept := range []bool{false, true} {
				said := d.cut("marked", 1)
				r, err := o.Read(t.Context(), target, statement, nil)
				if n := said(); err != nil || len(r.Rows) != 1 || n != 1 {
					t.Errorf("read, kept %v: %v, %v, lost %d times", kept, r.Rows, err, n)
				}
			}
			for n, ask := range map[int]func(context.Context, Target, string, []any) (Result, error){1: o.Query, 2: o.Read} {
				said := d.cut("marked", 9)
				_, err := ask(t.Context(), target, statement, nil)
				var e *Error
				if sent := said(); !errors.As(err, &e) || e.Code != "ECONNRESET" || sent != n {
					t.Errorf("lost always: %v, sent %d times and not %d", err, sent, n)
				}
			}
			if _, err := o.Read(t.Context(), target, statement, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLost(t *testing.T) {
	for _, row := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("x"), false},
		{&Error{Code: "ECONNRESET"}, true}, {&Error{Code: "EPIPE"}, true}, {&Error{Code: "ECONNREFUSED"}, false},
		{&Error{Code: "ETIMEDOUT"}, false}, {&Error{Code: "EPROTO"}, false}, {&Error{Code: "ERANGE"}, false},
		{&Error{Code: "57P01", State: "57P01"}, true}, {&Error{Code: "57P05", State: "57P05"}, true},
		{&Error{Code: "57014", State: "57014"}, false}, {&Error{Code: "42P01", State: "42P01"}, false},
		{&Error{Code: "ER_1053", State: "08S01", Number: 1053}, true}, {&Error{State: "70100", Number: 1927}, true},
		{&Error{State: "HY000", Number: 4031}, true}, {&Error{State: "70100", Number: 1317}, false}, {&Error{State: "23000", Number: 1062}, false},
	} {
		if got := lost(row.err); got != row.want {
			t.Errorf("%#v: %v", row.err, got)
		}
	}
}
