package foreigndb

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mangrove/internal/outbound"
	"mangrove/internal/script"
)

// scripts is an engine whose scripts reach databases on this machine.
func scripts(t testing.TB) *script.Engine {
	t.Helper()
	e := script.New(outbound.New(nil), rand.Reader, 0)
	e.Databases = loopback(t)
	return e
}

func configuration(target Target) map[string]any {
	return map[string]any{"configuration": map[string]any{
		"HOST": target.Host, "PORT": target.Port, "USER": target.User, "PASSWORD": target.Password, "DATABASE": target.Database,
	}}
}

// act runs a function of a source; what it must answer is JSON.
func act(t testing.TB, target Target, source string, args ...any) (string, error) {
	t.Helper()
	out, err := scripts(t).Run(t.Context(), script.Call{
		Source: source, Names: []string{"action"}, Args: args, Globals: configuration(target),
		Limits: script.Limits{Time: 30 * time.Second, Busy: 20 * time.Second, Memory: 64 << 20},
	})
	return string(out.Result), err
}

func acts(t testing.TB, want string, target Target, source string, args ...any) {
	t.Helper()
	got, err := act(t, target, source, args...)
	if err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

const pgOpen = `
	const { Client } = require('pg');
	const client = new Client({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });`

// The actions as people write them for PostgreSQL, in the ways of several versions.
var pgActions = map[string]string{
	"login": `function login(email, password, callback) {
	const bcrypt = require('bcrypt');
	const postgres = require('pg');
	const conString = 'postgres://' + configuration.USER + ':' + configuration.PASSWORD + '@' + configuration.HOST + ':' + configuration.PORT + '/' + configuration.DATABASE;
	postgres.connect(conString, function (err, client, done) {
		if (err) return callback(err);
		const query = 'SELECT id, nickname, email, password, verified, meta, born FROM people WHERE email = $1';
		client.query(query, [email], function (err, result) {
			done();
			if (err) return callback(err);
			if (result.rows.length === 0) return callback(new WrongUsernameOrPasswordError(email));
			const user = result.rows[0];
			bcrypt.compare(password, user.password, function (err, isValid) {
				if (err || !isValid) return callback(err || new WrongUsernameOrPasswordError(email));
				return callback(null, { user_id: user.id, nickname: user.nickname, email: user.email, email_verified: user.verified, user_metadata: user.meta });
			});
		});
	});
}`,
	"get_user": `async function getUser(email, callback) {` + pgOpen + `
	try {
		await client.connect();
		const { rows } = await client.query({ text: 'SELECT id, email FROM people WHERE email = $1', values: [email] });
		if (rows.length === 0) return callback(null);
		return callback(null, { user_id: rows[0].id, email: rows[0].email });
	} catch (err) {
		return callback(err);
	} finally {
		await client.end();
	}
}`,
	"create": `function create(user, callback) {
	const bcrypt = require('bcryptjs');` + pgOpen + `
	client.connect();
	bcrypt.hash(user.password, 4, function (err, hashed) {
		if (err) return callback(err);
		client.query('INSERT INTO people (email, password, nickname, meta) VALUES ($1, $2, $3, $4) RETURNING id', [user.email, hashed, user.email.split('@')[0], user.user_metadata], function (err, result) {
			client.end();
			if (err && err.code === '23505' && err.constraint === 'people_email_key') return callback(new ValidationError('user_exists', 'there already'));
			callback(err, result && result.rowCount === 1);
		});
	});
}`,
	"verify": `function verify(email, callback) {
	const { Pool } = require('pg');
	const pool = new Pool({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
	pool.query('UPDATE people SET verified = true WHERE verified = false AND email = $1', [email])
		.then((result) => callback(null, result.rowCount > 0))
		.catch((err) => callback(err));
}`,
	"change_password": `async function changePassword(email, newPassword, callback) {
	const bcrypt = require('bcrypt');` + pgOpen + `
	await client.connect();
	try {
		await client.query('BEGIN');
		const hash = await bcrypt.hash(newPassword, 4);
		const result = await client.query('UPDATE people SET password = $1 WHERE email = $2', [hash, email]);
		await client.query('COMMIT');
		callback(null, result.rowCount > 0);
	} catch (e) {
		await client.query('ROLLBACK');
		callback(e);
	} finally {
		client.end();
	}
}`,
	"delete": `function remove(id, callback) {` + pgOpen + `
	client.connect(function (err) {
		if (err) return callback(err);
		client.query('DELETE FROM people WHERE id = $1', [id], function (err) {
			client.end();
			if (err) return callback(err);
			callback(null);
		});
	});
}`,
}

const mysqlOpen = `
	const mysql = require('mysql');
	const connection = mysql.createConnection({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
	connection.connect();`

var mysqlActions = map[string]string{
	"login": `function login(email, password, callback) {
	const bcrypt = require('bcrypt');
	const connection = require('mysql')({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
	connection.connect();
	connection.query('SELECT id, nickname, email, password, verified, meta FROM people WHERE email = ?', [email], function (err, results) {
		connection.end();
		if (err) return callback(err);
		if (results.length === 0) return callback(new WrongUsernameOrPasswordError(email));
		const user = results[0];
		bcrypt.compare(password, user.password, function (err, isValid) {
			if (err || !isValid) return callback(err || new WrongUsernameOrPasswordError(email));
			callback(null, { user_id: user.id.toString(), nickname: user.nickname, email: user.email, email_verified: user.verified === 1, user_metadata: JSON.parse(user.meta) });
		});
	});
}`,
	"get_user": `async function getUser(email, callback) {
	const mysql = require('mysql2/promise');
	const connection = await mysql.createConnection({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
	const [rows] = await connection.execute('SELECT id, email FROM people WHERE email = ?', [email]);
	await connection.end();
	if (rows.length === 0) return callback(null);
	callback(null, { user_id: String(rows[0].id), email: rows[0].email });
}`,
	"create": `function create(user, callback) {
	const bcrypt = require('bcrypt');` + mysqlOpen + `
	bcrypt.hash(user.password, 4, function (err, hash) {
		if (err) return callback(err);
		connection.query('INSERT INTO people SET ?', { email: user.email, password: hash, nickname: user.email.split('@')[0], meta: JSON.stringify(user.user_metadata) }, function (err, results) {
			connection.end();
			if (err && err.code === 'ER_DUP_ENTRY') return callback(new ValidationError('user_exists', 'there already'));
			if (err) return callback(err);
			callback(null, results.insertId > 0);
		});
	});
}`,
	"verify": `function verify(email, callback) {
	const pool = require('mysql2').createPool({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
	pool.query('UPDATE people SET verified = true WHERE verified = false AND email = ?', [email], function (err, results) {
		if (err) return callback(err);
		callback(null, results.affectedRows > 0);
	});
}`,
	"change_password": `function changePassword(email, newPassword, callback) {
	const bcrypt = require('bcrypt');` + mysqlOpen + `
	bcrypt.hash(newPassword, 4, function (err, hash) {
		if (err) return callback(err);
		connection.beginTransaction(function (err) {
			if (err) return callback(err);
			connection.query('UPDATE people SET password = ? WHERE email = ?', [hash, email], function (err, results) {
				if (err) return connection.rollback(() => callback(err));
				connection.commit((err) => callback(err, results.affectedRows > 0));
			});
		});
	});
}`,
	"delete": `function remove(id, callback) {` + mysqlOpen + `
	connection.query('DELETE FROM people WHERE id = ?', [id], function (err) {
		if (err) return callback(err);
		callback(null);
	});
}`,
}

func TestActions(t *testing.T) {
	for _, one := range []struct {
		name, table string
		part        func(testing.TB) Target
		actions     map[string]string
	}{
		{"pg", "CREATE TABLE people (id serial PRIMARY KEY, email text UNIQUE NOT NULL, password text, nickname text, verified bool DEFAULT false, meta jsonb, born date)", postgresPart, pgActions},
		{"mysql", "CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, email varchar(200) UNIQUE NOT NULL, password varchar(100), nickname varchar(100), verified tinyint(1) DEFAULT 0, meta json)", mariadbPart, mysqlActions},
	} {
		t.Run(one.name, func(t *testing.T) {
			target := one.part(t)
			answer(t, connected(t, target), one.table)
			id, shown := `"1"`, `{"user_id":"1",`
			if one.name == "pg" {
				id, shown = "1", `{"user_id":1,`
			}
			wrong := func(email, password string) {
				t.Helper()
				_, err := act(t, target, one.actions["login"], email, password)
				var f *script.Failure
				if !errors.As(err, &f) || f.Name != "WrongUsernameOrPasswordError" {
					t.Errorf("%v", err)
				}
			}
			user := map[string]any{"email": "o'kai@shop.example", "password": "pass-1", "user_metadata": map[string]any{"lang": "fi"}}
			acts(t, "true", target, one.actions["create"], user)
			_, err := act(t, target, one.actions["create"], user)
			var f *script.Failure
			if !errors.As(err, &f) || f.Name != "ValidationError" {
				t.Errorf("%v", err)
			}
			acts(t, `{"user_id":`+id+`,"email":"o'kai@shop.example"}`, target, one.actions["get_user"], "o'kai@shop.example")
			acts(t, "null", target, one.actions["get_user"], "nobody@shop.example")
			login := shown + `"nickname":"o'kai","email":"o'kai@shop.example","email_verified":%,"user_metadata":{"lang":"fi"}}`
			acts(t, strings.Replace(login, "%", "false", 1), target, one.actions["login"], "o'kai@shop.example", "pass-1")
			wrong("o'kai@shop.example", "pass-2")
			wrong("nobody@shop.example", "pass-1")
			for _, text := range injections {
				wrong(text, text)
			}
			acts(t, "true", target, one.actions["verify"], "o'kai@shop.example")
			acts(t, "true", target, one.actions["change_password"], "o'kai@shop.example", "pass-2")
			acts(t, "false", target, one.actions["change_password"], "nobody@shop.example", "pass-2")
			acts(t, strings.Replace(login, "%", "true", 1), target, one.actions["login"], "o'kai@shop.example", "pass-2")
			acts(t, "null", target, one.actions["delete"], "1")
			wrong("o'kai@shop.example", "pass-2")
		})
	}
}

// A transaction and a role that a run leaves behind are gone for the next.
func TestNothingStays(t *testing.T) {
	target := postgresPart(t)
	answer(t, connected(t, target), "CREATE TABLE t (a int)")
	acts(t, "1", target, `async function action(callback) {`+pgOpen+`
		await client.connect();
		await client.query('BEGIN');
		await client.query('INSERT INTO t VALUES (1)');
		await client.query('SET ROLE pg_read_all_data');
		await client.query("SET search_path = nowhere");
		callback(null, 1);
	}`)
	acts(t, `{"n":"0","same":true,"path":"\"$user\", public"}`, target, `async function action(callback) {`+pgOpen+`
		await client.connect();
		const { rows } = await client.query('SELECT (SELECT count(*) FROM t) AS n, current_user = session_user AS same, current_setting($1) AS path', ['search_path']);
		callback(null, rows[0]);
	}`)
	target = mariadbPart(t)
	answer(t, connected(t, target), "CREATE TABLE t (a int)")
	acts(t, "1", target, `function action(callback) {`+mysqlOpen+`
		connection.query('START TRANSACTION');
		connection.query('SET @left = 1');
		connection.query('INSERT INTO t VALUES (1)', () => callback(null, 1));
	}`)
	acts(t, `{"n":0,"l":null}`, target, `function action(callback) {`+mysqlOpen+`
		connection.query('SELECT (SELECT COUNT(*) FROM t) AS n, @left AS l', (err, rows) => callback(err, rows[0]));
	}`)
}

// What the packages answer; the values were compared with those of pg 8, mysql 2 and
// mysql2 3 on Node.js.
func TestShimValues(t *testing.T) {
	target := postgresPart(t)
	acts(t, `{"a":1,"b":"3","c":"1.50","d":0.1,"e":true,"f":{"x":1},"g":"2020-01-02T01:04:05.678Z","h":{"type":"Buffer","data":[222,173]},"i":[1,null],"j":["a","b \"q\" \\ c,","NULL",null],"k":["1"],"l":[1.5],"m":null,"n":"2020-01-02T00:00:00.000Z","o":{"x":1,"y":2.5},"p":[[1,2],[3,4]]}`, target,
		`async function action(callback) {`+pgOpen+`
		await client.connect();
		const { rows } = await client.query(`+"`"+`SELECT 1 a, 3::int8 b, 1.50 c, 0.1::float4 d, true e, '{"x":1}'::json f, '2020-01-02 03:04:05.678+02'::timestamptz g,
			'\\xdead'::bytea h, ARRAY[1,NULL] i, ARRAY['a','b "q" \\ c,','NULL',NULL] j, ARRAY[1::int8] k, ARRAY[1.5] l, NULL m, '2020-01-02'::date n, '(1,2.5)'::point o, ARRAY[[1,2],[3,4]] p`+"`"+`);
		callback(null, rows[0]);
	}`)
	acts(t, `[{"name":"error","code":"42P01","severity":"ERROR","position":"15"},[1,"two"],["SELECT",1],[1],"x"]`, target, `async function action(callback) {`+pgOpen+`
		const pg = require('pg');
		await client.connect();
		const out = [];
		try { await client.query('SELECT * FROM nowhere'); } catch (e) { out.push({ name: e.name, code: e.code, severity: e.severity, position: e.position }); }
		out.push((await client.query({ text: 'SELECT $1::int, $2::text', values: [1, 'two'], rowMode: 'array' })).rows[0]);
		const two = await client.query('SELECT 1 AS a; SELECT 2 AS b');
		out.push([two[1].command, two[1].rowCount]);
		pg.types.setTypeParser(20, (v) => parseInt(v, 10));
		out.push([(await client.query('SELECT 1::int8 AS n')).rows[0].n]);
		out.push((await client.query('SELECT $1::text = ANY($2) AS t, $1::text AS v', ['x', ['x', 'y"']])).rows[0].v);
		callback(null, out);
	}`)
	target = mariadbPart(t)
	acts(t, `["'it''s'","_utf8mb4 X'5c27204f5220313d31202d2d20'","1, 'x', NULL, true, (2, 'y')","`+"`a`.`b``c`"+`","SELECT `+"`a`"+` WHERE x IN (1, 2)"]`, target, `function action(callback) {
		const mysql = require('mysql');
		callback(null, [mysql.escape("it's"), mysql.escape("\\' OR 1=1 -- "), mysql.escape([1, 'x', null, true, [2, 'y']]), mysql.escapeId('a.b`+"`"+`c'), mysql.format('SELECT ?? WHERE x IN (?)', ['a', [1, 2]])]);
	}`)
	for _, mode := range []string{"", "NO_BACKSLASH_ESCAPES"} {
		acts(t, `[[{"a":"\\' OR 1=1 -- "}],[{"n":1}],[{"n":2}]]`, target, `async function action(mode, callback) {
			const c = await require('mysql2/promise').createConnection({ host: configuration.HOST, port: configuration.PORT, user: configuration.USER, password: configuration.PASSWORD, database: configuration.DATABASE });
			await c.query('SET sql_mode = ?', [mode]);
			const hard = "\\' OR 1=1 -- ";
			const [one] = await c.query('SELECT ' + c.escape(hard) + ' AS a');
			await c.query('CREATE TEMPORARY TABLE t (a varchar(50), b int)');
			await c.query('INSERT INTO t (a, b) VALUES ?', [[[hard, 1], ['?', null]]]);
			const [two] = await c.query('SELECT COUNT(*) AS n FROM t WHERE ?', { a: hard });
			const [three] = await c.query("SELECT COUNT(*) AS n FROM t WHERE a IN (?) AND '?' = '?'", [[hard, '?']]);
			callback(null, [one, two, three]);
		}`, mode)
	}
}

// What a script sends that no shim would is refused.
func TestSessionsRefuse(t *testing.T) {
	o := New(outbound.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).DialContext)
	for _, kind := range []string{"pg", "mysql", "nothing"} {
		for _, config := range []string{
			`[]`, `{"host":"/tmp"}`, `{"host":"a,b"}`, `{}`, `{"host":"h","port":70000}`, `{"host":"h","port":1.5}`, `{"url":"http://h"}`, `{"url":"postgres://h?host=/tmp"}`, `{"url":"sqlserver://h"}`,
		} {
			_, err := o.Open(t.Context(), kind, json.RawMessage(config))
			var e *script.DatabaseError
			if !errors.As(err, &e) {
				t.Errorf("%s %s: %v", kind, config, err)
			}
		}
	}
}
