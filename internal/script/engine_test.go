package script

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mangrove/internal/outbound"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// newEngine has no machine in reserve: there are hundreds of engines in these tests.
func newEngine() *Engine {
	e := New(outbound.New(loopback), rand.Reader, 0)
	e.spareLife = 0
	return e
}

// run gives a script ("tok", {y: 3}, callback).
func runScript(t *testing.T, source string) (Outcome, *Failure) {
	t.Helper()
	return runCall(t, Call{Source: source})
}

func runCall(t *testing.T, c Call) (Outcome, *Failure) {
	t.Helper()
	if c.Args == nil {
		c.Args = []any{"tok", map[string]any{"y": 3}}
	}
	c.Names = []string{"fetchUserProfile", "login"}
	if c.Limits.Time == 0 { // the machine may be slow; what is tested is not
		c.Limits.Time = time.Minute
	}
	if c.Limits.Busy == 0 {
		c.Limits.Busy = time.Minute
	}
	if c.Limits.Memory == 0 {
		c.Limits.Memory = 8 << 20
	}
	got, err := newEngine().Run(t.Context(), c)
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("%.80q: %v", c.Source, err)
	}
	return got, f
}

func TestAnswers(t *testing.T) {
	rows := []struct{ source, want string }{
		{`function(token, ctx, cb) { cb(null, {user_id: token, y: ctx.y}) }`, `{"user_id":"tok","y":3}`},
		{`function fetchUserProfile(token, ctx, cb) { cb(null, 1) };`, `1`},
		{`(token, ctx, cb) => cb(null, 1)`, `1`},
		{`(() => { function rule(token, ctx, cb) { cb(null, token) } return rule })()`, `"tok"`},
		{`module.exports = function (token, ctx, cb) { cb(null, token) };`, `"tok"`},
		{`exports.fetchUserProfile = function (token, ctx, cb) { cb(null, token) };`, `"tok"`},
		{"const x = 1;\nfunction helper() { return x }\nfunction login(token, ctx, cb) { cb(null, helper()) }", `1`},
		{"// a comment\nfunction login(token, ctx, cb) { cb(null, 1) }\n// behind", `1`},
		{`async function (token, ctx) { return token }`, `"tok"`},
		{`async function (token, ctx, cb) { await null; cb(null, 1) }`, `1`},
		{`function (token, ctx, cb) { return Promise.resolve(ctx) }`, `{"y":3}`},
		{`function (token, ctx, cb) { setTimeout(cb, 1, null, 7) }`, `7`},
		{`function (token, ctx, cb) { const i = setInterval(() => { clearInterval(i); cb(null, 8) }, 1) }`, `8`},
		{`function (token, ctx, cb) { clearTimeout(setTimeout(cb, 0, null, 1)); setTimeout(cb, 1, null, 2) }`, `2`},
		{`function (token, ctx, cb) { let s = ''; setTimeout(() => s += 'b', 2); setTimeout(() => s += 'a', 1); setTimeout(() => cb(null, s), 3) }`, `"ab"`},
		{`function (token, ctx, cb) { queueMicrotask(() => cb(null, 1)) }`, `1`},
		{`function (token, ctx, cb) { cb() }`, `null`},
		{`function (token, ctx, cb) { cb(null, undefined) }`, `null`},
		{`function (token, ctx, cb) { cb(null, 1); cb(null, 2); throw new Error('late') }`, `1`},
		{`function (token, ctx, cb) { cb(null, 1); return Promise.reject(new Error('late')) }`, `1`},
		{`function (token, ctx, cb) { cb(null, 1); for (;;); }`, `1`},
		{`function (token, ctx, cb) { cb(null, {d: new Date(0), u: undefined, n: NaN, f() {}}) }`, `{"d":"1970-01-01T00:00:00.000Z","n":null}`},
		{`function (token, ctx, cb) { cb(null, JSON.parse('{"__proto__":{"admin":true},"constructor":1}')) }`, `{"__proto__":{"admin":true},"constructor":1}`},
		{`function (token, ctx, cb) { cb(null, [typeof process, typeof __host, typeof std, typeof os, typeof module.require, this === undefined || typeof this.process]) }`,
			`["undefined","undefined","undefined","undefined","undefined","undefined"]`},
	}
	for _, row := range rows {
		got, f := runScript(t, row.source)
		if f != nil || string(got.Result) != row.want {
			t.Errorf("%s\n got %s, %v; want %s", row.source, got.Result, f, row.want)
		}
	}
}

