package action_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/action"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/outbound"
	"mangrove/internal/parttest"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"

	"golang.org/x/crypto/bcrypt"
)

// hashing computes at once, and notes what it was asked.
type hashing struct {
	mu    sync.Mutex
	asked [][2]string // stored form and password
	busy  error
}

func (h *hashing) Matches(_ context.Context, stored, password string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, [2]string{stored, password})
	if stored == "" {
		return false, h.busy
	}
	ok, _ := passwd.Verify(stored, password)
	return ok, h.busy
}

func (h *hashing) Hash(_ context.Context, password string) (string, error) {
	if len(password) > passwd.MaxBytes {
		return "", passwd.ErrTooLong
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // of Hash it is 10
	return string(hash), errors.Join(err, h.busy)
}

func (h *hashing) last() [2]string { return h.asked[len(h.asked)-1] }

// oldTable is a schema of its own with the table users, in a real server.
type oldTable struct {
	t      testing.TB
	url    string
	schema string
	opener *foreigndb.Opener
	target foreigndb.Target
	runner *action.Runner
	hash   *hashing
	conn   *connection.Connection
}

// engine is what differs between the servers.
type engine struct {
	name, part, variable string
	encoding             string // of the schema
	table                string // of its columns
	object               string // custom_password_hash of the columns salt and pw, SHA-256 in hex
	sha256               string // expression: SHA-256 of %s and %s in hex
}

var sqlEngines = []engine{
	{
		name: "postgres", part: "PostgreSQL", variable: "MANGROVE_TEST_POSTGRES",
		table: `id serial PRIMARY KEY, email varchar(255) UNIQUE, username text UNIQUE, phone text, pw text, salt text, verified boolean NOT NULL DEFAULT false,
			off smallint NOT NULL DEFAULT 0, name text, code char(12), lang text, meta jsonb, born date, score float8, created timestamptz, photo bytea, uid uuid`,
		object: `json_build_object('algorithm','sha256','hash',json_build_object('value',pw,'encoding','hex'),'salt',json_build_object('value',salt,'position','suffix'))`,
		sha256: `encode(sha256(convert_to(%s || %s,'UTF8')),'hex')`,
	},
	{
		name: "mariadb", part: "MariaDB", variable: "MANGROVE_TEST_MARIADB",
		encoding: " CHARACTER SET utf8mb4",
		table: `id int AUTO_INCREMENT PRIMARY KEY, email varchar(255) UNIQUE, username varchar(255) UNIQUE, phone text, pw text, salt text, verified tinyint(1) NOT NULL DEFAULT 0,
			off bit(1) NOT NULL DEFAULT b'0', name text, code char(12), lang text, meta json, born date, score double, created datetime, photo varbinary(100), uid varchar(36)`,
		object: `JSON_OBJECT('algorithm','sha256','hash',JSON_OBJECT('value',pw,'encoding','hex'),'salt',JSON_OBJECT('value',salt,'position','suffix'))`,
		sha256: `SHA2(CONCAT(%s,%s),256)`,
	},
}

// onEngines runs a test against each server.
func onEngines(t *testing.T, test func(t *testing.T, e engine, o *oldTable)) {
	for _, e := range sqlEngines {
		t.Run(e.name, func(t *testing.T) { test(t, e, newTable(t, e)) })
	}
}

// columns of somebody. The names in quotes are those of MariaDB too, where they are texts.
const columns = `id AS user_id, email, username, phone AS phone_number, verified AS email_verified, off AS blocked, name,
	code, lang AS "user_metadata.lang", meta AS app_metadata, born AS birthdate, score, created AS created_at, photo`

// usual are statements for the table, on every engine.
func usual(schema string) map[string]string {
	all := map[string]string{
		"login":               `SELECT ` + columns + `, pw AS password_hash FROM SCHEMA.users WHERE email = :identifier OR username = :identifier`,
		"create":              `INSERT INTO SCHEMA.users (email, username, phone, pw, lang, meta) VALUES (:email, :username, :phone_number, :password_hash, :user_metadata.lang, :app_metadata)`,
		"verify":              `UPDATE SCHEMA.users SET verified = TRUE WHERE email = :email`,
		"change_password":     `UPDATE SCHEMA.users SET pw = :new_password_hash WHERE email = :identifier OR username = :identifier`,
		"change_email":        `UPDATE SCHEMA.users SET email = :new_email, verified = :verified WHERE email = :email`,
		"change_username":     `UPDATE SCHEMA.users SET username = :username WHERE email = :identifier`,
		"change_phone_number": `UPDATE SCHEMA.users SET phone = :phone_number WHERE email = :identifier`,
		"delete":              `DELETE FROM SCHEMA.users WHERE id = :id`,
		"list":                `SELECT ` + columns + `, pw AS password_hash FROM SCHEMA.users WHERE id > COALESCE(:after, 0) ORDER BY id LIMIT :limit`,
	}
	all["get_user"] = all["login"]
	for a, s := range all {
		all[a] = strings.ReplaceAll(s, "SCHEMA", schema)
	}
	return all
}

func newTable(t testing.TB, e engine) *oldTable {
	t.Helper()
	o := &oldTable{t: t, url: parttest.Need(t, e.part, e.variable), hash: &hashing{}}
	var err error
	if o.target, err = foreigndb.ParseURL(o.url); err != nil {
		t.Fatal(err)
	}
	o.opener = foreigndb.New(outbound.Dialer(loopback).DialContext)
	t.Cleanup(o.opener.Close)
	o.runner = action.New(action.Options{Databases: o.opener, Hashing: o.hash, Web: outbound.New(loopback)})
	o.schema = "legacy_" + strings.ToLower(rand.Text()[:12])
	o.exec("CREATE SCHEMA " + o.schema + e.encoding)
	t.Cleanup(func() {
		o.exec("DROP TABLE " + o.schema + ".users")
		o.exec("DROP SCHEMA " + o.schema)
	})
	o.exec("CREATE TABLE " + o.schema + ".users (" + e.table + ")")
	o.options(usual(o.schema))
	return o
}

// options makes the connection anew, with these statements.
func (o *oldTable) options(statements map[string]string) {
	o.t.Helper()
	// The password is in configuration, as it must be.
	sql := map[string]any{"url": strings.Replace(o.url, ":"+o.target.Password+"@", ":${DB_PASSWORD}@", 1)}
	for a, s := range statements {
		sql[a] = s
		if err := action.CheckStatement(o.target.Engine, customdb.Action(a), s); err != nil {
			o.t.Fatalf("%s: %v", a, err)
		}
	}
	o.conn = legacy(o.t, map[string]any{"sql": sql}, map[string]string{"DB_PASSWORD": o.target.Password})
}

func (o *oldTable) exec(statement string, args ...any) foreigndb.Result {
	o.t.Helper()
	r, err := o.opener.Query(context.Background(), o.target, statement, args)
	if err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
	return r
}

// insert adds somebody.
func (o *oldTable) insert(email, pw string) {
	o.t.Helper()
	o.exec(fmt.Sprintf("INSERT INTO %s.users (email, pw) VALUES (%s, %s)", o.schema, quote(email), quote(pw)))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (o *oldTable) run(call customdb.Call) (json.RawMessage, error) {
	answer, err := o.runner.Run(context.Background(), o.conn, call)
	return answer.Value, err
}

func (o *oldTable) must(call customdb.Call) strictjson.Document {
	o.t.Helper()
	v, err := o.run(call)
	if err != nil {
		o.t.Fatalf("%s: %v", call.Action, err)
	}
	return strictjson.ParseDocument(v)
}

func (o *oldTable) count() int64 {
	o.t.Helper()
	n, _ := o.exec("SELECT count(*) FROM " + o.schema + ".users").Rows[0][0].(int64)
	return n
}

// The life of a person, by every action.
func TestSQLActions(t *testing.T) {
	onEngines(t, func(t *testing.T, _ engine, o *oldTable) {
		user := `{"email":"Kai@shop.example","username":"kai","password":"tr0ub4dor","phone_number":"+358401234567","user_metadata":{"lang":"fi"},"app_metadata":{"plan":"full"}}`
		if v, err := o.run(customdb.Find("kai")); err != nil || string(v) != "null" {
			t.Fatalf("get_user of nobody: %s, %v", v, err)
		}
		if v, err := o.run(customdb.NewUser(profile.Value(user))); err != nil || string(v) != "null" {
			t.Fatalf("create: %s, %v", v, err)
		}
		_, err := o.run(customdb.NewUser(profile.Value(user)))
		if f := failure(t, err); f.Kind != customdb.Invalid || f.Code != "user_exists" {
			t.Errorf("create again: %v", f)
		}
		p := o.must(customdb.SignIn("Kai@shop.example", "tr0ub4dor"))
		for name, want := range map[string]string{
			"user_id": `"1"`, "email": `"Kai@shop.example"`, "username": `"kai"`, "phone_number": `"+358401234567"`, "email_verified": `false`, "blocked": `false`,
			"user_metadata": `{"lang":"fi"}`, "app_metadata": `{"plan":"full"}`,
		} {
			if string(p[name]) != want {
				t.Errorf("login: %s is %s, want %s", name, p[name], want)
			}
		}
		for _, absent := range []string{"password_hash", "password", "name", "birthdate", "photo"} {
			if p.Has(absent) || p[absent] != nil {
				t.Errorf("login: %s is %s", absent, p[absent])
			}
		}
		_, err = o.run(customdb.SignIn("kai", "tr0ub4dor "))
		if f := failure(t, err); f.Kind != customdb.Wrong || f.UserID != "1" {
			t.Errorf("wrong password: %#v", f)
		}
		_, err = o.run(customdb.SignIn("kau", "tr0ub4dor"))
		if f := failure(t, err); f.Kind != customdb.Wrong || f.UserID != "" {
			t.Errorf("nobody: %#v", f)
		}
		for _, c := range []struct {
			call customdb.Call
			want string
		}{
			{customdb.Proved("Kai@shop.example"), "true"},
			{customdb.Proved("Kai@shop.example"), "true"}, // it is so already
			{customdb.Proved("nobody@shop.example"), "false"},
			{customdb.NewPassword("kai", "correct horse"), "true"},
			{customdb.NewPassword("kau", "correct horse"), "false"},
			{customdb.NewEmail("Kai@shop.example", "k@shop.example", true), "true"},
			{customdb.NewEmail("Kai@shop.example", "k@shop.example", true), "false"},
			{customdb.NewUsername("k@shop.example", "kaia"), "true"},
			{customdb.NewPhoneNumber("k@shop.example", "+358407654321"), "true"},
		} {
			if v, err := o.run(c.call); err != nil || string(v) != c.want {
				t.Errorf("%s: %s, %v, want %s", c.call.Action, v, err, c.want)
			}
		}
		p = o.must(customdb.SignIn("kaia", "correct horse"))
		if p.Text("email") != "k@shop.example" || !p.Flag("email_verified") || p.Text("phone_number") != "+358407654321" {
			t.Errorf("after the changes: %s", p.Encode())
		}
		p = o.must(customdb.Find("kaia"))
		if hash := p.Text("password_hash"); !strings.HasPrefix(hash, "$2a$04$") {
			t.Errorf("get_user: password_hash is %q", hash)
		}
		o.insert("other@shop.example", "")
		_, err = o.run(customdb.NewEmail("other@shop.example", "k@shop.example", false))
		if f := failure(t, err); f.Kind != customdb.Invalid || f.Code != "user_exists" {
			t.Errorf("an address that is taken: %v", f)
		}
		for range 2 {
			if v, err := o.run(customdb.Remove("1")); err != nil || string(v) != "null" {
				t.Errorf("delete: %s, %v", v, err)
			}
		}
		if n := o.count(); n != 1 {
			t.Errorf("%d are left", n)
		}
	})
}

// Whatever hash a column has, the person signs in; what stands for none lets nobody in.
func TestSQLHashes(t *testing.T) {
	for _, e := range sqlEngines {
		t.Run(e.name, func(t *testing.T) {
			o := newTable(t, e)
			for i, c := range []struct{ hash, password string }{
				{"$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS", "pässwörd Ω"},
				{"pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=", "hashcat"},
				{"$pbkdf2-sha256$i=1000,l=32$c2FsdAH/$/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg", "pässwörd Ω"},
				{"{SSHA}awggp3Mj9B93GDHPllaxcOEMEHlzYWx0Af8=", "pässwörd Ω"},
				{"$P$984478476IagS59wHZvyQMArzfx58u.", "hashcat"},
				{"AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==", "my password"},
				{"sha1$fe76b$02d5916550edf7fc8c886f044887f4b1abf9b013", "hashcat"},
			} {
				email := fmt.Sprintf("p%d@shop.example", i)
				o.insert(email, c.hash)
				if _, err := o.run(customdb.SignIn(email, c.password)); err != nil {
					t.Errorf("%s: %v", c.hash, err)
				}
				if _, err := o.run(customdb.SignIn(email, c.password+"x")); !customdb.IsWrong(err) {
					t.Errorf("%s, wrong password: %v", c.hash, err)
				}
				p, err := customdb.ReadPerson(o.must(customdb.Find(email)).Encode())
				if err != nil || (p.PasswordHash == nil) == (p.CustomPasswordHash == nil) {
					t.Errorf("get_user brings %s and %s, %v", p.PasswordHash, p.CustomPasswordHash, err)
				}
				if p.CustomPasswordHash != nil {
					if _, err := passwd.ParseCustom(p.CustomPasswordHash); err != nil {
						t.Errorf("an import would refuse %s: %v", p.CustomPasswordHash, err)
					}
				}
			}
			for hash, message := range map[string]string{
				"": "the row has no password hash", "!": "the row has no password hash", "secret": "the password's hash is of no form that is known here",
			} {
				o.exec("DELETE FROM " + o.schema + ".users")
				o.insert("none@shop.example", hash)
				for _, password := range []string{"", "!", "secret"} {
					_, err := o.run(customdb.SignIn("none@shop.example", password))
					if f := failure(t, err); f.Kind != customdb.Wrong || f.UserID == "" || f.Message != message {
						t.Errorf("%q with %q: %#v", hash, password, f)
					}
				}
				if p := o.must(customdb.Find("none@shop.example")); p.Text("password_hash") != strings.Trim(hash, "!") {
					t.Errorf("get_user with %q: %s", hash, p.Encode())
				}
			}
		})
	}
}

// A salt in a column of its own, and a hash that the database made.
func TestSQLCustomHash(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine, o *oldTable) {
		o.exec(fmt.Sprintf("INSERT INTO %s.users (email, salt, pw) VALUES ('s@shop.example', 'NaCl', %s)", o.schema, fmt.Sprintf(e.sha256, "'geheim Ω'", "'NaCl'")))
		statements := usual(o.schema)
		for _, a := range []string{"login", "get_user"} {
			statements[a] = strings.Replace(statements[a], "pw AS password_hash", e.object+" AS custom_password_hash", 1)
		}
		o.options(statements)
		o.must(customdb.SignIn("s@shop.example", "geheim Ω"))
		if _, err := o.run(customdb.SignIn("s@shop.example", "geheim")); !customdb.IsWrong(err) {
			t.Error(err)
		}
		p := o.must(customdb.Find("s@shop.example"))
		stored, err := passwd.ParseCustom(p["custom_password_hash"])
		if ok, _ := passwd.Verify(stored, "geheim Ω"); err != nil || !ok {
			t.Errorf("get_user: %s, %v", p.Encode(), err)
		}
		// The statement itself decides.
		statements["login"] = "SELECT id AS user_id, email, pw AS password_hash FROM " + o.schema + ".users WHERE email = :identifier AND pw = " + fmt.Sprintf(e.sha256, ":password", "salt")
		o.options(statements)
		asked := len(o.hash.asked)
		if p := o.must(customdb.SignIn("s@shop.example", "geheim Ω")); p.Has("password_hash") || p.Text("email") != "s@shop.example" {
			t.Errorf("login: %s", p.Encode())
		}
		_, err = o.run(customdb.SignIn("s@shop.example", "' OR '1'='1"))
		if f := failure(t, err); f.Kind != customdb.Wrong {
			t.Error(f)
		}
		if len(o.hash.asked) != asked {
			t.Error("hashed here, too")
		}
	})
}

