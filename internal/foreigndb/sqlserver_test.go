package foreigndb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // what the double asks

	"mangrove/internal/foreigndb/tdstest"
)

// certificate is one of 127.0.0.1 that signs itself.
var certificate = sync.OnceValues(func() (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a double"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
})

// double starts one for the user sa with the password "Tiger;1=". Without answer it
// answers nothing.
func double(t *testing.T, o tdstest.Options) *tdstest.Server {
	t.Helper()
	o.User, o.Password = "sa", "Tiger;1="
	if o.Answer == nil {
		o.Answer = func(context.Context, tdstest.Request) tdstest.Answer { return tdstest.Answer{} }
	}
	return tdstest.New(t, o)
}

// columns reads "name type, name type".
func columns(text string) []tdstest.Column {
	var list []tdstest.Column
	for _, c := range strings.Split(text, ", ") {
		name, kind, _ := strings.Cut(c, " ")
		list = append(list, tdstest.Column{Name: name, Type: kind})
	}
	return list
}

func secured() *tls.Config {
	c, _ := certificate()
	return &tls.Config{Certificates: []tls.Certificate{c}}
}

func at(s *tdstest.Server) Target {
	return Target{Engine: SQLServer, Host: "127.0.0.1", Port: s.Port(), User: "sa", Password: "Tiger;1=", Database: "legacy", TLS: Plain}
}

func TestSQLServerTypes(t *testing.T) {
	when := time.Date(2020, 2, 29, 12, 34, 56, 789_000_000, time.UTC)
	guid := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}
	long := strings.Repeat("größe 😀 ", 2000)
	s := double(t, tdstest.Options{Answer: func(_ context.Context, r tdstest.Request) tdstest.Answer {
		names := columns("i int, b bigint, t bit, f float, d decimal, n nvarchar, x varbinary, dt datetime, dt2 datetime2, day date, at time, id uniqueidentifier")
		return tdstest.Answer{Sets: []tdstest.Set{{Columns: names, Rows: [][]any{
			{int64(-7), int64(1) << 60, true, 1.5, "-12.50", long, []byte{0, 255}, when, when, when, when, guid},
			{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
			{int64(0), int64(0), false, 0.0, "0.00", "", []byte{}, when, when, when, when, guid},
		}}}}
	}})
	c, err := guarded(here).Connect(t.Context(), at(s))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	got, err := c.Query(t.Context(), "SELECT", nil)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)
	want := []any{int64(-7), int64(1) << 60, true, 1.5, "-12.50", long, []byte{0, 255}, when, when, day, time.Date(1, 1, 1, 12, 34, 56, 789_000_000, time.UTC), "00112233-4455-6677-8899-AABBCCDDEEFF"}
	for i, w := range want {
		g := got.Rows[0][i]
		if gt, ok := g.(time.Time); ok {
			if d := gt.Sub(w.(time.Time)).Abs(); d > 4*time.Millisecond { // datetime counts in 1/300 s
				t.Errorf("%s: %v, want %v", got.Columns[i].Name, g, w)
			}
			continue
		}
		if !reflect.DeepEqual(g, w) {
			t.Errorf("%s: %#v, want %#v", got.Columns[i].Name, g, w)
		}
		if got.Rows[1][i] != nil {
			t.Errorf("%s: %#v, want nil", got.Columns[i].Name, got.Rows[1][i])
		}
	}
	if row := got.Rows[2]; row[5] != "" || row[2] != false || row[4] != "0.00" {
		t.Errorf("%#v", row)
	}
	if got.Columns[4].Type != "decimal" || got.Columns[11].Type != "uniqueidentifier" || got.Affected != 3 {
		t.Errorf("%+v %d", got.Columns, got.Affected)
	}
}

