package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// sqliteConn is one connection with its prepared statements. It speaks to the
// driver without database/sql in between: that costs a quarter of a read by key.
type sqliteConn struct {
	conn  driver.Conn
	stmts map[string]*sqliteStmt
	named []driver.NamedValue
	row   sqliteRow
	limit context.Context // ends queries; nil: nothing does
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// maxStmts bounds the prepared statements of a connection. The fixed texts are
// about a hundred; the rest are lists of different lengths.
const maxStmts = 300

func openSQLiteConn(dsn string) (*sqliteConn, error) {
	conn, err := (&sqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &sqliteConn{conn: conn, stmts: make(map[string]*sqliteStmt)}, nil
}

func (c *sqliteConn) close() error {
	c.forget()
	return c.conn.Close()
}

func (c *sqliteConn) forget() {
	for _, s := range c.stmts {
		_ = (*s).Close()
	}
	clear(c.stmts)
}

func (c *sqliteConn) prepare(q string) (sqliteStmt, error) {
	if s, ok := c.stmts[q]; ok {
		return *s, nil
	}
	if len(c.stmts) >= maxStmts {
		c.forget()
	}
	d, err := c.conn.Prepare(q)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, q)
	}
	s, ok := d.(sqliteStmt)
	if !ok {
		return nil, errors.New("the SQLite driver has no statements with context")
	}
	c.stmts[q] = &s
	return s, nil
}

func (c *sqliteConn) bind(args []any) []driver.NamedValue {
	named := c.named[:0]
	for i, a := range args {
		if b, ok := a.([]byte); ok && b == nil {
			a = []byte{} // nil would be NULL
		}
		named = append(named, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	c.named = named
	return named
}

func (c *sqliteConn) exec(q string, args ...any) (int64, error) {
	s, err := c.prepare(q)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// once runs a statement and does not keep it.
func (c *sqliteConn) once(q string) error {
	d, err := c.conn.Prepare(q)
	if err != nil {
		return err
	}
	if s, ok := d.(sqliteStmt); ok {
		_, err = s.ExecContext(context.Background(), nil)
	}
	return errors.Join(err, d.Close())
}

func (c *sqliteConn) query(q string, args []any, each func(row) error) (err error) {
	s, err := c.prepare(q)
	if err != nil {
		return err
	}
	ctx := c.limit
	if ctx == nil {
		ctx = context.Background()
	}
	rows, err := s.QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	n := len(rows.Columns())
	r := &c.row
	if r.busy { // a query within a query
		r = &sqliteRow{}
	}
	r.busy = true
	defer func() { r.busy = false }()
	if cap(r.values) < n {
		r.values = make([]driver.Value, n)
	}
	r.values = r.values[:n]
	for {
		switch err := rows.Next(r.values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

type sqliteRow struct {
	values []driver.Value
	busy   bool
}

func (r *sqliteRow) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("%d destinations for %d columns", len(dest), len(r.values))
	}
	for i, d := range dest {
		v := r.values[i]
		switch d := d.(type) {
		case *string:
			s, ok := v.(string)
			if !ok {
				return fmt.Errorf("column %d is %T, not text", i, v)
			}
			*d = s
		case *[]byte:
			b, ok := v.([]byte)
			if !ok && v != nil {
				return fmt.Errorf("column %d is %T, not bytes", i, v)
			}
			*d = b
		case *int64:
			n, ok := v.(int64)
			if !ok {
				return fmt.Errorf("column %d is %T, not a number", i, v)
			}
			*d = n
		case *bool:
			n, ok := v.(int64)
			if !ok {
				return fmt.Errorf("column %d is %T, not a boolean", i, v)
			}
			*d = n != 0
		default:
			return fmt.Errorf("destination %d is %T", i, d)
		}
	}
	return nil
}