// Nobody and a wrong password cost the same: a hash of the same kind is computed, of
// which nobody can tell whether it matches.
func TestSQLSameWork(t *testing.T) {
	onEngines(t, func(t *testing.T, _ engine, o *oldTable) {
		if _, err := o.run(customdb.SignIn("nobody", "hashcat")); !customdb.IsWrong(err) || o.hash.last()[0] != "" {
			t.Fatalf("%v, %v", err, o.hash.asked)
		}
		o.insert("k@shop.example", "pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=")
		o.must(customdb.SignIn("k@shop.example", "hashcat"))
		stored := o.hash.last()[0]
		o.insert("none@shop.example", "")
		for _, who := range []string{"nobody", "none@shop.example"} {
			if _, err := o.run(customdb.SignIn(who, "hashcat")); !customdb.IsWrong(err) {
				t.Error(err)
			}
			if last := o.hash.last(); last[0] != stored || last[1] == "hashcat" || len(last[1]) != len("hashcat") {
				t.Errorf("%s: asked for %q", who, last)
			}
		}
		o.hash.busy = errors.New("overrun")
		if _, err := o.run(customdb.SignIn("k@shop.example", "hashcat")); !errors.Is(err, o.hash.busy) {
			t.Errorf("overrun: %v", err)
		}
	})
}

