package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

// batchBytes ends a batch before it has BatchSize rows, so that the size of rows
// does not decide how much memory an import takes.
const batchBytes = 2 << 20

// ImportParams are the parameters of an import job. Merge, UpsertAll and DryRun
// are ours.
type ImportParams struct {
	Upsert              bool   `json:"upsert"`
	ExternalID          string `json:"external_id,omitempty"`
	SendCompletionEmail bool   `json:"send_completion_email"`
	Merge               bool   `json:"merge,omitempty"`      // metadata is merged, not replaced
	UpsertAll           bool   `json:"upsert_all,omitempty"` // identifiers, blocked and the password may change, too
	DryRun              bool   `json:"dry_run,omitempty"`    // everything is judged, no user is written
	// CSV: the file calls itself that, so a header that has no name of ours is told as such.
	CSV bool `json:"csv,omitempty"`
}

// ReadImportParams reads Job.Params; those of another kind of job are zero.
func ReadImportParams(raw json.RawMessage) ImportParams {
	var p ImportParams
	if json.Unmarshal(raw, &p) != nil {
		return ImportParams{}
	}
	return p
}

// batch is rows on their way to the store, in the order of the file.
type batch struct {
	rows   []Row
	failed []RowError
	cursor int64 // behind the last of them
	// end is why there is nothing behind them: io.EOF, a *strictjson.FileError, or
	// whatever kept us from reading on. Nil: there may be more.
	end error
}

// importUsers reads the file from the cursor on, and stores it batch by batch:
// while one is written the next is read and parsed.
func (t *task) importUsers() error {
	c, refused, err := t.target()
	if err != nil {
		return err
	}
	if refused != "" {
		return t.finish(Failed, refused)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	batches := make(chan batch)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		defer close(batches)
		t.read(ctx, c, batches)
	})
	for b := range batches {
		if len(b.rows)+len(b.failed) > 0 {
			err := t.store(b)
			if errors.Is(err, ErrNoConnection) {
				return t.finish(Failed, ErrNoConnection.Text)
			}
			if err != nil {
				return err
			}
		}
		var broken *strictjson.FileError
		switch {
		case errors.Is(b.end, io.EOF):
			return t.finish(Completed, "")
		case errors.As(b.end, &broken):
			return t.finish(Failed, broken.Error())
		case b.end != nil:
			return b.end
		}
		if err := t.goOn(); err != nil {
			return err
		}
	}
	return t.ctx.Err()
}

// target is the connection of the import, or why it cannot have one.
func (t *task) target() (c *connection.Connection, refused string, err error) {
	c, err = t.Connections.Connection(t.ctx, t.job.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, ErrNoConnection.Text, nil
	}
	if err != nil {
		return nil, "", err
	}
	if class := c.Class(); class != profile.Database && class != profile.ImportDatabase {
		return nil, "Connection must be a database connection.", nil
	}
	return c, "", nil
}

func (t *task) store(b batch) error {
	write := t.Store.ImportBatch
	if ReadImportParams(t.job.Params).DryRun {
		write = t.Store.CheckBatch
	}
	begin := t.Now()
	res, err := write(t.ctx, t.lease, t.job, b.rows, b.failed, b.cursor, begin.UnixMicro())
	if err != nil {
		return err
	}
	if rows := len(b.rows) + len(b.failed); int64(rows) >= t.size.Load() { // a shorter one says less
		t.size.Store(int64(nextSize(rows, t.BatchSize, t.Now().Sub(begin), t.Pace)))
	}
	t.job.Cursor = b.cursor
	t.summary.Inserted += res.Inserted
	t.summary.Updated += res.Updated
	t.summary.Failed += res.Failed
	t.summary.Total += int64(len(b.rows) + len(b.failed))
	return nil
}

// read sends the batches of the file; the last one has an end.
func (t *task) read(ctx context.Context, c *connection.Connection, out chan<- batch) {
	send := func(b batch) bool {
		select {
		case out <- b:
			return b.end == nil
		case <-ctx.Done():
			return false
		}
	}
	in, err := openInput(ctx, t.Store, t.job)
	if err != nil {
		send(batch{end: err})
		return
	}
	p := parser{task: t, c: c, params: ReadImportParams(t.job.Params)}
	var rows *strictjson.Rows
	if strictjson.Sniff(in.first) == strictjson.Records {
		rows, p.columns, err = in.records(p.params.CSV)
	} else {
		rows, err = in.rows()
	}
	if err != nil {
		send(batch{end: err})
		return
	}
	for p.read(rows) {
		if !send(p.parse()) {
			return
		}
	}
	send(p.parse())
}

