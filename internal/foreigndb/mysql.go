package foreigndb

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlConn is a session with MySQL or MariaDB.
type mysqlConn struct {
	conn   mysqlDriver
	wire   *wire
	id     uint32 // of the session, for KILL; zero: not known
	opener *Opener
	target Target
	broken bool
}

// mysqlDriver is what the driver's connections can do.
type mysqlDriver interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnPrepareContext
}

func (o *Opener) mysql(ctx context.Context, t Target) (*mysqlConn, error) {
	if t.Port == 0 {
		t.Port = 3306
	}
	c := &mysqlConn{opener: o, target: t}
	if err := c.open(ctx); err != nil {
		if c.wire != nil {
			_ = c.wire.Close() // err says more
		}
		return nil, err
	}
	return c, nil
}

func (c *mysqlConn) open(ctx context.Context) (err error) {
	defer unreadable(&err)
	t := c.target
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = t.User, t.Password, t.Database
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	cfg.Collation = "utf8mb4_general_ci" // which every version has
	cfg.Logger = &mysql.NopLogger{}
	cfg.ClientFoundRows = true    // as the packages for Node.js have it
	cfg.CheckConnLiveness = false // pool.go does
	cfg.MaxAllowedPacket = MaxBytes
	if cfg.TLS, err = t.tlsConfig(); err != nil {
		return err
	}
	cfg.AllowFallbackToPlaintext = t.TLS == Prefer || t.TLS == ""
	cfg.DialFunc = func(ctx context.Context, _, address string) (net.Conn, error) {
		w, err := c.opener.wire(ctx, address)
		if err != nil {
			return nil, err
		}
		c.wire = w
		return w, nil
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return &Error{Code: "EPROTO", Message: "the database's configuration is not valid"}
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return c.failed(ctx, err)
	}
	var ok bool
	if c.conn, ok = conn.(mysqlDriver); !ok {
		return &Error{Code: "EPROTO", Message: "the driver cannot do this"}
	}
	c.id = threadID(c.wire.head[:c.wire.taken])
	return nil
}

// unreadable makes of a driver's panic an error: it reads what strangers send.
func unreadable(err *error) {
	if p := recover(); p != nil {
		*err = &Error{Code: "EPROTO", Message: "the database cannot be understood"}
	}
}

// threadID is the number of a session in the server's first packet; zero: it has none.
func threadID(greeting []byte) uint32 {
	if len(greeting) < 5 || greeting[4] != 10 {
		return 0
	}
	_, after, ok := bytes.Cut(greeting[5:], []byte{0})
	if !ok || len(after) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(after)
}

// mysqlSet is one set of rows.
type mysqlSet struct {
	columns []Column
	rows    [][]any
}

// mysqlAnswer is what a statement answered.
type mysqlAnswer struct {
	sets               []mysqlSet
	affected, insertID int64
}

func (c *mysqlConn) Query(ctx context.Context, statement string, args []any) (Result, error) {
	a, err := c.ask(ctx, statement, args)
	if err != nil {
		return Result{}, err
	}
	out := Result{Affected: a.affected, InsertID: a.insertID}
	if len(a.sets) > 0 {
		out.Columns, out.Rows = a.sets[0].columns, a.sets[0].rows
		out.Affected = int64(len(out.Rows))
		for _, row := range out.Rows {
			for i, v := range row {
				row[i] = mysqlTime(out.Columns[i].Type, v)
			}
		}
	}
	return out, nil
}

// ask runs one statement. Arguments are the server's parameters: nothing is put into
// the text. Times are texts.
func (c *mysqlConn) ask(ctx context.Context, statement string, args []any) (a mysqlAnswer, err error) {
	defer func() {
		if err != nil {
			err = c.failed(ctx, err)
		}
	}()
	defer unreadable(&err)
	if c.broken {
		return a, driver.ErrBadConn
	}
	values, err := mysqlValues(args)
	if err != nil {
		return a, err
	}
	c.wire.expect()
	reads := mysqlReads(statement)
	if len(values) == 0 {
		if reads {
			rows, err := c.conn.QueryContext(ctx, statement, nil)
			if err != nil {
				return a, err
			}
			return c.collect(ctx, rows)
		}
		done, err := c.conn.ExecContext(ctx, statement, nil)
		return written(done, err)
	}
	prepared, err := c.conn.PrepareContext(ctx, statement)
	if err != nil {
		return a, err
	}
	defer func() { _ = prepared.Close() }() // the answer is there, or err says more
	if n := prepared.NumInput(); n != len(values) {
		return a, &Error{Code: "ER_WRONG_ARGUMENTS", Number: 1210, State: "HY000", Message: fmt.Sprintf("the statement has %d parameters, and %d were given", n, len(values))}
	}
	if reads {
		rows, err := prepared.(driver.StmtQueryContext).QueryContext(ctx, values)
		if err != nil {
			return a, err
		}
		return c.collect(ctx, rows)
	}
	done, err := prepared.(driver.StmtExecContext).ExecContext(ctx, values)
	return written(done, err)
}

