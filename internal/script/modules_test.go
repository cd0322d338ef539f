package script

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/outbound"
)

// values runs expressions that may await, and compares their JSON.
func values(t *testing.T, rows map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(rows))
	got, f := runScript(t, `async function () { return [`+"\n["+strings.Join(names, "],\n[")+"]\n] }")
	var list []json.RawMessage
	if f != nil || json.Unmarshal(got.Result, &list) != nil || len(list) != len(names) {
		t.Fatalf("%s, %v", got.Result, f)
	}
	for i, expression := range names {
		if want := strings.ReplaceAll(rows[expression], `\u0026`, "&"); string(list[i]) != "["+want+"]" {
			t.Errorf("%s\n got %s; want %s", expression, list[i], want)
		}
	}
}

func TestBuffer(t *testing.T) {
	values(t, map[string]string{
		`Buffer.from('aé😀').toString('hex')`:                                      `"61c3a9f09f9880"`,
		`Buffer.from('61c3a9zz', 'hex').toString()`:                               `"aé"`,
		`Buffer.from('aGk=', 'base64').toString('utf8')`:                          `"hi"`,
		`Buffer.from('-_8', 'base64').toString('base64url')`:                      `"-_8"`,
		`Buffer.from('a\ud800').toString()`:                                       `"a�"`,
		`Buffer.from([0xff, 0x41]).toString()`:                                    `"�A"`,
		`Buffer.from([0xff, 0x41]).toString('latin1')`:                            `"ÿA"`,
		`Buffer.concat([Buffer.from('a'), Buffer.from('b')]) + ''`:                `"ab"`,
		`Buffer.isBuffer(Buffer.alloc(2, 'x')), Buffer.isBuffer('a')`:             `true,false`,
		`Buffer.byteLength('é'), Buffer.from('é').length`:                         `2,2`,
		`Buffer.from('abc').equals(Buffer.from('abc'))`:                           `true`,
		`Buffer.from('abcdef').slice(1, 3).toString()`:                            `"bc"`,
		`Buffer.from(Buffer.from('x')).toJSON()`:                                  `{"type":"Buffer","data":[120]}`,
		`Buffer.from('AB', 'utf16le').toString('hex')`:                            `"41004200"`,
		`atob('aGk='), btoa('hi')`:                                                `"hi","aGk="`,
		`new TextDecoder().decode(new TextEncoder().encode('é'))`:                 `"é"`,
		`require('buffer').Buffer === Buffer`:                                     `true`,
		`(() => { try { Buffer.from('a', 'x') } catch (e) { return e.code } })()`: `"ERR_UNKNOWN_ENCODING"`,
		`Buffer.from('a\0b').toString('hex')`:                                     `"610062"`,
		`new Buffer('aGk=', 'base64').toString(), new Buffer('é').length`:         `"hi",2`,
		`new Buffer(3).length, new Buffer([1, 2]).toString('hex')`:                `3,"0102"`,
	})
}

