package foreigndb

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"mangrove/internal/outbound"
)

func TestPostgresTypes(t *testing.T) {
	c := connected(t, postgresPart(t))
	at := time.Date(2020, 1, 2, 3, 4, 5, 678000000, time.UTC)
	got := answer(t, c, `SELECT $1::text, $2::int8, $3::bool, $4::float8, $5::bytea, $6::timestamptz, $7::text, 1.50::numeric,
		'2020-01-02'::date, '{"a":1}'::jsonb, '2020-01-02 03:04:05.678'::timestamp, 'infinity'::timestamptz, ARRAY['a','b'], 'NaN'::float8, $8::uuid AS id`,
		"tëxt", int64(-5), true, 1.5, []byte{0, 255}, at, nil, "a81bc81b-dead-4e5d-abff-90865d1e13b1")
	want := []any{"tëxt", int64(-5), true, 1.5, []byte{0, 255}, at, nil, "1.50", "2020-01-02", `{"a": 1}`, at, "infinity", "{a,b}", "NaN", "a81bc81b-dead-4e5d-abff-90865d1e13b1"}
	if len(got.Rows) != 1 || !reflect.DeepEqual(got.Rows[0], want) {
		t.Errorf("%#v", got.Rows)
	}
	if last := got.Columns[len(got.Columns)-1]; last != (Column{"id", "uuid"}) || got.Command != "SELECT" || got.Affected != 1 {
		t.Errorf("%+v %s %d", last, got.Command, got.Affected)
	}
}

func TestPostgresErrors(t *testing.T) {
	c := connected(t, postgresPart(t))
	answer(t, c, "CREATE TABLE people (email text CONSTRAINT one_email UNIQUE NOT NULL)")
	answer(t, c, "INSERT INTO people VALUES ($1)", "a")
	if e := refusal(t, c, "INSERT INTO people VALUES ($1)", "a"); e.Code != "23505" || e.State != "23505" || !strings.Contains(e.Detail, "one_email") {
		t.Errorf("%+v", e)
	}
	for statement, code := range map[string]string{
		"SELECT * FROM nowhere": "42P01", "SELEC": "42601", "INSERT INTO people VALUES (NULL)": "23502", "SELECT 1; SELECT 2": "42601",
	} {
		if e := refusal(t, c, statement); e.Code != code {
			t.Errorf("%s: %+v", statement, e)
		}
	}
	if r := answer(t, c, "UPDATE people SET email = 'b' WHERE email = 'x'"); r.Affected != 0 || r.Command != "UPDATE" {
		t.Errorf("%+v", r)
	}
	if e := refusal(t, c, "SELECT $1::text", "a\x00b"); e.Code != "22021" {
		t.Errorf("%+v", e)
	}
}

// Nothing that somebody types gets out of its place.
var injections = []string{
	"' OR '1'='1", "'; DROP TABLE people; --", `\' OR 1=1 -- `, "a\\", `" OR ""="`, "$1", "?", "x') OR (1=1", "/* */", "ａ'", "%' OR 1=1#", "\\\\' OR 1=1 -- ",
}

func TestPostgresInjection(t *testing.T) {
	c := connected(t, postgresPart(t))
	answer(t, c, "CREATE TABLE people (email text, raw bytea)")
	answer(t, c, "INSERT INTO people VALUES ('kai', 'x')")
	for _, text := range injections {
		if r := answer(t, c, "SELECT * FROM people WHERE email = $1 OR raw = $2", text, []byte(text)); len(r.Rows) != 0 {
			t.Errorf("%q found somebody", text)
		}
		if r := answer(t, c, "SELECT $1::text", text); r.Rows[0][0] != text {
			t.Errorf("%q became %q", text, r.Rows[0][0])
		}
	}
}

func TestPostgresLimits(t *testing.T) {
	target := postgresPart(t)
	for _, statement := range []string{
		"SELECT generate_series(1, 10001)", "SELECT repeat('x', 9000000)", "SELECT repeat('x', 1000000) FROM generate_series(1, 20)",
	} {
		if e := refusal(t, connected(t, target), statement); e.Code != "ERANGE" {
			t.Errorf("%s: %+v", statement, e)
		}
	}
	if r := answer(t, connected(t, target), "SELECT generate_series(1, 10000)"); len(r.Rows) != 10000 {
		t.Errorf("%d rows", len(r.Rows))
	}
}

func TestPostgresCancel(t *testing.T) {
	target := postgresPart(t)
	watch := connected(t, target)
	running := func(want int64) {
		t.Helper()
		for range 500 {
			r := answer(t, watch, "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6' || '00)%' AND state = 'active' AND datname = current_database()")
			if r.Rows[0][0] == want {
				return
			}
		}
		t.Fatalf("never %d running", want)
	}
	c := connected(t, target)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := c.Query(ctx, "SELECT pg_sleep(600)", nil); done <- err }()
	running(1)
	cancel()
	var e *Error
	if err := <-done; !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	running(0)
}

func TestGuard(t *testing.T) {
	came := make(chan struct{}, 10)
	target := speaks(t, func(net.Conn) { came <- struct{}{} })
	closed := New(outbound.Dialer(nil).DialContext)
	for _, engine := range []Engine{Postgres, MySQL} {
		target.Engine = engine
		for _, host := range []string{"127.0.0.1", "localhost", "::1"} {
			target.Host = host
			_, err := closed.Connect(t.Context(), target)
			var e *Error
			if !errors.As(err, &e) || e.Code != "EACCES" {
				t.Errorf("%s %s: %v", engine, host, err)
			}
		}
	}
	if len(came) != 0 {
		t.Error("a packet got through")
	}
	open := New(outbound.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).DialContext)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	for _, engine := range []Engine{Postgres, MySQL} {
		_, err := open.Connect(t.Context(), Target{Engine: engine, Host: "127.0.0.1", Port: port, User: "u", Password: "pass-geheim"})
		var e *Error
		if !errors.As(err, &e) || e.Code != "ECONNREFUSED" {
			t.Errorf("%s: %v", engine, err)
		}
	}
}

func TestPostgresRefusesPassword(t *testing.T) {
	target := speaks(t, func(c net.Conn) {
		b := pgproto3.NewBackend(c, c)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		_ = b.Flush()
		if _, err := b.Receive(); err != nil {
			return
		}
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "app"`})
		_ = b.Flush()
	})
	target.Engine, target.TLS = Postgres, Plain
	_, err := loopback(t).Connect(t.Context(), target)
	var e *Error
	if !errors.As(err, &e) || e.Code != "28P01" || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}

// Whatever a server says, there is an error, and no panic.
func TestStrangeServers(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"nothing": nil, "a page": []byte("HTTP/1.1 200 OK\r\n\r\nhello"), "zeros": make([]byte, 100), "short": {5, 0, 0, 0, 10, 'x'},
		"greeting without salt": append([]byte{20, 0, 0, 0, 10}, bytes.Repeat([]byte{'8', 0}, 10)...), "long": bytes.Repeat([]byte{0xff}, 4<<20),
	} {
		target := speaks(t, func(c net.Conn) { _, _ = c.Write(bytes) })
		for _, engine := range []Engine{Postgres, MySQL} {
			target.Engine, target.TLS, target.Timeout = engine, Plain, time.Second
			_, err := loopback(t).Connect(t.Context(), target)
			var e *Error
			if !errors.As(err, &e) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s, %s: %v", name, engine, err)
			}
		}
	}
}
