package foreigndb

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMySQLTypes(t *testing.T) {
	c := connected(t, mariadbPart(t))
	answer(t, c, `CREATE TABLE t (a text, b bigint, c tinyint(1), d double, e blob, f datetime(3), g text, h decimal(10,2), i date, j bit(1),
		k float, l bigint unsigned, m timestamp NULL, n varbinary(3))`)
	at := time.Date(2020, 1, 2, 3, 4, 5, 678000000, time.UTC)
	r := answer(t, c, "INSERT INTO t VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "tëxt 😀", int64(-5), true, 1.5, []byte{0, 255}, at, nil, "1.50", "2020-01-02", int64(1), 0.1, uint64(1<<63), nil, []byte("ab"))
	if r.Affected != 1 {
		t.Errorf("%+v", r)
	}
	want := []any{"tëxt 😀", int64(-5), int64(1), 1.5, []byte{0, 255}, at, nil, "1.50", "2020-01-02", []byte{1}, 0.1, uint64(1 << 63), nil, []byte("ab")}
	for _, args := range [][]any{nil, {int64(1)}} { // of text, and of the binary protocol
		statement := "SELECT * FROM t"
		if args != nil {
			statement += " WHERE 1 = ?"
		}
		got := answer(t, c, statement, args...)
		if len(got.Rows) != 1 || !reflect.DeepEqual(got.Rows[0], want) {
			t.Errorf("%#v", got.Rows)
		}
		if got.Columns[3] != (Column{"d", "double"}) {
			t.Errorf("%+v", got.Columns)
		}
	}
}

func TestMySQLWrites(t *testing.T) {
	c := connected(t, mariadbPart(t))
	answer(t, c, "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, email varchar(50) UNIQUE NOT NULL)")
	if r := answer(t, c, "INSERT INTO t (email) VALUES (?)", "a"); r.InsertID != 1 || r.Affected != 1 {
		t.Errorf("%+v", r)
	}
	if r := answer(t, c, "INSERT INTO t (email) VALUES (?) RETURNING id", "b"); len(r.Rows) != 1 || r.Rows[0][0] != int64(2) {
		t.Errorf("%+v", r)
	}
	if r := answer(t, c, "INSERT INTO t (email) VALUES (' returning ')"); r.InsertID != 3 || r.Affected != 1 {
		t.Errorf("%+v", r)
	}
	if r := answer(t, c, "UPDATE t SET email = 'a' WHERE id = 1"); r.Affected != 1 { // matched, not changed
		t.Errorf("%+v", r)
	}
	if e := refusal(t, c, "INSERT INTO t (email) VALUES (?)", "a"); e.Code != "ER_DUP_ENTRY" || e.Number != 1062 || e.State != "23000" {
		t.Errorf("%+v", e)
	}
	for statement, code := range map[string]string{
		"SELECT * FROM nowhere": "ER_NO_SUCH_TABLE", "SELEC": "ER_PARSE_ERROR", "SELECT 1; SELECT 2": "ER_PARSE_ERROR", "INSERT INTO t (email) VALUES (NULL)": "ER_BAD_NULL_ERROR",
	} {
		if e := refusal(t, c, statement); e.Code != code {
			t.Errorf("%s: %+v", statement, e)
		}
	}
	if e := refusal(t, c, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t (email)"); strings.Contains(e.Message, "root:") {
		t.Errorf("%+v", e)
	}
	if r := answer(t, connected(t, mariadbTarget(c)), "SELECT COUNT(*) FROM t WHERE email LIKE '%root%'"); r.Rows[0][0] != int64(0) {
		t.Error("a file of the client's was read")
	}
}

// mariadbTarget is where a session of a test goes.
func mariadbTarget(c Conn) Target { return c.(*mysqlConn).target }

func TestMySQLInjection(t *testing.T) {
	for _, mode := range []string{"", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"} {
		c := connected(t, mariadbPart(t))
		answer(t, c, "CREATE TABLE people (email varchar(50), raw blob)")
		answer(t, c, "INSERT INTO people VALUES ('kai', 'x')")
		answer(t, c, "SET sql_mode = '"+mode+"'")
		for _, text := range injections {
			if r := answer(t, c, "SELECT * FROM people WHERE email = ? OR raw = ?", text, []byte(text)); len(r.Rows) != 0 {
				t.Errorf("%s: %q found somebody", mode, text)
			}
			if r := answer(t, c, "SELECT ?", text); r.Rows[0][0] != text {
				t.Errorf("%s: %q became %q", mode, text, r.Rows[0][0])
			}
		}
	}
}

func TestMySQLLimits(t *testing.T) {
	target := mariadbPart(t)
	for _, statement := range []string{
		"SELECT seq FROM seq_1_to_10001", "SELECT REPEAT('x', 13000000)", "SELECT REPEAT('x', 1000000) FROM seq_1_to_20",
	} {
		if e := refusal(t, connected(t, target), statement); e.Code != "ERANGE" {
			t.Errorf("%s: %+v", statement, e)
		}
	}
}

func TestMySQLCancel(t *testing.T) {
	target := mariadbPart(t)
	watch := connected(t, target)
	running := func(want int64) {
		t.Helper()
		for range 500 {
			r := answer(t, watch, "SELECT COUNT(*), SLEEP(0.01) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)' AND db = DATABASE()")
			if r.Rows[0][0] == want {
				return
			}
		}
		t.Fatalf("never %d running", want)
	}
	c := connected(t, target)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := c.Query(ctx, "SELECT SLEEP(600)", nil); done <- err }()
	running(1)
	cancel()
	var e *Error
	if err := <-done; !errors.As(err, &e) || e.Code != "ECANCELED" {
		t.Errorf("%v", err)
	}
	running(0)
}

