package foreigndb

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"mangrove/internal/outbound"
	"mangrove/internal/parttest"
	"mangrove/internal/script"
)

// mongoURL is that of a database of the test's own.
func mongoURL(t *testing.T) string {
	t.Helper()
	return parttest.Need(t, "MongoDB", "MANGROVE_TEST_MONGODB") + "test_" + strings.ToLower(rand.Text())
}

// here are the addresses of this machine; the guard of these tests lets them pass.
var here = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func guarded(allow []netip.Prefix) *Opener {
	return New(outbound.Dialer(allow, 1433, 27017).DialContext)
}

// scripted runs scripts against databases.
type scripted struct {
	t      *testing.T
	engine *script.Engine
	config map[string]any
}

func newScripted(t *testing.T, o *Opener, config map[string]any) scripted {
	t.Helper()
	e := script.New(outbound.New(nil), rand.Reader, 0)
	e.Databases = o
	return scripted{t, e, config}
}

func (s scripted) run(source string, args ...any) (json.RawMessage, *script.Failure) {
	s.t.Helper()
	if args == nil {
		args = []any{}
	}
	out, err := s.engine.Run(s.t.Context(), script.Call{
		Source: source, Names: []string{"login", "getUser", "create", "verify", "changePassword", "remove"}, Args: args,
		Globals: map[string]any{"configuration": s.config},
		Limits:  script.Limits{Time: time.Minute, Busy: time.Minute, Memory: 64 << 20, Queries: 50},
	})
	var f *script.Failure
	if err != nil && !errors.As(err, &f) {
		s.t.Fatal(err)
	}
	return out.Result, f
}

// want runs a script that must answer so.
func (s scripted) want(source, answer string, args ...any) {
	s.t.Helper()
	got, f := s.run(source, args...)
	if f != nil {
		s.t.Fatalf("%s\n%v: %s %s", source, f.Kind, f.Name, f.Message)
	}
	if string(got) != answer {
		s.t.Errorf("%s\ngot  %s\nwant %s", source, got, answer)
	}
}

// fails runs a script that must fail with a message that holds each of texts.
func (s scripted) fails(source string, texts ...string) *script.Failure {
	s.t.Helper()
	got, f := s.run(source)
	if f == nil {
		s.t.Fatalf("%s\nanswered %s", source, got)
	}
	told := f.Name + ": " + f.Message + " " + string(f.Members)
	for _, text := range texts {
		if !strings.Contains(told, text) {
			s.t.Errorf("%s\nfailed with %s\nwant %s", source, told, text)
		}
	}
	return f
}

// inMongo is a script with a collection called users.
func inMongo(body string) string {
	return `function (callback) {
		const { MongoClient, ObjectId, ObjectID, Long, Decimal128, Binary, Double } = require('mongodb@3.1.4');
		MongoClient.connect(configuration.url, function (err, client) {
			if (err) return callback(err);
			const users = client.db().collection('users');
			(async () => {` + body + `})().then((v) => callback(null, v), callback);
		});
	}`
}

