package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"modernc.org/sqlite"
)

// maxBatch is how many transactions share one commit at most.
const maxBatch = 256

// writer owns the only connection that writes. Waiting transactions share one
// commit, hence one fsync: durability costs next to nothing when many wait,
// and nobody ever competes for SQLite's write lock. Batches form by themselves,
// while the commit before them is under way.
type writer struct {
	conn *sqliteConn
	// hasty: conn does not wait for the disk when it commits (synchronous=NORMAL).
	hasty bool
	open  func() (*sqliteConn, error)
	log   *slog.Logger

	hot, bulk chan *write
	done      chan struct{}

	mu     sync.RWMutex // held for reading while sending into a queue
	closed bool

	// pages counts what was written since the last checkpoint began.
	pages      int
	checkpoint *checkpointer
}

// write is one transaction and where its answer goes.
type write struct {
	ctx    context.Context
	fn     func(tx) error
	care   care
	err    error
	after  []func() // of tx.committed
	answer chan struct{}
}

// care is what engine says of write (careful), writePlain and writeLoose.
type care uint8

const (
	careful care = iota
	plain
	loose
)

var writes = sync.Pool{New: func() any { return &write{answer: make(chan struct{}, 1)} }}

func newWriter(open func() (*sqliteConn, error), c *checkpointer, log *slog.Logger) (*writer, error) {
	conn, err := open()
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, open: open, log: log, checkpoint: c,
		hot: make(chan *write, 4*maxBatch), bulk: make(chan *write, 4),
		done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// do queues fn and waits for its answer. A caller who goes away before fn
// starts is skipped; once fn has started the answer is awaited, since it will
// be written.
func (w *writer) do(ctx context.Context, queue chan *write, fn func(tx) error, k care) error {
	j := writes.Get().(*write)
	j.ctx, j.fn, j.care, j.err, j.after = ctx, fn, k, nil, nil
	if err := w.enqueue(ctx, queue, j); err != nil {
		return err
	}
	<-j.answer
	err := j.err
	j.ctx, j.fn, j.err, j.after = nil, nil, nil, nil
	writes.Put(j)
	return err
}

func (w *writer) enqueue(ctx context.Context, queue chan *write, j *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errDown.Because(errClosed)
	}
	select {
	case queue <- j:
		return nil
	case <-ctx.Done():
		return fromContext(ctx)
	}
}

// close stops accepting, finishes what was accepted, and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.hot)
	close(w.bulk)
	w.mu.Unlock()
	<-w.done
	if w.conn == nil {
		return nil
	}
	return w.conn.close()
}

// run takes interactive transactions as they come, many to a commit, and
// between two such batches at most one bulk transaction.
func (w *writer) run() {
	defer close(w.done)
	batch := make([]*write, 0, maxBatch)
	hot, bulk := w.hot, w.bulk
	for hot != nil || bulk != nil {
		batch = batch[:0]
		select {
		case j, ok := <-hot:
			if !ok {
				hot = nil
				continue
			}
			batch = append(batch, j)
		drain:
			for len(batch) < maxBatch {
				select {
				case j, ok := <-hot:
					if !ok {
						hot = nil
						break drain
					}
					batch = append(batch, j)
				default:
					break drain
				}
			}
			w.commit(batch)
			select {
			case j, ok := <-bulk:
				if !ok {
					bulk = nil
					continue
				}
				w.commit(append(batch[:0], j))
			default:
			}
		case j, ok := <-bulk:
			if !ok {
				bulk = nil
				continue
			}
			w.commit(append(batch, j))
		}
	}
}

// commit runs a batch in one transaction and answers it.
func (w *writer) commit(batch []*write) {
	started := batch[:0]
	for _, j := range batch {
		if j.ctx.Err() != nil {
			j.err = fromContext(j.ctx)
			j.answer <- struct{}{}
			continue
		}
		started = append(started, j)
	}
	if len(started) == 0 {
		return
	}
	if err := w.transact(started); err != nil {
		err = errDown.Because(err)
		for _, j := range started {
			if j.err == nil {
				j.err = err
			}
		}
		w.recover(err)
	}
	for _, j := range started {
		if j.err == nil {
			for _, fn := range j.after {
				fn()
			}
		}
		j.answer <- struct{}{}
	}
	w.count()
}

