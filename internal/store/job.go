package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"mangrove/internal/audit"
	"mangrove/internal/job"
)

var jobsTable = &bulk{
	table: "jobs",
	cols: []column{
		{"job_id", text}, {"type", text}, {"status", text}, {"connection_id", text}, {"connection", text}, {"params", blob},
		{"failed", number}, {"updated", number}, {"inserted", number}, {"total", number}, {"status_details", text},
		{"consumed", number}, {"input_bytes", number}, {"created_at", number}, {"updated_at", number}, {"actor_client_id", text},
		{"owner", text}, {"fence", number}, {"lease_until", number}, {"started_at", number}, {"canceled_at", number},
	},
}

var insertJob = jobsTable.insert()

var jobColumns = jobsTable.names()

var (
	selectJob = `SELECT ` + jobColumns + ` FROM jobs WHERE job_id = ?`
	// openJob: nobody works on it. The second argument empty: of any type.
	openJob = `j.status IN ('pending', 'processing') AND j.lease_until <= ? AND (? = '' OR j.type IN (?, ?, ?, ?))`
	// claimJob asks again what the subquery asked: when two nodes chose the same
	// job, the second finds it taken.
	claimJob = `UPDATE jobs SET owner = ?, fence = fence + 1, lease_until = ?, status = 'processing', updated_at = ?,
		started_at = CASE WHEN started_at = 0 THEN ? ELSE started_at END
		WHERE job_id = (SELECT j.job_id FROM jobs j WHERE ` + openJob + ` ORDER BY j.created_at, j.job_id LIMIT 1)
		AND status IN ('pending', 'processing') AND lease_until <= ? RETURNING ` + jobColumns
	anyJob = `SELECT j.job_id FROM jobs j WHERE ` + openJob + ` LIMIT 1`
)