func TestMongoOperations(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	rows := []struct{ name, body, want string }{
		{"insert", `
			const doc = { _id: 1, email: 'a@shop.example', n: 1 };
			const r = await users.insertOne(doc);
			return [r.insertedId, r.insertedCount, r.ops.length, r.result.n, r.acknowledged];`, `[1,1,1,1,true]`},
		{"an id is made", `
			const doc = { email: 'b@shop.example', n: 2 };
			const r = await users.insertOne(doc);
			return [r.insertedId instanceof ObjectId, r.insertedId === doc._id, Object.keys(doc).join()];`, `[true,true,"email,n,_id"]`},
		{"insert of version 2", `
			const r = await users.insert([{ _id: 3, email: 'c@shop.example', n: 3 }, { _id: 4, email: 'd@shop.example', n: 4 }]);
			return [r.insertedCount, r.result.ok, r.ops[1]._id, r.insertedIds];`, `[2,1,4,{"0":3,"1":4}]`},
		{"insertMany", `return (await users.insertMany([{ _id: 5, n: 5 }])).insertedIds[0]`, `5`},
		{"findOne", `return await users.findOne({ email: 'a@shop.example' })`, `{"_id":1,"email":"a@shop.example","n":1}`},
		{"nobody", `return [await users.findOne({ email: 'x' })]`, `[null]`},
		{"projection", `return await users.findOne({ _id: 1 }, { projection: { email: 1, _id: 0 } })`, `{"email":"a@shop.example"}`},
		{"fields of version 2", `return await users.findOne({ _id: 1 }, { fields: { n: 1 } })`, `{"_id":1,"n":1}`},
		{"find", `return (await users.find({ n: { $gt: 2 } }).sort({ n: -1 }).limit(2).skip(1).toArray()).map((u) => u.n)`, `[4,3]`},
		{"sort in other forms", `return [(await users.find().sort('n', -1).toArray())[0].n, (await users.find().sort([['n', 'desc']]).toArray())[0].n, (await users.find({}, { sort: { n: 1 }, limit: 1 }).toArray())[0].n]`, `[5,5,1]`},
		{"cursor", `
			const c = users.find({ n: { $gte: 4 } }).sort({ n: 1 }).project({ n: 1, _id: 0 }).map((u) => u.n * 10), out = [];
			while (await c.hasNext()) out.push(await c.next());
			return [out, await c.next()];`, `[[40,50],null]`},
		{"for await", `let n = 0; for await (const u of users.find()) n += u.n; return n`, `15`},
		{"forEach", `let n = 0; await users.find().forEach((u) => { n += u.n; }); return n`, `15`},
		{"updateOne", `const r = await users.updateOne({ _id: 1 }, { $set: { name: 'Kai' } }); return [r.matchedCount, r.modifiedCount, r.result.n, r.result.nModified, r.upsertedCount]`, `[1,1,1,1,0]`},
		{"updateMany", `return (await users.updateMany({ n: { $lt: 3 } }, { $inc: { n: 0 } })).matchedCount`, `2`},
		{"upsert", `const r = await users.updateOne({ _id: 6 }, { $set: { n: 6 } }, { upsert: true }); return [r.matchedCount, r.upsertedCount, r.upsertedId]`, `[0,1,6]`},
		{"update of version 2", `return (await users.update({ n: { $gt: 0 } }, { $set: { seen: true } }, { multi: true })).result.n`, `6`},
		{"update needs operators", `try { await users.updateOne({ _id: 1 }, { n: 9 }) } catch (e) { return [e.name, e.message] }`, `["MongoInvalidArgumentError","Update document requires atomic operators"]`},
		{"replaceOne", `await users.replaceOne({ _id: 5 }, { n: 50 }); return await users.findOne({ _id: 5 })`, `{"_id":5,"n":50}`},
		{"replaceOne takes no operators", `try { await users.replaceOne({ _id: 5 }, { $set: {} }) } catch (e) { return e.message }`, `"Replacement document must not contain atomic operators"`},
		{"save", `await users.save({ _id: 5, n: 5 }); return (await users.findOne({ _id: 5 })).n`, `5`},
		{"findOneAndUpdate", `
			const a = await users.findOneAndUpdate({ _id: 5 }, { $set: { n: 55 } });
			const b = await users.findOneAndUpdate({ _id: 5 }, { $set: { n: 5 } }, { returnOriginal: false });
			const c = await users.findOneAndUpdate({ _id: 99 }, { $set: { n: 5 } }, { returnDocument: 'after' });
			return [a.value.n, b.value.n, c.value];`, `[5,5,null]`},
		{"findOneAndDelete", `return (await users.findOneAndDelete({ _id: 6 })).value.n`, `6`},
		{"counts", `return [await users.countDocuments({ n: { $gt: 3 } }), await users.count({ n: 1 }), await users.estimatedDocumentCount(), await users.find({ n: 2 }).count(), await users.countDocuments({ n: 77 })]`, `[2,1,5,1,0]`},
		{"distinct", `return (await users.distinct('n', { n: { $lt: 3 } })).sort()`, `[1,2]`},
		{"aggregate", `return await users.aggregate([{ $match: { n: { $gt: 3 } } }, { $group: { _id: null, sum: { $sum: '$n' } } }]).toArray()`, `[{"_id":null,"sum":9}]`},
		{"unique index", `
			await users.createIndex({ email: 1 }, { unique: true, partialFilterExpression: undefined });
			try { await users.insertOne({ email: 'a@shop.example' }) } catch (e) { return [e.name, e.code, e instanceof Error, /E11000/.test(e.message)] }`, `["MongoServerError",11000,true,true]`},
		{"deleteOne and remove", `
			const a = await users.deleteOne({ _id: 3 }), b = await users.remove({ n: { $gte: 4 } }, { single: true }), c = await users.deleteMany({});
			return [a.deletedCount, b.result.n, c.deletedCount];`, `[1,1,3]`},
		{"after close", `await client.close(); try { await users.findOne({}) } catch (e) { return [e.name, client.isConnected()] }`, `["MongoNotConnectedError",false]`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			s.want(inMongo(row.body), row.want)
		})
	}
}

