package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"strings"
)

// sqliteEngine is one file, one writer, and a few readers.
type sqliteEngine struct {
	path    string
	lock    *os.File
	writer  *writer
	check   *checkpointer
	readers chan *sqliteConn
	count   int
	closing chan struct{}
}

// Cache sizes in KiB. More gains little over the kernel's page cache and would
// be most of the process's memory.
const (
	readerCache = 4_000
	writerCache = 8_000
)

// sqliteDSN puts the pragmas where every connection gets them; a PRAGMA that
// is executed reaches one connection only. busy_timeout comes first, since
// those after it may have to wait for a lock.
func sqliteDSN(path, mode string, cacheKiB int, pragmas ...string) string {
	v := url.Values{}
	v.Set("mode", mode)
	v["_pragma"] = append([]string{
		"busy_timeout(10000)",
		fmt.Sprintf("cache_size(-%d)", cacheKiB),
		"temp_store(MEMORY)",
		"trusted_schema(OFF)",
	}, pragmas...)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// journal_size_limit gives back the disk space of an unusually long log.
var writePragmas = []string{"journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)", "journal_size_limit(268435456)"}

// ErrInUse says that a SQLite database serves another process.
var ErrInUse = errors.New("is in use by another process")

func openSQLite(path string, readers int, log *slog.Logger) (_ *sqliteEngine, err error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errors.New("the database must be a file path or a postgres:// URL")
	}
	if readers <= 0 {
		readers = max(3, min(4, runtime.GOMAXPROCS(0)))
	}
	e := &sqliteEngine{path: path, readers: make(chan *sqliteConn, readers), count: readers, closing: make(chan struct{})}
	if e.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, fmt.Errorf("the database %s %w; "+
			"an SQLite database serves one process at a time (PostgreSQL serves several): %w", path, ErrInUse, err)
	}
	defer func() {
		if err != nil {
			e.abandon()
		}
	}()
	if err := private(path); err != nil {
		return nil, err
	}
	// The log and its index inherit the mode of the file.
	conn, err := openSQLiteConn(sqliteDSN(path, "rw", 2_000, writePragmas...))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	e.check = newCheckpointer(conn, log)
	e.writer, err = newWriter(func() (*sqliteConn, error) {
		return openSQLiteConn(sqliteDSN(path, "rw", writerCache, writePragmas...))
	}, e.check, log)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	for range readers {
		c, err := openSQLiteConn(sqliteDSN(path, "ro", readerCache, "query_only(ON)"))
		if err != nil {
			return nil, fmt.Errorf("opening %s for reading: %w", path, err)
		}
		e.readers <- c
	}
	e.check.start(func(ctx context.Context, fn func() error) error {
		err := e.writer.do(ctx, e.writer.bulk, func(tx) error {
			if err := fn(); err != nil {
				return err
			}
			return errUnchanged
		}, careful)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	})
	return e, nil
}

// private creates the file so that only its owner reads it, or makes it so.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	return errors.Join(err, f.Close())
}

// abandon frees what a failed open has got.
func (e *sqliteEngine) abandon() {
	if e.writer != nil {
		_ = e.writer.close()
	}
	close(e.readers)
	for c := range e.readers {
		_ = c.close()
	}
	if e.check != nil {
		_ = e.check.conn.close()
	}
	_ = e.lock.Close()
}

func (e *sqliteEngine) dialect() *dialect { return sqliteDialect }

func (e *sqliteEngine) read(ctx context.Context, fn func(reader) error) error {
	return e.readWith(ctx, nil, fn)
}

// search hands ctx to the driver, which costs a goroutine per query.
func (e *sqliteEngine) search(ctx context.Context, fn func(reader) error) error {
	return e.readWith(ctx, ctx, fn)
}

func (e *sqliteEngine) readWith(ctx, limit context.Context, fn func(reader) error) error {
	var c *sqliteConn
	select {
	case c = <-e.readers: // the usual case, without looking at the context
	default:
		select {
		case c = <-e.readers:
		case <-ctx.Done():
			return fromContext(ctx)
		case <-e.closing:
			return errDown.Because(errClosed)
		}
	}
	c.limit = limit
	defer func() {
		c.limit = nil
		e.readers <- c
	}()
	return fn(c)
}

func (e *sqliteEngine) write(ctx context.Context, fn func(tx) error) error {
	return e.writer.do(ctx, e.writer.hot, fn, careful)
}

func (e *sqliteEngine) writePlain(ctx context.Context, fn func(tx) error) error {
	return e.writer.do(ctx, e.writer.hot, fn, plain)
}

func (e *sqliteEngine) writeLoose(ctx context.Context, fn func(tx) error) error {
	return e.writer.do(ctx, e.writer.hot, fn, loose)
}

func (e *sqliteEngine) writeBulk(ctx context.Context, fn func(tx) error) error {
	return e.writer.do(ctx, e.writer.bulk, fn, careful)
}

func (e *sqliteEngine) migrations() (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteDSN(e.path, "rw", 2_000, writePragmas...))
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// ping proves that a write transaction can begin, as far as that is possible
// without writing.
func (e *sqliteEngine) ping(ctx context.Context) error {
	err := e.write(ctx, func(tx) error { return errUnchanged })
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

func (e *sqliteEngine) close() error {
	errs := []error{e.writer.close()}
	close(e.closing)
	for range e.count {
		errs = append(errs, (<-e.readers).close())
	}
	errs = append(errs, e.check.close(), e.lock.Close())
	return errors.Join(errs...)
}
