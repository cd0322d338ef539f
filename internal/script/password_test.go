package script

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"mangrove/internal/outbound"
)

// The vectors of the bcrypt distribution (Openwall's crypt_blowfish).
func TestBcrypt(t *testing.T) {
	values(t, map[string]string{
		`require('bcrypt').compareSync('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')`:                                                                                                                                  `true`,
		`require('bcrypt@5.0.1').compareSync('U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK')`:                                                                                                                           `true`,
		`require('bcryptjs').compareSync('U*U*U', '$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a')`:                                                                                                                              `true`,
		`require('bcrypt').compareSync('', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy')`:                                                                                                                                     `true`,
		`require('bcrypt').compareSync('U*u', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')`:                                                                                                                                  `false`,
		`require('bcrypt').hashSync('U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.')`:                                                                                                                                                                    `"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"`,
		`await require('bcrypt').compare('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')`:                                                                                                                                `true`,
		`await new Promise((done) => require('bcrypt@0.8.5').compare('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', (e, ok) => done([e, ok])))`:                                                                         `[null,true]`,
		`await (async () => { const b = require('bcryptjs'); const h = await b.hash('päss', 4); return [h.length, h.slice(0, 7), b.getRounds(h), b.getSalt(h) === h.slice(0, 29), await b.compare('päss', h), await b.compare('pass', h)] })()`: `[60,"$2b$04$",4,true,true,false]`,
		`await (async () => { const b = require('bcrypt'); const s = await b.genSalt(4); return [s.length, s.slice(0, 7), (await b.hash('x', s)).startsWith(s), b.genSaltSync().slice(0, 7)] })()`:                                              `[29,"$2b$04$",true,"$2b$10$"]`,
		`await new Promise((done) => require('bcrypt').genSalt(5, 'a', (e, s) => require('bcrypt').hash(Buffer.from('x'), s, (e, h) => done([s.slice(0, 7), h.startsWith(s)]))))`:                                                               `["$2a$05$",true]`,
		`require('bcrypt').compareSync('x', 'no hash')`:                                                                                                        `false`,
		`await require('bcrypt').compare('x', '').catch((e) => e.message)`:                                                                                     `false`,
		`await require('bcrypt').compare(undefined, 'h').catch((e) => e.message)`:                                                                              `"data and hash arguments required"`,
		`await require('bcryptjs').compare('x', null).catch((e) => e.message)`:                                                                                 `"Illegal arguments: string, object"`,
		`await new Promise((done) => require('bcrypt').hash(undefined, 10, (e) => done(e.message)))`:                                                           `"data and salt arguments required"`,
		`await require('bcrypt').hash('x', 'pepper').catch((e) => e.message)`:                                                                                  `"Invalid salt. Salt must be in the form of: $Vers$log2(NumRounds)$saltvalue"`,
		`await require('bcrypt').hash('x', 15).catch((e) => [e.code, e.message])`:                                                                              `["ERR_OUT_OF_RANGE","bcrypt cost 15 is more than 14, the most that scripts can use here"]`,
		`(() => { try { require('bcrypt').compareSync('x', '$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW') } catch (e) { return e.code } })()`: `"ERR_OUT_OF_RANGE"`,
		`await require('argon2').verify('$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$` + argonHash + `', 'password')`:                                              `true`,
		`await require('argon2').verify('$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$` + argonHash + `', 'Password')`:                                              `false`,
		`await (async () => { const a = require('argon2'); const h = await a.hash('x', {memoryCost: 64, timeCost: 1, parallelism: 1, type: a.argon2i}); return [h.slice(0, 27), await a.verify(h, 'x'), a.needsRehash(h)] })()`: `["$argon2i$v=19$m=64,t=1,p=1$",true,true]`,
		`await require('argon2').hash('x', {memoryCost: 1e9}).catch((e) => e.code)`:                                     `"ERR_OUT_OF_RANGE"`,
		`(() => { try { crypto.pbkdf2Sync('p', 's', 1e9, 20, 'sha1') } catch (e) { return [e.name, e.code] } })()`:      `["RangeError","ERR_OUT_OF_RANGE"]`,
		`(() => { try { crypto.scryptSync('p', 's', 16, {N: 1048576, maxmem: 1e12}) } catch (e) { return e.code } })()`: `"ERR_OUT_OF_RANGE"`,
	})
}

var argonHash = strings.TrimRight(b64(argon2.IDKey([]byte("password"), []byte("somesalt"), 1, 64, 1, 32)), "=")

// What is hashed here is a hash elsewhere, and the other way round.
func TestBcryptElsewhere(t *testing.T) {
	for _, password := range []string{"", "x", "pässwörd", strings.Repeat("long ", 14)} {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		d := derivation{Password: []byte(password), Hash: string(h)}
		if got, err := d.bcrypt(); err != nil || got != string(h) {
			t.Errorf("%q: %s, %v", password, got, err)
		}
	}
}

func TestHashesAreCounted(t *testing.T) {
	_, f := runCall(t, Call{Source: `(a, b, cb) => { for (;;) crypto.pbkdf2('p', 's', 1, 1, 'sha1', () => {}) }`, Limits: Limits{Hashes: 5}})
	if f == nil || f.Kind != TooMuch || f.Message != "more than 5 password hashes" {
		t.Errorf("%v", f)
	}
}