// attacks are values that would do something if they were ever part of a statement.
func attacks(schema string) []string {
	return []string{
		`' OR '1'='1`, `' OR 1=1 -- `, `" OR ""="`, `\' OR 1=1 -- `, `'; DROP TABLE ` + schema + `.users; --`, `') OR TRUE; --`, `$1`, `?`, `:identifier`, `:password`,
		`$$`, `${DB_PASSWORD}`, `%`, `_`, `*/`, `/*`, `#`, `\`, `\\`, `'`, `''`, "`", `]`, `"`, `{"$gt":""}`, "\u2019 OR 1=1", "ʼ", "\xbf\x27 OR 1=1", "\r\n", `N'x'`, `0x27`, `E'\''`,
	}
}

func TestSQLInjection(t *testing.T) {
	onEngines(t, func(t *testing.T, _ engine, o *oldTable) {
		o.insert("victim@shop.example", "$2y$05$CSZx8dChD27vwNyWG1RoNOspuqSONK3Dt7/riHuRB9pJbIR8y/RFS")
		for i, attack := range attacks(o.schema) {
			clean := strings.ToValidUTF8(attack, "\uFFFD")
			for _, call := range []customdb.Call{customdb.SignIn(attack, attack), customdb.SignIn("victim@shop.example", attack)} {
				if v, err := o.run(call); !customdb.IsWrong(err) {
					t.Errorf("%q: %s, %v", attack, v, err)
				}
			}
			if v, err := o.run(customdb.Find(attack)); err != nil || string(v) != "null" {
				t.Errorf("%q: %s, %v", attack, v, err)
			}
			for _, call := range []customdb.Call{
				customdb.Proved(attack), customdb.NewPassword(attack, "x"), customdb.NewEmail(attack, attack, true), customdb.NewUsername(attack, attack),
				customdb.NewPhoneNumber(attack, attack),
			} {
				if v, err := o.run(call); err != nil || string(v) != "false" {
					t.Errorf("%s with %q: %s, %v", call.Action, attack, v, err)
				}
			}
			_, _ = o.run(customdb.Remove(attack)) // no number: an error on one engine, nothing on the other
			if _, err := o.run(customdb.Page(attack, 1)); err != nil && failure(t, err).Kind != customdb.Failed {
				t.Errorf("list behind %q: %v", attack, err)
			}
			if n := o.count(); n != 1 {
				t.Fatalf("%q: %d are there", attack, n)
			}
			// In what is kept it is a text like any other.
			email := fmt.Sprintf("a%d@shop.example", i)
			o.must(customdb.NewUser(strictjson.Document{
				"email": profile.Text(email), "username": profile.Text(attack), "password": profile.Text("pw"),
				"phone_number": profile.Text(attack), "user_metadata": strictjson.Document{"lang": profile.Text(attack)}.Encode(),
			}.Encode()))
			p := o.must(customdb.SignIn(email, "pw"))
			if p.Text("username") != clean || p.Text("phone_number") != clean || p.Object("user_metadata").Text("lang") != clean {
				t.Errorf("%q came back as %s", attack, p.Encode())
			}
			o.must(customdb.NewPhoneNumber(email, clean+"+"))
			o.must(customdb.NewPassword(email, clean))
			if p := o.must(customdb.SignIn(email, clean)); p.Text("phone_number") != clean+"+" {
				t.Errorf("%q came back as %s", attack, p.Encode())
			}
			o.must(customdb.Remove(p.Text("user_id")))
		}
	})
}

// What a column holds, and what becomes of it.
func TestSQLValues(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine, o *oldTable) {
		photo := map[string]string{"postgres": `'\xff00'`, "mariadb": `X'FF00'`}[e.name]
		off := map[string]string{"postgres": `1`, "mariadb": `b'1'`}[e.name]
		o.exec(fmt.Sprintf(`INSERT INTO %s.users (email, verified, off, name, code, lang, meta, born, score, created, photo, uid)
			VALUES ('k@shop.example', TRUE, %s, 'Kaï "K" Ω', 'AB', 'fi', '{"a":[1,2.50],"b":{"c":null}}', '1988-02-29', 1.5, '2020-03-04 05:06:07', %s, '0f8fad5b-d9cb-469f-a165-70867728950e')`,
			o.schema, off, photo))
		p := o.must(customdb.Find("k@shop.example"))
		for name, want := range map[string]string{
			"user_id": `"1"`, "email_verified": `true`, "blocked": `true`, "name": `"Kaï \"K\" Ω"`, "code": `"AB"`, "user_metadata": `{"lang":"fi"}`,
			"birthdate": `"1988-02-29"`, "score": `1.5`, "created_at": `"2020-03-04T05:06:07.000Z"`, "photo": `"ff"`,
		} {
			if string(p[name]) != want {
				t.Errorf("%s: %s, want %s", name, p[name], want)
			}
		}
		if meta := p.Object("app_metadata"); string(meta["a"]) != `[1,2.50]` && string(meta["a"]) != `[1,2.5]` || string(meta["b"]) != `{"c":null}` {
			t.Errorf("app_metadata: %s", p["app_metadata"])
		}
		statements := usual(o.schema)
		for name, column := range map[string]string{"uid": `"0f8fad5b-d9cb-469f-a165-70867728950e"`, "photo": `"ff00"`, "email": `"k@shop.example"`, "created": `"2020-03-04T05:06:07.000Z"`} {
			statements["get_user"] = "SELECT " + name + " AS user_id FROM " + o.schema + ".users WHERE email = :identifier"
			o.options(statements)
			if p := o.must(customdb.Find("k@shop.example")); string(p["user_id"]) != column {
				t.Errorf("user_id from %s: %s, want %s", name, p["user_id"], column)
			}
		}
		for text, detail := range map[string]string{
			`SELECT id AS user_id, email, name AS email FROM users WHERE email = :identifier`:                        `two columns have the name "email"`,
			`SELECT id AS user_id, lang AS "name.x", name FROM users WHERE email = :identifier`:                      `the column "name" is no object`,
			`SELECT id AS user_id, CONCAT(name, REPEAT('x', 110000)) AS name FROM users WHERE email = :identifier`:   `limit: 100 KB`,
			`SELECT id AS user_id FROM users WHERE email = :identifier UNION ALL SELECT 2 AS user_id ORDER BY 1`:     `2 rows where there must be one`,
			`SELECT a.id AS user_id FROM users a, users b WHERE a.email = :identifier UNION ALL SELECT 1 AS user_id`: `2 rows`,
		} {
			statements["get_user"] = strings.ReplaceAll(text, " users", " "+o.schema+".users")
			o.options(statements)
			_, err := o.run(customdb.Find("k@shop.example"))
			if f := failure(t, err); f.Kind != customdb.Broken || !strings.Contains(f.Detail, detail) {
				t.Errorf("%s: %v", text, f)
			}
		}
		statements["login"] = "SELECT id AS user_id FROM " + o.schema + ".users WHERE email = :identifier"
		o.options(statements)
		for _, who := range []string{"k@shop.example", "nobody"} {
			_, err := o.run(customdb.SignIn(who, "x"))
			if f := failure(t, err); f.Kind != customdb.Broken || !strings.Contains(f.Detail, "no column password_hash") {
				t.Errorf("login without a hash: %v", f)
			}
		}
	})
}

// Pages follow each other, each person is in one, with the hash as an import takes it.
func TestSQLList(t *testing.T) {
	onEngines(t, func(t *testing.T, _ engine, o *oldTable) {
		const people = 25
		for i := range people {
			o.insert(fmt.Sprintf("p%02d@shop.example", i), "{SSHA}awggp3Mj9B93GDHPllaxcOEMEHlzYWx0Af8=")
		}
		pages := func(statement string) (seen []string, pages int) {
			statements := usual(o.schema)
			if statement != "" {
				statements["list"] = strings.ReplaceAll(statement, "SCHEMA", o.schema)
			}
			o.options(statements)
			for after := ""; ; pages++ {
				v, err := o.run(customdb.Page(after, 10))
				if err != nil {
					t.Fatal(err)
				}
				page, err := customdb.ReadList(v)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range page.People {
					p, err := customdb.ReadPerson(row)
					if err != nil || p.CustomPasswordHash == nil {
						t.Fatalf("%s: %v", row, err)
					}
					seen = append(seen, p.Claims.Subject)
				}
				if after = page.Next; after == "" {
					return seen, pages + 1
				}
			}
		}
		seen, n := pages("")
		if n != 3 || len(seen) != people || len(slices.Compact(slices.Clone(seen))) != people {
			t.Errorf("%d pages: %v", n, seen)
		}
		seen, n = pages(`SELECT CONCAT('legacy|', id) AS user_id, id AS "after", pw AS password_hash FROM SCHEMA.users WHERE id > COALESCE(:after, 0) ORDER BY id LIMIT :limit`)
		if n != 3 || len(seen) != people || seen[24] != "legacy|25" {
			t.Errorf("%d pages: %v", n, seen)
		}
		statements := usual(o.schema)
		statements["list"] = "SELECT id AS user_id FROM " + o.schema + ".users WHERE id > COALESCE(:after, 0) AND :limit > 0"
		o.options(statements)
		_, err := o.run(customdb.Page("", 10))
		if f := failure(t, err); f.Kind != customdb.Broken || !strings.Contains(f.Detail, "25 rows where there may be 10") {
			t.Error(f)
		}
	})
}

// An identifier that no column can hold is nobody's. Of get_user it is a failure, since
// whoever is not there may sign up.
func TestSQLUnfit(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine, o *oldTable) {
		who := map[string]string{"postgres": "kai", "mariadb": "Ω"}[e.name]
		statements := usual(o.schema)
		for _, a := range []string{"login", "get_user"} {
			statements[a] = "SELECT id AS user_id, pw AS password_hash FROM " + o.schema + ".users WHERE " +
				map[string]string{"postgres": "id = :identifier", "mariadb": "CONVERT(email USING latin1) = :identifier"}[e.name]
		}
		o.options(statements)
		_, err := o.run(customdb.SignIn(who, "x"))
		if f := failure(t, err); f.Kind != customdb.Wrong || f.UserID != "" || f.Detail == "" || len(o.hash.asked) != 1 {
			t.Errorf("login: %#v", f)
		}
		_, err = o.run(customdb.Find(who))
		if f := failure(t, err); f.Kind != customdb.Failed {
			t.Errorf("get_user: %#v", f)
		}
	})
}

// What the server says is for the operator, without secrets; where it cannot be reached
// nobody is told a wrong password.
func TestSQLFailures(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine, o *oldTable) {
		statements := usual(o.schema)
		statements["get_user"] = "SELECT emial AS user_id FROM " + o.schema + ".users WHERE email = :identifier"
		statements["create"] = "INSERT INTO " + o.schema + ".users (email, born) VALUES (:email, :password)"
		statements["change_password"] = "INSERT INTO " + o.schema + ".users (email, born) VALUES (:identifier, :new_password_hash)"
		o.options(statements)
		_, err := o.run(customdb.Find("k"))
		if f := failure(t, err); f.Kind != customdb.Failed || !strings.Contains(f.Message, "emial") || !strings.Contains(f.Detail, "SQLSTATE 42") {
			t.Errorf("a column that is not there: %#v", f)
		}
		for _, call := range []customdb.Call{
			customdb.NewUser(profile.Value(`{"email":"e@shop.example","password":"s3cret-w0rd"}`)), customdb.NewPassword("e@shop.example", "s3cret-w0rd"),
		} {
			_, err := o.run(call)
			f := failure(t, err)
			if f.Kind != customdb.Failed || strings.Contains(f.Error(), "s3cret-w0rd") || strings.Contains(f.Error(), "$2a$04$") {
				t.Errorf("%s: %v", call.Action, f)
			}
		}
		_, err = o.run(customdb.NewPassword("k", strings.Repeat("x", 73)))
		if f := failure(t, err); f.Kind != customdb.Failed || !strings.Contains(f.Message, "72 bytes") {
			t.Errorf("a long password: %v", f)
		}
		if n := o.count(); n != 0 {
			t.Errorf("%d were inserted", n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := o.runner.Run(ctx, o.conn, customdb.Find("k")); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits any more: %v", err)
		}
		// An insert that steps over somebody who is there.
		o.insert("there@shop.example", "")
		statements["create"] = map[string]string{
			"postgres": "INSERT INTO " + o.schema + ".users (email) VALUES (:email) ON CONFLICT DO NOTHING",
			"mariadb":  "INSERT IGNORE INTO " + o.schema + ".users (email) VALUES (:email)",
		}[e.name]
		o.options(statements)
		_, err = o.run(customdb.NewUser(profile.Value(`{"email":"there@shop.example"}`)))
		if f := failure(t, err); f.Kind != customdb.Invalid || f.Code != "user_exists" {
			t.Errorf("somebody is there: %v", f)
		}

		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed := listener.Addr().String()
		_ = listener.Close()
		scheme, _, _ := strings.Cut(o.url, "://")
		for url, code := range map[string]string{
			scheme + "://u:p@" + closed + "/x": "ECONNREFUSED", scheme + "://nobody-of-this-name:wrong-Pa55@" + place(o.url) + "/nothing-of-this-name": "",
			"nonsense": "ERR_INVALID_URL",
		} {
			o.url = url
			o.options(usual(o.schema))
			_, err := o.run(customdb.SignIn("k", "x"))
			if f := failure(t, err); f.Kind != customdb.Broken || !strings.Contains(f.Detail, code) || strings.Contains(f.Error(), "wrong-Pa55") {
				t.Errorf("%s: %#v", url, f)
			}
		}
	})
}

// A server that ends a session under a statement: what reads is asked again, and what
// writes is not.
func TestSQLSessionEnds(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine, o *oldTable) {
		// A lock that somebody else has keeps the statement under way.
		how := map[string]struct{ lock, locked, unlock, pause, sessions, end string }{
			"postgres": {
				"SELECT pg_advisory_lock(hashtext('KEY'))", "pg_advisory_xact_lock_shared(hashtext('KEY')) IS NOT NULL", "SELECT pg_advisory_unlock(hashtext('KEY'))", "SELECT pg_sleep(0.01)",
				"SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%KEY%' AND pid <> pg_backend_pid()", "SELECT pg_terminate_backend(%d)",
			},
			"mariadb": {
				"SELECT GET_LOCK('KEY', 60)", "GET_LOCK('KEY', 60) = 1 AND RELEASE_LOCK('KEY') = 1", "SELECT RELEASE_LOCK('KEY')", "SELECT SLEEP(0.01)",
				"SELECT id FROM information_schema.processlist WHERE state = 'User lock' AND info LIKE '%KEY%' AND id <> CONNECTION_ID()", "KILL %d",
			},
		}[e.name]
		text := func(s string) string { return strings.ReplaceAll(s, "KEY", o.schema) }
		statements := usual(o.schema)
		for _, a := range []string{"login", "get_user"} {
			statements[a] = "SELECT id AS user_id, email, pw AS password_hash FROM " + o.schema + ".users WHERE email = :identifier AND " + text(how.locked)
		}
		statements["list"] = "SELECT id AS user_id, email FROM " + o.schema + ".users WHERE id > COALESCE(:after, 0) AND " + text(how.locked) + " ORDER BY id LIMIT :limit"
		statements["change_username"] = "UPDATE " + o.schema + ".users SET username = :username WHERE email = :identifier AND " + text(how.locked)
		o.options(statements)
		o.insert("a@shop.example", "$2a$04$x")
		other, err := o.opener.Connect(t.Context(), o.target)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		do := func(statement string) foreigndb.Result {
			t.Helper()
			r, err := other.Query(t.Context(), statement, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for _, call := range []customdb.Call{
			customdb.Find("a@shop.example"), customdb.SignIn("a@shop.example", "x"), customdb.Page("", 10), customdb.NewUsername("a@shop.example", "anew"),
		} {
			do(text(how.lock))
			var answer json.RawMessage
			var failed error
			done := make(chan struct{})
			go func() {
				defer close(done)
				answer, failed = o.run(call)
			}()
			var rows [][]any
			for range 1000 {
				if rows = do(text(how.sessions)).Rows; len(rows) > 0 {
					break
				}
				do(how.pause)
			}
			if len(rows) == 0 {
				t.Fatalf("%s does not wait for the lock", call.Action)
			}
			do(fmt.Sprintf(how.end, rows[0][0]))
			do(text(how.unlock))
			<-done
			if call.Action == customdb.ChangeUsername {
				if f := failure(t, failed); f.Kind != customdb.Broken {
					t.Errorf("%s: %#v", call.Action, f)
				}
				continue
			}
			if call.Action == customdb.Login && customdb.IsWrong(failed) { // the hash is nobody's: it was read
				failed, answer = nil, json.RawMessage("a@shop.example")
			}
			if failed != nil || !strings.Contains(string(answer), "a@shop.example") {
				t.Errorf("%s: %s, %v", call.Action, answer, failed)
			}
		}
		if r := o.exec("SELECT username FROM " + o.schema + ".users"); r.Rows[0][0] != nil {
			t.Errorf("it was written after all: %v", r.Rows[0][0])
		}
	})
}

// The statements of the documentation work as they stand there.
func TestSQLDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/custom-databases.md")
	if err != nil {
		t.Fatal(err)
	}
	onEngines(t, func(t *testing.T, _ engine, o *oldTable) {
		o.exec("CREATE TABLE " + o.schema + ".people (id bigint PRIMARY KEY, email varchar(255) UNIQUE, hash text, lang text, full_name text, verified boolean NOT NULL DEFAULT false)")
		t.Cleanup(func() { o.exec("DROP TABLE " + o.schema + ".people") })
		statements := map[string]string{}
		for _, m := range regexp.MustCompile(`"(\w+)": ("(?:SELECT|INSERT|UPDATE|DELETE)(?:[^"\\]|\\.)*")`).FindAllSubmatch(page, -1) {
			text := profile.TextOf(m[2])
			text = strings.ReplaceAll(text, "people", o.schema+".people")
			statements[string(m[1])] = strings.ReplaceAll(text, "(email,", "(id, email,")
		}
		statements["create"] = strings.Replace(statements["create"], "(:email", "(7, :email", 1) // the example leaves ids to the database
		statements["get_user"] = statements["login"]
		for _, a := range []customdb.Action{customdb.Login, customdb.Create, customdb.Verify, customdb.ChangePassword, customdb.ChangeEmail, customdb.Delete, customdb.List} {
			if statements[string(a)] == "" {
				t.Fatalf("the page has no statement for %s", a)
			}
		}
		o.options(statements)
		o.must(customdb.NewUser(profile.Value(`{"email":"kai@shop.example","password":"old","user_metadata":{"lang":"fi"}}`)))
		if p := o.must(customdb.SignIn("Kai@shop.example", "old")); p.Text("user_id") != "7" || p.Object("user_metadata").Text("lang") != "fi" || p.Flag("email_verified") {
			t.Errorf("login: %s", p.Encode())
		}
		for _, call := range []customdb.Call{
			customdb.Proved("kai@shop.example"), customdb.NewPassword("kai@shop.example", "new"), customdb.NewEmail("kai@shop.example", "k@shop.example", true),
		} {
			if v, err := o.run(call); err != nil || string(v) != "true" {
				t.Errorf("%s: %s, %v", call.Action, v, err)
			}
		}
		if p := o.must(customdb.SignIn("k@shop.example", "new")); !p.Flag("email_verified") {
			t.Errorf("login: %s", p.Encode())
		}
		v, err := o.run(customdb.Page("", 1))
		page, _ := customdb.ReadList(v)
		if err != nil || len(page.People) != 1 || page.Next != "7" {
			t.Errorf("list: %s, %v", v, err)
		}
		if v, err = o.run(customdb.Page("7", 1)); err != nil || string(v) != `{"users":[]}` {
			t.Errorf("list: %s, %v", v, err)
		}
		o.must(customdb.Remove("7"))
		if v, err := o.run(customdb.Find("k@shop.example")); err != nil || string(v) != "null" {
			t.Errorf("get_user: %s, %v", v, err)
		}
	})
}