// A second parameter is the callback in scripts of old and the context in
// scripts that answer with a promise.
func TestFold(t *testing.T) {
	for source, want := range map[string]string{
		`function (token, cb) { cb(null, token) }`:                                `"tok"`,
		`function (token, ctx) { ctx(null, ctx.y) }`:                              `3`,
		`async function (token, ctx) { return ctx.y }`:                            `3`,
		`function (token, ctx, cb) { cb(null, [ctx.y, typeof ctx]) }`:             `[3,"object"]`,
		`function (...all) { all[2](null, all.length) }`:                          `3`,
		`function (token, ctx) { ctx(null, [ctx.name, ctx.length, 'y' in ctx]) }`: `["Ann",9,true]`,
	} {
		got, f := runCall(t, Call{Source: source, Fold: true, Args: []any{"tok", map[string]any{"y": 3, "name": "Ann", "length": 9}}})
		if f != nil || string(got.Result) != want {
			t.Errorf("%s: %s, %v; want %s", source, got.Result, f, want)
		}
	}
}

func TestFailures(t *testing.T) {
	rows := []struct {
		source string
		kind   Kind
		text   string // within Error()
	}{
		{`function (token, ctx, cb) { cb(new TypeError('odd')) }`, Threw, "TypeError: odd"},
		{`function (token, ctx, cb) { throw new Error('thrown') }`, Threw, "Error: thrown"},
		{`async function (token) { throw new Error('rejected') }`, Threw, "Error: rejected"},
		{`function (token, ctx, cb) { setTimeout(() => { throw new Error('later') }, 1) }`, Threw, "Error: later"},
		{`function (token, ctx, cb) { throw 'a text' }`, Threw, "a text"},
		{`function (token, ctx, cb) { cb('a text') }`, Threw, "a text"},
		{`function (token, ctx, cb) { throw null }`, Threw, "null was thrown"},
		{`function (token, ctx, cb) { throw undefined }`, Threw, "undefined"},
		{`function (token, ctx, cb) { throw {get message() { throw 1 }} }`, Threw, "cannot be read"},
		{`throw new Error('at once')`, Threw, "at once"},
		{`function (token, ctx, cb) { nowhere() }`, Threw, "ReferenceError: 'nowhere' is not defined"},
		{"function (token, ctx, cb) {\n  cb(null, ]\n}", Syntax, "line 2"},
		{`x y z`, Syntax, "line 1"},
		{``, NoFunction, "no function"},
		{`42`, NoFunction, "no function"},
		{`({login() {}})`, NoFunction, "no function"},
		{`function (token, ctx, cb) { }`, NoAnswer, "did not call"},
		{`function (token, ctx, cb) { return new Promise(() => {}) }`, NoAnswer, "did not call"},
		{`async function (token, ctx, cb) { }`, NoAnswer, "did not call"},
		{`function (token, ctx, cb) { const o = {}; o.o = o; cb(null, o) }`, Threw, "cannot be written as JSON"},
		{`function (token, ctx, cb) { cb(null, 1n) }`, Threw, "cannot be written as JSON"},
		{`function (token, ctx, cb) { cb(null, {a: '\ud800'}) }`, BadResult, "not JSON that can be stored"},
		{`function (token, ctx, cb) { cb(null, {a: '\0'}) }`, BadResult, "not JSON that can be stored"},
		{`function (token, ctx, cb) { cb(null, 'x'.repeat(102401)) }`, TooMuch, "larger than 102400 bytes"},
		{`function (token, ctx, cb) { cb(new Error('x'.repeat(1e6))) }`, Threw, "xxx…"},
		{`function (token, ctx, cb) { require('fs') }`, Threw, "Cannot find module 'fs'. Scripts here can require: argon2, assert, axios, bcrypt, bcryptjs, buffer, crypto,"},
		{`function (token, ctx, cb) { require('child_process@1.0') }`, Threw, "Cannot find module 'child_process@1.0'"},
		{`function (token, ctx, cb) { require('../secret') }`, Threw, "Cannot find module"},
		{`function (token, ctx, cb) { import('fs').then((m) => cb(null, m), cb) }`, Threw, "Error"},
		{`import fs from 'fs'; function login() {}`, Syntax, "line 1"},
		{`function (token, ctx, cb) { cb(null, process.env) }`, Threw, "'process' is not defined"},
		{`function (token, ctx, cb) { cb.constructor('return process')() }`, Threw, "'process' is not defined"},
		{`function (token, ctx, cb) { cb(null, setTimeout.constructor('return __host')()) }`, Threw, "'__host' is not defined"},
	}
	for _, row := range rows {
		got, f := runScript(t, row.source)
		if f == nil || f.Kind != row.kind || !strings.Contains(f.Error(), row.text) || got.Result != nil {
			t.Errorf("%s\n got %s, %v; want %s with %q", row.source, got.Result, f, row.kind, row.text)
		}
	}
}