// Arguments travel beside the statement, whatever they hold.
func TestSQLServerArguments(t *testing.T) {
	var mu sync.Mutex
	var seen []tdstest.Request
	s := double(t, tdstest.Options{Answer: func(_ context.Context, r tdstest.Request) tdstest.Answer {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
		return tdstest.Answer{Sets: []tdstest.Set{{Affected: 2}, {Affected: 3}}}
	}})
	c, err := guarded(here).Connect(t.Context(), at(s))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	args := []any{"'; DROP TABLE users; --", int64(42), true, 2.5, []byte{1, 0}, nil, time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), strings.Repeat("ä", 5000), ""}
	got, err := c.Query(t.Context(), "UPDATE users SET a = @p1", args)
	if err != nil {
		t.Fatal(err)
	}
	if got.Affected != 5 || len(got.Rows) != 0 {
		t.Errorf("%+v", got)
	}
	r := seen[0]
	if strings.TrimSpace(r.Text) != "UPDATE users SET a = @p1" || r.Procedure {
		t.Errorf("%q", r.Text)
	}
	for i, a := range args {
		g := r.Params[fmt.Sprintf("p%d", i+1)]
		if at, ok := a.(time.Time); ok {
			if !at.Equal(g.(time.Time)) {
				t.Errorf("p%d: %v", i+1, g)
			}
			continue
		}
		if !reflect.DeepEqual(g, a) {
			t.Errorf("p%d: %#v, want %#v", i+1, g, a)
		}
	}
	// One word is no procedure.
	if _, err := c.Query(t.Context(), "sp_who", nil); err != nil || seen[1].Procedure {
		t.Errorf("%+v %v", seen[1], err)
	}
}

func TestSQLServerEncryption(t *testing.T) {
	_, pem := certificate()
	rows := []struct {
		name    string
		options tdstest.Options
		tls     TLS
		ca      string
		code    string
	}{
		{"plain", tdstest.Options{}, Plain, "", ""},
		{"plain, where it must be encrypted", tdstest.Options{TLS: secured(), Required: true}, Plain, "", "EPROTO"},
		{"preferred, and there is none", tdstest.Options{}, Prefer, "", ""},
		{"preferred", tdstest.Options{TLS: secured(), Required: true}, Prefer, "", ""},
		{"nothing said", tdstest.Options{TLS: secured(), Required: true}, "", "", ""},
		{"required", tdstest.Options{TLS: secured()}, Encrypt, "", ""},
		{"required, and there is none", tdstest.Options{}, Encrypt, "", "EPROTO"},
		{"checked", tdstest.Options{TLS: secured()}, Verify, pem, ""},
		{"checked, by whom nobody knows", tdstest.Options{TLS: secured()}, Verify, "", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
		{"checked, and there is none", tdstest.Options{}, Verify, pem, "EPROTO"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := double(t, row.options)
			to := at(s)
			to.TLS, to.CA = row.tls, row.ca
			c, err := guarded(here).Connect(t.Context(), to)
			if code := codeOf(err); code != row.code {
				t.Fatalf("%q (%v), want %q", code, err, row.code)
			}
			if err == nil {
				if _, err := c.Query(t.Context(), "SELECT 1", nil); err != nil {
					t.Error(err)
				}
				_ = c.Close()
			}
		})
	}
}

func codeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestSQLServerFailures(t *testing.T) {
	hold := make(chan struct{})
	s := double(t, tdstest.Options{Answer: func(ctx context.Context, r tdstest.Request) tdstest.Answer {
		switch strings.TrimSpace(r.Text) {
		case "duplicate":
			return tdstest.Answer{Err: &tdstest.Error{Number: 2627, Class: 14, Message: "Violation of UNIQUE KEY constraint 'u'."}}
		case "half":
			return tdstest.Answer{Sets: []tdstest.Set{{Columns: columns("n int"), Rows: [][]any{{int64(1)}}}}, Err: &tdstest.Error{Number: 8134, Class: 16, Message: "Divide by zero error encountered."}}
		case "hangup":
			return tdstest.Answer{Hangup: true}
		case "slow":
			close(hold)
			<-ctx.Done()
		case "rows":
			set := tdstest.Set{Columns: columns("n int")}
			for range MaxRows + 1 {
				set.Rows = append(set.Rows, []any{int64(1)})
			}
			return tdstest.Answer{Sets: []tdstest.Set{set}}
		case "bytes":
			set := tdstest.Set{Columns: columns("n nvarchar")}
			for range 20 {
				set.Rows = append(set.Rows, []any{strings.Repeat("x", 1<<20)})
			}
			return tdstest.Answer{Sets: []tdstest.Set{set}}
		}
		return tdstest.Answer{}
	}})
	o := guarded(here)
	ask := func(ctx context.Context, text string) error {
		t.Helper()
		c, err := o.Connect(t.Context(), at(s))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, err = c.Query(ctx, text, nil)
		return err
	}
	for text, want := range map[string]string{"duplicate": "2627", "half": "8134", "hangup": "ECONNRESET", "rows": "ERANGE", "bytes": "ERANGE"} {
		if code := codeOf(ask(t.Context(), text)); code != want {
			t.Errorf("%s: %q, want %q", text, code, want)
		}
	}
	var e *Error
	if errors.As(ask(t.Context(), "duplicate"), &e); e.Number != 2627 || e.State != "23000" {
		t.Errorf("%+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-hold; cancel() }()
	if code := codeOf(ask(ctx, "slow")); code != "ECANCELED" {
		t.Errorf("given up: %q", code)
	}

	wrong := at(s)
	wrong.Password = "another-secret"
	_, err := o.Connect(t.Context(), wrong)
	if codeOf(err) != "18456" || strings.Contains(err.Error(), "another") {
		t.Errorf("wrong password: %v", err)
	}
	windows := at(s)
	windows.User = `CORP\kai`
	if _, err := o.Connect(t.Context(), windows); codeOf(err) != "ELOGIN" {
		t.Errorf("a login of Windows: %v", err)
	}
	before := s.Connections()
	if _, err := guarded(nil).Connect(t.Context(), at(s)); codeOf(err) != "EACCES" {
		t.Errorf("guard: %v", err)
	}
	if s.Connections() != before {
		t.Error("the guard let a connection out")
	}
	gone := at(s)
	gone.Port = 9
	if _, err := o.Connect(t.Context(), gone); codeOf(err) != "EACCES" { // below 1024, and not of this protocol
		t.Errorf("nothing there: %v", err)
	}
	silent := double(t, tdstest.Options{Silent: true})
	quiet := at(silent)
	quiet.Timeout = 50 * time.Millisecond
	if _, err := o.Connect(t.Context(), quiet); codeOf(err) != "ETIMEDOUT" {
		t.Errorf("silence: %v", err)
	}
}

// The pool keeps connections, and what one statement left in a session is not there for
// the next.
func TestSQLServerPool(t *testing.T) {
	var mu sync.Mutex
	var resets []bool
	s := double(t, tdstest.Options{Answer: func(_ context.Context, r tdstest.Request) tdstest.Answer {
		mu.Lock()
		defer mu.Unlock()
		resets = append(resets, r.Reset)
		return tdstest.Answer{}
	}})
	o := guarded(here)
	defer o.Close()
	for range 3 {
		if _, err := o.Query(t.Context(), at(s), "BEGIN TRANSACTION", nil); err != nil {
			t.Fatal(err)
		}
	}
	if s.Connections() != 1 || len(resets) != 3 || !resets[1] || !resets[2] {
		t.Errorf("%d connections, %v", s.Connections(), resets)
	}
}

func TestADO(t *testing.T) {
	yes, no := true, false
	rows := []struct {
		text string
		want sqlServerConfig
		ok   bool
	}{
		{"Server=db.example,1444;Database=legacy;User Id=sa;Password=p;Encrypt=true", sqlServerConfig{Server: "db.example", Port: 1444, Database: "legacy", User: "sa", Password: "p", Encrypt: &yes}, true},
		{"Data Source=tcp:db.example;Initial Catalog=legacy;UID=sa;PWD='a;b''c\"';TrustServerCertificate=True;", sqlServerConfig{Server: "db.example", Database: "legacy", User: "sa", Password: `a;b'c"`, Trust: true}, true},
		{`server=h; password="x=1; y" ; encrypt=no`, sqlServerConfig{Server: "h", Password: "x=1; y", Encrypt: &no}, true},
		{"Server=h;Integrated Security=SSPI", sqlServerConfig{Server: "h", Auth: "windows"}, true},
		{"Server=h,abc", sqlServerConfig{}, false},
		{"nonsense", sqlServerConfig{}, false},
		{"Server=h;AttachDbFilename=c:\\x", sqlServerConfig{}, false},
	}
	for _, row := range rows {
		got, err := parseADO(row.text)
		if (err == nil) != row.ok || row.ok && !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %+v %v", row.text, got, err)
		}
	}
}

// The law: reading never panics, an error holds no part of the text, and a value in quotes
// comes back as it was.
func FuzzADO(f *testing.F) {
	f.Add("Server=h;Password='x'", "p;'\"=")
	f.Fuzz(func(t *testing.T, text, password string) {
		if _, err := parseADO(text); err != nil && len(text) > 60 && strings.Contains(err.Error(), text) {
			t.Fatal("the error repeats the text")
		}
		c, err := parseADO("Server=h;Password='" + strings.ReplaceAll(password, "'", "''") + "';Database=d")
		if err != nil || c.Password != password || c.Database != "d" {
			t.Fatalf("%q became %q (%v)", password, c.Password, err)
		}
	})
}

func TestSQLServerWhere(t *testing.T) {
	yes := true
	rows := []struct {
		config sqlServerConfig
		want   Target
		code   string
	}{
		{sqlServerConfig{Server: "h", User: "u"}, Target{Engine: SQLServer, Host: "h", User: "u", TLS: Prefer}, ""},
		{sqlServerConfig{Server: "h", Encrypt: &yes}, Target{Engine: SQLServer, Host: "h", TLS: Verify}, ""},
		{sqlServerConfig{Server: "h", Encrypt: &yes, Trust: true}, Target{Engine: SQLServer, Host: "h", TLS: Encrypt}, ""},
		{sqlServerConfig{Server: `h\SQLEXPRESS`}, Target{}, "EINSTLOOKUP"},
		{sqlServerConfig{Server: `h\SQLEXPRESS`, Port: 1500}, Target{Engine: SQLServer, Host: "h", Port: 1500, TLS: Prefer}, ""},
		{sqlServerConfig{Server: "h", Domain: "CORP"}, Target{}, "ELOGIN"},
		{sqlServerConfig{Server: "h", Auth: "ntlm"}, Target{}, "ELOGIN"},
		{sqlServerConfig{Server: "h", Auth: "azure-active-directory-password"}, Target{}, "ELOGIN"},
		{sqlServerConfig{Server: `\\.\pipe\sql\query`}, Target{}, "EINSTLOOKUP"},
		{sqlServerConfig{Server: "np:h/x"}, Target{}, "ERR_INVALID_URL"},
		{sqlServerConfig{}, Target{}, "ERR_INVALID_URL"},
		{sqlServerConfig{Server: "h", Port: 70000}, Target{}, "ERR_INVALID_URL"},
		{sqlServerConfig{Text: "postgres://h/d"}, Target{}, "ERR_INVALID_URL"},
		{sqlServerConfig{Text: "Server=h;Trusted_Connection=yes"}, Target{}, "ELOGIN"},
	}
	for _, row := range rows {
		got, err := row.config.target()
		if codeOf(err) != row.code || row.code == "" && got != row.want {
			t.Errorf("%+v: %+v %v", row.config, got, err)
		}
	}
}

// sqlite answers what the double is asked from a database in memory, so that scripts meet
// rows that they wrote. Named parameters are the same in both.
func sqlite(t *testing.T) func(context.Context, tdstest.Request) tdstest.Answer {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE Users (Id INTEGER PRIMARY KEY, Nickname TEXT, Email TEXT UNIQUE, Password TEXT, EmailVerified INTEGER NOT NULL DEFAULT 0)`); err != nil {
		t.Fatal(err)
	}
	dialect := regexp.MustCompile(`\bdbo\.|\bN(')`)
	return func(ctx context.Context, r tdstest.Request) tdstest.Answer {
		var args []any
		for name, v := range r.Params {
			if strings.Contains(r.Text, "@"+name) {
				args = append(args, sql.Named(name, v))
			}
		}
		failed := func(err error) tdstest.Answer {
			if strings.Contains(err.Error(), "UNIQUE") {
				return tdstest.Answer{Err: &tdstest.Error{Number: 2627, Class: 14, Message: "Violation of UNIQUE KEY constraint."}}
			}
			return tdstest.Answer{Err: &tdstest.Error{Number: 102, Class: 15, Message: err.Error()}}
		}
		text := dialect.ReplaceAllString(r.Text, "$1")
		if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "SELECT") {
			done, err := db.ExecContext(ctx, text, args...)
			if err != nil {
				return failed(err)
			}
			n, _ := done.RowsAffected() // SQLite knows
			return tdstest.Answer{Sets: []tdstest.Set{{Affected: n}}}
		}
		rows, err := db.QueryContext(ctx, text, args...)
		if err != nil {
			return failed(err)
		}
		defer func() { _ = rows.Close() }()
		names, err := rows.Columns()
		if err != nil {
			return failed(err)
		}
		set := tdstest.Set{}
		for _, n := range names {
			kind := "nvarchar"
			switch n {
			case "Id":
				kind = "int"
			case "EmailVerified":
				kind = "bit"
			}
			set.Columns = append(set.Columns, tdstest.Column{Name: n, Type: kind})
		}
		for rows.Next() {
			row, into := make([]any, len(names)), make([]any, len(names))
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				return failed(err)
			}
			for i, c := range set.Columns {
				if n, ok := row[i].(int64); ok && c.Type == "bit" {
					row[i] = n != 0
				}
			}
			set.Rows = append(set.Rows, row)
		}
		if err := rows.Err(); err != nil {
			return failed(err)
		}
		return tdstest.Answer{Sets: []tdstest.Set{set}}
	}
}