func TestURLs(t *testing.T) {
	values(t, map[string]string{
		`new URL('https://u:p@H.example:8443/a/b?x=1&x=2#f').host`:                                                                  `"h.example:8443"`,
		`new URL('../c?d#e', 'https://h.example/a/b/').href`:                                                                        `"https://h.example/a/c?d#e"`,
		`new URL('https://h.example').pathname, new URL('http://h.example:80/').port`:                                               `"/",""`,
		`(() => { const u = new URL('https://h.example/a'); u.searchParams.append('q', 'a b&c'); return u + '' })()`:                `"https://h.example/a?q=a+b%26c"`,
		`(() => { const u = new URL('https://h.example/a?x=1'); u.pathname = '/z'; u.search = ''; u.hash = 'h'; return u.href })()`: `"https://h.example/z#h"`,
		`new URL('https://h.example/?x=1&x=2').searchParams.getAll('x')`:                                                            `["1","2"]`,
		`(() => { try { new URL('/nowhere') } catch (e) { return [e.name, e.code] } })()`:                                           `["TypeError","ERR_INVALID_URL"]`,
		`new URLSearchParams({a: 1, b: 'ü +'}).toString()`:                                                                          `"a=1\u0026b=%C3%BC+%2B"`,
		`[...new URLSearchParams('?a=1&b=%C3%BC+x')]`:                                                                               `[["a","1"],["b","ü x"]]`,
		`require('querystring').stringify({a: [1, 2], b: 'x y', c: null})`:                                                          `"a=1\u0026a=2\u0026b=x%20y\u0026c="`,
		`require('querystring').parse('a=1&a=2&b=x+y&__proto__=z')`:                                                                 `{"a":["1","2"],"b":"x y","__proto__":"z"}`,
		`require('url').parse('https://h.example/p?q=1', true).query`:                                                               `{"q":"1"}`,
		`require('url').format({protocol: 'https', host: 'h.example', pathname: '/p', query: {q: 1}})`:                              `"https://h.example/p?q=1"`,
		`require('node:url').resolve('https://h.example/a/', 'b')`:                                                                  `"https://h.example/a/b"`,
	})
}

func TestCrypto(t *testing.T) {
	values(t, map[string]string{
		`require('crypto').createHash('md5').update('a').update('b').digest('hex')`:                                              `"187ef4436122d1cc2f40dc2b92f0eba0"`,
		`require('crypto').createHash('SHA1').update('').digest('base64')`:                                                       `"2jmj7l5rSw0yVb/vlWAYkK/YBwk="`,
		`require('crypto').createHash('sha-512').update('x').digest().length`:                                                    `64`,
		`require('crypto').createHmac('sha256', 'key').update('The quick brown fox jumps over the lazy dog').digest('hex')`:      `"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"`,
		`require('crypto').createHmac('sha1', '').update('').digest('hex')`:                                                      `"fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"`,
		`crypto.randomBytes(16).length, crypto.randomBytes(8).equals(crypto.randomBytes(8))`:                                     `16,false`,
		`await require('util').promisify(crypto.randomBytes)(4).then((b) => b.length)`:                                           `4`,
		`crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')), crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('b'))`: `true,false`,
		`/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(require('uuid').v4())`:                     `true`,
		`(() => { try { crypto.createHash('crc32') } catch (e) { return e.message } })()`:                                        `"digest method not supported: crc32"`,
		`(() => { try { crypto.randomBytes(1e9) } catch (e) { return e.message } })()`:                                           `"at most 65536 random bytes at once"`,
		`require('jsonwebtoken').decode('` + token + `').sub`:                                                                    `"u-1"`,
		`require('jsonwebtoken').decode('` + token + `', {complete: true}).header.alg`:                                           `"none"`,
		`require('jsonwebtoken@9.0.2').decode('nothing')`:                                                                        `null`,
	})
}

var token = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u-1","name":"Zoë"}`)) + "."

