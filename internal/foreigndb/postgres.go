package foreigndb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pgConn is a session with PostgreSQL.
type pgConn struct {
	*pgconn.PgConn
	wire *wire
}

// pgQuiet is a configuration that takes nothing from the environment and the home
// directory of the server: those of the variables that matter here are given, and a
// password keeps it from looking for one.
const pgQuiet = "host=127.0.0.1 port=5432 user=none password=none dbname=none sslmode=disable sslcertmode=disable " +
	"target_session_attrs=any connect_timeout=5 min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth='' sslnegotiation=postgres"

// postgres opens a session. Its errors are for pgError.
func (o *Opener) postgres(ctx context.Context, t Target) (*pgConn, error) {
	c, err := pgconn.ParseConfig(pgQuiet)
	if err != nil {
		return nil, &Error{Message: "the PG variables of the environment cannot be read"}
	}
	if t.Port == 0 {
		t.Port = 5432
	}
	secure, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.User, c.Password, c.Database = t.Host, uint16(t.Port), t.User, t.Password, t.Database
	c.TLSConfig, c.Fallbacks = secure, nil
	if t.TLS == Prefer || t.TLS == "" {
		c.Fallbacks = []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port}}
	}
	c.RuntimeParams = map[string]string{"client_encoding": "UTF8", "datestyle": "ISO, MDY", "application_name": "mangrove"}
	if t.Options != "" {
		c.RuntimeParams["options"] = t.Options
	}
	c.KerberosSrvName, c.KerberosSpn, c.ConnectTimeout = "", "", 0
	c.MaxProtocolMessageBodyLen = MaxBytes
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the guard looks names up
	c.DialFunc = func(ctx context.Context, _, address string) (net.Conn, error) { return o.wire(ctx, address) }
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	below := conn.Conn()
	if secure, ok := below.(*tls.Conn); ok {
		below = secure.NetConn()
	}
	w, ok := below.(*wire)
	if !ok {
		_ = conn.Close(ctx) // it is of no use
		return nil, &Error{Code: "EPROTO", Message: "the driver cannot do this"}
	}
	return &pgConn{conn, w}, nil
}

func (c *pgConn) Query(ctx context.Context, statement string, args []any) (r Result, err error) {
	defer unreadable(&err)
	params, err := pgParams(args)
	if err != nil {
		return Result{}, err
	}
	answers, err := c.ask(ctx, statement, params)
	if err != nil {
		return Result{}, pgError(err)
	}
	return answers[0].result()
}

// Close ends the session. What it had under way is ended on the server too.
func (c *pgConn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return c.PgConn.Close(ctx)
}

// closeTime is how long saying goodbye may take.
const closeTime = 200 * time.Millisecond

func (c *pgConn) clean() bool { return !c.IsClosed() && !c.IsBusy() && c.TxStatus() == 'I' }

func (c *pgConn) alive() bool { return c.wire.alive() }

// pgParam is a parameter; bytes travel as they are, all else as text.
type pgParam struct {
	value []byte // nil: NULL
	bytes bool
}

// pgAnswer is what one statement answered, as text.
type pgAnswer struct {
	fields []pgconn.FieldDescription
	rows   [][][]byte
	tag    pgconn.CommandTag
}

// ask runs a statement with parameters, or, where params are nil, statements in one
// text. Types are left to the server, which infers them as for a literal in quotes.
// When ctx ends the session is over, and pgconn tells the server to stop.
func (c *pgConn) ask(ctx context.Context, text string, params []pgParam) ([]pgAnswer, error) {
	c.wire.expect()
	limit := &pgLimit{}
	if params == nil {
		all := c.Exec(ctx, text)
		var answers []pgAnswer
		for all.NextResult() {
			a, err := limit.read(all.ResultReader())
			if limit.passed {
				c.abandon()
				return nil, tooLarge()
			}
			if err == nil {
				answers = append(answers, a)
			}
		}
		if err := all.Close(); err != nil {
			return nil, err
		}
		return answers, nil
	}
	values, formats := make([][]byte, len(params)), make([]int16, len(params))
	for i, p := range params {
		values[i] = p.value
		if p.bytes {
			formats[i] = 1
		}
	}
	a, err := limit.read(c.ExecParams(ctx, text, values, nil, formats, nil))
	if limit.passed {
		c.abandon()
		return nil, tooLarge()
	}
	return []pgAnswer{a}, err
}