func TestMySQLRefusesPassword(t *testing.T) {
	target := mariadbPart(t)
	target.Password = "pass-geheim"
	_, err := loopback(t).Connect(t.Context(), target)
	var e *Error
	if !errors.As(err, &e) || e.Code != "ER_ACCESS_DENIED_ERROR" || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
	target = mariadbPart(t)
	target.TLS = Verify
	if _, err := loopback(t).Connect(t.Context(), target); !errors.As(err, &e) || e.Code != "HANDSHAKE_NO_SSL_SUPPORT" {
		t.Errorf("%v", err)
	}
}

func TestMySQLReads(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT 1": true, " (select 1)": true, "/* x */ -- y\n SHOW TABLES": true, "# a\nWITH a AS (SELECT 1) SELECT 1": true, "CALL p()": true,
		"insert into t values (1)": false, "INSERT INTO t VALUES (1) RETURNING id": true, "UPDATE returning_t SET a = 1": false, "SET x = 1": false,
		"DELETE FROM t": false, "": true, "/*! SELECT 1 */": true, "-- only": true, "/* open": true,
	} {
		if got := mysqlReads(statement); got != want {
			t.Errorf("%q: %v", statement, got)
		}
	}
}

func TestThreadID(t *testing.T) {
	for text, want := range map[string]uint32{
		"\x00\x00\x00\x00\x0a8.0\x00\x05\x01\x00\x00rest": 261, "\x00\x00\x00\x00\x0a8.0\x00\x05\x01": 0, "\x00\x00\x00\x00\x098.0\x00\x05\x01\x00\x00": 0, "": 0,
	} {
		if got := threadID([]byte(text)); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// greeted speaks MySQL as far as the login, and then asks what to say to each statement;
// empty: nothing, and it hangs up.
func greeted(t testing.TB, answer func(statement string) string) Target {
	t.Helper()
	target := speaks(t, func(c net.Conn) {
		send := func(number byte, text string) {
			_, _ = c.Write(append([]byte{byte(len(text)), 0, 0, number}, text...)) // who hangs up is noticed below
		}
		send(0, "\x0a8.0.0\x00\x07\x00\x00\x00saltsalt\x00\x09\xa2\x2d\x02\x00\x08\x00\x15"+strings.Repeat("\x00", 10)+"saltsaltsalt\x00mysql_native_password\x00")
		for {
			head := make([]byte, 4)
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			body := make([]byte, int(head[0])|int(head[1])<<8)
			if _, err := io.ReadFull(c, body); err != nil {
				return
			}
			text := mysqlOK
			if head[3] == 0 {
				text = answer(string(body))
			}
			if text == "" {
				return
			}
			send(head[3]+1, text)
		}
	})
	target.Engine, target.TLS = MySQL, Plain
	return target
}

const (
	mysqlOK    = "\x00\x00\x00\x02\x00\x00\x00"
	mysqlQuery = "\x03" // before a statement
)

// A server that has rows for nothing is asked for its numbers once.
func TestMySQLWithoutRows(t *testing.T) {
	asked := make(chan string, 10)
	target := greeted(t, func(statement string) string {
		asked <- statement
		return mysqlOK
	})
	if r := answer(t, connected(t, target), "SELECT 1"); r.Affected != 0 || r.Rows != nil {
		t.Errorf("%+v", r)
	}
	got := []string{<-asked, <-asked}
	if want := []string{mysqlQuery + "SELECT 1", mysqlQuery + "SELECT ROW_COUNT(), LAST_INSERT_ID()"}; !slices.Equal(got, want) || len(asked) > 0 {
		t.Errorf("%q and %d more", got, len(asked))
	}
}

// A statement is stopped on its server by one more session. Where that fails, it is not
// stopped by another one.
func TestMySQLStopsOnce(t *testing.T) {
	asked := make(chan string, 10)
	target := greeted(t, func(statement string) string {
		asked <- statement
		return ""
	})
	o := loopback(t)
	c, err := o.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := c.Query(t.Context(), "SELECT 1", nil); !errors.As(err, &e) || e.Code != "ECONNRESET" {
		t.Errorf("%v", err)
	}
	o.Close()
	got := []string{<-asked, <-asked}
	if want := []string{mysqlQuery + "SELECT 1", mysqlQuery + "KILL 7"}; !slices.Equal(got, want) || len(asked) > 0 {
		t.Errorf("%q and %d more", got, len(asked))
	}
}