// echo answers with what it was asked.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
			return
		case "/moved":
			http.Redirect(w, r, "/echo?moved=1", http.StatusFound)
			return
		case "/large":
			_, _ = w.Write(make([]byte, outbound.MaxBody+1))
			return
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/text":
			_, _ = io.WriteString(w, "no JSON")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Set("X-Two", "2")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"method": r.Method, "url": r.URL.String(), "body": string(body), "auth": r.Header.Get("Authorization"), "type": r.Header.Get("Content-Type"), "x": r.Header.Get("X-Test"),
		})
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRequests(t *testing.T) {
	s := echo(t)
	const request = `const request = require('request'); const ask = (o) => new Promise((resolve, reject) => request(o, (e, r, b) => e ? reject(e) : resolve([r.statusCode, b])));`
	rows := []struct{ script, want string }{
		{request + `return ask({url: U + '/echo', headers: {'X-Test': 'x'}}).then(([s, b]) => [s, typeof b, JSON.parse(b).x])`, `[200,"string","x"]`},
		{request + `return ask({url: U, json: true, auth: {bearer: 'tok'}}).then(([s, b]) => b.auth)`, `"Bearer tok"`},
		{request + `return ask({url: U, json: true, auth: {user: 'a', pass: 'b'}}).then(([s, b]) => b.auth)`, `"Basic YTpi"`},
		{request + `return ask({url: U, method: 'post', json: {a: 1}}).then(([s, b]) => [b.method, b.type, b.body])`, `["POST","application/json","{\"a\":1}"]`},
		{request + `return ask({uri: U + '/p', method: 'PUT', form: {a: 'x y', b: [1, 2]}, json: true}).then(([s, b]) => [b.type, b.body, b.url])`, `["application/x-www-form-urlencoded","a=x%20y&b=1&b=2","/p"]`},
		{request + `return ask({url: U + '/p', qs: {q: 'ü'}, json: true}).then(([s, b]) => b.url)`, `"/p?q=%C3%BC"`},
		{request + `return ask({url: U + '/missing', json: true}).then(([s]) => s)`, `404`},
		{request + `return ask({url: U + '/text', json: true})`, `[200,"no JSON"]`},
		{request + `return ask({url: U + '/moved', json: true}).then(([s, b]) => b.url)`, `"/echo?moved=1"`},
		{request + `return ask({url: U + '/moved', followRedirect: false}).then(([s]) => s)`, `302`},
		{request + `return ask({url: U, encoding: null}).then(([s, b]) => Buffer.isBuffer(b))`, `true`},
		{request + `return new Promise((done) => request.get(U + '/g', (e, r, b) => done([r.headers['x-two'], r.headers['set-cookie'], JSON.parse(b).method])))`, `["2",["a=1"],"GET"]`},
		{request + `return new Promise((done) => request.defaults({headers: {'x-test': 'd'}, json: true}).post(U, {form: {a: 1}}, (e, r, b) => done([b.x, b.method])))`, `["d","POST"]`},
		{request + `return ask('http://127.0.0.1:1/?token=geheim').catch((e) => [e.code, e.message.includes('geheim')])`, `["ECONNREFUSED",false]`},
		{request + `return ask('http://10.0.0.1/').catch((e) => e.message)`, `"The request failed: dial tcp 10.0.0.1:80: internal address, which --outbound-allow does not name"`},
		{request + `return ask('file:///etc/passwd').catch((e) => e.message)`, `"The request failed: not a plain http(s) URL"`},
		{request + `return ask(U + '/large').catch((e) => e.message)`, `"The request failed: answer too large"`},
		{request + `return ask('::').catch((e) => e.code)`, `"ERR_INVALID_URL"`},

		{`const axios = require('axios@1.7'); return axios.get(U + '/p', {params: {a: 1, b: null, c: [1, 2]}, headers: {'X-Test': 'x'}}).then((r) => [r.status, r.data.url, r.data.x])`, `[200,"/p?a=1&c%5B%5D=1&c%5B%5D=2","x"]`},
		{request + `return new Promise((done) => request.post(U, (e, r, b) => done(JSON.parse(b).body)).form({a: 'x'}))`, `"a=x"`},
		{request + `return new Promise((done) => request.get(U).auth('a', 'b').on('response', (r) => done([r.statusCode, JSON.parse(r.body).auth])))`, `[200,"Basic YTpi"]`},
		{request + `return new Promise((done) => request.get('http://127.0.0.1:1/').on('error', (e) => done(e.code)))`, `"ECONNREFUSED"`},
		{request + `return ask({url: U, formData: {a: 1}}).catch((e) => e.message)`, `"request's formData is not available in scripts here"`},
		{request + `return ask({url: U, body: {}}).catch((e) => e.message)`, `"The data must be a string or a Buffer."`},
		{`const rp = require('request-promise'); return rp({uri: U + '/p', json: true, method: 'PUT', body: {a: 1}}).then((b) => [b.url, b.body])`, `["/p","{\"a\":1}"]`},
		{`const rp = require('request-promise-native'); return rp.get(U + '/missing', {json: true}).catch((e) => [e.name, e.statusCode, e.error.method, e.response.statusCode])`, `["StatusCodeError",404,"GET",404]`},
		{`const rp = require('request-promise').defaults({simple: false, resolveWithFullResponse: true}); return rp(U + '/missing').then((r) => r.statusCode)`, `404`},
		{`const rp = require('request-promise'); return rp('http://127.0.0.1:1/').catch((e) => [e.name, e.cause.code])`, `["RequestError","ECONNREFUSED"]`},

		{`const axios = require('axios'); axios.defaults.baseURL = U; axios.defaults.headers.common['X-Test'] = 'd'; axios.defaults.headers.post['Content-Type'] = 'text/plain'; return Promise.all([axios.get('/p'), axios.post('/q', 'x', {headers: {'X-Test': 'o'}})]).then(([a, b]) => [a.data.url, a.data.x, a.data.type, b.data.x, b.data.type])`, `["/p","d","","o","text/plain"]`},
		{`const own = axios.create({headers: {Authorization: 'first'}}); own.interceptors.request.use((c) => { c.headers.Authorization += ' second'; return c }); own.interceptors.response.use((r) => r.data.auth, (e) => 'no'); return Promise.all([own.get(U), own.get(U + '/missing'), axios.get(U).then((r) => r.data.auth)])`, `["first second","no",""]`},
		{`return axios.get(U + '/slow', {timeout: 1}).catch((e) => [e.code, e.message, JSON.parse(JSON.stringify(e)).code])`, `["ECONNABORTED","timeout of 1ms exceeded","ECONNABORTED"]`},
		{`const c = new AbortController(); setTimeout(() => c.abort(), 1); return axios.get(U + '/slow', {signal: c.signal}).catch((e) => [e.code, axios.isCancel(e)])`, `["ERR_CANCELED",true]`},
		{`const axios = require('axios'); return axios.post(U, {a: 1}).then((r) => [r.data.type, r.data.body])`, `["application/json","{\"a\":1}"]`},
		{`const axios = require('axios'); return axios.post(U, new URLSearchParams({a: 'x y'})).then((r) => [r.data.type, r.data.body])`, `["application/x-www-form-urlencoded","a=x+y"]`},
		{`return axios({url: U, method: 'delete', auth: {username: 'a', password: 'b'}}).then(({data}) => [data.method, data.auth])`, `["DELETE","Basic YTpi"]`},
		{`return axios.create({baseURL: U + '/v1/', headers: {common: {'x-test': 'c'}}}).get('/me').then((r) => [r.data.url, r.data.x])`, `["/v1/me","c"]`},
		{`try { await axios.get(U + '/missing') } catch (e) { return [e.isAxiosError, e.message, e.response.status, e.response.data.method] }`, `[true,"Request failed with status code 404",404,"GET"]`},
		{`return axios.get(U + '/missing', {validateStatus: (s) => s < 500}).then((r) => r.status)`, `404`},
		{`try { await axios.get('http://127.0.0.1:1/') } catch (e) { return [e.code, e.response === undefined] }`, `["ECONNREFUSED",true]`},

		{`const r = await fetch(U + '/p', {method: 'POST', body: '{}', headers: {Authorization: 'Bearer t', 'Content-Type': 'application/json'}}); const b = await r.json(); return [r.ok, r.status, r.headers.get('X-Two'), b.method, b.auth, b.type, b.body]`, `[true,200,"2","POST","Bearer t","application/json","{}"]`},
		{`const fetch = require('node-fetch@2'); const r = await fetch(U + '/missing'); return [r.ok, r.status, typeof await r.text()]`, `[false,404,"string"]`},
		{`const r = await fetch(U); await r.text(); return r.json().catch((e) => e.name)`, `"TypeError"`},
		{`return fetch('http://127.0.0.1:1/').catch((e) => [e.message, e.cause.code])`, `["fetch failed","ECONNREFUSED"]`},
		{`const c = new AbortController(); const r = fetch(U + '/slow', {signal: c.signal}); c.abort(); return r.catch((e) => [e.name, c.signal.aborted])`, `["AbortError",true]`},
		{`return fetch(U + '/slow', {signal: AbortSignal.timeout(1)}).catch((e) => e.name)`, `"TimeoutError"`},
		{`return fetch(U, {signal: AbortSignal.abort('early')}).catch((e) => e)`, `"early"`},
		{`return require('node-fetch')(U + '/slow', {timeout: 1}).catch((e) => e.cause.code)`, `"ETIMEDOUT"`},
		{`return fetch('http://10.0.0.1/').catch((e) => [e.message, e.cause.code])`, `["fetch failed","EACCES"]`},

		{`const http = require('http'); return new Promise((done, fail) => { const r = http.request(U + '/h', {method: 'POST'}, (res) => { let s = ''; res.on('data', (c) => { s += c }); res.on('end', () => done([res.statusCode, JSON.parse(s).body])) }); r.on('error', fail); r.write('a'); r.end('b') })`, `[200,"ab"]`},
		{`const {URL} = require('url'); const u = new URL(U); return new Promise((done) => require('http').get({host: u.hostname, port: u.port, path: '/h?x=1'}, (res) => { res.setEncoding('utf8'); res.on('data', (s) => done(JSON.parse(s).url)) }))`, `"/h?x=1"`},
		{`const {get, Agent} = require('http'); return new Promise((done) => get(U, {agent: new Agent({keepAlive: true})}, async (res) => { let s = ''; for await (const c of res) s += c; done(JSON.parse(s).method) }))`, `"GET"`},
		{`return new Promise((done) => { const r = require('http').get(U + '/slow', {timeout: 1}); r.on('timeout', () => r.destroy()); r.on('error', (e) => done(e.code)) })`, `"ECONNRESET"`},
		{`return new Promise((done) => require('http').get(U + '/slow').setTimeout(1, () => done('slow')))`, `"slow"`},
		{`return new Promise((done) => require('http').get('http://127.0.0.1:1/').on('error', (e) => done(e.code)))`, `"ECONNREFUSED"`},
	}
	for _, row := range rows {
		got, f := runCall(t, Call{Source: `async function (U) {` + row.script + `}`, Args: []any{s.URL}})
		if f != nil || string(got.Result) != row.want {
			t.Errorf("%s\n got %s, %v; want %s", row.script, got.Result, f, row.want)
		}
	}
}