// The classes of action scripts, as they are made, thrown, extended.
func TestErrorClasses(t *testing.T) {
	rows := []struct{ source, name, message, members string }{
		{`cb(new WrongUsernameOrPasswordError('u-1', 'no'))`, "WrongUsernameOrPasswordError", "no", `{"user_id":"u-1"}`},
		{`cb(new WrongUsernameOrPasswordError(null))`, "WrongUsernameOrPasswordError", "", `{"user_id":null}`},
		{`cb(new WrongUsernameOrPasswordError(undefined, 'no'))`, "WrongUsernameOrPasswordError", "no", ``},
		{`cb(new WrongUsernameOrPasswordError(42, 'no'))`, "WrongUsernameOrPasswordError", "no", `{"user_id":42}`},
		{`throw new WrongUsernameOrPasswordError('u', 'thrown')`, "WrongUsernameOrPasswordError", "thrown", `{"user_id":"u"}`},
		{`return Promise.reject(new WrongUsernameOrPasswordError('u', 'rejected'))`, "WrongUsernameOrPasswordError", "rejected", `{"user_id":"u"}`},
		{`cb(WrongUsernameOrPasswordError('u', 'without new'))`, "WrongUsernameOrPasswordError", "without new", `{"user_id":"u"}`},
		{`class Mine extends WrongUsernameOrPasswordError { constructor() { super('u', 'mine'); this.name = 'Mine'; this.more = 1 } } throw new Mine()`, "WrongUsernameOrPasswordError", "mine", `{"user_id":"u","name":"Mine","more":1}`},
		{`cb(new ValidationError('user_exists', 'is there'))`, "ValidationError", "is there", `{"code":"user_exists"}`},
		{`cb(new ValidationError('too_long'))`, "ValidationError", "", `{"code":"too_long"}`},
		{`cb(new UnauthorizedError('not today'))`, "UnauthorizedError", "not today", ``},
		{`cb(new Error('plain'))`, "Error", "plain", ``},
		{`const e = new WrongUsernameOrPasswordError('u', 'm'); e.big = 'x'.repeat(1900); cb(e)`, "WrongUsernameOrPasswordError", "m", `{"user_id":"u"}`},
		{`cb(new Proxy(new ValidationError('c', 'm'), {}))`, "ValidationError", "m", `{"code":"c"}`},
		{`cb({name: 'ValidationError', message: 'as one', code: 'c'})`, "ValidationError", "as one", `{"name":"ValidationError","message":"as one","code":"c"}`},
	}
	for _, row := range rows {
		_, f := runScript(t, `function (a, b, cb) { `+row.source+` }`)
		if f == nil || f.Kind != Threw || f.Name != row.name || f.Message != row.message || !sameMembers(string(f.Members), row.members) {
			t.Errorf("%s\n got %+v %s", row.source, f, f.Members)
		}
	}
	values(t, map[string]string{
		`[new ValidationError('c', 'm') instanceof Error, String(new ValidationError('c', 'm')), ValidationError.name, Object.keys(new UnauthorizedError('x'))]`: `[true,"ValidationError: m","ValidationError",[]]`,
	})
}

func sameMembers(got, want string) bool {
	sorted := func(s string) string {
		list := strings.Split(strings.Trim(s, "{}"), ",")
		slices.Sort(list)
		return strings.Join(list, ",")
	}
	return sorted(got) == sorted(want)
}

// Every module can be required, and every global used, as the first thing that a
// script does.
func TestShims(t *testing.T) {
	p, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	for name := range p.Modules {
		got, err := newEngine().Run(t.Context(), Call{Source: `(name, cb) => cb(null, typeof require(name))`, Args: []any{name}, Limits: Limits{Time: time.Minute, Busy: time.Minute}})
		if err != nil || string(got.Result) != `"object"` && string(got.Result) != `"function"` {
			t.Errorf("%s: %s, %v", name, got.Result, err)
		}
	}
	for _, name := range []string{"Buffer", "atob", "btoa", "TextEncoder", "TextDecoder", "URL", "URLSearchParams", "fetch", "Headers", "Response", "request", "axios"} {
		got, err := newEngine().Run(t.Context(), Call{Source: `(cb) => cb(null, typeof ` + name + `)`, Limits: Limits{Time: time.Minute, Busy: time.Minute}})
		if err != nil || string(got.Result) != `"function"` {
			t.Errorf("%s: %s, %v", name, got.Result, err)
		}
	}
}

// A hash waits for its place, and not longer than the run; that is not JavaScript's work.
func TestHashingWaits(t *testing.T) {
	e := New(outbound.New(nil), rand.Reader, 1)
	e.spareLife = 0
	for range cap(e.hashing) {
		e.hashing <- struct{}{}
	}
	for _, source := range []string{`(cb) => cb(null, crypto.scryptSync('p', 's', 1))`, `(cb) => crypto.scrypt('p', 's', 1, cb)`} {
		_, err := e.Run(t.Context(), Call{Source: source, Limits: Limits{Time: time.Second, Busy: 500 * time.Millisecond}})
		var f *Failure
		if !errors.As(err, &f) || f.Kind != TooLong || f.Message != "no answer within 1s" {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