func TestMongoWaysToConnect(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	for name, source := range map[string]string{
		"callbacks, version 3": `function (callback) {
			const MongoClient = require('mongodb@3.1.4').MongoClient;
			const client = new MongoClient(configuration.url, { useNewUrlParser: true });
			client.connect(function (err) {
				if (err) return callback(err);
				client.db(configuration.url.slice(-20)).collection('users').insert({ n: 1 }, function (err) {
					client.close();
					callback(err, 'ok');
				});
			}); }`,
		"a database, version 2": `function (callback) {
			require('mongodb').MongoClient.connect(configuration.url, { poolSize: 5 }, function (err, db) {
				if (err) return callback(err);
				db.collection('users').find({}).toArray(function (err, list) { db.close(); callback(err, 'ok'); });
			}); }`,
		"promises": `async function (callback) {
			const client = await require('mongodb@4').MongoClient.connect(configuration.url);
			await client.db().command({ ping: 1 });
			await client.close();
			callback(null, 'ok'); }`,
		"without connect": `async function (callback) {
			const { MongoClient } = require('mongodb@6.1.0');
			const client = new MongoClient(configuration.url);
			try { await client.db('users').collection('people').findOne({}); callback(null, 'ok'); }
			catch (e) { callback(e); }
			finally { await client.close(); } }`,
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.want(source, `"ok"`)
		})
	}
}

// What a value is before it is what it is after, and to the server.
func TestMongoValues(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	s.want(inMongo(`
		const id = new ObjectId('5f9f1b9b9c9d440000a1b2c3');
		await users.insertOne({
			_id: id, text: 'ä\u0000"\\ 😀', int: 7, big: 9007199254740991, half: 1.5, minus: -3, yes: true, nil: null, undef: undefined, when: new Date(1600000000123),
			bytes: Buffer.from([0, 1, 255]), re: /^a.b/i, list: [1, 'two', {}], deep: { a: { b: [{ c: 1 }] } }, long: Long.fromString('9223372036854775807'), fn() {}, '10': 'x', '2': 'y',
		});
		const u = await users.findOne({ _id: id });
		return [
			u._id instanceof ObjectID, u._id.equals('5f9f1b9b9c9d440000a1b2c3'), String(u._id), u._id.getTimestamp().getTime(), u.text === 'ä\u0000"\\ 😀', u.int, u.big, u.half, u.minus, u.yes, u.nil, u.undef, u.when.getTime(),
			u.bytes.buffer.toString('hex'), String(u.re), u.list, u.deep, String(u.long), 'fn' in u, u['10'] + u['2'],
		];`),
		`[true,true,"5f9f1b9b9c9d440000a1b2c3",1604262811000,true,7,9007199254740991,1.5,-3,true,null,null,1600000000123,"0001ff","/^a.b/i",[1,"two",{}],{"a":{"b":[{"c":1}]}},"9223372036854775807",false,"xy"]`)
	s.want(inMongo(`return await Promise.all([{ _id: new ObjectId('5f9f1b9b9c9d440000a1b2c3') }, { int: { $type: 'int' } }, { big: { $type: 'double' } }, { long: { $type: 'long' } }, { half: { $type: 'double' } }, { when: { $type: 'date' } },
		{ bytes: { $type: 'binData' } }, { text: /😀$/ }, { when: new Date(1600000000123) }, { _id: '5f9f1b9b9c9d440000a1b2c3' }].map((q) => users.countDocuments(q)))`), `[1,1,1,1,1,1,1,1,1,0]`)
	s.want(inMongo(`return [ObjectId.isValid('5f9f1b9b9c9d440000a1b2c3'), ObjectId.isValid('short'), ObjectId.isValid(null), ObjectID('5F9F1B9B9C9D440000A1B2C3').toHexString(), new ObjectId().toString().length, JSON.stringify({ id: new ObjectId('5f9f1b9b9c9d440000a1b2c3') })]`),
		`[true,false,false,"5f9f1b9b9c9d440000a1b2c3",24,"{\"id\":\"5f9f1b9b9c9d440000a1b2c3\"}"]`)
	s.fails(inMongo(`return await users.findOne({ _id: new ObjectId('nonsense') })`), "24 hex characters")
	s.fails(inMongo(`const loop = {}; loop.loop = loop; return await users.insertOne(loop)`), "nests too deep")
	s.fails(inMongo(`return await users.insertOne({ when: new Date(NaN) })`), "Invalid date")
}