// An address inside is not asked unless configuration allows it.
func TestGuard(t *testing.T) {
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	e := New(outbound.New(nil), rand.Reader, 0)
	_, err := e.Run(t.Context(), Call{Source: `(url, cb) => request(url, cb)`, Args: []any{s.URL}})
	var f *Failure
	if !errors.As(err, &f) || !strings.Contains(f.Message, "internal address") || asked {
		t.Errorf("%v, asked %v", err, asked)
	}
}

// answering is a client that answers by itself.
type answering func(*http.Request) *http.Response

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// The example of OAuth Core 1.0, appendix A.5, whose base string is made as RFC
// 5849 §3.4.1 has it.
func TestOAuthSignature(t *testing.T) {
	const want = `OAuth oauth_consumer_key="dpf43f3p2l4k3l03", oauth_nonce="kllo9940pd9333jh", oauth_signature="tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D", ` +
		`oauth_signature_method="HMAC-SHA1", oauth_timestamp="1191242096", oauth_token="nnch734d00sl2jdk", oauth_version="1.0"`
	var sent string
	client := &http.Client{Transport: answering(func(r *http.Request) *http.Response {
		sent = r.Header.Get("Authorization")
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	})}
	_, err := New(client, rand.Reader, 0).Run(t.Context(), Call{Source: `(cb) => request({
		url: 'http://photos.example.net/photos?file=vacation.jpg', qs: {size: 'original'},
		oauth: {consumer_key: 'dpf43f3p2l4k3l03', consumer_secret: 'kd94hf93k423kf44', token: 'nnch734d00sl2jdk', token_secret: 'pfkkdhi9sl3r4s00', nonce: 'kllo9940pd9333jh', timestamp: '1191242096'},
	}, cb)`})
	if err != nil || sent != want {
		t.Errorf("%v\n got %s\nwant %s", err, sent, want)
	}
	s := echo(t)
	got, f := runCall(t, Call{Source: `function (U, cb) {
		const OAuth = new require('oauth').OAuth;
		const oauth = new OAuth('r', 'a', 'key', 'secret', '1.0', null, 'HMAC-SHA1');
		oauth.get(U + '/missing', 'tok', 'toksecret', (e, b, r) => cb(null, [e.statusCode, r.statusCode, JSON.parse(b).auth.slice(0, 24)]));
	}`, Args: []any{s.URL}})
	if f != nil || string(got.Result) != `[404,404,"OAuth oauth_consumer_key"]` {
		t.Errorf("%s, %v", got.Result, f)
	}
}