// What an error object carries is kept: error classes of scripts are told apart
// by it.
func TestErrorMembers(t *testing.T) {
	_, f := runScript(t, `function (token, ctx, cb) {
		class ValidationError extends Error { constructor(code, m) { super(m); this.name = 'ValidationError'; this.code = code; this.inner = {}; this.n = 2 } }
		cb(new ValidationError('user_exists', 'is there')) }`)
	if f == nil || f.Line != 2 || f.Name != "ValidationError" || f.Message != "is there" || string(f.Members) != `{"code":"user_exists","n":2,"name":"ValidationError"}` {
		t.Errorf("%+v", f)
	}
}

// Each ends by its limit, and the next script runs as if nothing had been.
func TestLimits(t *testing.T) {
	const cb = `function (token, ctx, cb) `
	rows := []struct {
		source string
		limits Limits
		kind   Kind
		text   string
	}{
		{cb + `{ for (;;); }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "more than 50ms of work"},
		{`for (;;);`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ try { for (;;); } catch { cb(null, 1) } finally { cb(null, 2) } }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ (async () => { for (;;) await null })() }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ const f = () => Promise.resolve().then(f); f() }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ /^(a+)+$/.test('a'.repeat(40) + '!'); cb(null, 1) }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ Array.from({length: 1e4}, (_, i) => -i).sort(() => { for (;;); }) }`, Limits{Busy: 50 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ setInterval(() => {}, 5) }`, Limits{Time: 60 * time.Millisecond}, TooLong, "no answer within 60ms"},
		{cb + `{ new Array(2 ** 32 - 1).join('x') }`, Limits{}, Threw, "RangeError: Arrays here have at most"},
		{cb + `{ [].indexOf.call({length: 2 ** 53 - 1}, 1) }`, Limits{}, Threw, "RangeError: Arrays here have at most"},
		{cb + `{ [].concat(new Array(2 ** 32 - 1)) }`, Limits{}, Threw, "RangeError: Arrays here have at most"},
		{cb + `{ Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) }`, Limits{}, Threw, "TypeError"},
		{cb + `{ setTimeout(cb, 100000) }`, Limits{Time: 50 * time.Millisecond}, TooLong, "no answer within 50ms"},
		{cb + `{ const l = []; for (;;) l.push(new Uint8Array(1 << 20)) }`, Limits{}, TooMuch, "out of memory"},
		{cb + `{ new ArrayBuffer(2 ** 31) }`, Limits{}, Threw, "RangeError"},
		{cb + `{ new ArrayBuffer(2 ** 30) }`, Limits{}, TooMuch, "out of memory"},
		{cb + `{ const l = []; for (;;) l.push('x'.repeat(1e6) + l.length) }`, Limits{}, TooMuch, "out of memory"},
		{cb + `{ const l = []; for (;;) { try { l.push(new Uint8Array(1 << 20)) } catch {} } }`, Limits{Busy: 100 * time.Millisecond}, TooLong, "of work"},
		{cb + `{ for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1) }`, Limits{}, TooMuch, "more than 1000 timers"},
		{cb + `{ for (let i = 0; i < 10000; i++) try { setTimeout(() => {}, 1) } catch {} cb(null, 1) }`, Limits{}, TooMuch, "more than 1000 timers"},
		{cb + `{ setInterval(() => {}, 1) }`, Limits{Timers: 5}, TooMuch, "more than 5 timers"},
		{cb + `{ for (let i = 0; i < 21; i++) fetch('http://127.0.0.1:1/') }`, Limits{}, TooMuch, "more than 20 requests"},
		{`function f(token, ctx, cb) { f(token, ctx, cb) }`, Limits{}, Threw, "InternalError: stack overflow"},
		{cb + `{ const o = {toString() { return '' + o }}; '' + o }`, Limits{}, Threw, "InternalError: stack overflow"},
		{cb + `{ let s = '['.repeat(1e6); JSON.parse(s) }`, Limits{}, Threw, ""},
		{cb + `{ new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('x') }`, Limits{}, Threw, ""},
		{cb + `{ let o = {}; for (let i = 0; i < 1e5; i++) o = {o}; cb(null, o) }`, Limits{}, Threw, ""},
	}
	for _, row := range rows {
		_, f := runCall(t, Call{Source: row.source, Limits: row.limits})
		if f == nil || f.Kind != row.kind || !strings.Contains(f.Error(), row.text) {
			t.Errorf("%s\n got %v; want %s with %q", row.source, f, row.kind, row.text)
		}
		if got, f := runScript(t, cb+`{ cb(null, 1) }`); f != nil || string(got.Result) != "1" {
			t.Fatalf("after %s: %s, %v", row.source, got.Result, f)
		}
	}
}

// Nothing that one run leaves behind is there for the next.
func TestNothingIsKept(t *testing.T) {
	e := newEngine()
	c := Call{Source: `function (cb) { const had = [globalThis.x, Array.prototype.x, global.configuration]; globalThis.x = Array.prototype.x = 1; cb(null, had) }`, Globals: map[string]any{"configuration": "c"}}
	if got, err := e.Run(t.Context(), c); err != nil || string(got.Result) != `[null,null,"c"]` {
		t.Errorf("%s, %v", got.Result, err)
	}
	c.Globals = nil
	if got, err := e.Run(t.Context(), c); err != nil || string(got.Result) != `[null,null,null]` {
		t.Errorf("%s, %v", got.Result, err)
	}
}

func TestOneAtATime(t *testing.T) {
	e := New(outbound.New(loopback), rand.Reader, 1)
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-leave
	}))
	defer s.Close()
	first := make(chan error, 1)
	go func() {
		_, err := e.Run(context.Background(), Call{Source: `(url, cb) => request(url, cb)`, Args: []any{s.URL}})
		first <- err
	}()
	<-arrived
	_, err := e.Run(t.Context(), Call{Source: `(cb) => cb()`, Limits: Limits{Time: time.Millisecond}})
	var f *Failure
	if !errors.As(err, &f) || f.Kind != Busy {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := e.Run(t.Context(), Call{Source: `(cb) => cb()`}); err != nil {
		t.Error(err)
	}
}

// A walk that sees no interrupt is given up; its slot is free when it has ended.
func TestGivenUp(t *testing.T) {
	e := New(outbound.New(loopback), rand.Reader, 1)
	e.grace = time.Millisecond
	_, err := e.Run(t.Context(), Call{Source: `(cb) => { new Set(new Array(2 ** 22)); cb() }`, Limits: Limits{Time: time.Millisecond}})
	var f *Failure
	if !errors.As(err, &f) || f.Kind != TooLong {
		t.Errorf("got %v", err)
	}
	if _, err := e.Run(t.Context(), Call{Source: `(cb) => cb()`, Limits: Limits{Time: time.Minute}}); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	defer s.Close()
	_, err := newEngine().Run(ctx, Call{Source: `(url, cb) => { request(url, () => {}); setTimeout(cb, 100000) }`, Args: []any{s.URL}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConsole(t *testing.T) {
	got, f := runCall(t, Call{
		Source: `function (token, ctx, cb) {
			console.log('token', token, {token, e: encodeURIComponent(token), list: [1, 'a', null]});
			console.warn('%s has %d', 'x', 2, new TypeError('odd'));
			console.error(Buffer.from(token).toString('base64'));
			console.debug();
			const o = {}; o.o = o; console.info(o, Symbol('s'), 10n, () => {});
			cb(new Error('not with ' + token)) }`,
		Args:    []any{"s3cr:et token", map[string]any{}},
		Secrets: []string{"s3cr:et token", "", "abc"},
	})
	want := []Line{
		{"info", `token **** { token: "****", e: "s3cr%3Aet%20token", list: [ 1, "a", null ] }`},
		{"warn", "x has 2 TypeError: odd"},
		{"error", "****"},
		{"debug", ""},
		{"info", "{ o: [Circular] } Symbol(s) 10n [Function]"},
	}
	if f == nil || f.Message != "not with ****" || strings.Contains(f.Stack, "s3cr") {
		t.Errorf("failure %+v", f)
	}
	want[0].Text = strings.ReplaceAll(want[0].Text, "s3cr%3Aet%20token", "****")
	if fmt.Sprint(got.Console) != fmt.Sprint(want) {
		t.Errorf("console\n%v\nwant\n%v", got.Console, want)
	}
	got, f = runCall(t, Call{Source: `function (token, ctx, cb) { for (let i = 0; i < 100; i++) console.log('x'.repeat(1000)); cb() }`})
	size := 0
	for _, l := range got.Console {
		size += len(l.Text)
	}
	if f != nil || size > DefaultConsole+4 {
		t.Errorf("%d bytes, %v", size, f)
	}
}

// The law: whatever the source, a run ends with strict JSON or a Failure, and
// with no text that holds the secret.
func FuzzSource(f *testing.F) {
	for _, s := range []string{
		`function(t,c,cb){cb(null,t)}`, `async t=>t`, `(`, `}) (function(){`, `module.exports=1`, `throw null`, `function(t,c,cb){console.log(t);throw new Error(t)}`,
		"function login(t){}\n//", `"use strict"; x`, `cb=>cb({toString(){throw 1}})`, `(t,c,cb)=>{JSON.stringify=()=>'{';cb(null,1)}`,
	} {
		f.Add(s)
	}
	e := newEngine()
	const secret = "Zx9-secret-text"
	f.Fuzz(func(t *testing.T, source string) {
		got, err := e.Run(t.Context(), Call{
			Source: source, Names: []string{"login"}, Args: []any{secret, map[string]any{}}, Fold: true, Secrets: []string{secret},
			Limits: Limits{Time: 200 * time.Millisecond, Busy: 50 * time.Millisecond, Memory: 8 << 20},
		})
		var failure *Failure
		switch {
		case err == nil:
			if !json.Valid(got.Result) {
				t.Fatalf("result %q", got.Result)
			}
		case !errors.As(err, &failure):
			t.Fatalf("error %v", err)
		case strings.Contains(failure.Error()+failure.Stack+string(failure.Members), secret):
			t.Fatalf("told: %+v", failure)
		}
		if strings.Contains(fmt.Sprint(got.Console), secret) {
			t.Fatalf("told: %v", got.Console)
		}
	})
}

func BenchmarkTrivial(b *testing.B) {
	e := New(outbound.New(nil), rand.Reader, 0)
	c := Call{Source: `function (token, ctx, cb) { cb(null, {user_id: ctx.sub}) }`, Args: []any{"tok", map[string]any{"sub": "u-1"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Run(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParallel(b *testing.B) {
	e := New(outbound.New(nil), rand.Reader, 0)
	c := Call{Source: `async (token, ctx) => ({user_id: require('crypto').createHash('sha256').update(token).digest('hex')})`, Args: []any{"tok", map[string]any{}}}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Run(b.Context(), c); err != nil {
				b.Error(err)
			}
		}
	})
}

func TestTraces(t *testing.T) {
	_, f := runScript(t, "function (a, b, c) {\n  function within() { null.x }\n  require('util').promisify(within)().catch(c) }")
	if f == nil || f.Line != 2 || !strings.Contains(f.Stack, "within") || strings.Count(f.Stack, "\n") != 2 {
		t.Errorf("line %d of\n%s", f.Line, f.Stack)
	}
}