// What somebody typed is a text, and what somebody brought as metadata stays what it is:
// no operator and no other type.
func TestMongoInjection(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	s.want(inMongo(`await users.insertOne({ _id: 1, email: 'a@shop.example', secret: 'x' }); return 0`), `0`)
	for _, typed := range []string{`{"$gt":""}`, `{$gt:''}`, `' || '1'=='1`, `a@shop.example\u0000`, `["o","$gt",""]`, `["i","5f9f1b9b9c9d440000a1b2c3"]`, `$where`, `.*`} {
		s.want(`function login(identifier, callback) {
			require('mongodb').MongoClient.connect(configuration.url, (err, client) => {
				if (err) return callback(err);
				client.db().collection('users').findOne({ email: identifier }, (err, u) => callback(err, [u]));
			}); }`, `[null]`, typed)
	}
	const metadata = `{"a":{"$oid":"5f9f1b9b9c9d440000a1b2c3"},"b":{"$date":1},"c":["o","x",1],"d":{"$bytes":"AAAA"},"e":{"$numberLong":"1"},"__proto__":{"x":1}}`
	var user map[string]json.RawMessage
	if err := json.Unmarshal([]byte(`{"user_metadata":`+metadata+`}`), &user); err != nil {
		t.Fatal(err)
	}
	s.want(`function create(user, callback) {
		require('mongodb').MongoClient.connect(configuration.url, (err, client) => {
			if (err) return callback(err);
			const users = client.db().collection('users');
			users.insertOne({ _id: 2, m: JSON.stringify(user.user_metadata), list: user.user_metadata.c, bytes: [user.user_metadata.d.$bytes] }, (err) => {
				if (err) return callback(err);
				users.findOne({ _id: 2 }, (err, u) => callback(err, [u.m === JSON.stringify(user.user_metadata), u.list, u.bytes]));
			});
		}); }`, `[true,["o","x",1],["AAAA"]]`, user)
	// Documents with such members reach the server as they are; whether it stores them is its own.
	got, f := s.run(`function create(user, callback) {
		require('mongodb').MongoClient.connect(configuration.url, (err, client) => {
			if (err) return callback(err);
			const users = client.db().collection('users');
			users.insertOne({ _id: 3, b: user.user_metadata.b }, (err) => {
				if (err) return callback(null, 'refused');
				users.findOne({ _id: 3 }, (err, u) => callback(err, typeof u.b.getTime));
			});
		}); }`, user)
	if f != nil || string(got) != `"refused"` && string(got) != `"undefined"` {
		t.Errorf("%s %v", got, f)
	}
}

