package job

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"

	"mangrove/internal/connection"
	"mangrove/internal/user"
)

// exportBytes ends a page of an export before it has BatchSize users, so that
// the size of users does not decide how much memory an export takes.
const exportBytes = 4 << 20

// ExportParams are the members of an export that rule the work.
type ExportParams struct {
	Format string             `json:"format"`          // user.ExportJSON or ExportCSV
	Limit  int64              `json:"limit,omitempty"` // most users; 0: all
	Fields []user.ExportField `json:"fields,omitempty"`
	// Secrets: password hashes and second factors stand with the users. Ours.
	Secrets bool `json:"include_password_hashes,omitempty"`
	// Plain: the file is not compressed for who fetches it. Ours.
	Plain bool `json:"plain,omitempty"`
}

// ReadExportParams reads the Params of an export.
func ReadExportParams(raw json.RawMessage) (ExportParams, error) {
	var p ExportParams
	err := json.Unmarshal(raw, &p)
	return p, err
}

// ExportQuery asks for a page of users by id.
type ExportQuery struct {
	ConnectionID string // of the primary identity; empty: all
	After        user.ID
	Limit        int // most users
	Bytes        int // no further user when the page has that much
	Secrets      bool
}

// Output is a piece of the file that a job made, and the place where it ends.
type Output struct {
	Seq   int64   // from 0
	After user.ID // the last user who was looked at
	Users int64   // in this piece and those before it
	Bytes int64   // of the file as it is fetched, up to the end of this piece
	Data  []byte  // a member of a gzip file
}

// ExportStore is what exports need of the store.
type ExportStore interface {
	// ExportUsers reads a page, and reports whether there may be more behind it.
	ExportUsers(ctx context.Context, q ExportQuery) (page []user.ExportRow, more bool, err error)
	// AppendOutput stores the next piece, and moves the job's cursor to its Users, in
	// one transaction. ErrLeaseLost when the fence is old, and then nothing was written.
	AppendOutput(ctx context.Context, l Lease, o Output, now int64) error
	// LastOutput is the last piece without its data; nil when there is none.
	LastOutput(ctx context.Context, jobID string) (*Output, error)
	// OutputPiece is the data of a piece; nil where there is none.
	OutputPiece(ctx context.Context, jobID string, seq int64) ([]byte, error)
}

// exportUsers writes the file page by page, from where the last piece ended. The
// pages are no snapshot: who changes meanwhile is there once, as before or after.
func (t *task) exportUsers() error {
	p, err := ReadExportParams(t.job.Params)
	if err != nil {
		return err
	}
	last, err := t.Store.LastOutput(t.ctx, t.job.ID)
	if err != nil {
		return err
	}
	e := &export{task: t, params: p, sheet: user.NewSheet(p.Format, p.Fields), next: Output{}}
	if last != nil {
		e.next = Output{Seq: last.Seq + 1, After: last.After, Users: last.Users, Bytes: last.Bytes}
	}
	for {
		if gone, err := t.sourceGone(); err != nil || gone {
			if gone {
				err = t.finish(Failed, "The connection does not exist.")
			}
			return err
		}
		more, err := e.page()
		if err != nil {
			return err
		}
		if !more {
			return t.finish(Completed, "")
		}
		if err := t.goOn(); err != nil {
			return err
		}
	}
}

// sourceGone reports whether the connection of the export was deleted.
func (t *task) sourceGone() (bool, error) {
	if t.job.ConnectionID == "" {
		return false, nil
	}
	_, err := t.Connections.Connection(t.ctx, t.job.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// export is an export under way.
type export struct {
	*task
	params ExportParams
	sheet  *user.Sheet
	next   Output // where the last piece ended
	text   []byte
	packed bytes.Buffer
	gzip   *gzip.Writer
}

// page writes the next piece, and reports whether there is more to do. The first
// piece is there even when no user is.
func (e *export) page() (more bool, err error) {
	q := ExportQuery{
		ConnectionID: e.job.ConnectionID, After: e.next.After, Limit: e.BatchSize, Bytes: exportBytes, Secrets: e.params.Secrets,
	}
	if e.params.Limit > 0 {
		q.Limit = int(min(int64(q.Limit), e.params.Limit-e.next.Users))
	}
	var rows []user.ExportRow
	if q.Limit > 0 {
		if rows, more, err = e.Store.ExportUsers(e.ctx, q); err != nil {
			return false, err
		}
	}
	if len(rows) == 0 && e.next.Seq > 0 {
		return false, nil
	}
	if err := e.pack(rows); err != nil {
		return false, err
	}
	if err := e.Store.AppendOutput(e.ctx, e.lease, e.next, e.Now().UnixMicro()); err != nil {
		return false, err
	}
	e.job.Cursor = e.next.Users
	e.next.Seq, e.next.Data = e.next.Seq+1, nil
	return more && (e.params.Limit == 0 || e.next.Users < e.params.Limit), nil
}

// pack makes the next piece of the rows.
func (e *export) pack(rows []user.ExportRow) error {
	e.text = e.text[:0]
	if e.next.Seq == 0 {
		e.text = e.sheet.Head(e.text)
	}
	for i := range rows {
		e.text = e.sheet.Append(e.text, &rows[i])
		e.next.After = rows[i].ID
	}
	e.packed.Reset()
	if e.gzip == nil {
		e.gzip = gzip.NewWriter(&e.packed)
	} else {
		e.gzip.Reset(&e.packed)
	}
	if _, err := e.gzip.Write(e.text); err != nil {
		return err
	}
	if err := e.gzip.Close(); err != nil {
		return err
	}
	e.next.Data = e.packed.Bytes()
	e.next.Users += int64(len(rows))
	if e.params.Plain {
		e.next.Bytes += int64(len(e.text))
	} else {
		e.next.Bytes += int64(len(e.next.Data))
	}
	return nil
}
