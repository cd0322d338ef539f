package script

import "testing"

// What scripts of bad will hand to the library: each ends as an error of the script or
// with an answer, and nothing of Go comes within its reach (security.md 110–112).
func TestHostile(t *testing.T) {
	rows := []struct{ body, want string }{
		{`require('bcrypt').compare(new Proxy({}, {get() { throw new Error('trap') }}), 'x', (e) => cb(null, typeof e.message))`, `"string"`},
		{`require('bcrypt').compare('x', {toString() { return '$2a$04$' }}, (e) => cb(null, e.message))`, `"data and hash must be strings"`},
		{`require('bcrypt').hash('x', {valueOf() { return 31 }}, (e) => cb(null, e instanceof Error))`, `true`},
		{`require('bcrypt').hash('x', NaN, (e, h) => cb(null, h.slice(0, 7)))`, `"$2b$04$"`},
		{`require('bcrypt').hash('x', 1e308, (e) => cb(null, e.code))`, `"ERR_OUT_OF_RANGE"`},
		{`try { crypto.pbkdf2Sync('x', 's', {valueOf() { return 1 }}, 10, 'sha1') } catch (e) { cb(null, e.code) }`, `"ERR_INVALID_ARG_TYPE"`},
		{`try { crypto.randomBytes(-1) } catch (e) { cb(null, e.code) }`, `"ERR_OUT_OF_RANGE"`},
		{`try { crypto.randomBytes(2 ** 31 - 1) } catch (e) { cb(null, e.message) }`, `"at most 65536 random bytes at once"`},
		{`try { crypto.createHash({toString() { throw new Error('mine') }}) } catch (e) { cb(null, e.message) }`, `"mine"`},
		{`try { crypto.createCipheriv('__proto__', 'k', null) } catch (e) { cb(null, e instanceof Error) }`, `true`},
		{`try { require('__proto__') } catch (e) { cb(null, e.code) }`, `"MODULE_NOT_FOUND"`},
		{`try { require('constructor') } catch (e) { cb(null, e.code) }`, `"MODULE_NOT_FOUND"`},
		{`try { require('toString@1') } catch (e) { cb(null, e.code) }`, `"MODULE_NOT_FOUND"`},
		{`try { require({toString() { return 'fs' }}) } catch (e) { cb(null, e.code) }`, `"MODULE_NOT_FOUND"`},
		{`cb(null, ['process', 'fs', 'child_process', 'net', 'tls', 'dns', 'os', 'vm', 'worker_threads', 'module'].filter((name) => { try { return require(name) } catch { return false } }))`, `[]`},
		{`cb(null, {get a() { return 1 }, then: 1})`, `{"a":1,"then":1}`},
		{`cb(null, 1); cb(new Error('second')); throw 3`, `1`},
		{`return {get then() { cb(null, 'first'); throw new Error('late') }}`, `"first"`},
		{`return {then(yes) { yes(5); yes(6) }}`, `5`},
		{`cb(null, new Proxy({}, {ownKeys() { return ['a'] }, getOwnPropertyDescriptor() { return {enumerable: true, configurable: true, value: 1} }, get(o, k) { return k === 'toJSON' ? undefined : k } }))`, `{"a":"a"}`},
		{`JSON.stringify = () => '{"result":'; JSON.parse = () => ({}); Map.prototype.get = () => 1; cb(null, {ok: true})`, `{"ok":true}`},
		{`Object.prototype.host = 1; Object.prototype.then = undefined; Object.hasOwn = null; require('util'); require('bcrypt'); cb(null, 1)`, `1`},
		{`cb(null, Object.getOwnPropertyNames(globalThis).filter((n) => /host|quickjs|std|^os$|scriptArgs|index|kit/i.test(n)))`, `[]`},
		{`cb(null, [require, setTimeout, Buffer.from, console.log, require('crypto').createHash, WrongUsernameOrPasswordError].map((f) => { try { return f.constructor('return typeof host + typeof kit + typeof __host')() } catch (e) { return e.name } }))`,
			`["undefinedundefinedundefined","undefinedundefinedundefined","undefinedundefinedundefined","undefinedundefinedundefined","undefinedundefinedundefined","undefinedundefinedundefined"]`},
	}
	for _, row := range rows {
		got, f := runScript(t, `function (a, b, cb) { `+row.body+` }`)
		if f != nil || string(got.Result) != row.want {
			t.Errorf("%s\n got %s, %v; want %s", row.body, got.Result, f, row.want)
		}
	}
}