// The actions as people write them for tedious and for mssql.
func TestSQLServerTemplates(t *testing.T) {
	s := double(t, tdstest.Options{TLS: secured(), Required: true, Answer: sqlite(t)})
	config := map[string]any{"server": "127.0.0.1", "port": s.Port(), "user": "sa", "password": "Tiger;1=", "db": "legacy"}
	run := newScripted(t, guarded(here), config)
	const tedious1 = `
		const { Connection, Request, TYPES } = require('tedious@1.11.0');
		const bcrypt = require('bcrypt');
		const connection = new Connection({
			userName: configuration.user, password: configuration.password, server: configuration.server,
			options: { port: configuration.port, database: configuration.db, encrypt: true, trustServerCertificate: true, rowCollectionOnRequestCompletion: true }
		});
		connection.on('debug', function (text) {}).on('errorMessage', function (text) {}).on('infoMessage', function (text) {});
		connection.on('connect', function (err) {
			if (err) return callback(err);
`
	const tedious11 = `
		const { Connection, Request, TYPES } = require('tedious@11.0.3');
		const connection = new Connection({
			server: configuration.server,
			authentication: { type: 'default', options: { userName: configuration.user, password: configuration.password } },
			options: { port: configuration.port, database: configuration.db, encrypt: true, trustServerCertificate: true, useColumnNames: true }
		});
		connection.connect();
		connection.on('connect', (err) => {
			if (err) return callback(err);
`
	const mssql6 = `
		const sql = require('mssql@6');
		const bcrypt = require('bcryptjs');
		const config = { user: configuration.user, password: configuration.password, server: configuration.server, port: configuration.port, database: configuration.db,
			options: { encrypt: true, trustServerCertificate: true } };
`
	const (
		create = `function create(user, callback) {` + tedious1 + `
			bcrypt.hash(user.password, 10, function (err, hash) {
				if (err) return callback(err);
				const request = new Request('INSERT INTO dbo.Users (Email, Password, Nickname) VALUES (@Email, @Password, @Nickname);', function (err, rowCount) {
					connection.close();
					if (err && err.number === 2627) return callback(new ValidationError('user_exists', 'there already'));
					callback(err);
				});
				request.addParameter('Email', TYPES.VarChar, user.email);
				request.addParameter('Password', TYPES.VarChar, hash);
				request.addParameter('Nickname', TYPES.NVarChar, user.nickname);
				connection.execSql(request);
			});
		}); }`
		login = `function login(email, password, callback) {` + tedious1 + `
			const request = new Request('SELECT Id, Nickname, Email, Password FROM dbo.Users WHERE Email = @Email', function (err, rowCount, rows) {
				connection.close();
				if (err) return callback(err);
				if (rowCount < 1) return callback(new WrongUsernameOrPasswordError(email));
				bcrypt.compare(password, rows[0][3].value, function (err, isValid) {
					if (err || !isValid) return callback(err || new WrongUsernameOrPasswordError(email));
					callback(null, { user_id: String(rows[0][0].value), nickname: rows[0][1].value, email: rows[0][2].value });
				});
			});
			request.addParameter('Email', TYPES.VarChar, email);
			connection.execSql(request);
		}); }`
		getUser = `function getByEmail(email, callback) {` + tedious11 + `
			let user = null;
			const request = new Request('SELECT Id, Email, EmailVerified FROM dbo.Users WHERE Email = @Email', (err) => { connection.close(); callback(err, user); });
			request.addParameter('Email', TYPES.NVarChar, email);
			request.on('row', (columns) => { user = { user_id: columns.Id.value.toString(), email: columns.Email.value, email_verified: columns.EmailVerified.value }; });
			connection.execSql(request);
		}); }`
		login2 = `async function login(email, password, callback) {` + mssql6 + `
			try {
				const pool = await sql.connect(config);
				const result = await pool.request().input('email', sql.NVarChar(255), email).query('SELECT Id, Email, Password FROM dbo.Users WHERE Email = @email');
				if (result.recordset.length === 0 || !(await bcrypt.compare(password, result.recordset[0].Password))) return callback(new WrongUsernameOrPasswordError(email));
				const { Id, Email } = result.recordset[0];
				callback(null, { user_id: Id.toString(), email: Email });
			} catch (err) { callback(err); } finally { await sql.close(); }
		}`
		verify = `function verify(email, callback) {` + mssql6 + `
			sql.connect(config, function (err) {
				if (err) return callback(err);
				new sql.Request().input('Email', sql.VarChar, email).query('UPDATE dbo.Users SET EmailVerified = 1 WHERE EmailVerified = 0 AND Email = @Email', function (err, result) {
					sql.close();
					callback(err, !err && result.rowsAffected[0] > 0);
				});
			});
		}`
		changePassword = `function changePassword(email, newPassword, callback) {` + mssql6 + `
			const pool = new sql.ConnectionPool(config);
			pool.connect().then(() => bcrypt.hash(newPassword, 10)).then((hash) => pool.request().input('p', hash).input('e', email).query('UPDATE dbo.Users SET Password = @p WHERE Email = @e'))
				.then((r) => pool.close().then(() => callback(null, r.rowsAffected[0] === 1)), callback);
		}`
		remove = `async function remove(id, callback) {` + mssql6 + `
			const pool = await sql.connect(config);
			await pool.query` + "`DELETE FROM dbo.Users WHERE Id = ${id}`" + `;
			callback(null);
		}`
	)
	plain := `function getByEmail(email, callback) {` + strings.Replace(tedious1, ", rowCollectionOnRequestCompletion: true", "", 1) + `
		let user = null;
		const request = new Request('SELECT Id, Email, Email AS length FROM dbo.Users WHERE Email = @Email', function (err, rowCount, rows) {
			connection.close();
			callback(err, [rowCount, rows.length, rows[0].length, user, Object.keys(rows[0])]);
		});
		request.addParameter('Email', TYPES.VarChar, email);
		request.on('row', function (fields) { user = { user_id: fields.Id.value.toString(), email: fields.Email.value, first: fields[0].value }; });
		connection.execSql(request);
	}); }`
	user := map[string]any{"email": "kai@shop.example", "password": "Old-Pa55word", "nickname": "Käi 😀"}
	run.want(create, `null`, user)
	if _, f := run.run(create, user); f == nil || f.Name != "ValidationError" {
		t.Errorf("a second one: %v", f)
	}
	for _, script := range []string{login, login2} {
		for _, typed := range []string{"kai@shop.example", "' OR 1=1 --", `{"$gt":""}`} {
			if _, f := run.run(script, typed, "wrong"); f == nil || f.Name != "WrongUsernameOrPasswordError" {
				t.Errorf("%s: %v", typed, f)
			}
		}
	}
	run.want(login, `{"user_id":"1","nickname":"Käi 😀","email":"kai@shop.example"}`, "kai@shop.example", "Old-Pa55word")
	run.want(getUser, `{"user_id":"1","email":"kai@shop.example","email_verified":false}`, "kai@shop.example")
	run.want(getUser, `null`, "nobody@shop.example")
	run.want(plain, `[1,1,3,{"user_id":"1","email":"kai@shop.example","first":1},["0","1","2"]]`, "kai@shop.example")
	run.want(verify, `true`, "kai@shop.example")
	run.want(verify, `false`, "kai@shop.example")
	run.want(changePassword, `true`, "kai@shop.example", "New-Pa55word")
	run.want(login2, `{"user_id":"1","email":"kai@shop.example"}`, "kai@shop.example", "New-Pa55word")
	run.want(remove, `null`, "1")
	run.want(getUser, `null`, "kai@shop.example")
}

