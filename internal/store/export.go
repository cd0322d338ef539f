package store

import (
	"context"
	"errors"
	"fmt"

	"mangrove/internal/job"
	"mangrove/internal/user"
)

const (
	exportAll  = `WHERE u.user_id > ? ORDER BY u.user_id LIMIT ?`
	exportFrom = `WHERE u.connection_id = ? AND u.user_id > ? ORDER BY u.user_id LIMIT ?`

	moveCursor   = `UPDATE jobs SET consumed = ?, updated_at = ?` + held
	insertOutput = `INSERT INTO job_output (job_id, seq, after_user, users, file_bytes, piece) VALUES (?, ?, ?, ?, ?, ?)`
	lastOutput   = `SELECT seq, after_user, users, file_bytes FROM job_output WHERE job_id = ? ORDER BY seq DESC LIMIT 1`
	selectOutput = `SELECT piece FROM job_output WHERE job_id = ? AND seq = ?`
	deleteOutput = `DELETE FROM job_output WHERE job_id = ? AND seq IN (SELECT o.seq FROM job_output o WHERE o.job_id = ? ORDER BY o.seq LIMIT 4)`
)

// errFull ends a query whose rows are enough.
var errFull = errors.New("the page is full")

// ExportUsers reads a page of users by id. Without secrets it does not read them.
func (s *Store) ExportUsers(ctx context.Context, q job.ExportQuery) (page []user.ExportRow, more bool, err error) {
	columns, scan := viewColumns, s.exportView
	if q.Secrets {
		columns, scan = userColumns, s.exportWhole
	}
	where, a := exportAll, args(string(q.After), int64(q.Limit)+1)
	if q.ConnectionID != "" {
		where, a = exportFrom, args(q.ConnectionID, string(q.After), int64(q.Limit)+1)
	}
	err = s.read(ctx, func(r reader) error {
		page, more = nil, false
		size := 0
		err := r.query(columns+where, a, func(r row) error {
			if len(page) == q.Limit || size >= q.Bytes {
				more = true
				return errFull
			}
			e, err := scan(r)
			if err != nil {
				return err
			}
			size += len(e.Attributes) + len(e.Identities)
			page = append(page, e)
			return nil
		})
		if errors.Is(err, errFull) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return page, more, nil
}

func (s *Store) exportView(r row) (e user.ExportRow, err error) {
	err = scanView(r, &e.View)
	return e, err
}

func (s *Store) exportWhole(r row) (e user.ExportRow, err error) {
	var u userRow
	if err := r.Scan(u.dest()...); err != nil {
		return e, err
	}
	factors, err := s.open(u.mfa, "users.mfa", u.id)
	if err != nil {
		return e, fmt.Errorf("user %s: %w", u.id, err)
	}
	return user.ExportRow{
		View: user.View{
			ID: user.ID(u.id), Version: u.version, Attributes: u.attributes, Identities: u.identities,
			LastPasswordReset: u.setAt, CreatedAt: u.createdAt, UpdatedAt: u.updatedAt, Logins: u.logins,
		},
		Hash: u.hash, Factors: factors,
	}, nil
}

// AppendOutput is one transaction: the piece and the job's cursor.
func (s *Store) AppendOutput(ctx context.Context, l job.Lease, o job.Output, now int64) error {
	sealed := s.seal(o.Data, "job_output", pieceID(l.JobID, o.Seq))
	return s.writeBulk(ctx, func(t tx) error {
		if err := leased(t, l, moveCursor, o.Users, now); err != nil {
			return err
		}
		return t.send(nil, insertOutput, l.JobID, o.Seq, string(o.After), o.Users, o.Bytes, sealed)
	})
}

// LastOutput is where the file ends so far; nil when nothing was written.
func (s *Store) LastOutput(ctx context.Context, jobID string) (last *job.Output, err error) {
	err = s.read(ctx, func(r reader) error {
		var o job.Output
		found, err := one(r, lastOutput, args(jobID), &o.Seq, (*string)(&o.After), &o.Users, &o.Bytes)
		if last = &o; !found {
			last = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return last, nil
}

// OutputPiece is the data of a piece; nil where there is none.
func (s *Store) OutputPiece(ctx context.Context, jobID string, seq int64) (piece []byte, err error) {
	err = s.read(ctx, func(r reader) error {
		var sealed []byte
		found, err := one(r, selectOutput, args(jobID, seq), &sealed)
		if err != nil || !found {
			return err
		}
		if piece, err = s.open(sealed, "job_output", pieceID(jobID, seq)); err != nil {
			return fmt.Errorf("output of job %s: %w", jobID, err)
		}
		return nil
	})
	return piece, err
}

// dropOutput removes the pieces, few at a time, as dropInput does.
func (s *Store) dropOutput(ctx context.Context, jobID string) error {
	for {
		var n int64
		err := s.writeBulk(ctx, func(t tx) (err error) {
			n, err = t.exec(deleteOutput, jobID, jobID)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}
