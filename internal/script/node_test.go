package script

import (
	"encoding/json"
	"strings"
	"testing"
)

const asNode = `const crypto = require('crypto'), util = require('util'), events = require('events'), { EventEmitter } = events, path = require('path'), url = require('url'), querystring = require('querystring');`

// TestAsNode: the answers are those of node 20.
func TestAsNode(t *testing.T) {
	rows := []struct{ expression, want string }{
		{`crypto.pbkdf2Sync('pässword', 'salt', 1000, 40, 'sha512').toString('hex')`, `"ea16ba2819d400ff127f7b10dc214fd22835c1c5a4c420b5571c8348c78832b118e4b89e6e9854d0"`},
		{`crypto.pbkdf2Sync(Buffer.from('p'), Buffer.from('0011', 'hex'), 1, 20, 'sha1').toString('base64')`, `"Ja+V29A7x65eHs+8EqHnAKoNRt8="`},
		{`await util.promisify(crypto.pbkdf2)('p', 's', 10, 16, 'sha256').then((b) => b.toString('hex'))`, `"1d6f1f7051b420b93e23f010e486cfea"`},
		{`await new Promise((done) => crypto.pbkdf2('p', 's', 10, 70, 'md5', (e, b) => done([e, b.length, b.toString('hex').slice(0, 8)])))`, `[null,70,"57e8393d"]`},
		{`(() => { try { crypto.pbkdf2Sync('p', 's', 10, 16, 'crc32') } catch (e) { return [e.name, e.code, e.message] } })()`, `["TypeError","ERR_CRYPTO_INVALID_DIGEST","Invalid digest: crc32"]`},
		{`(() => { try { crypto.pbkdf2Sync('p', 's', 0, 16, 'sha1') } catch (e) { return [e.name, e.code] } })()`, `["RangeError","ERR_OUT_OF_RANGE"]`},
		{`(() => { try { crypto.pbkdf2Sync(undefined, 's', 1, 16, 'sha1') } catch (e) { return [e.name, e.code] } })()`, `["TypeError","ERR_INVALID_ARG_TYPE"]`},
		{`(() => { try { crypto.pbkdf2('p', 's', 1, 16, 'sha1') } catch (e) { return [e.name, e.code] } })()`, `["TypeError","ERR_INVALID_ARG_TYPE"]`},
		{`crypto.scryptSync('password', 'NaCl', 64, {N: 1024, r: 8, p: 16}).toString('hex')`, `"fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"`},
		{`await util.promisify(crypto.scrypt)('p', 's', 16).then((b) => b.toString('hex'))`, `"4329787752e75d1de359a05806e492d4"`},
		{`await new Promise((done) => crypto.scrypt('p', 's', 16, {cost: 16}, (e, b) => done(b.toString('hex'))))`, `"4efe92b5bba5ee1837b4b02b67dc2dbd"`},
		{`(() => { try { crypto.scryptSync('p', 's', 16, {N: 3}) } catch (e) { return [e.name, e.code] } })()`, `["RangeError","ERR_CRYPTO_INVALID_SCRYPT_PARAMS"]`},
		{`(() => { try { crypto.scryptSync('p', 's', 16, {N: 131072}) } catch (e) { return [e.name, e.code] } })()`, `["RangeError","ERR_CRYPTO_INVALID_SCRYPT_PARAMS"]`},
		{`crypto.createHash('sha256').update('616263', 'hex').update('ü', 'latin1').digest('base64url')`, `"5CzohGefprSj3xr0sIDY0O7nhlavS4br2KfALN-eBZs"`},
		{`(() => { const h = crypto.createHash('sha1').update('a'); const c = h.copy(); return [h.update('b').digest('hex'), c.digest('hex')] })()`, `["da23614e02469a0d7c7bd1bdab5c9c474b1904dc","86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"]`},
		{`(() => { const h = crypto.createHash('sha1'); h.digest(); try { h.update('a') } catch (e) { return [e.message, e.code] } })()`, `["Digest already called","ERR_CRYPTO_HASH_FINALIZED"]`},
		{`crypto.createHash('ripemd160').update('abc').digest('hex')`, `"8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"`},
		{`crypto.createHash('RSA-SHA256').update('abc').digest('hex').slice(0, 16)`, `"ba7816bf8f01cfea"`},
		{`crypto.createHash('sha3-256').update('abc').digest('hex')`, `"3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"`},
		{`crypto.createHash('sha512-256').update('abc').digest('hex')`, `"53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"`},
		{`crypto.createHash('sha1').update('abc').digest('latin1').length`, `20`},
		{`crypto.createHmac('sha512', Buffer.from('k')).update('a').update(Buffer.from('b')).digest('base64')`, `"EUKU9lBqsTFxVpFuHfKjStVtiikSEOdB8c9f7Hpg+1aPEtxA0EqezbsjAGPsUfTndvmsMXRP6sPQ6O1qG4WdbA=="`},
		{`(() => { try { crypto.createHmac('sha1', undefined) } catch (e) { return [e.name, e.code] } })()`, `["TypeError","ERR_INVALID_ARG_TYPE"]`},
		{`(() => { try { crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('ab')) } catch (e) { return [e.name, e.code] } })()`, `["RangeError","ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH"]`},
		{`(() => { const c = crypto.createCipheriv('aes-256-cbc', Buffer.alloc(32, 1), Buffer.alloc(16, 2)); return c.update('a text of more than one block', 'utf8', 'hex') + c.final('hex') })()`, `"bb00de982d49e093768c54f50e35e21cbe8a424de3099473ff10ea10db91a8d3"`},
		{`(() => { const c = crypto.createCipheriv('aes-128-cbc', 'k'.repeat(16), 'i'.repeat(16)); return c.update('0123456789abcdef0', 'utf8', 'base64') + c.final('base64') })()`, `"A9TQK2mQueQ5c5Hl4ArPo4dRsoKs8qLokWW6C+nlk60="`},
		{`(() => { const c = crypto.createCipheriv('aes-128-cbc', 'k'.repeat(16), 'i'.repeat(16)); return [c.update('0123456789abcdef0').length, c.final().length] })()`, `[16,16]`},
		{`(() => { const c = crypto.createDecipheriv('aes-128-cbc', 'k'.repeat(16), 'i'.repeat(16)); return c.update(crypto.createCipheriv('aes-128-cbc', 'k'.repeat(16), 'i'.repeat(16)).update('zwölf Boxkämpfer jagen über den Sylter Deich'), undefined, 'utf8') })()`, `"zwölf Boxkämpf"`},
		{`(() => { const e = crypto.createCipheriv('aes-192-ctr', Buffer.alloc(24), Buffer.alloc(16, 255)); return [e.update('abc', 'utf8', 'hex'), e.update('def', 'utf8', 'hex'), e.final('hex')] })()`, `["d05fd7","be7a17",""]`},
		{`(() => { const e = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32, 3), Buffer.alloc(12, 4)); e.setAAD(Buffer.from('aad')); const t = e.update('hello ', 'utf8', 'hex') + e.update('world', 'utf8', 'hex') + e.final('hex'); return [t, e.getAuthTag().toString('hex')] })()`, `["28427fa1c2be7071eb78e4","91d1ffbd83b99ba2c569829a0747df73"]`},
		{`(() => { const e = crypto.createCipheriv('aes-128-gcm', Buffer.alloc(16, 3), Buffer.alloc(16, 4)); const t = e.update('hello', 'utf8', 'hex') + e.final('hex'); const d = crypto.createDecipheriv('aes-128-gcm', Buffer.alloc(16, 3), Buffer.alloc(16, 4)); d.setAuthTag(e.getAuthTag()); return [t, d.update(t, 'hex', 'utf8') + d.final('utf8')] })()`, `["1d5a9c8f8d","hello"]`},
		{`(() => { const d = crypto.createDecipheriv('aes-128-gcm', Buffer.alloc(16, 3), Buffer.alloc(12, 4)); d.setAuthTag(Buffer.alloc(16)); d.update('00', 'hex'); try { d.final() } catch (e) { return e.message } })()`, `"Unsupported state or unable to authenticate data"`},
		{`(() => { const d = crypto.createDecipheriv('aes-128-cbc', Buffer.alloc(16, 3), Buffer.alloc(16, 4)); d.update(Buffer.alloc(16)); try { d.final() } catch (e) { return e.name } })()`, `"Error"`},
		{`(() => { const d = crypto.createDecipheriv('aes-128-cbc', Buffer.alloc(16, 3), Buffer.alloc(16, 4)); d.setAutoPadding(false); return d.update(Buffer.alloc(16), undefined, 'hex') + d.final('hex') })()`, `"84c924e5b98d385ae0247281b49e0a3a"`},
		{`(() => { try { crypto.createCipheriv('aes-128-cbc', 'short', Buffer.alloc(16)) } catch (e) { return e.message } })()`, `"Invalid key length"`},
		{`(() => { try { crypto.createCipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(12)) } catch (e) { return e.message } })()`, `"Invalid initialization vector"`},
		{`(() => { const n = crypto.randomInt(5); const m = crypto.randomInt(10, 12); return [n >= 0 && n < 5, m === 10 || m === 11] })()`, `[true,true]`},
		{`await util.promisify(crypto.randomBytes)(4).then((b) => b.length)`, `4`},
		{`await new Promise((done) => crypto.randomInt(3, 4, (e, n) => done([e, n])))`, `[null,3]`},
		{`(() => { try { crypto.randomInt(5, 5) } catch (e) { return [e.name, e.code] } })()`, `["RangeError","ERR_OUT_OF_RANGE"]`},
		{`crypto.getHashes().includes('sha256')`, `true`},
		{`await util.promisify(setTimeout)(1, 'slept')`, `"slept"`},
		{`await (() => { function f(cb) { cb(null, 1) } f[util.promisify.custom] = async () => 2; return util.promisify(f)() })()`, `2`},
		{`await (() => { const o = { v: 3, f(cb) { cb(null, this.v) } }; o.g = util.promisify(o.f); return o.g() })()`, `3`},
		{`(() => { try { util.promisify(1) } catch (e) { return [e.name, e.code] } })()`, `["TypeError","ERR_INVALID_ARG_TYPE"]`},
		{`util.format('%s=%d %i %j %o%%', 'a', '42', '7.9', {b: 1})`, `"a=42 7 {\"b\":1} %o%"`},
		{`util.format('a', 'b', 3)`, `"a b 3"`},
		{`[util.isDeepStrictEqual({a: [1, {b: 2}]}, {a: [1, {b: 2}]}), util.isDeepStrictEqual([1], ['1']), util.types.isDate(new Date()), util.types.isPromise(1)]`, `[true,false,true,false]`},
		{`(() => { const assert = require('assert'); const f = (g) => { try { g(); return 'ok' } catch (e) { return [e.name, e.code, e.operator] } }; return [f(() => assert(1)), f(() => assert.equal(null, undefined)), f(() => assert.equal(1, '1')), f(() => assert.equal(NaN, NaN)), f(() => assert.deepStrictEqual({a: [1]}, {a: [1]})), f(() => assert.ifError(null))] })()`, `["ok","ok","ok","ok","ok","ok"]`},
		{`(() => { const assert = require('assert'); const f = (g) => { try { g(); return 'ok' } catch (e) { return [e.name, e.code, e.operator] } }; return [f(() => assert.equal(null, new Error('x'))), f(() => assert(0, 'no')), f(() => assert.strictEqual(1, '1')), f(() => assert.notEqual(1, 1)), f(() => assert.deepStrictEqual({a: [1]}, {a: ['1']})), f(() => assert.fail('x')), f(() => assert.ifError(new Error('q'))), f(() => assert.ok(false, new TypeError('own')))] })()`, `[["AssertionError","ERR_ASSERTION","=="],["AssertionError","ERR_ASSERTION","=="],["AssertionError","ERR_ASSERTION","strictEqual"],["AssertionError","ERR_ASSERTION","!="],["AssertionError","ERR_ASSERTION","deepStrictEqual"],["AssertionError","ERR_ASSERTION","fail"],["AssertionError","ERR_ASSERTION","ifError"],["TypeError",null,null]]`},
		{`(() => { const assert = require('assert'); const m = (g) => { try { g() } catch (e) { return [e.message, e instanceof assert.AssertionError] } }; return [m(() => assert.equal(1, 2)), m(() => assert(false, 'no user')), m(() => assert.ifError(new Error('q'))), m(() => assert.fail()), m(() => assert.notEqual(1, 1))] })()`, `[["1 == 2",true],["no user",true],["ifError got unwanted exception: q",true],["Failed",true],["1 != 1",true]]`},
		{`(() => { function A() {} function B() {} B.prototype.hi = () => 'hi'; util.inherits(A, B); return [new A().hi(), A.super_ === B] })()`, `["hi",true]`},
		{`(() => { const e = new EventEmitter(); const seen = []; e.on('a', (x) => seen.push(x)); e.once('a', (x) => seen.push(-x)); e.prependListener('a', () => seen.push('first')); return [e.emit('a', 1), e.emit('a', 2), e.emit('b'), seen, e.listenerCount('a'), e.eventNames()] })()`, `[true,true,false,["first",1,-1,"first",2],2,["a"]]`},
		{`(() => { const e = new EventEmitter(); const f = () => 1; e.on('x', f).off('x', f); try { e.emit('error', new TypeError('odd')) } catch (x) { return [x.name, x.message, e.listenerCount('x')] } })()`, `["TypeError","odd",0]`},
		{`(() => { class M extends EventEmitter { constructor() { super(); this.n = 1 } } const m = new M(); let got; m.on('n', function () { got = this.n }); m.emit('n'); return [got, m instanceof EventEmitter] })()`, `[1,true]`},
		{`await (() => { const e = new EventEmitter(); const p = events.once(e, 'x'); e.emit('x', 1, 2); return p })()`, `[1,2]`},
		{`[path.join('/a', '..', 'b', './c.txt'), path.basename('/x/y.tar.gz', '.gz'), path.extname('a/b.c'), path.dirname('/a/b'), path.dirname('a'), path.normalize('a//b/../c/'), path.isAbsolute('/a'), path.extname('.rc')]`, `["/b/c.txt","y.tar",".c","/a",".","a/c/",true,""]`},
		{`url.parse('https://u:p@h.example:8443/a/b?x=1&x=2#f', true).query.x`, `["1","2"]`},
		{`(({protocol, auth, host, port, hostname, hash, search, query, pathname, path, href}) => ({protocol, auth, host, port, hostname, hash, search, query, pathname, path, href}))(url.parse('https://u:p@h.example:8443/a/b?x=1#f'))`, `{"protocol":"https:","auth":"u:p","host":"h.example:8443","port":"8443","hostname":"h.example","hash":"#f","search":"?x=1","query":"x=1","pathname":"/a/b","path":"/a/b?x=1","href":"https://u:p@h.example:8443/a/b?x=1#f"}`},
		{`(({protocol, host, pathname, query}) => ({protocol, host, pathname, query}))(url.parse('/only/path?a=b'))`, `{"protocol":null,"host":null,"pathname":"/only/path","query":"a=b"}`},
		{`[url.format(new URL('https://h.example/a')), url.resolve('/one/two/three', 'four'), url.resolve('http://example.com/one', '/two')]`, `["https://h.example/a","/one/two/four","http://example.com/two"]`},
		{`[querystring.escape('a b&c'), querystring.unescape('a%20b'), querystring.stringify({a: ['x', 'y'], b: ''})]`, `["a%20b%26c","a b","a=x&a=y&b="]`},
		{`[Buffer.from('ü').toString('hex'), Buffer.from('fc', 'hex').toString('latin1'), Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString(), Buffer.from('aGk', 'base64').toString(), Buffer.from([1, 2, 3]).slice(1).toJSON()]`, `["c3bc","ü","ab","hi",{"type":"Buffer","data":[2,3]}]`},
		{`[Buffer.from('abc').equals(Buffer.from('abc')), Buffer.compare(Buffer.from('a'), Buffer.from('b')), Buffer.byteLength('ü'), Buffer.isBuffer(new Uint8Array(1)), Buffer.from('abcabc').indexOf('c'), Buffer.from('abc').includes('bc')]`, `[true,-1,2,false,2,true]`},
		{`[Buffer.from('0102030405060708', 'hex').readUInt16LE(1), Buffer.from('0102030405060708', 'hex').readInt32BE(0), String(Buffer.from('0102030405060708', 'hex').readBigUInt64BE(0)), Buffer.alloc(4).writeUInt16BE(258, 1)]`, `[770,16909060,"72623859790382856",3]`},
	}
	var text strings.Builder
	text.WriteString("async function () {" + asNode + "const out = [];\n")
	for _, row := range rows {
		text.WriteString("try { out.push((" + row.expression + ")) } catch (e) { out.push(String(e)) }\n")
	}
	text.WriteString("return out }")
	got, f := runCall(t, Call{Source: text.String(), Limits: Limits{Memory: 64 << 20}})
	var list []json.RawMessage
	if f != nil || json.Unmarshal(got.Result, &list) != nil || len(list) != len(rows) {
		t.Fatalf("%s, %v", got.Result, f)
	}
	for i, row := range rows {
		if string(list[i]) != row.want {
			t.Errorf("%s\n got %s; want %s", row.expression, list[i], row.want)
		}
	}
}
