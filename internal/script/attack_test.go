package script

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is known to have broken engines, and what the modules are handed by those who mean
// it badly: each ends with an answer, an error or a limit, and the engine goes on
// (security.md 108–112).
func TestAttacks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "there.js")
	if err := os.WriteFile(file, []byte("export default 'read from the disk'"), 0o600); err != nil {
		t.Fatal(err)
	}
	const memory = `const ab = new ArrayBuffer(1 << 16, {maxByteLength: 1 << 17}); const u = new Uint8Array(ab); `
	bodies := []string{
		// Buffers that go while they are walked.
		memory + `u.fill({valueOf() { ab.resize(0); return 1 }})`, memory + `u.set([1, {valueOf() { ab.resize(0); return 1 }}, 3], 65000)`,
		memory + `u.with(5, {valueOf() { ab.resize(1); return 1 }})`, memory + `u.copyWithin({valueOf() { ab.resize(10); return 0 }}, 1000, 60000)`,
		memory + `u.slice(0, {valueOf() { ab.resize(10); return 60000 }})`, memory + `u.subarray(0, {valueOf() { ab.resize(10); return 60000 }}).fill(7)`,
		memory + `u.lastIndexOf(5, {valueOf() { ab.resize(10); return 60000 }})`, memory + `u.includes(undefined, {valueOf() { ab.resize(0); return 0 }})`,
		memory + `u.join({toString() { ab.resize(0); return ',' }})`, memory + `new DataView(ab).setFloat64(8, {valueOf() { ab.transfer(0); return 1 }})`,
		memory + `u.slice(0, 8).sort(() => { try { ab.transfer(0) } catch {} return 0 })`, memory + `Atomics.store(new Int32Array(ab), 5000, {valueOf() { ab.transfer(0); return 1 }})`,
		`Atomics.wait(new Int32Array(new SharedArrayBuffer(1024)), 0, 0, 1e9)`,
		// Arrays, maps and expressions that change while they are walked.
		`[1, 2, 3].concat({length: 3, [Symbol.isConcatSpreadable]: true, get 0() { this.length = 1e9; return 1 }})`,
		`const l = Array(1000).fill(1.1); l.constructor = {get [Symbol.species]() { return function () { l.length = 0; return [] } }}; l.slice(0, 1000); l.splice(0, 1000)`,
		`const l = Array(1000).fill({}); l.sort(() => { l.length = 0; return 0 })`, `const l = [1, 2, 3, 4]; Object.defineProperty(l, 1, {get() { l.length = 1; return 2 }}); Math.max(...l)`,
		`const m = new Map([[1, 1]]); let n = 0; m.forEach(() => { m.clear(); if (n++ < 100) m.set(n, n) })`,
		`const s = new Set([1, 2]); s.union({size: 3, has() { s.clear() }, keys() { s.clear(); return [1, 2].values() }})`,
		`const r = /a/g; r.exec = () => { r.compile('b'.repeat(1000)); return null }; 'aaa'.replace(r, '')`, `const r = /(a)(b)?/g; r.lastIndex = {valueOf() { r.compile('((((a))))'); return 0 }}; r.exec('ab')`,
		// Depth.
		`let p = []; for (let i = 0; i < 100000; i++) p = new Proxy(p, {}); p.length`, `let o = {}; for (let i = 0; i < 100000; i++) o = {o}; JSON.stringify(o)`,
		`JSON.parse('['.repeat(1e6))`, `new RegExp('('.repeat(1e6))`, `eval('('.repeat(1e6))`, `eval('[' + '!'.repeat(1e6) + '1]')`, `(1n << 100000000n).toString()`,
		`let f = () => {}; for (let i = 0; i < 10000; i++) f = f.bind(null); f()`, `class E extends Error { get stack() { throw this } get message() { throw this } } throw new E()`,
		// Modules.
		`import('fs')`, `return import('` + file + `').then((m) => m.default)`, `return import('file://` + file + `', {with: {type: 'json'}}).then((m) => m.default)`, `require('` + file + `')`,
		`Object.prototype.host = () => 'read'; Function.prototype.call = Function.prototype.apply = () => 'read'; require('crypto').createHash('md5').update('x').digest('hex')`,
		`Object.defineProperty(Object.prototype, 'kind', {get: () => 'argon2', set() {}}); return require('bcrypt').compare('x', 'y')`,
		`Array.prototype[Symbol.iterator] = function* () { yield 'read' }; new (require('pg').Client)({host: 'x'}).query('SELECT 1', [1])`,
		`for (const k of ['then', 'toJSON', 'error', 'ok', '$bytes', 'message', 'timeout']) Object.defineProperty(Object.prototype, k, {get() { throw new Error('trap ' + k) }, set() {}, configurable: true}); require('util').inspect({}); console.log({})`,
		`const d = Buffer.from('x'); structuredClone?.(d); d.buffer.transfer(0); require('crypto').createHash('md5').update(d).digest(); require('bcrypt').hashSync(d, 4)`,
		`const o = {}; o.o = o; console.log(o); console.log(new Proxy(o, {get() { throw 1 }, ownKeys() { throw 2 }})); require('request')(o); require('axios')(o)`,
		`require('crypto').createHmac('sha256', new Proxy(new Uint8Array(8), {}))`, `require('crypto').pbkdf2Sync('x', 's', 1e9, 64, 'sha512')`, `require('crypto').scryptSync('x', 's', 64, {N: 2 ** 30, maxmem: 2 ** 40})`,
		`require('crypto').scryptSync('x', 's', 64, {N: 2 ** 20, r: 2 ** 20, p: 2 ** 20, maxmem: Infinity})`, `require('bcrypt').hashSync('x', 31)`, `require('bcrypt').compareSync('x', '$2b$31$' + 'a'.repeat(53))`,
		`return require('bcrypt').hash('x', 31)`, `return require('argon2').hash('x', {memoryCost: 2 ** 31, timeCost: 2 ** 31})`, `return require('argon2').verify('$argon2id$v=19$m=4294967295,t=4294967295,p=255$c2FsdHNhbHQ$aGFzaA', 'x')`,
		`return new Promise((y, n) => require('crypto').pbkdf2('x', 's', 1e9, 64, 'sha512', (e) => n(e)))`, `return new Promise((y, n) => require('crypto').scrypt('x', 's', 64, {N: 2 ** 30, maxmem: 2 ** 40}, (e) => n(e)))`,
		`require('url').parse('http://' + 'a'.repeat(1e6) + '[')`, `new URL('http://[' + '['.repeat(1e5))`, `require('querystring').parse('&'.repeat(1e6))`, `require('util').inspect(Array(1e4).fill({a: {b: {c: {}}}}))`,
		`require('util').format('%s'.repeat(1e5), ...Array(1e4).fill({toString() { throw 1 }}))`, `require('jsonwebtoken').decode('.'.repeat(1e6))`, `require('events').prototype.emit.call({}, 'error', new Proxy({}, {}))`,
		`require('mysql').format('?'.repeat(1e5), Array(1e5).fill({toString() { return require('mysql').escape(this) }}))`, `new (require('mongodb').ObjectId)({toHexString() { throw 1 }})`,
		`require('buffer').Buffer.alloc(2 ** 31)`, `Buffer.from({length: 2 ** 40})`, `Buffer.from('x'.repeat(1e6), 'hex').fill('')`, `Buffer.concat([{length: 1e9}], 2 ** 30)`,
		// Coming back in while the host is at work, and answering from there.
		`let n = 0; const again = {toString() { if (n++ > 1000) return 'md5'; return require('crypto').createHash(again).digest('hex') }}; require('crypto').createHash(again)`,
		`console.log({get [Symbol.toStringTag]() { cb(null, 'from within'); return 'x' }, toString() { cb(null, 'from within') }}); console.log('%s', {toString() { cb(null, 'from within'); return 'x' }})`,
		`setTimeout(() => { throw new Proxy({}, {get() { throw 1 }}) }); return new Promise(() => {})`, `return Object.defineProperty({}, 'then', {get() { throw new Error('then') }})`,
		`cb({get name() { return cb(null, 'from within') }, message: 'x'})`, `cb(null, {toJSON() { cb(null, 'from within'); throw 1 }})`,
	}
	e := newEngine()
	for _, body := range bodies {
		got, err := e.Run(t.Context(), Call{
			Source: `async function login(x, y, cb) { await (async () => { ` + body + ` })(); cb(null, 'over') }`, Args: []any{"tok", "pw"}, Names: []string{"login"},
			Limits: Limits{Memory: 64 << 20, Time: 20 * time.Second, Busy: 2 * time.Second},
		})
		f, ok := err.(*Failure) //nolint:errorlint // it is wrapped in nothing
		if err != nil && (!ok || f.Kind == Broken || f.Kind == Syntax) || strings.Contains(string(got.Result), "read") {
			t.Errorf("%s\n gave %s, %v", body, got.Result, err)
		}
	}
	got, err := e.Run(t.Context(), Call{Source: `function login(x, cb) { cb(null, [typeof Object.prototype.host, x, [1].map(String), require('crypto').createHash('md5').update('x').digest('hex')]) }`, Args: []any{"tok"}})
	if err != nil || string(got.Result) != `["undefined","tok",["1"],"9dd4e461268c8034f5c8564e155c67a6"]` {
		t.Errorf("afterwards: %s, %v", got.Result, err)
	}
}