// abandon ends a session in the middle of an answer.
func (c *pgConn) abandon() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.PgConn.Close(ctx) // nobody waits for it
}

// pgLimit counts what came.
type pgLimit struct {
	rows, bytes int
	passed      bool
}

func (l *pgLimit) read(r *pgconn.ResultReader) (pgAnswer, error) {
	a := pgAnswer{fields: append([]pgconn.FieldDescription{}, r.FieldDescriptions()...)}
	for r.NextRow() {
		values := r.Values()
		row := make([][]byte, len(values))
		for i, v := range values {
			l.bytes += len(v) + 8
			if v != nil {
				row[i] = append(make([]byte, 0, len(v)), v...)
			}
		}
		if l.rows++; l.rows > MaxRows || l.bytes > MaxBytes {
			l.passed = true
			return a, nil
		}
		a.rows = append(a.rows, row)
	}
	var err error
	a.tag, err = r.Close()
	return a, err
}

func (a pgAnswer) result() (Result, error) {
	out := Result{Affected: a.tag.RowsAffected(), Command: strings.ToUpper(firstWord(a.tag.String()))}
	for _, f := range a.fields {
		out.Columns = append(out.Columns, Column{f.Name, pgTypeName(f.DataTypeOID)})
	}
	for _, row := range a.rows {
		values := make([]any, len(row))
		for i, text := range row {
			if text != nil {
				values[i] = pgValue(a.fields[i].DataTypeOID, string(text))
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out, nil
}

// pgError is what went wrong, in words that hold no password.
func pgError(err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	var server *pgconn.PgError
	var large *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &large):
		return tooLarge()
	case errors.As(err, &server):
		e := &Error{Code: server.Code, State: server.Code, Message: server.Message}
		for _, d := range []struct{ what, name string }{
			{"constraint", server.ConstraintName}, {"table", server.TableName}, {"column", server.ColumnName},
		} {
			if d.name != "" {
				e.Detail = strings.TrimPrefix(e.Detail+", "+d.what+" "+d.name, ", ")
			}
		}
		return e
	}
	if e := reach(err); e != nil {
		return e
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{Code: "ETIMEDOUT", Message: "the database did not answer in time"}
	}
	if strings.Contains(err.Error(), "conn closed") {
		return &Error{Code: "ECONNRESET", Message: "the server closed the connection"}
	}
	return &Error{Code: "EPROTO", Message: "the database cannot be understood"}
}

// pgParams are arguments as PostgreSQL reads them in text.
func pgParams(args []any) ([]pgParam, error) {
	list := make([]pgParam, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil:
		case []byte:
			list[i] = pgParam{append([]byte{}, v...), true}
		case string:
			if strings.ContainsRune(v, 0) {
				return nil, &Error{Code: "22021", State: "22021", Message: "invalid byte sequence for encoding \"UTF8\": 0x00"}
			}
			list[i].value = []byte(v)
		case bool:
			list[i].value = strconv.AppendBool(nil, v)
		case int:
			list[i].value = strconv.AppendInt(nil, int64(v), 10)
		case int64:
			list[i].value = strconv.AppendInt(nil, v, 10)
		case uint64:
			list[i].value = strconv.AppendUint(nil, v, 10)
		case float64:
			list[i].value = strconv.AppendFloat(nil, v, 'g', -1, 64)
		case time.Time:
			list[i].value = []byte(v.UTC().Format("2006-01-02T15:04:05.999999Z07:00"))
		default:
			return nil, &Error{Message: fmt.Sprintf("a parameter of type %T", a)}
		}
	}
	return list, nil
}