// closedPort is an address of this machine where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// What a URL may say, and what the driver is handed of it.
func TestParseMongo(t *testing.T) {
	rows := []struct {
		url     string
		options map[string]string
		want    string // a part of the URI; or, with a !, of the error
	}{
		{"mongodb://h/", nil, "mongodb://h/?"},
		{"mongodb://a:1,b:2/db?replicaSet=rs&poolSize=99&compressors=zlib", nil, "mongodb://a:1,b:2/db?replicaset=rs"},
		{"mongodb://kai:p%40ss%2Fw%3A@h/db", nil, "mongodb://kai:p%40ss%2Fw%3A@h/db?"},
		{"mongodb://h/db", map[string]string{"auth.user": "kai", "auth.password": "p@ss", "authSource": "admin"}, "mongodb://kai:p%40ss@h/db?authsource=admin"},
		{"mongodb://kai:p@h/?authMechanism=SCRAM-SHA-256", nil, "authmechanism=SCRAM-SHA-256"},
		{"mongodb+srv://kai:p@cluster.example/db?ssl=false", nil, "tls=false"},
		{"mongodb://h/?authMechanism=GSSAPI", nil, "!authMechanism"},
		{"mongodb://h/?authMechanism=MONGODB-OIDC", nil, "!authMechanism"},
		{"mongodb://h/?authMechanismProperties=SERVICE_NAME:x", nil, "!not supported"},
		{"mongodb://h/?tlsCertificateKeyFile=/x", nil, "!reads a file"},
		{"mongodb://h/?x=1;TLSCAFILE=/x", nil, "!reads a file"},
		{"mongodb://h/", map[string]string{"sslKey": "given"}, "!not supported"},
		{"mongodb://h/", map[string]string{"proxyHost": "x"}, "!not supported"},
		{"mongodb://%2Ftmp%2Fx.sock/", nil, "!host"},
		{"mongodb://h,/", nil, "!host"},
		{"mongodb://a@b@h:99999999/", nil, "!host"},
		{"mongodb://h/a%2Fb", nil, "!database"},
		{"mongodb://k%zz@h/", nil, "!percent-encoded"},
		{"http://h/", nil, "!must begin"},
		{"mongodb://h/?tls=true", map[string]string{"ca": "nonsense"}, "!PEM"},
	}
	for _, row := range rows {
		got, err := parseMongo(mongoConfig{URL: row.url, Options: row.options})
		if why, refused := strings.CutPrefix(row.want, "!"); refused {
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %q %v, want %s", row.url, got.uri, err, row.want)
			}
			continue
		}
		if err != nil || !strings.Contains(got.uri, row.want) {
			t.Errorf("%s: %q %v, want %s", row.url, got.uri, err, row.want)
		}
	}
}

// The law: what is read is read by the driver too, with those hosts, and an error holds
// nothing of the password.
func FuzzParseMongo(f *testing.F) {
	f.Add("mongodb://kai:secret@a:1,b/db?replicaSet=x&tls=true")
	f.Add("mongodb://h/?authSource=a;ssl=true")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseMongo(mongoConfig{URL: text})
		if err != nil || got.srv {
			return
		}
		c := options.Client().ApplyURI(got.uri)
		if len(c.Hosts) != 0 && len(c.Hosts) != got.seeds {
			t.Fatalf("%q: hosts %v", got.uri, c.Hosts)
		}
		if c.TLSConfig != nil {
			t.Fatalf("%q: the driver made a configuration of TLS", got.uri)
		}
	})
}

// The law: what is written is read as it was.
func FuzzMongoValue(f *testing.F) {
	f.Add(`["o","a",["a",1,"x",null],"b",["l","12"],"c",["t",5],"d",["i","5f9f1b9b9c9d440000a1b2c3"]]`)
	f.Add(`["o","$date",["d","NaN"],"x",["b","AAE=",0],"r",["r","a","i"],"n",["n","1.50"],"s",["s",1,2]]`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readMongoDocument(json.RawMessage(text))
		if err != nil {
			return
		}
		raw, err := bson.Marshal(d)
		if err != nil {
			return
		}
		once, err := writeMongo(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw})
		if err != nil {
			t.Fatal(err)
		}
		again, err := readMongoDocument(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		twice, err := bson.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		thrice, err := writeMongo(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: twice})
		if err != nil || string(thrice) != string(once) {
			t.Fatalf("%s became %s", once, thrice)
		}
	})
}