// parser turns the rows of a file into batches.
type parser struct {
	task    *task
	c       *connection.Connection
	params  ImportParams
	columns *user.Columns // of a CSV file; nil: the rows are JSON

	texts []byte // of the rows of this batch, one behind the other
	found []strictjson.Row
	ends  []int // of the rows in texts
	done  []parsed
	end   error
}

// parsed is what came of one row.
type parsed struct {
	row      user.ImportRow
	problems []user.Problem
}

// read gathers the rows of the next batch, and reports whether the file goes on.
func (p *parser) read(rows *strictjson.Rows) bool {
	p.texts, p.found, p.ends = p.texts[:0], p.found[:0], p.ends[:0]
	for len(p.found) < int(p.task.size.Load()) && len(p.texts) < batchBytes {
		row, err := rows.Next()
		if err != nil {
			p.end = err
			return false
		}
		p.texts = append(p.texts, row.Text...)
		p.ends = append(p.ends, len(p.texts))
		row.Text = nil
		p.found = append(p.found, row)
	}
	return true
}

// parse decides about all gathered rows, on several processors.
func (p *parser) parse() batch {
	n := len(p.found)
	if cap(p.done) < n {
		p.done = make([]parsed, n)
	}
	p.done = p.done[:n]
	o := user.ImportOptions{
		JobID: p.task.job.ID, Upsert: p.params.Upsert, Defaults: p.task.Defaults,
		Widen: profile.UpsertOptions{Merge: p.params.Merge, All: p.params.UpsertAll},
		Now:   p.task.Now().UnixMicro(), NewID: p.task.NewID,
	}
	var workers sync.WaitGroup
	share := (n + p.task.Workers - 1) / p.task.Workers
	for from := 0; from < n; from += share {
		workers.Go(func() {
			for i := from; i < min(from+share, n); i++ {
				p.done[i] = p.row(i, o)
			}
		})
	}
	workers.Wait()
	b := batch{rows: make([]Row, 0, n), end: p.end}
	for i, d := range p.done {
		if len(d.problems) == 0 {
			b.rows = append(b.rows, Row{p.found[i].Number, d.row.New, d.row.Supplied, d.row.Upsert})
			continue
		}
		e := RowError{Number: p.found[i].Number, User: d.row.Supplied}
		for _, problem := range d.problems {
			if string(e.User) == "{}" { // nothing else tells which row it was
				problem.Message += fmt.Sprintf(" (row %d)", p.found[i].Number)
			}
			e.Errors = append(e.Errors, Problem(problem))
		}
		b.failed = append(b.failed, e)
	}
	if n > 0 {
		b.cursor = p.found[n-1].End
	}
	clear(p.done)
	return b
}

// row decides about row i. A row that finds a bug of ours fails, like any other
// bad row, instead of ending the process again and again.
func (p *parser) row(i int, o user.ImportOptions) (out parsed) {
	empty := user.ImportRow{Supplied: json.RawMessage("{}")}
	defer func() {
		if bug := recover(); bug != nil {
			// The value may hold the row, so only where it happened is logged.
			p.task.Log.Error("a row made the import panic", "job", p.task.job.ID, "row", p.found[i].Number, "stack", string(debug.Stack()))
			out = parsed{empty, []user.Problem{{Code: "NOT_PASSED", Message: "Internal error."}}}
		}
	}()
	if p.found[i].TooLong {
		return parsed{empty, []user.Problem{{Code: "MAX_LENGTH", Message: fmt.Sprintf("The row is longer than %d bytes", strictjson.MaxRow)}}}
	}
	from := 0
	if i > 0 {
		from = p.ends[i-1]
	}
	text := p.texts[from:p.ends[i]]
	if p.columns != nil {
		object, wrong := p.columns.Object(text)
		if wrong != nil {
			return parsed{empty, []user.Problem{*wrong}}
		}
		text = object
	}
	row, problems := user.ParseRow(p.c, text, o)
	return parsed{row, problems}
}

// importEvent is the record of a finished import in the tenant log.
func (t *task) importEvent(status, details string, now int64) audit.Event {
	e := audit.Event{
		Type: audit.UserImported, At: now, Description: "Users import completed",
		ClientID: t.job.ActorClientID, Connection: t.job.Connection, ConnectionID: t.job.ConnectionID,
	}
	switch {
	case ReadImportParams(t.job.Params).DryRun:
		e.Type, e.Description = audit.APIOperation, "Users import checked in a dry run"
	case status == Failed:
		e.Type, e.Description = audit.UserImportFailed, details
	}
	b, err := json.Marshal(struct {
		JobID   string  `json:"job_id"`
		Summary Summary `json:"summary"`
	}{t.job.ID, t.summary})
	if err == nil {
		e.Details = b
	}
	return e
}