func written(done driver.Result, err error) (a mysqlAnswer, _ error) {
	if err != nil {
		return a, err
	}
	if a.affected, err = done.RowsAffected(); err != nil {
		return a, err
	}
	a.insertID, err = done.LastInsertId()
	return a, err
}

// collect reads the answer of a statement that was taken for one that answers rows.
func (c *mysqlConn) collect(ctx context.Context, rows driver.Rows) (a mysqlAnswer, err error) {
	if a.sets, err = c.sets(rows); err != nil || len(a.sets) > 0 {
		return a, err
	}
	counts, err := c.conn.QueryContext(ctx, "SELECT ROW_COUNT(), LAST_INSERT_ID()", nil)
	if err != nil {
		return a, err
	}
	sets, err := c.sets(counts)
	if err != nil || len(sets) != 1 || len(sets[0].rows) != 1 || len(sets[0].columns) != 2 {
		return a, err
	}
	row := sets[0].rows[0]
	a.affected, _ = row[0].(int64)
	a.insertID, _ = row[1].(int64)
	a.affected = max(a.affected, 0)
	return a, nil
}

// sets reads sets of rows, and closes them.
func (c *mysqlConn) sets(rows driver.Rows) (list []mysqlSet, err error) {
	bytes, count := 0, 0
	for {
		set := mysqlSet{}
		for i, name := range rows.Columns() {
			kind := ""
			if t, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
				kind = strings.ToLower(t.ColumnTypeDatabaseTypeName(i))
			}
			set.columns = append(set.columns, Column{name, kind})
		}
		row := make([]driver.Value, len(set.columns))
		for {
			err := rows.Next(row)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				_ = rows.Close() // err says more
				return list, err
			}
			values := make([]any, len(row))
			for i, v := range row {
				var size int
				values[i], size = mysqlValue(set.columns[i].Type, v)
				bytes += size
			}
			if count++; count > MaxRows || bytes > MaxBytes {
				c.abandon()
				return list, tooLarge()
			}
			set.rows = append(set.rows, values)
		}
		if len(set.columns) > 0 {
			list = append(list, set)
		}
		more, ok := rows.(driver.RowsNextResultSet)
		if !ok || !more.HasNextResultSet() {
			break
		}
		if err := more.NextResultSet(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			_ = rows.Close() // err says more
			return list, err
		}
	}
	return list, rows.Close()
}

// Close ends the session. What it had under way is ended on the server too.
func (c *mysqlConn) Close() (err error) {
	defer unreadable(&err)
	if c.broken {
		return c.wire.Close()
	}
	c.broken = true
	_ = c.wire.SetDeadline(time.Now().Add(closeTime)) // Close says more
	if c.conn.Close() != nil {
		return c.wire.Close()
	}
	return nil
}

// abandon ends a session in the middle of an answer.
func (c *mysqlConn) abandon() {
	if c.broken {
		return
	}
	c.broken = true
	_ = c.wire.Close() // nobody waits for it
	if c.id == 0 {
		return
	}
	c.opener.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), DefaultTimeout)
		defer cancel()
		other, err := c.opener.mysql(ctx, c.target)
		if err != nil {
			return // the server ends it when it comes to write
		}
		other.id = 0                                                             // if this hangs as well, nobody comes to end it
		_, _ = other.ask(ctx, "KILL "+strconv.FormatUint(uint64(c.id), 10), nil) // it may have ended before
		_ = other.Close()                                                        // nothing depends on it
	})
}

func (c *mysqlConn) clean() bool { return !c.broken }