func TestMongoFailures(t *testing.T) {
	url := mongoURL(t)
	s := newScripted(t, guarded(here), map[string]any{"url": url})
	connect := func(url string) string {
		return fmt.Sprintf(`function (callback) { require('mongodb').MongoClient.connect(%q, { useNewUrlParser: true }, (err, client) => callback(err, 'in')); }`, url)
	}
	nothing := closedPort(t)
	s.fails(connect("mongodb://"+nothing+"/"), "MongoNetworkError", "ECONNREFUSED")
	s.fails(connect("mongodb://"+nothing+","+closedPort(t)+"/?replicaSet=rs"), "MongoNetworkError", "ECONNREFUSED")
	s.fails(connect("mongodb://127.0.0.1:9/"), "EACCES")
	s.fails(connect("postgres://127.0.0.1/"), "MongoParseError")
	s.fails(connect("mongodb://127.0.0.1/?tlsCAFile=/etc/passwd"), "MongoParseError", "tlscafile", "reads a file")
	s.fails(connect("mongodb://127.0.0.1/?authMechanism=MONGODB-AWS"), "authMechanism")
	s.fails(connect("mongodb://%2Ftmp%2Fmongodb-27017.sock/db"), "host")
	s.fails(inMongo(`return await client.db('admin').command({ shutdown: 1 })`), "not supported here")
	s.fails(inMongo(`return await users.aggregate([{ $nonsense: 1 }]).toArray()`), "MongoServerError", "code")
	s.fails(inMongo(`return await client.db('a b').collection('x').findOne({})`), "name of the database")
	s.fails(inMongo(`return await users.find({}).sort({ a: 1 }).explain()`), "not supported")

	login := s.fails(connect(strings.Replace(url, "://", "://kai:tiger-secret@", 1)), "MongoServerError", "codeName")
	if told := fmt.Sprint(login.Message, string(login.Members)); strings.Contains(told, "tiger") {
		t.Errorf("told %s", told)
	}

	closed := newScripted(t, guarded(nil), map[string]any{"url": url})
	closed.fails(inMongo(`return 1`), "EACCES", "--outbound-allow")

	f := s.fails(connect("mongodb://kai:tiger-secret@"+nothing+"/db"), "ECONNREFUSED")
	if told := fmt.Sprint(f.Message, string(f.Members)); strings.Contains(told, "tiger") {
		t.Errorf("told %s", told)
	}
}

// An answer is bounded, however much there is.
func TestMongoTooMuch(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	s.want(inMongo(`
		const big = 'x'.repeat(1 << 20);
		for (let i = 0; i < 10; i++) await users.insertOne({ _id: i, big });
		return (await users.findOne({ _id: 3 })).big.length`), `1048576`)
	s.fails(inMongo(`return (await users.find().toArray()).length`), "ask for fewer", "ERANGE")
}