func TestUtil(t *testing.T) {
	values(t, map[string]string{
		`require('util').format('%s %d %j %%', 'a', 1, {b: 1}, 'c')`:                                         `"a 1 {\"b\":1} % c"`,
		`require('util').inspect({a: [1, new Date(0)], b: new Error('x'), 'c-d': Buffer.from('a')})`:         `"{ a: [ 1, 1970-01-01T00:00:00.000Z ], b: Error: x, \"c-d\": <1 bytes> }"`,
		`await require('util').promisify((a, cb) => cb(null, a + 1))(1)`:                                     `2`,
		`await new Promise((done) => require('util').callbackify(async (a) => a + 1)(1, (e, v) => done(v)))`: `2`,
	})
}

// The first token is that of jwt.io.
func TestTokens(t *testing.T) {
	const jwt = `(f) => { try { return f(require('jsonwebtoken@9')) } catch (e) { return [e.name, e.message] } }`
	const known = `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c`
	rows := map[string]string{
		`(j) => j.verify('` + known + `', 'your-256-bit-secret').name`:                                                     `"John Doe"`,
		`(j) => j.sign({sub: '1234567890', name: 'John Doe', iat: 1516239022}, 'your-256-bit-secret') === '` + known + `'`: `true`,
		`(j) => j.verify('` + known + `', 'another')`:                                                                      `["JsonWebTokenError","invalid signature"]`,
		`(j) => j.verify('` + known + `'.slice(0, -4), 'your-256-bit-secret')`:                                             `["JsonWebTokenError","invalid signature"]`,
		`(j) => j.verify('` + known + `', 'your-256-bit-secret', {algorithms: ['HS512']})`:                                 `["JsonWebTokenError","invalid algorithm"]`,
		`(j) => j.verify('` + known + `', 'your-256-bit-secret', {maxAge: '1h'})`:                                          `["TokenExpiredError","maxAge exceeded"]`,
		`(j) => j.verify('` + known + `', '')`:                                                                             `["JsonWebTokenError","secret or public key must be provided"]`,
		`(j) => j.verify('` + token + `', 'k')`:                                                                            `["JsonWebTokenError","jwt signature is required"]`,
		`(j) => j.verify('` + token + `x', 'k')`:                                                                           `["Error","jsonwebtoken has the algorithms HS256, HS384 and HS512 in scripts here, not none"]`,
		`(j) => j.verify('', 'k')`:                                                                                         `["JsonWebTokenError","jwt must be provided"]`,
		`(j) => j.verify('x', 'k')`:                                                                                        `["JsonWebTokenError","jwt malformed"]`,
		`(j) => j.sign({}, '\n-----BEGIN PUBLIC KEY-----')`:                                                                `["JsonWebTokenError","secretOrKey must be a secret: keys in PEM are of algorithms that are not available in scripts here"]`,
		`(j) => j.sign({}, 'k', {algorithm: 'RS256'})`:                                                                     `["Error","jsonwebtoken has the algorithms HS256, HS384 and HS512 in scripts here, not RS256"]`,
		`(j) => { const v = j.verify(j.sign({a: 1}, 'k', {expiresIn: '2 hours', algorithm: 'HS512'}), 'k'); return [v.a, v.exp - v.iat] }`:                                                `[1,7200]`,
		`(j) => j.verify(j.sign({}, 'k', {expiresIn: -1}), 'k')`:                                                                                                                          `["TokenExpiredError","jwt expired"]`,
		`(j) => j.verify(j.sign({}, 'k', {expiresIn: -1, noTimestamp: true}), 'k', {ignoreExpiration: true}).iat === undefined`:                                                           `true`,
		`(j) => j.verify(j.sign({}, 'k', {notBefore: '1d'}), 'k')`:                                                                                                                        `["NotBeforeError","jwt not active"]`,
		`(j) => j.verify(j.sign({}, 'k', {audience: ['a', 'b'], issuer: 'i', subject: 's', jwtid: 'j'}), 'k', {audience: /b/, issuer: ['x', 'i'], subject: 's', jwtid: 'j'}).aud`:         `["a","b"]`,
		`(j) => j.verify(j.sign({}, 'k', {audience: 'a'}), 'k', {audience: 'c'})`:                                                                                                         `["JsonWebTokenError","jwt audience invalid. expected: c"]`,
		`(j) => j.verify(j.sign({}, 'k', {issuer: 'a'}), 'k', {issuer: 'c'})`:                                                                                                             `["JsonWebTokenError","jwt issuer invalid. expected: c"]`,
		`(j) => j.verify(j.sign('a text', 'k'), 'k')`:                                                                                                                                     `"a text"`,
		`(j) => j.verify(j.sign('null', 'k'), 'k')`:                                                                                                                                       `null`,
		`(j) => j.sign({}, 'k', {expiresIn: 'soon'})`:                                                                                                                                     `["Error","\"expiresIn\" should be a number of seconds or string representing a timespan"]`,
		`(j) => new Promise((done) => j.verify(j.sign({}, 'k', {keyid: 'x'}), (h, found) => found(null, h.kid === 'x' ? 'k' : ''), {complete: true}, (e, v) => done([e, v.header.kid])))`: `[null,"x"]`,
		`(j) => new Promise((done) => j.verify('x', 'k', (e) => done(e instanceof j.JsonWebTokenError)))`:                                                                                 `true`,
	}
	asked := map[string]string{}
	for expression, want := range rows {
		asked["await ("+jwt+")("+expression+")"] = want
	}
	values(t, asked)
}

func TestGlobals(t *testing.T) {
	values(t, map[string]string{
		`(() => { class Own extends Error { constructor(m) { super(m); Error.captureStackTrace(this, Own) } } return new Own('x').message })()`:                                                         `"x"`,
		`(() => { const o = {}; Error.captureStackTrace(o); return typeof o.stack })()`:                                                                                                                 `"string"`,
		`(() => { const c = new AbortController(); let n = 0; c.signal.onabort = () => n++; c.signal.addEventListener('abort', () => n++); c.abort(); c.abort(); return [n, c.signal.reason.name] })()`: `[2,"AbortError"]`,
		`(() => { try { AbortSignal.abort().throwIfAborted() } catch (e) { return e.name } })(), typeof AbortSignal.trip`:                                                                               `"AbortError","undefined"`,
	})
}