// transact returns an error when the whole batch failed; an error of one
// transaction stays with it.
func (w *writer) transact(batch []*write) error {
	if w.conn == nil {
		return errors.New("no connection to the database")
	}
	if err := w.hurry(!slices.ContainsFunc(batch, func(j *write) bool { return j.care != loose })); err != nil {
		return fmt.Errorf("synchronous: %w", err)
	}
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	wrote := false
	for _, j := range batch {
		// A transaction that is alone in its batch needs no savepoint, nor does a
		// plain one: where it fails by itself there is nothing to undo.
		savepoint := len(batch) > 1 && j.care == careful
		if savepoint {
			if _, err := w.conn.exec("SAVEPOINT one"); err != nil {
				return fmt.Errorf("savepoint: %w", err)
			}
		}
		if j.err = w.runOne(j); j.err == nil {
			wrote = true
			if savepoint {
				if _, err := w.conn.exec("RELEASE one"); err != nil {
					return fmt.Errorf("release: %w", err)
				}
			}
			continue
		}
		if len(batch) == 1 {
			break
		}
		if j.care != careful {
			var p *panicked
			if errors.As(j.err, &p) && !p.early || classifySQLite(j.err) == down {
				return fmt.Errorf("in a batch: %w", j.err)
			}
			continue
		}
		// SQLite rolls the whole transaction back by itself on some failures (disk
		// full, I/O error). Then the savepoint is gone, and with it what the others
		// of this batch wrote.
		if _, err := w.conn.exec("ROLLBACK TO one"); err != nil {
			return fmt.Errorf("rollback to savepoint: %w", err)
		}
		if _, err := w.conn.exec("RELEASE one"); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	if !wrote {
		// After a failure that ended the transaction by itself this has nothing to do.
		_, _ = w.conn.exec("ROLLBACK")
		return nil
	}
	if _, err := w.conn.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// hurry chooses whether commits wait for the disk. The log is synced whole and in
// order: a commit that waits makes those before it durable.
func (w *writer) hurry(hasty bool) error {
	if hasty == w.hasty {
		return nil
	}
	q := "PRAGMA synchronous=FULL"
	if hasty {
		q = "PRAGMA synchronous=NORMAL"
	}
	// It takes effect when it is compiled, so a statement kept from before would do nothing.
	if err := w.conn.once(q); err != nil {
		return err
	}
	w.hasty = hasty
	return nil
}

func (w *writer) runOne(j *write) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return j.fn(sqliteTx{w.conn, j})
}

// recover makes the connection usable after a failed batch. A failed fsync
// must not be retried on the same connection: what the kernel dropped then
// would count as written. So the connection is opened anew, which recovers
// from the write-ahead log.
func (w *writer) recover(cause error) {
	w.log.Error("a batch of writes failed", "error", cause)
	if w.conn != nil {
		_, _ = w.conn.exec("ROLLBACK") // fails when there is no transaction any more
		if err := w.conn.close(); err != nil {
			w.log.Error("closing the database connection", "error", err)
		}
		w.conn = nil
	}
	conn, err := w.open()
	if err != nil {
		w.log.Error("opening the database again", "error", err)
		return
	}
	w.conn, w.hasty = conn, false
}

// count asks for a checkpoint when the log has grown.
func (w *writer) count() {
	if w.conn == nil {
		return
	}
	status, ok := w.conn.conn.(sqlite.DBStatus)
	if !ok {
		return
	}
	n, _, err := status.Status(sqlite.DBStatusCacheWrite, true)
	if err != nil {
		return
	}
	w.pages += n
	if w.pages >= checkpointPages && w.checkpoint.wanted() {
		w.pages = 0
	}
}

// sqliteTx is a transaction on the writer's connection.
type sqliteTx struct {
	*sqliteConn
	write *write
}

func (t sqliteTx) committed(fn func()) { t.write.after = append(t.write.after, fn) }

func (t sqliteTx) send(taken error, q string, args ...any) error {
	_, err := t.exec(q, args...)
	if err != nil && taken != nil && classifySQLite(err) == unique {
		return taken
	}
	return err
}

func (t sqliteTx) combine(b *bulk, rows [][]any) error {
	q := sqliteDialect.combine(b)
	for _, r := range rows {
		if _, err := t.exec(q, r...); err != nil {
			return err
		}
	}
	return nil
}

func (t sqliteTx) insertNew(b *bulk, rows [][]any) ([]bool, error) {
	q := sqliteDialect.insertNew(b)
	out := make([]bool, len(rows))
	for i, r := range rows {
		n, err := t.exec(q, r...)
		if err != nil {
			return nil, err
		}
		out[i] = n > 0
	}
	return out, nil
}
