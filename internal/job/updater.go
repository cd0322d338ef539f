package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

// passwordsPerBatch ends a batch of updates before it has BatchSize rows: each
// new password takes as long as many rows, and what was hashed and not yet
// written would be done again after a crash.
const passwordsPerBatch = 50

// judgedAtOnce is after how many rows a batch that is being judged asks whether
// the job is to go on: hashing may have to wait for the people who sign in.
const judgedAtOnce = 16

// updates is rows of a bulk update on their way to the store, in the order of the file.
type updates struct {
	rows      []user.UpdateRow
	changes   []Change // of the same index; refused ones have problems
	passwords int
	bytes     int
	cursor    int64 // behind the last of them
}

// updateUsers reads the file from the cursor on and stores it batch by batch.
func (t *task) updateUsers() error {
	c, refused, err := t.namedWithin()
	if err != nil {
		return err
	}
	if refused != "" {
		return t.finish(Failed, refused)
	}
	in, err := openInput(t.ctx, t.Store, t.job)
	if err != nil {
		return err
	}
	rows, err := in.rows()
	for err == nil {
		var b updates
		end := t.readUpdates(rows, &b)
		if len(b.changes) > 0 {
			if err := t.judge(c, &b); err != nil {
				return err
			}
			if err := t.storeUpdates(&b); err != nil {
				return err
			}
		}
		if end == nil {
			end = t.goOn()
		}
		err = end
	}
	var broken *strictjson.FileError
	switch {
	case errors.Is(err, io.EOF):
		return t.finish(Completed, "")
	case errors.As(err, &broken):
		return t.finish(Failed, broken.Error())
	}
	return err
}

// namedWithin is the connection whose users the rows name by e-mail; nil when
// the job has none. Refused says why the job cannot have it.
func (t *task) namedWithin() (c *connection.Connection, refused string, err error) {
	if t.Users == nil {
		return nil, "Updates are not available here.", nil
	}
	if t.job.ConnectionID == "" {
		return nil, "", nil
	}
	c, err = t.Connections.Connection(t.ctx, t.job.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, "The connection does not exist.", nil
	}
	return c, "", err
}

// readUpdates gathers and parses the rows of the next batch. Its error is why
// there is nothing behind them.
func (t *task) readUpdates(rows *strictjson.Rows, b *updates) error {
	for len(b.rows) < t.BatchSize && b.bytes < batchBytes && b.passwords < passwordsPerBatch {
		row, err := rows.Next()
		if err != nil {
			return err
		}
		var parsed user.UpdateRow
		var problems []user.Problem
		if row.TooLong {
			parsed.Supplied = json.RawMessage("{}")
			problems = []user.Problem{{Code: "MAX_LENGTH", Message: fmt.Sprintf("The row is longer than %d bytes", strictjson.MaxRow)}}
		} else {
			parsed, problems = user.ParseUpdate(row.Text)
		}
		c := Change{Number: row.Number, Supplied: parsed.Supplied, Problems: asProblems(problems)}
		if string(c.Supplied) == "{}" { // nothing else tells which row it was
			for i := range c.Problems {
				c.Problems[i].Message += fmt.Sprintf(" (row %d)", row.Number)
			}
		}
		if _, ok := parsed.Patch.Password.Get(); ok && len(problems) == 0 {
			b.passwords++
		}
		b.rows, b.changes = append(b.rows, parsed), append(b.changes, c)
		b.bytes += len(row.Text)
		b.cursor = row.End
	}
	return nil
}

func asProblems(list []user.Problem) []Problem {
	var out []Problem
	for _, p := range list {
		out = append(out, Problem(p))
	}
	return out
}

// judge prepares all rows, on several processors, and hashes their passwords.
func (t *task) judge(c *connection.Connection, b *updates) error {
	actor := user.Actor{ClientID: t.job.ActorClientID}
	all := make([]int, len(b.rows))
	for i := range all {
		all[i] = i
	}
	for some := range slices.Chunk(all, judgedAtOnce) {
		failures := make([]error, len(some))
		var workers sync.WaitGroup
		for first := range t.Workers {
			workers.Go(func() {
				for k := first; k < len(some); k += t.Workers {
					failures[k] = t.prepare(c, b, some[k], actor)
				}
			})
		}
		workers.Wait()
		if err := errors.Join(failures...); err != nil {
			return err
		}
		if err := t.goOn(); err != nil {
			return err
		}
	}
	return nil
}

// prepare judges row i. A row that finds a bug of ours fails, like any other bad
// row, instead of ending the process again and again.
func (t *task) prepare(c *connection.Connection, b *updates, i int, by user.Actor) (err error) {
	change := &b.changes[i]
	if len(change.Problems) > 0 {
		return nil
	}
	defer func() {
		if bug := recover(); bug != nil {
			// The value may hold the row, so only where it happened is logged.
			t.Log.Error("a row made the update panic", "job", t.job.ID, "stack", string(debug.Stack()))
			change.Problems, err = []Problem{{Code: "NOT_PASSED", Message: "Internal error."}}, nil
		}
	}()
	id, fn, problems, err := t.Users.PrepareUpdate(t.ctx, b.rows[i], c, by)
	change.UserID, change.Apply, change.Problems = id, fn, asProblems(problems)
	return err
}

func (t *task) storeUpdates(b *updates) error {
	res, err := t.Store.UpdateBatch(t.ctx, t.lease, b.changes, b.cursor, t.Now().UnixMicro())
	if err != nil {
		return err
	}
	t.job.Cursor = b.cursor
	t.summary.Updated += res.Updated
	t.summary.Failed += res.Failed
	t.summary.Total += int64(len(b.changes))
	return nil
}
