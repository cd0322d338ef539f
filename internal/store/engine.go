package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mangrove/internal/errs"
)

// A statement is written with ? placeholders and reads or writes no NULL.
// Arguments are string, []byte, int64 or bool; destinations point at these.

// row is the current row of a query.
type row interface {
	Scan(dest ...any) error
}

// reader runs queries.
type reader interface {
	// query calls each for every row. The bytes that a row gives are the caller's.
	query(q string, args []any, each func(row) error) error
}

// tx is one write transaction.
type tx interface {
	reader
	// exec reports how many rows were touched.
	exec(q string, args ...any) (int64, error)
	// send is exec for when the count is not needed: PostgreSQL may put it off to
	// the next round trip, so its error may come later, at the latest from the
	// transaction. A broken unique index gives taken, if that is not nil.
	send(taken error, q string, args ...any) error
	// insertNew inserts the rows that break no unique index, earlier ones first,
	// and reports which these were.
	insertNew(b *bulk, rows [][]any) ([]bool, error)
	// combine inserts rows of different keys; where there is one of that key, the
	// bits of both are joined.
	combine(b *bulk, rows [][]any) error
	// committed has fn run when the transaction is durable, before its caller
	// knows, in the order of the commits.
	committed(fn func())
}

// engine is what SQLite and PostgreSQL each bring.
type engine interface {
	// read runs fn outside any transaction: one statement is one snapshot.
	read(ctx context.Context, fn func(reader) error) error
	// search is read for queries that ctx has to end: at its deadline they stop
	// where they are.
	search(ctx context.Context, fn func(reader) error) error
	// write runs fn in a transaction and returns when it is durable. fn may run
	// more than once. When fn or the commit fails nothing is written.
	write(ctx context.Context, fn func(tx) error) error
	// writePlain is write for an fn that either fails before it has written
	// anything, or because the engine failed.
	writePlain(ctx context.Context, fn func(tx) error) error
	// writeLoose is writePlain for what nobody misses, the steps of a login: a loss
	// of power may undo it, a crash of the process does not. What is written after
	// it is never kept without it, so a durable write makes it durable.
	writeLoose(ctx context.Context, fn func(tx) error) error
	// writeBulk is write for work that may wait: others go first.
	writeBulk(ctx context.Context, fn func(tx) error) error
	dialect() *dialect
	// migrations is a pool for goose, to be closed by the caller.
	migrations() (*sql.DB, error)
	ping(ctx context.Context) error
	close() error
}

// errUnchanged makes a transaction roll back without being a failure.
var errUnchanged = errors.New("nothing to write")

// errAgain makes a transaction start afresh: what it saw is no longer so.
var errAgain = errors.New("state changed underneath")

// one runs a query of at most one row and reports whether there was one.
func one(r reader, q string, args []any, dest ...any) (bool, error) {
	found := false
	err := r.query(q, args, func(row row) error {
		found = true
		return row.Scan(dest...)
	})
	return found, err
}

// args spares the callers of query a []any{…}.
func args(a ...any) []any { return a }

// errDown is what callers get when the database cannot be used right now.
var errDown = errs.New(errs.Unavailable, "temporarily_unavailable", "The service is temporarily unavailable. Please try again in a moment.")

var errClosed = errors.New("the store is closed")

// fromContext is the failure of a caller who stopped waiting.
func fromContext(ctx context.Context) error { return errDown.Because(context.Cause(ctx)) }

// panicked is the error of one transaction whose code panicked.
type panicked struct {
	value any
	stack []byte
	early bool // before the transaction wrote anything
}

func (p *panicked) Error() string {
	return fmt.Sprintf("panic in a transaction: %v\n%s", p.value, p.stack)
}
