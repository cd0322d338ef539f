package job

import (
	"context"
	"fmt"
	"io"

	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

// input reads the file of a job from its pieces.
type input struct {
	ctx   context.Context
	store Store
	job   *Job
	at    int64 // of the next byte
	piece []byte
	seq   int64
	size  int64 // of every piece but the last
	first []byte
}

// openInput reads the first piece, which tells how long the pieces are.
func openInput(ctx context.Context, s Store, j *Job) (*input, error) {
	first, err := s.InputPiece(ctx, j.ID, 0)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 && j.InputBytes > 0 {
		return nil, fmt.Errorf("input of job %s: %w", j.ID, io.ErrUnexpectedEOF)
	}
	return &input{ctx: ctx, store: s, job: j, first: first, size: int64(len(first))}, nil
}

// rows begins behind the job's cursor.
func (in *input) rows() (*strictjson.Rows, error) {
	cursor, done := in.job.Cursor, in.job.Summary.Total
	if cursor == 0 {
		return strictjson.NewRows(in), nil
	}
	if format := strictjson.Sniff(in.first); format != 0 {
		in.seek(cursor)
		return strictjson.ResumeRows(in, format, cursor, done), nil
	}
	// The first piece is nothing but blanks: find the place again from the start.
	rows := strictjson.NewRows(in)
	for {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		if row.End >= cursor {
			return rows, nil
		}
	}
}

// errNoRows is a file of no format that an import knows.
var errNoRows = &strictjson.FileError{Row: 1, Text: "Expected a JSON array, one JSON object per line, or CSV with a header,"}

// records begins behind the job's cursor of a CSV file. A file that does not
// call itself CSV is taken for it when its header has a name of ours.
func (in *input) records(named bool) (*strictjson.Rows, *user.Columns, error) {
	rows := strictjson.NewRecords(in)
	header, err := rows.Next()
	if err != nil {
		return nil, nil, err
	}
	columns, err := user.ParseColumns(header.Text, rows.Comma())
	switch {
	case err != nil && !named, err == nil && !named && !columns.Known():
		return nil, nil, errNoRows
	case err != nil:
		return nil, nil, &strictjson.FileError{Row: 1, Text: "The header is not usable: " + err.Error() + ","}
	case !columns.Known():
		return nil, nil, &strictjson.FileError{Row: 1, Text: "The header names no property of a user,"}
	}
	if cursor := in.job.Cursor; cursor > 0 {
		in.seek(cursor)
		rows = strictjson.ResumeRecords(in, rows.Comma(), cursor, in.job.Summary.Total)
	}
	return rows, columns, nil
}

func (in *input) seek(offset int64) { in.at, in.piece, in.seq = offset, nil, offset/in.size }

// Read is io.Reader. A file that is shorter than it was is io.ErrUnexpectedEOF.
func (in *input) Read(p []byte) (int, error) {
	if in.at >= in.job.InputBytes {
		return 0, io.EOF
	}
	if in.piece == nil {
		piece := in.first
		if in.seq > 0 {
			var err error
			if piece, err = in.store.InputPiece(in.ctx, in.job.ID, in.seq); err != nil {
				return 0, err
			}
		}
		skip := in.at - in.seq*in.size
		if skip >= int64(len(piece)) {
			return 0, fmt.Errorf("input of job %s, piece %d: %w", in.job.ID, in.seq, io.ErrUnexpectedEOF)
		}
		in.piece = piece[skip:]
	}
	n := copy(p, in.piece)
	in.at += int64(n)
	if in.piece = in.piece[n:]; len(in.piece) == 0 {
		in.piece, in.seq = nil, in.seq+1
	}
	return n, nil
}