// What mssql and tedious show of values, sets and errors.
func TestSQLServerModules(t *testing.T) {
	when := time.Date(2020, 2, 29, 12, 34, 56, 0, time.UTC)
	var mu sync.Mutex
	var last tdstest.Request
	s := double(t, tdstest.Options{Answer: func(_ context.Context, r tdstest.Request) tdstest.Answer {
		mu.Lock()
		defer mu.Unlock()
		last = r
		switch {
		case strings.Contains(r.Text, "error"):
			return tdstest.Answer{Err: &tdstest.Error{Number: 208, Class: 16, Message: "Invalid object name 'x'."}}
		case strings.Contains(r.Text, "two"):
			one := tdstest.Set{Columns: columns("a int, a int"), Rows: [][]any{{int64(1), int64(2)}}}
			return tdstest.Answer{Sets: []tdstest.Set{one, {Affected: 4}, one}}
		}
		return tdstest.Answer{Sets: []tdstest.Set{{
			Columns: columns("i int, big bigint, t bit, d decimal, x varbinary, dt datetime2, at time, n nvarchar, __proto__ int"),
			Rows:    [][]any{{int64(1), int64(1) << 60, true, "12.50", []byte("hi"), when, when, nil, int64(9)}},
		}}}
	}})
	run := newScripted(t, guarded(here), map[string]any{"url": fmt.Sprintf("mssql://sa:Tiger;1=@127.0.0.1:%d/legacy?encrypt=false", s.Port()),
		"ado": fmt.Sprintf("Server=127.0.0.1,%d;Database=legacy;User Id=sa;Password='Tiger;1=';Encrypt=false", s.Port()), "port": s.Port()})
	in := func(body string) string {
		return `async function (callback) { const sql = require('mssql'); const pool = await new sql.ConnectionPool(configuration.ado).connect(); try { callback(null, await (async () => {` + body + `})()); } catch (e) { callback(e); } }`
	}
	run.want(in(`const { recordset: [r], rowsAffected } = await pool.request().query('SELECT x'); return [r.i, r.big, r.t, r.d, r.x.toString(), r.dt.toISOString(), r.at.toISOString(), r.n, Object.keys(r).length, rowsAffected]`),
		`[1,"1152921504606846976",true,12.5,"hi","2020-02-29T12:34:56.000Z","1970-01-01T12:34:56.000Z",null,9,[1]]`)
	run.want(in(`const r = await pool.query('SELECT two'); return [r.recordsets.length, r.recordset[0], r.rowsAffected]`), `[2,{"a":[1,2]},[1,4,1]]`)
	run.want(`async function (callback) { const sql = require('mssql@3.3.0'); const pool = await sql.connect(configuration.url); callback(null, [pool.connected, (await sql.query('SELECT two')).recordsets.length]); }`, `[true,2]`)
	run.want(in(`
		await pool.request().input('text', sql.VarChar(50), 'ä').input('n', sql.Int, 7).input('big', sql.BigInt, '1152921504606846976').input('yes', sql.Bit, true).input('d', sql.Decimal(10, 2), 12.5)
			.input('bytes', sql.VarBinary(sql.MAX), Buffer.from('hi')).input('when', sql.DateTime2, new Date(1582979696000)).input('none', sql.NVarChar, null).input('half', 0.5).input('int', 3).input('und', undefined).query('SELECT x'); return 0`), `0`)
	want := map[string]any{"text": "ä", "n": int64(7), "big": int64(1) << 60, "yes": true, "d": "12.5", "bytes": []byte("hi"), "none": nil, "half": 0.5, "int": int64(3), "und": nil}
	for name, v := range want {
		if !reflect.DeepEqual(last.Params[name], v) {
			t.Errorf("%s: %#v, want %#v", name, last.Params[name], v)
		}
	}
	if at, ok := last.Params["when"].(time.Time); !ok || !at.Equal(when) {
		t.Errorf("when: %v", last.Params["when"])
	}
	if last.Database != "legacy" {
		t.Errorf("database %q", last.Database)
	}
	run.want(in(`const r = await pool.request().input('a', 1).execute('dbo.GetUser'); return [r.returnValue, r.recordset.length]`), `[0,1]`)
	if !last.Procedure || last.Text != "dbo.GetUser" {
		t.Errorf("%+v", last)
	}
	run.fails(in(`return await pool.request().query('SELECT error')`), "RequestError", `"EREQUEST"`, `208`, "Invalid object name")
	run.fails(in(`return await pool.request().input('a nvarchar(1); DROP TABLE users --', 1)`), "EINJECT")
	run.fails(in(`return await pool.request().execute('x; DROP TABLE users')`), "procedure")
	run.fails(in(`return await pool.request().input('n', sql.Int, 'x').query('SELECT')`), "EPARAM", "'n'")
	run.fails(in(`await pool.close(); return await pool.request().query('SELECT 1')`), "ECONNCLOSED")
	run.fails(`async function (callback) { try { await require('mssql').connect({ server: '127.0.0.1', port: configuration.port, user: 'sa', password: 'wrong-secret', options: { encrypt: false } }); } catch (e) { callback(e); } }`, "ConnectionError", "ELOGIN", "Login failed")
	run.fails(`function (callback) { const { Connection } = require('tedious'); const c = new Connection({ server: '127.0.0.1', userName: 'sa', password: 'x', options: { port: 1433 + 1 } }); c.on('connect', (err) => callback(err)); }`, "ESOCKET", "ECONNREFUSED")
	run.fails(`function (callback) { const { Connection, Request } = require('tedious'); new Connection({ server: '127.0.0.1' }).execSql(new Request('SELECT 1', (err) => callback(err))); }`, "EINVALIDSTATE")
	run.want(`function (callback) {
		const { Connection, Request, TYPES } = require('tedious@18');
		const c = new Connection({ server: '127.0.0.1', authentication: { type: 'default', options: { userName: 'sa', password: 'Tiger;1=' } }, options: { port: configuration.port, encrypt: false } });
		const seen = [];
		c.connect((err) => {
			if (err) return callback(err);
			const r = new Request('SELECT x', (err, n, rows) => seen.push(['callback', n, rows.length]));
			r.addParameter('big', TYPES.BigInt, '12');
			r.on('columnMetadata', (m) => seen.push(m[1].colName)).on('row', (row) => seen.push(row[3].value)).on('doneInProc', (n) => seen.push(n)).on('requestCompleted', () => c.close());
			c.execSql(r);
		});
		c.on('end', () => callback(null, seen));
	}`, `["big",12.5,1,["callback",1,1]]`)
}

// FuzzSQLServerParam: whatever a script sends for a value of a type, the answer is a value
// or an error.
func FuzzSQLServerParam(f *testing.F) {
	f.Add("int", `"7"`)
	f.Add("datetime", `{"$date":1}`)
	f.Add("varbinary", `{"$bytes":"AA=="}`)
	f.Fuzz(func(t *testing.T, kind, value string) {
		var p sqlServerParam
		if json.Unmarshal([]byte(value), &p.Value) != nil {
			return
		}
		p.Type = kind
		if _, err := p.value(); err != nil && strings.Contains(err.Error(), value) && len(value) > 8 {
			t.Fatal("the error repeats the value")
		}
	})
}
