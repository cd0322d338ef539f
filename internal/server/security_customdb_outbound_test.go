package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ways are how a script gets out; each is a function of a host and a port.
const ways = `
	const said = {};
	const words = (e) => String(e && (e.cause && e.cause.message || e.message) || e);
	const way = async (name, walk) => {
		try { said[name] = 'ANSWER ' + JSON.stringify(await walk()); } catch (e) { said[name] = words(e); }
	};
	const called = (start) => new Promise((yes, no) => start((e, v) => (e ? no(e) : yes(v))));
	const url = 'http://' + host + ':' + port + '/x';
	await way('fetch', async () => (await fetch(url)).status);
	await way('node-fetch', async () => (await require('node-fetch')(url)).status);
	await way('axios', async () => (await require('axios').post(url, {a: 1})).status);
	await way('request', () => called((done) => require('request')({url, method: 'POST', body: 'x'}, (e, r) => done(e, r && r.statusCode))));
	await way('http', () => called((done) => require('http').get({host, port}, (r) => done(null, r.statusCode)).on('error', done)));
	const bare = host.replace(/^\[|\]$/g, '');
	await way('pg', () => new (require('pg').Client)({host: bare, port, user: 'x', password: 'x', ssl: false}).connect());
	await way('pg url', () => new (require('pg').Client)('postgres://x:x@' + host + ':' + port + '/x').connect());
	await way('mysql', () => called((done) => require('mysql').createConnection({host: bare, port, user: 'x', password: 'x'}).connect(done)));
	await way('mssql', () => require('mssql').connect({server: bare, port, user: 'x', password: 'x', options: {encrypt: false}}));
	await way('mongodb', () => require('mongodb').MongoClient.connect('mongodb://' + host + ':' + port + '/x'));
	callback(null, {user_id: 'x', said});`

// try runs an action of a connection by the endpoint for that.
func (w *world) try(connection, action string, body map[string]any) (result map[string]any, text string) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	status, text := w.call("POST", "/api/v2/connections/"+connection+"/actions/"+action+"/try", string(b))
	if status != 200 {
		w.t.Fatalf("try: %d %s", status, text)
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		w.t.Fatal(err)
	}
	return result, text
}