// When a run ends, so does what it asked.
func TestMongoCancel(t *testing.T) {
	o := guarded(here)
	config, err := json.Marshal(map[string]any{"url": mongoURL(t)})
	if err != nil {
		t.Fatal(err)
	}
	session, err := o.Open(t.Context(), "mongodb", config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.Do(ctx, "command", json.RawMessage(`{"db":"x","command":["o","ping",1]}`)); err == nil {
		t.Error("answered though nobody waited")
	}
	if _, err := session.Do(t.Context(), "command", json.RawMessage(`{"db":"x","command":["o","ping",1]}`)); err != nil {
		t.Errorf("the session is of no use afterwards: %v", err)
	}
}

// A server that says nothing any more is not waited for, not even to end a cursor.
func TestMongoFrozen(t *testing.T) {
	address, err := url.Parse(mongoURL(t))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	way, target := through(t, Target{Host: address.Hostname(), Port: port})
	held := way.freeze("getMore")
	address.Host = net.JoinHostPort(target.Host, strconv.Itoa(target.Port))
	config, err := json.Marshal(map[string]any{"url": address.String()})
	if err != nil {
		t.Fatal(err)
	}
	session, err := guarded(here).Open(t.Context(), "mongodb", config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	do := func(command string) error {
		_, err := session.Do(ctx, "command", json.RawMessage(`{"db":"`+strings.Trim(address.Path, "/")+`","command":`+command+`}`))
		return err
	}
	documents := strings.TrimSuffix(strings.Repeat(`["o"],`, 150), ",")
	if err := do(`["o","insert","many","documents",["a",` + documents + `]]`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- do(`["o","find","many"]`) }()
	<-held
	cancel()
	if err := <-done; err == nil {
		t.Error("answered though nothing came")
	}
}

// The actions as people write them, with people whose passwords are hashed by bcrypt.
func TestMongoTemplates(t *testing.T) {
	s := newScripted(t, guarded(here), map[string]any{"url": mongoURL(t)})
	const head = `
		const bcrypt = require('bcrypt');
		const MongoClient = require('mongodb@3.1.4').MongoClient;
		const client = new MongoClient(configuration.url);
		client.connect(function (err) {
			if (err) return callback(err);
			const users = client.db().collection('users');
			function done(err, value) { client.close(); callback(err, value); }
`
	const (
		create = `function create(user, callback) {` + head + `
			users.findOne({ email: user.email }, function (err, withSameMail) {
				if (err) return done(err);
				if (withSameMail) return done(new ValidationError('user_exists', 'the user already exists'));
				bcrypt.hash(user.password, 10, function (err, hash) {
					if (err) return done(err);
					user.password = hash;
					users.insert(user, function (err, inserted) { done(err); });
				});
			});
		}); }`
		login = `function login(email, password, callback) {` + head + `
			users.findOne({ email: email }, function (err, user) {
				if (err || !user) return done(err || new WrongUsernameOrPasswordError(email));
				bcrypt.compare(password, user.password, function (err, isValid) {
					if (err || !isValid) return done(err || new WrongUsernameOrPasswordError(email));
					return done(null, { user_id: user._id.toString(), nickname: user.nickname, email: user.email });
				});
			});
		}); }`
		getUser = `function getByEmail(email, callback) {` + head + `
			users.findOne({ email: email }, function (err, user) {
				if (err || !user) return done(err, null);
				done(null, { user_id: user._id.toString(), email: user.email, verified: user.email_verified });
			});
		}); }`
		verify = `function verify(email, callback) {` + head + `
			const query = { email: email, email_verified: false };
			users.update(query, { $set: { email_verified: true } }, function (err, count) { done(err, count.result.n > 0); });
		}); }`
		changePassword = `function changePassword(email, newPassword, callback) {` + head + `
			bcrypt.hash(newPassword, 10, function (err, hash) {
				if (err) return done(err);
				users.update({ email: email }, { $set: { password: hash } }, function (err, count) { done(err, count > 0); });
			});
		}); }`
		remove = `function remove(id, callback) {` + head + `
			const { ObjectID } = require('mongodb@3.1.4');
			users.remove({ _id: new ObjectID(id) }, function (err) { done(err); });
		}); }`
	)
	user := map[string]any{"email": "kai@shop.example", "password": "Old-Pa55word", "nickname": "kai", "email_verified": false}
	s.want(create, `null`, user)
	if _, f := s.run(create, user); f == nil || f.Name != "ValidationError" {
		t.Errorf("a second one: %v", f)
	}
	if _, f := s.run(login, "kai@shop.example", "wrong"); f == nil || f.Name != "WrongUsernameOrPasswordError" {
		t.Errorf("a wrong password: %v", f)
	}
	got, f := s.run(login, "kai@shop.example", "Old-Pa55word")
	if f != nil {
		t.Fatal(f)
	}
	var profile struct {
		UserID   string `json:"user_id"`
		Nickname string `json:"nickname"`
	}
	if err := json.Unmarshal(got, &profile); err != nil || len(profile.UserID) != 24 || profile.Nickname != "kai" {
		t.Fatalf("%s", got)
	}
	s.want(verify, `true`, "kai@shop.example")
	s.want(verify, `false`, "kai@shop.example")
	s.want(getUser, `{"user_id":"`+profile.UserID+`","email":"kai@shop.example","verified":true}`, "kai@shop.example")
	s.want(changePassword, `true`, "kai@shop.example", "New-Pa55word")
	s.want(changePassword, `false`, "nobody@shop.example", "New-Pa55word")
	s.want(login, string(got), "kai@shop.example", "New-Pa55word")
	s.want(remove, `null`, profile.UserID)
	s.want(getUser, `null`, "kai@shop.example")
}
