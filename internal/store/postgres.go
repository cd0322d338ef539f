package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresEngine is a pool. Round trips are its cost: statements whose result
// nobody needs travel together with the next one, and BEGIN and COMMIT with them.
type postgresEngine struct{ pool *pgxpool.Pool }

// writeLimit bounds a write transaction, which its caller cannot cut off.
const writeLimit = 30 * time.Second

func openPostgres(ctx context.Context, dsn string) (*postgresEngine, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the database URL is not valid") // err may quote the password
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = 32
	}
	// Compiling a query costs more than any query of ours runs.
	if _, set := cfg.ConnConfig.RuntimeParams["jit"]; !set {
		cfg.ConnConfig.RuntimeParams["jit"] = "off"
	}
	if _, set := cfg.ConnConfig.RuntimeParams["application_name"]; !set {
		cfg.ConnConfig.RuntimeParams["application_name"] = "mangrove"
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	return &postgresEngine{pool}, nil
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) ||
		// pgx has no values for these two.
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool")
}

func (e *postgresEngine) dialect() *dialect { return postgresDialect }

func (e *postgresEngine) read(ctx context.Context, fn func(reader) error) error {
	return e.retry(ctx, func() error { return fn(postgresReader{ctx, e.pool}) })
}

func (e *postgresEngine) write(ctx context.Context, fn func(tx) error) error {
	careful := false
	return e.retry(ctx, func() error {
		err := e.transact(ctx, fn, careful)
		if errors.Is(err, errCareful) {
			careful = true
			err = e.transact(ctx, fn, careful)
		}
		return err
	})
}

func (e *postgresEngine) writePlain(ctx context.Context, fn func(tx) error) error {
	return e.write(ctx, fn)
}

// writeLoose costs no round trip more: the setting, which ends with the
// transaction, travels with its first statement.
func (e *postgresEngine) writeLoose(ctx context.Context, fn func(tx) error) error {
	return e.write(ctx, func(t tx) error {
		if err := t.send(nil, "SELECT set_config('synchronous_commit', 'off', true)"); err != nil {
			return err
		}
		return fn(t)
	})
}

func (e *postgresEngine) writeBulk(ctx context.Context, fn func(tx) error) error {
	return e.write(ctx, fn)
}

func (e *postgresEngine) search(ctx context.Context, fn func(reader) error) error {
	return e.read(ctx, fn)
}

// tries bounds how often a transaction is run that lost a race.
const tries = 12

// retry runs fn again after failures that certainly wrote nothing.
func (e *postgresEngine) retry(ctx context.Context, fn func() error) error {
	for n := 1; ; n++ {
		err := fn()
		if err == nil || n == tries {
			return err
		}
		switch {
		case classifyPostgres(err) == retryOK:
		case pgconn.SafeToRetry(err) && n <= 3: // nothing was sent
		default:
			return err
		}
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(n) * int64(5*time.Millisecond))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (e *postgresEngine) transact(ctx context.Context, fn func(tx) error, careful bool) (err error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	// What has started is not cut off by a caller who goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	t := &postgresTx{ctx: ctx, conn: conn.Conn(), careful: careful}
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
		if err != nil {
			t.rollback()
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	if err := t.commit(); err != nil {
		return err
	}
	for _, fn := range t.after {
		fn()
	}
	return nil
}

func (e *postgresEngine) migrations() (*sql.DB, error) { return stdlib.OpenDBFromPool(e.pool), nil }

func (e *postgresEngine) ping(ctx context.Context) error { return e.pool.Ping(ctx) }

func (e *postgresEngine) close() error {
	e.pool.Close()
	return nil
}

type postgresReader struct {
	ctx  context.Context
	pool *pgxpool.Pool
}

func (r postgresReader) query(q string, args []any, each func(row) error) error {
	rows, err := r.pool.Query(r.ctx, numbered(q), args...)
	if err != nil {
		return err
	}
	return drain(rows, each)
}

func drain(rows pgx.Rows, each func(row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	rows.Close()
	return rows.Err()
}

// postgresTx collects statements and sends them together.
type postgresTx struct {
	ctx   context.Context
	conn  *pgx.Conn
	begun bool
	queue []queued
	after []func()
	// careful: insertNew lost a race before and does not COPY again.
	careful bool
}

type queued struct {
	q     string
	args  []any
	taken error
}

func (t *postgresTx) committed(fn func()) { t.after = append(t.after, fn) }

func (t *postgresTx) send(taken error, q string, args ...any) error {
	t.queue = append(t.queue, queued{q, nonNil(args), taken})
	return nil
}

// nonNil makes nil byte slices empty; nil would be NULL.
func nonNil(args []any) []any {
	for i, a := range args {
		if b, ok := a.([]byte); ok && b == nil {
			args[i] = []byte{}
		}
	}
	return args
}

// flush sends the queue and, after it, last (which may be nil), and hands the
// result of last to use.
func (t *postgresTx) flush(last *queued, use func(pgx.BatchResults) error) (err error) {
	queue := t.queue
	t.queue = nil
	var b pgx.Batch
	if !t.begun && last != nil && last.q != "COMMIT" {
		b.Queue("BEGIN")
		queue = append([]queued{{}}, queue...)
		t.begun = true
	}
	for _, s := range queue {
		if s.q != "" {
			b.Queue(numbered(s.q), s.args...)
		}
	}
	if last != nil {
		b.Queue(numbered(last.q), last.args...)
	}
	if b.Len() == 0 {
		return nil
	}
	res := t.conn.SendBatch(t.ctx, &b)
	defer func() {
		if e := res.Close(); err == nil {
			err = e
		}
	}()
	for _, s := range queue {
		if _, err := res.Exec(); err != nil {
			if s.taken != nil && classifyPostgres(err) == unique {
				return s.taken
			}
			return err
		}
	}
	if last != nil {
		return use(res)
	}
	return nil
}

func (t *postgresTx) query(q string, args []any, each func(row) error) error {
	return t.flush(&queued{q: q, args: nonNil(args)}, func(res pgx.BatchResults) error {
		rows, err := res.Query()
		if err != nil {
			return err
		}
		return drain(rows, each)
	})
}

func (t *postgresTx) exec(q string, args ...any) (n int64, err error) {
	err = t.flush(&queued{q: q, args: nonNil(args)}, func(res pgx.BatchResults) error {
		tag, err := res.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// commit ends the transaction. A queue that was never sent goes in one message,
// which PostgreSQL runs as one transaction by itself.
func (t *postgresTx) commit() error {
	if !t.begun {
		return t.flush(nil, nil)
	}
	return t.flush(&queued{q: "COMMIT"}, func(res pgx.BatchResults) error {
		tag, err := res.Exec()
		if err == nil && tag.String() == "ROLLBACK" {
			return errors.New("COMMIT of a failed transaction")
		}
		return err
	})
}

func (t *postgresTx) rollback() {
	if !t.begun || t.conn.IsClosed() {
		return
	}
	// A connection on which this fails is closed by the pool.
	_, _ = t.conn.Exec(t.ctx, "ROLLBACK")
}