func (c *mysqlConn) alive() bool { return c.wire.alive() }

// failed says what went wrong, and gives up a session that does not go on after it.
func (c *mysqlConn) failed(ctx context.Context, err error) error {
	var known *Error
	var server *mysql.MySQLError
	switch {
	case errors.As(err, &known):
		if known.Code == "EPROTO" {
			c.broken = true
		}
		return known
	case errors.As(err, &server):
		e := &Error{Code: mysqlCode(server.Number), Number: int(server.Number), Message: server.Message}
		if server.SQLState != [5]byte{} {
			e.State = string(server.SQLState[:])
		}
		return e
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if c.wire != nil {
		if c.wire.left.Load() <= 0 {
			err = errTooLarge
		}
		c.abandon()
	}
	if e := reach(err); e != nil {
		return e
	}
	if errors.Is(err, mysql.ErrInvalidConn) {
		return &Error{Code: "ECONNRESET", Message: "the server closed the connection"}
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		return &Error{Code: "HANDSHAKE_NO_SSL_SUPPORT", Message: "Server does not support secure connection"}
	}
	return &Error{Code: "EPROTO", Message: "the database cannot be understood"}
}

// mysqlReads reports whether a statement answers rows, as far as its text tells. Where
// it does not, nothing is lost: the numbers of what it did are asked for afterwards,
// and rows of what only writes are passed over.
func mysqlReads(statement string) bool {
	rest := statement
	for {
		trimmed := strings.TrimLeft(rest, " \t\r\n\f(")
		switch {
		case strings.HasPrefix(trimmed, "/*") && !strings.HasPrefix(trimmed, "/*!"):
			_, after, _ := strings.Cut(trimmed, "*/")
			rest = after
			continue
		case strings.HasPrefix(trimmed, "--"), strings.HasPrefix(trimmed, "#"):
			_, after, _ := strings.Cut(trimmed, "\n")
			rest = after
			continue
		}
		rest = trimmed
		break
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end < 0 {
		end = len(rest)
	}
	switch strings.ToLower(rest[:end]) {
	case "insert", "replace", "delete", "update":
		return returning(rest)
	case "set", "create", "drop", "alter", "begin", "start", "commit", "rollback", "savepoint", "release", "use", "lock", "unlock",
		"truncate", "grant", "revoke", "kill", "do", "load":
		return false
	}
	return true
}

// returning finds the word of MariaDB.
func returning(statement string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(statement, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_'
	}), func(word string) bool { return strings.EqualFold(word, "returning") })
}

// mysqlValues are arguments as the driver takes them.
func mysqlValues(args []any) ([]driver.NamedValue, error) {
	list := make([]driver.NamedValue, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil, []byte, string, bool, int64, uint64, float64:
		case int:
			a = int64(v)
		case time.Time:
			a = v.UTC().Format("2006-01-02 15:04:05.999999")
		default:
			return nil, &Error{Message: fmt.Sprintf("a parameter of type %T", a)}
		}
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return list, nil
}

// mysqlValue is a value of the driver's as Result.Rows have it, but for times, which
// stay text; and how much it takes.
func mysqlValue(kind string, v driver.Value) (any, int) {
	switch v := v.(type) {
	case []byte:
		if mysqlBytes(kind) {
			return append([]byte{}, v...), len(v) + 8
		}
		if strings.Contains(kind, "bigint") { // beyond int64
			if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
				return n, 8
			}
		}
		return string(v), len(v) + 8
	case string:
		return v, len(v) + 8
	case uint64:
		if v <= 1<<63-1 {
			return int64(v), 8
		}
		return v, 8
	case float32: // the shortest text of it, not its binary neighbour
		f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		if err != nil {
			return float64(v), 8
		}
		return f, 8
	}
	return v, 8
}

// mysqlBytes: the type is of bytes and not of text.
func mysqlBytes(kind string) bool {
	switch kind {
	case "bit", "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "vector":
		return true
	}
	return false
}

// mysqlTime reads times, which are of no place and taken for UTC. Those that do not
// exist (0000-00-00) stay text.
func mysqlTime(kind string, v any) any {
	text, ok := v.(string)
	if !ok || kind != "datetime" && kind != "timestamp" {
		return v
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		return v
	}
	return at
}