const (
	// held is the condition that a lease still stands.
	held        = ` WHERE job_id = ? AND owner = ? AND fence = ? AND status = 'processing'`
	extendLease = `UPDATE jobs SET lease_until = ?` + held
	releaseJob  = `UPDATE jobs SET lease_until = 0, owner = ''` + held
	finishJob   = `UPDATE jobs SET status = ?, status_details = ?, updated_at = ?, lease_until = 0, owner = ''` + held

	touchJob   = `UPDATE jobs SET updated_at = ? WHERE job_id = ? AND status = 'receiving'`
	publishJob = `UPDATE jobs SET status = 'pending', connection_id = ?, connection = ?, params = ?, input_bytes = ?, updated_at = ?
		WHERE job_id = ? AND status = 'receiving'`
	// oneByOne lets those who publish with a limit pass one at a time, so that
	// each counts what the others have published.
	oneByOne   = `INSERT INTO meta (name, value) VALUES ('publishing', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	activeJobs = `SELECT COUNT(*) FROM (SELECT j.job_id FROM jobs j WHERE j.status IN ('pending', 'processing') AND j.type = ? LIMIT ?) AS active`

	cancelPending = `UPDATE jobs SET status = 'failed', status_details = ?, canceled_at = ?, updated_at = ? WHERE job_id = ? AND status = 'pending'`
	cancelWork    = `UPDATE jobs SET canceled_at = ? WHERE job_id = ? AND status = 'processing' AND canceled_at = 0`

	insertPiece  = `INSERT INTO job_input (job_id, seq, piece) VALUES (?, ?, ?)`
	selectPiece  = `SELECT piece FROM job_input WHERE job_id = ? AND seq = ?`
	deletePieces = `DELETE FROM job_input WHERE job_id = ? AND seq IN (SELECT i.seq FROM job_input i WHERE i.job_id = ? ORDER BY i.seq LIMIT 4)`
	dropJob      = `DELETE FROM jobs WHERE job_id = ? AND status = 'receiving'`
	selectErrors = `SELECT supplied, problems FROM job_errors WHERE job_id = ? AND n > ? ORDER BY n LIMIT ?`
)

func jobRow(j *job.Job) []any {
	return []any{
		j.ID, j.Type, j.Status, j.ConnectionID, j.Connection, []byte(j.Params),
		j.Summary.Failed, j.Summary.Updated, j.Summary.Inserted, j.Summary.Total, j.StatusDetails,
		j.Cursor, j.InputBytes, j.CreatedAt, j.UpdatedAt, j.ActorClientID, "", int64(0), int64(0), j.StartedAt, j.CanceledAt,
	}
}

func readJob(r reader, q string, a ...any) (*job.Job, *job.Lease, error) {
	var j job.Job
	var l job.Lease
	var until int64
	found, err := one(r, q, a, &j.ID, &j.Type, &j.Status, &j.ConnectionID, &j.Connection, (*[]byte)(&j.Params),
		&j.Summary.Failed, &j.Summary.Updated, &j.Summary.Inserted, &j.Summary.Total, &j.StatusDetails,
		&j.Cursor, &j.InputBytes, &j.CreatedAt, &j.UpdatedAt, &j.ActorClientID, &l.Owner, &l.Fence, &until,
		&j.StartedAt, &j.CanceledAt)
	if err != nil || !found {
		return nil, nil, err
	}
	j.Params = value(j.Params)
	l.JobID = j.ID
	return &j, &l, nil
}

// CreateJob inserts it.
func (s *Store) CreateJob(ctx context.Context, j *job.Job, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := t.send(nil, insertJob, jobRow(j)...); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// Job finds by id, whatever its status.
func (s *Store) Job(ctx context.Context, id string) (j *job.Job, err error) {
	err = s.read(ctx, func(r reader) error {
		j, _, err = readJob(r, selectJob, id)
		if err == nil && j == nil {
			return job.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return j, nil
}

func pieceID(jobID string, seq int64) string { return jobID + "/" + strconv.FormatInt(seq, 10) }

// AppendInput keeps a piece of the file, sealed: it may hold secrets that the
// users of the import will have sealed.
func (s *Store) AppendInput(ctx context.Context, jobID string, seq int64, piece []byte) error {
	sealed := s.seal(piece, "job_input", pieceID(jobID, seq))
	return s.writeBulk(ctx, func(t tx) error {
		n, err := t.exec(touchJob, s.micros(), jobID)
		if err != nil {
			return err
		}
		if n == 0 {
			return job.ErrNotFound
		}
		return t.send(nil, insertPiece, jobID, seq, sealed)
	})
}

// InputPiece reads a piece; nil where there is none.
func (s *Store) InputPiece(ctx context.Context, jobID string, seq int64) (piece []byte, err error) {
	err = s.read(ctx, func(r reader) error {
		var sealed []byte
		found, err := one(r, selectPiece, args(jobID, seq), &sealed)
		if err != nil || !found {
			return err
		}
		if piece, err = s.open(sealed, "job_input", pieceID(jobID, seq)); err != nil {
			return fmt.Errorf("input of job %s: %w", jobID, err)
		}
		if piece == nil {
			piece = []byte{}
		}
		return nil
	})
	return piece, err
}

// Publish makes a received job pending.
func (s *Store) Publish(ctx context.Context, j *job.Job, limit int64, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if limit > 0 {
			if err := t.send(nil, oneByOne, []byte(j.ID)); err != nil {
				return err
			}
			var active int64
			if _, err := one(t, activeJobs, args(j.Type, limit), &active); err != nil {
				return err
			}
			if active >= limit {
				return job.ErrTooMany(active)
			}
		}
		n, err := t.exec(publishJob, j.ConnectionID, j.Connection, []byte(j.Params), j.InputBytes, s.micros(), j.ID)
		if err == nil && n == 0 {
			err = job.ErrNotFound
		}
		if err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// Cancel ends a job that nobody works on, and marks one that a runner has.
func (s *Store) Cancel(ctx context.Context, jobID string, now int64, e audit.Event) (j *job.Job, err error) {
	err = s.write(ctx, func(t tx) error {
		ended, err := t.exec(cancelPending, job.CanceledDetails, now, now, jobID)
		if err != nil {
			return err
		}
		marked := int64(0)
		if ended == 0 {
			if marked, err = t.exec(cancelWork, now, jobID); err != nil {
				return err
			}
		}
		if j, _, err = readJob(t, selectJob, jobID); err != nil {
			return err
		}
		switch {
		case j == nil:
			return job.ErrNotFound
		case ended+marked > 0:
			return s.record(t, e)
		case j.CanceledAt == 0, j.Status == job.Completed:
			return job.ErrFinished
		}
		return errUnchanged
	})
	switch {
	case errors.Is(err, errUnchanged):
		return j, nil
	case err != nil:
		return nil, err
	}
	if j.Status == job.Failed {
		s.tidy(ctx, jobID)
	}
	return j, nil
}

// tidy drops what a job needs only until its end; what a crash leaves of it
// Sweep finds.
func (s *Store) tidy(ctx context.Context, jobID string) {
	err := s.dropInput(ctx, jobID)
	if err == nil {
		err = s.deleteAll(ctx, dropSeen, jobID, jobID, int64(sweepLimit))
	}
	if err != nil {
		s.log.Warn("input of a finished job is left to the sweep", "job", jobID, "error", err)
	}
}

// DropJob removes a job whose input never became complete.
func (s *Store) DropJob(ctx context.Context, jobID string) error {
	err := s.write(ctx, func(t tx) error {
		n, err := t.exec(dropJob, jobID)
		if err == nil && n == 0 {
			return job.ErrNotFound
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.dropInput(ctx, jobID)
}

// dropInput removes the pieces, few at a time: SQLite visits every page that it
// frees, and others want to write in between.
func (s *Store) dropInput(ctx context.Context, jobID string) error {
	for {
		var n int64
		err := s.writeBulk(ctx, func(t tx) (err error) {
			n, err = t.exec(deletePieces, jobID, jobID)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// Claim leases the oldest job that nobody works on.
func (s *Store) Claim(ctx context.Context, owner string, now, until int64, types ...string) (j *job.Job, l *job.Lease, err error) {
	open := args(now, "", "", "", "", "")
	for i, t := range types {
		if i == 0 {
			open[1] = t
		}
		open[2+i] = t
	}
	// Idle nodes ask all the time: that must not be a write.
	var found bool
	err = s.read(ctx, func(r reader) error {
		var id string
		found, err = one(r, anyJob, open, &id)
		return err
	})
	if err != nil || !found {
		return nil, nil, err
	}
	for range tries { // another node may take the one that we choose
		err = s.write(ctx, func(t tx) error {
			if j, l, err = readJob(t, claimJob, append(append(args(owner, until, now, now), open...), now)...); err != nil {
				return err
			}
			if j == nil {
				var id string
				if more, err := one(t, anyJob, open, &id); err != nil {
					return err
				} else if more {
					return errAgain
				}
				return errUnchanged
			}
			return nil
		})
		if !errors.Is(err, errAgain) {
			break
		}
	}
	switch {
	case errors.Is(err, errUnchanged), errors.Is(err, errAgain):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return j, l, nil
}

// leased runs an update of a job that must still be l's.
func leased(t tx, l job.Lease, q string, a ...any) error {
	n, err := t.exec(q, append(a, l.JobID, l.Owner, l.Fence)...)
	if err == nil && n == 0 {
		return job.ErrLeaseLost
	}
	return err
}

// Extend moves the end of the lease.
func (s *Store) Extend(ctx context.Context, l job.Lease, until int64) error {
	return s.write(ctx, func(t tx) error { return leased(t, l, extendLease, until) })
}

// Release gives the job back.
func (s *Store) Release(ctx context.Context, l job.Lease) error {
	return s.write(ctx, func(t tx) error { return leased(t, l, releaseJob) })
}

// Finish ends the job. Its input goes afterwards, piece by piece.
func (s *Store) Finish(ctx context.Context, l job.Lease, status, details string, now int64, e ...audit.Event) error {
	err := s.write(ctx, func(t tx) error {
		if err := leased(t, l, finishJob, status, details, now); err != nil {
			return err
		}
		return s.record(t, e...)
	})
	if err != nil {
		return err
	}
	s.tidy(ctx, l.JobID)
	return nil
}

// RowErrors reads errors by number, from 1.
func (s *Store) RowErrors(ctx context.Context, jobID string, after int64, limit int) (list []job.RowError, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(selectErrors, args(jobID, after, int64(limit)), func(r row) error {
			var e job.RowError
			var problems []byte
			if err := r.Scan((*[]byte)(&e.User), &problems); err != nil {
				return err
			}
			if err := json.Unmarshal(problems, &e.Errors); err != nil {
				return err
			}
			e.User = value(e.User)
			list = append(list, e)
			return nil
		})
	})
	return list, err
}

// DeleteUsersOf deletes up to limit users of a connection, and the connection
// when none is left and it was to be deleted.
func (s *Store) DeleteUsersOf(ctx context.Context, connectionID string, limit int) (n int, err error) {
	defer s.cache.connections.drop()
	err = s.writeBulk(ctx, func(t tx) error {
		var ids []string
		err := t.query(`SELECT user_id FROM users WHERE connection_id = ? ORDER BY user_id LIMIT ?`, args(connectionID, int64(limit)), func(r row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
		if n, err = s.deleteUsers(t, ids); err != nil {
			return err
		}
		if len(ids) < limit {
			return t.send(nil, dropConnection, connectionID)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