// Nothing of one run is in the next, of whatever script: a machine that was in reserve
// has seen no script before.
func TestNothingOfAnotherRun(t *testing.T) {
	e := newEngine()
	e.spareLife = time.Minute
	leave := `function login(secret, cb) {
		globalThis.left = secret; Object.prototype.left = secret; require('crypto').left = secret; require('pg').defaults.host = secret; module.exports.left = secret; process = {left: secret};
		/(.*)/.exec(secret); Error.left = secret; Symbol.for(secret); console.left = secret; setTimeout(() => { globalThis.late = secret }, 1); setInterval(() => {}, 1);
		Buffer.from(secret); new FinalizationRegistry(() => {}).register({}, secret); cb(null, 1);
	}`
	look := `function login(x, cb) {
		cb(null, [globalThis.left, ({}).left, require('crypto').left, require('pg').defaults.host, module.exports.left, typeof process, RegExp.$1, RegExp.lastMatch, Error.left, console.left, globalThis.late,
			typeof configuration, Buffer.allocUnsafe(1 << 16).some((b) => b), Buffer.alloc(64).some((b) => b)].map((v) => (v === undefined ? null : v)));
	}`
	for range 20 {
		if _, err := e.Run(t.Context(), Call{Source: leave, Args: []any{"the secret of one"}, Globals: map[string]any{"configuration": map[string]string{"KEY": "a"}}}); err != nil {
			t.Fatal(err)
		}
		got, err := e.Run(t.Context(), Call{Source: look, Args: []any{"x"}})
		if err != nil || strings.Contains(string(got.Result), "secret") || string(got.Result) != `[null,null,null,null,null,"undefined",null,null,null,null,null,"undefined",false,false]` {
			t.Fatalf("%s, %v", got.Result, err)
		}
	}
}

// What a run has sent and waits for is held by Go, not by the engine, and is bounded as
// what the engine holds is.
func TestWhatIsUnderWayIsBounded(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gone:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(gone)
	for what, body := range map[string]string{
		"requests":   `for (let i = 0; i < 20; i++) fetch('` + s.URL + `', {method: 'POST', body: big}).catch(() => {})`,
		"hashes":     `for (let i = 0; i < 200; i++) require('bcrypt').compare(big, '$2a$14$' + 'a'.repeat(53), () => {})`,
		"statements": `const c = new (require('pg').Client)({host: 'x.example'}); c.connect(() => {}); for (let i = 0; i < 40; i++) c.query('SELECT $1', [big], () => {})`,
	} {
		_, f := runCall(t, Call{Source: `function (a, b, cb) { const big = Buffer.alloc(1 << 20, 'x').toString(); ` + body + `; setTimeout(() => cb(null, 1), 1e5) }`, Limits: Limits{Memory: 16 << 20, Requests: 20, Queries: 50}})
		if f == nil || f.Kind != TooMuch || !strings.Contains(f.Message, "under way") {
			t.Errorf("%s: %v", what, f)
		}
	}
}
