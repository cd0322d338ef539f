package script

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// doubles is a database server that writes down what it is asked.
type doubles struct {
	mu     sync.Mutex
	told   []string
	opened int
	closed int
	hold   chan struct{} // what "wait" waits for
}

func (d *doubles) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, fmt.Sprintf(format, args...))
}

func (d *doubles) Open(_ context.Context, kind string, config json.RawMessage) (Session, error) {
	d.say("open %s %s", kind, config)
	if kind == "refuse" {
		return nil, &DatabaseError{Message: "no way", Members: map[string]any{"code": "ECONNREFUSED", "errno": 7, "name": "RefusedError"}}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	return &double{d}, nil
}

type double struct{ d *doubles }

func (s *double) Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error) {
	s.d.say("%s %s", op, what)
	switch op {
	case "echo":
		return what, nil
	case "fail":
		return nil, errors.New("plainly")
	case "panic":
		panic("odd")
	case "wait":
		select {
		case <-s.d.hold:
			s.d.say("waited")
		case <-ctx.Done():
			s.d.say("cancelled")
		}
	}
	return nil, nil
}

func (s *double) Close() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.closed++
	return nil
}

func init() {
	p, err := parts()
	if err != nil {
		panic(err)
	}
	p.add("test", "define('database', () => (kind, config) => {\n"+
		"const s = database(kind, config);\n"+
		"return { open: () => either(undefined, (done) => s.open(done)), do: (op, what) => either(undefined, (done) => s.do(op, what, done)), close: () => either(undefined, (done) => s.close(done)) };\n"+
		"});\n")
}

// ask runs the body of an async function, which has database, and waits until the run
// is over, not only answered.
func ask(t *testing.T, d *doubles, body string, l Limits) (Outcome, *Failure) {
	t.Helper()
	e := New(nil, rand.Reader, 1)
	e.spareLife = 0
	if d != nil {
		e.Databases = d
	}
	if l.Time == 0 {
		l.Time = time.Minute
	}
	l.Busy = time.Minute
	got, err := e.Run(t.Context(), Call{Source: `async function () { const database = require('database'); ` + body + ` }`, Limits: l})
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatal(err)
	}
	e.slots <- struct{}{}
	return got, f
}

func TestDatabases(t *testing.T) {
	rows := []struct{ body, want, told string }{
		{`const d = database('x', {host: 'h', at: new Date(5)}); await d.open(); const v = await d.do('echo', {a: [1, null, undefined], u: undefined}); await d.close(); return v`,
			`{"a":[1,null,null]}`, `open x {"host":"h","at":{"$date":5}}|echo {"a":[1,null,null]}`},
		{`const d = database('x'); d.open(); const v = await d.do('echo', {b: Buffer.from('hi'), d: new Date(7), n: 9007199254740993n}); return [Buffer.isBuffer(v.b), String(v.b), v.d instanceof Date, v.d.getTime(), typeof v.n, String(v.n)]`,
			`[true,"hi",true,7,"bigint","9007199254740993"]`, `open x null|echo {"b":{"$bytes":"aGk="},"d":{"$date":7},"n":{"$int":"9007199254740993"}}`},
		{`const d = database('x'); d.open(); return Promise.all([d.do('echo', 1), d.do('echo', 2), d.do('echo', 3)])`, `[1,2,3]`, `open x null|echo 1|echo 2|echo 3`},
		{`const d = database('x'); await d.open(); return d.do('fail').catch((e) => [e instanceof Error, e.message])`, `[true,"plainly"]`, `open x null|fail null`},
		{`const d = database('x'); await d.open(); return d.do('panic').catch((e) => e.message)`, `"it failed in a way that nobody expected"`, `open x null|panic null`},
		{`const d = database('refuse'); return d.open().catch((e) => [e.name, e.message, e.code, e.errno, Object.keys(e)])`, `["RefusedError","no way","ECONNREFUSED",7,["code","errno"]]`, `open refuse null`},
		{`const d = database('refuse'); d.open().catch(() => {}); return d.do('echo', 1).catch((e) => e.code)`, `"ECONNREFUSED"`, `open refuse null`},
		{`const d = database('x'); await d.open(); await d.close(); return d.do('echo', 1).catch((e) => e.message)`, `"the database is closed"`, `open x null`},
		{`const l = []; for (let i = 0; i < 6; i++) l.push(database('x').open().then(() => 1, (e) => e.message)); return Promise.all(l)`,
			`[1,1,1,1,1,"a script can have 5 databases open at a time"]`, ``},
		{`for (let i = 0; i < 9; i++) { const d = database('x'); await d.open(); await d.close() } for (let i = 0; i < 9; i++) await database('refuse').open().catch(() => {}); await database('x').open(); return 1`, `1`, ``},
		{`const d = database('x'); await d.open(); for (let i = 0; i < 1000; i++) d.close(); await d.close(); return 1`, `1`, ``},
		{`try { await database('x').do('echo', 1) } catch (e) { return e.message }`, `"the database is closed"`, ``},
	}
	for _, row := range rows {
		d := &doubles{}
		got, f := ask(t, d, row.body, Limits{})
		if f != nil || string(got.Result) != row.want || row.told != "" && strings.Join(d.told, "|") != row.told {
			t.Errorf("%s\n got %s, %v, told %q; want %s", row.body, got.Result, f, d.told, row.want)
		}
		if d.opened != d.closed {
			t.Errorf("%s: %d opened, %d closed", row.body, d.opened, d.closed)
		}
	}
	if got, f := ask(t, nil, `return database('x').open().catch((e) => e.message)`, Limits{}); f != nil || string(got.Result) != `"scripts of this kind reach no databases"` {
		t.Errorf("%s, %v", got.Result, f)
	}
}

// Whatever ends a run closes what it has open.
func TestDatabasesAreClosed(t *testing.T) {
	rows := []struct {
		body string
		kind Kind
		text string
	}{
		{`throw new Error('x')`, Threw, "x"},
		{`for (;;) await d.do('echo', 1)`, TooMuch, "more than 50 operations of databases"},
		{`await d.do('wait')`, TooLong, "no answer within 1s"},
	}
	for _, row := range rows {
		d := &doubles{hold: make(chan struct{})}
		_, f := ask(t, d, `const d = database('x'); await d.open(); `+row.body, Limits{Time: time.Second})
		if f == nil || f.Kind != row.kind || !strings.Contains(f.Message, row.text) || d.opened != 1 || d.closed != 1 {
			t.Errorf("%s: %v, %d opened, %d closed", row.body, f, d.opened, d.closed)
		}
	}
}

// What a script began and did not wait for still happens after its answer.
func TestForgottenIsDone(t *testing.T) {
	d := &doubles{hold: make(chan struct{})}
	e := New(nil, rand.Reader, 1)
	e.spareLife, e.Databases = 0, d
	got, err := e.Run(t.Context(), Call{Source: `async function () { const d = require('database')('x'); await d.open(); d.do('wait'); return 1 }`, Limits: Limits{Time: time.Minute, Busy: time.Minute}})
	if err != nil || string(got.Result) != "1" {
		t.Fatalf("%s, %v", got.Result, err)
	}
	close(d.hold)
	e.slots <- struct{}{}
	if told := strings.Join(d.told, "|"); told != "open x null|wait null|waited" || d.closed != 1 {
		t.Errorf("%s, closed %d", told, d.closed)
	}
}