// security.md 95–98: whatever a custom database asks, by each module, by SQL and by a
// webhook, is refused at the dial where it leads inside; files and sockets are nothing to it.
func TestCustomDatabasesDoNotLeadInside(t *testing.T) {
	w := guarded(t)
	in := newInside(t, "127.0.0.1", "::1")
	var spellings []string
	for _, host := range in.hosts {
		_, port, err := net.SplitHostPort(host)
		if err != nil { // of no service of ours
			spellings = append(spellings, host+":80")
			continue
		}
		spellings = append(spellings, host)
		if strings.HasPrefix(host, "127.0.0.1:") {
			for _, other := range []string{"0.0.0.0", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "LOCALHOST", "localhost.", "127.0.0.2", "[::]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"} {
				spellings = append(spellings, other+":"+port)
			}
		}
	}
	options := map[string]any{
		"enabledDatabaseCustomization": true, "import_mode": true,
		"customScripts": map[string]any{"login": "async function login(at, password, callback) { const i = at.lastIndexOf(':'); const [host, port] = [at.slice(0, i), Number(at.slice(i + 1))];" + ways + "}"},
	}
	id := w.laid("auth0", "outward", options, nil)
	for _, at := range spellings {
		doc, text := w.try(id, "login", map[string]any{"args": map[string]any{"identifier": at, "password": "x"}})
		result, _ := doc["result"].(map[string]any)
		said, _ := result["said"].(map[string]any)
		if len(said) != 10 || strings.Contains(text, "ANSWER") || strings.Contains(text, insideSays) {
			t.Errorf("%s: %s", at, text)
		}
		in.untouched(t, "a script to "+at)
	}

	plain := w.laid("auth0", "plain", map[string]any{"enabledDatabaseCustomization": true, "import_mode": true}, nil)
	for i, at := range spellings {
		for kind, more := range map[string]map[string]any{
			"postgres":  {"sql": map[string]any{"url": "postgres://u:${PW}@" + at + "/x?sslmode=disable", "login": "SELECT 1 AS user_id, :identifier AS email, :password AS x"}},
			"mysql":     {"sql": map[string]any{"url": "mysql://u:${PW}@" + at + "/x?tls=false", "login": "SELECT 1 AS user_id, :identifier AS email, :password AS x"}},
			"sqlserver": {"sql": map[string]any{"url": "sqlserver://u:${PW}@" + at + "/x?encrypt=disable", "login": "SELECT 1 AS user_id, :identifier AS email, :password AS x"}},
			"webhook":   {"webhook": map[string]any{"url": "http://" + at + "/x", "secret": "${PW}", "actions": []string{"login"}}},
		} {
			more["configuration"] = map[string]any{"PW": "a-secret-of-theirs"}
			doc, text := w.try(plain, "login", map[string]any{"args": map[string]any{"identifier": "kai@shop.example", "password": "whatever"}, "options": more})
			if doc["ok"] != false || strings.Contains(text, insideSays) || strings.Contains(text, "a-secret-of-theirs") {
				t.Errorf("%s to %s: %s", kind, at, text)
			}
			in.untouched(t, "a try of "+kind+" to "+at)
			if i > 2 {
				continue // the way to a dial is the same
			}
			name := fmt.Sprint(kind, i)
			w.laid("auth0", name, map[string]any{"enabledDatabaseCustomization": true, "import_mode": i%2 == 0}, more)
			status, body := w.newApplication(name).grant(name, "kai@shop.example", "whatever")
			if status != 503 || !strings.Contains(body, "gave no answer") || strings.Contains(body, "internal") || strings.Contains(body, insideSays) {
				t.Errorf("%s to %s: %d %s", kind, at, status, body)
			}
			in.untouched(t, kind+" to "+at)
		}
	}
	for _, e := range w.failures() {
		if text := fmt.Sprint(e); strings.Contains(text, insideSays) || strings.Contains(text, "a-secret-of-theirs") {
			t.Errorf("a record tells: %s", text)
		}
	}

	// Files and sockets.
	socket := filepath.Join(t.TempDir(), ".s.PGSQL.5432")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	listener := counted{l, &in.met}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	file := filepath.Join(t.TempDir(), "secret.js")
	if err := os.WriteFile(file, []byte("export default '"+insideSays+"'"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(strings.ReplaceAll(`async function login(a, b, callback) {
		const said = [];
		const note = async (walk) => { try { said.push('ANSWER ' + JSON.stringify(await walk())) } catch (e) { said.push(String(e && e.message)) } };
		const called = (start) => new Promise((yes, no) => start((e, v) => (e ? no(e) : yes(v))));
		await note(() => fetch('file://FILE'));
		await note(() => require('axios').get('file://FILE'));
		await note(() => called((done) => require('request')('file://FILE', done)));
		await note(() => fetch('unix:SOCKET'));
		await note(() => fetch('http+unix://' + encodeURIComponent('SOCKET') + '/x'));
		await note(() => import('FILE'));
		await note(() => import('file://FILE'));
		await note(() => require('FILE'));
		await note(() => new (require('pg').Client)({host: 'DIR'}).connect());
		await note(() => new (require('pg').Client)('postgres://u:p@' + encodeURIComponent('DIR') + '/x').connect());
		await note(() => new (require('pg').Client)('postgres:///x?host=DIR').connect());
		await note(() => new (require('pg').Client)('postgres://u:p@db.example/x?sslrootcert=FILE').connect());
		await note(() => called((done) => require('mysql').createConnection({socketPath: 'SOCKET', user: 'x'}).connect(done)));
		await note(() => called((done) => require('mysql').createConnection({host: 'SOCKET', user: 'x'}).connect(done)));
		callback(null, {user_id: 'x', said});
	}`, "FILE", file), "SOCKET", socket)
	mongo := strings.ReplaceAll(strings.ReplaceAll(`async function login(a, b, callback) {
		const said = [];
		const { MongoClient } = require('mongodb');
		for (const [at, options] of [
			['mongodb://' + encodeURIComponent('SOCKET') + '/x', {}], ['mongodb://db.example/?tls=true&tlsCAFile=FILE', {}], ['mongodb://db.example/', {tls: true, tlsCAFile: 'FILE'}],
			['mongodb://db.example/', {tls: true, tlsCertificateKeyFile: 'FILE'}], ['mongodb://db.example/?authMechanism=MONGODB-AWS', {}],
			['mongodb://db.example/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:gcp,TOKEN_RESOURCE:x', {}], ['mongodb://db.example/?proxyHost=127.0.0.1&proxyPort=1', {}],
			['mongodb://x@db.example/?authMechanism=GSSAPI', {}],
		]) {
			try { said.push('ANSWER ' + JSON.stringify(await MongoClient.connect(at, options))) } catch (e) { said.push(String(e && e.message)) }
		}
		callback(null, {user_id: 'x', said});
	}`, "FILE", file), "SOCKET", socket)
	for what, source := range map[string]string{"files": strings.ReplaceAll(script, "DIR", filepath.Dir(socket)), "options of MongoDB": mongo} {
		doc, text := w.try(id, "login", map[string]any{"args": map[string]any{"identifier": "x", "password": "x"}, "options": map[string]any{"customScripts": map[string]any{"login": source}}})
		if doc["ok"] != true || strings.Contains(text, "ANSWER") || strings.Contains(text, insideSays) {
			t.Errorf("%s: %s", what, text)
		}
		in.untouched(t, what)
	}
	for _, address := range []string{
		"postgres://u:${PW}@db.example/x?host=" + filepath.Dir(socket), "postgres://u:${PW}@db.example/x?sslrootcert=" + file, "mysql://u:${PW}@db.example/x?allowAllFiles=true",
		"mysql://u:${PW}@db.example/x?socket=" + socket, "postgres://u:${PW}@%2Ftmp/x", "postgres://u:${PW}@a.example,127.0.0.1/x", "file://" + file,
	} {
		b, err := json.Marshal(map[string]any{"name": "refused", "strategy": "auth0", "options": map[string]any{
			"enabledDatabaseCustomization": true, "configuration": map[string]any{"PW": "x"}, "sql": map[string]any{"url": address, "login": "SELECT 1 AS user_id, :identifier AS email, :password AS x"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if status, body := w.call("POST", "/api/v2/connections", string(b)); status != 400 {
			t.Errorf("%s: %d %s", address, status, body)
		}
	}
}