// place is host:port of a URL.
func place(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "/")
	return rest
}

// Databases inside are for those alone whom the operator has named.
func TestSQLGuarded(t *testing.T) {
	guarded := action.New(action.Options{
		Databases: foreigndb.New(outbound.Dialer(nil).DialContext), Hashing: &hashing{}, Web: outbound.New(nil),
	})
	for _, url := range []string{"postgres://u@127.0.0.1/x", "mysql://u@localhost:3306/x", "sqlserver://u@169.254.169.254/x"} {
		c := legacy(t, map[string]any{"sql": map[string]string{"url": url, "login": "SELECT 1 AS user_id WHERE 1 = :identifier OR 1 = :password"}}, nil)
		_, err := guarded.Run(context.Background(), c, customdb.SignIn("k", "x"))
		if f := failure(t, err); f.Kind != customdb.Broken || !strings.Contains(f.Detail, "EACCES") {
			t.Errorf("%s: %#v", url, f)
		}
	}
}

// One sign-in with the row of a person whose hash costs next to nothing.
func BenchmarkSQLLogin(b *testing.B) {
	for _, e := range sqlEngines {
		b.Run(e.name, func(b *testing.B) {
			o := newTable(b, e)
			o.insert("k@shop.example", "sha1$fe76b$02d5916550edf7fc8c886f044887f4b1abf9b013")
			call := customdb.SignIn("k@shop.example", "hashcat")
			for b.Loop() {
				o.must(call)
			}
		})
	}
}
