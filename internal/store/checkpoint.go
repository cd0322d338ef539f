package store

import (
	"context"
	"errors"
	"log/slog"
)

// checkpointPages is how much log (64 MB) makes a checkpoint worth its fsyncs.
const checkpointPages = 16_000

// quietPages is how little may be left for the pass during which writes wait.
const quietPages = 2_000

// checkpointer moves the write-ahead log into the database file from a
// connection of its own, so that no commit ever waits for it but for a short
// last pass: SQLite starts its log afresh only when all of it was moved, which
// under steady writing never happens by itself.
type checkpointer struct {
	conn *sqliteConn
	log  *slog.Logger
	kick chan struct{}
	done chan struct{}
	// quiet runs fn while nothing is written.
	quiet func(ctx context.Context, fn func() error) error
}

func newCheckpointer(conn *sqliteConn, log *slog.Logger) *checkpointer {
	return &checkpointer{conn: conn, log: log, kick: make(chan struct{}, 1), done: make(chan struct{})}
}

func (c *checkpointer) start(quiet func(context.Context, func() error) error) {
	c.quiet = quiet
	go c.run()
}

// wanted asks for a checkpoint; false when one is under way.
func (c *checkpointer) wanted() bool {
	select {
	case c.kick <- struct{}{}:
		return true
	default:
		return false
	}
}

func (c *checkpointer) run() {
	defer close(c.done)
	for range c.kick {
		if err := c.checkpoint(); err != nil && !errors.Is(err, errClosed) {
			c.log.Error("checkpoint", "error", err)
		}
	}
}

func (c *checkpointer) checkpoint() error {
	for range 3 {
		left, err := c.pass("PASSIVE")
		if err != nil {
			return err
		}
		if left <= quietPages {
			break
		}
	}
	return c.quiet(context.Background(), func() error {
		_, err := c.pass("PASSIVE")
		return err
	})
}

// pass reports how many pages of the log are left to move.
func (c *checkpointer) pass(mode string) (left int64, err error) {
	var busy, total, moved int64
	if _, err := one(c.conn, "PRAGMA wal_checkpoint("+mode+")", nil, &busy, &total, &moved); err != nil {
		return 0, err
	}
	return total - moved, nil
}

// close ends the work with a last checkpoint, after the writer and the readers are closed.
func (c *checkpointer) close() error {
	close(c.kick)
	<-c.done
	// The passive pass first: a connection whose first statement is a truncating
	// checkpoint waits for the read lock under which it loads the schema, its own.
	for _, mode := range []string{"PASSIVE", "TRUNCATE"} {
		if _, err := c.pass(mode); err != nil {
			c.log.Error("checkpoint at close", "error", err)
		}
	}
	return c.conn.close()
}
