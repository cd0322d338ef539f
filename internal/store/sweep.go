package store

import (
	"context"
	"errors"

	"mangrove/internal/job"
)

// How long jobs stay (reference/users.md §6.4: jobs and their data vanish after
// 24 h) and how long an upload may be silent, in microseconds.
const (
	jobsStay      = 24 * 3600 * 1_000_000
	uploadSilence = 3600 * 1_000_000
)

// sweepLimit bounds one transaction of the sweep.
const sweepLimit = 500

var sweeps = []string{
	`DELETE FROM codes WHERE code_hash IN (SELECT c.code_hash FROM codes c WHERE c.expires_at <= ? ORDER BY c.expires_at LIMIT ?)`,
	`DELETE FROM opaque_tokens WHERE token_hash IN (SELECT o.token_hash FROM opaque_tokens o WHERE o.expires_at <= ? ORDER BY o.expires_at LIMIT ?)`,
	// A session that was idle too long is found no more; it goes at its absolute end.
	`DELETE FROM sessions WHERE session_hash IN (SELECT s.session_hash FROM sessions s WHERE s.expires_at <= ? ORDER BY s.expires_at LIMIT ?)`,
	`DELETE FROM session_clients WHERE (session_id, client_id) IN
		(SELECT c.session_id, c.client_id FROM session_clients c WHERE c.expires_at <= ? ORDER BY c.expires_at LIMIT ?)`,
	`DELETE FROM login_transactions WHERE transaction_hash IN
		(SELECT l.transaction_hash FROM login_transactions l WHERE l.expires_at <= ? ORDER BY l.expires_at LIMIT ?)`,
	`DELETE FROM pushed_requests WHERE request_hash IN (SELECT p.request_hash FROM pushed_requests p WHERE p.expires_at <= ? ORDER BY p.expires_at LIMIT ?)`,
	`DELETE FROM tickets WHERE ticket_hash IN (SELECT k.ticket_hash FROM tickets k WHERE k.kept_until <= ? ORDER BY k.kept_until LIMIT ?)`,
	`DELETE FROM passwordless_codes WHERE (connection_id, recipient) IN
		(SELECT p.connection_id, p.recipient FROM passwordless_codes p WHERE p.kept_until <= ? ORDER BY p.kept_until LIMIT ?)`,
	`DELETE FROM passwordless_budgets WHERE name IN (SELECT b.name FROM passwordless_budgets b WHERE b.full_at <= ? ORDER BY b.full_at LIMIT ?)`,
	// guard.Memory after the last failure.
	`DELETE FROM login_failures WHERE (subject, address) IN
		(SELECT f.subject, f.address FROM login_failures f WHERE f.last_at <= ? - 2592000000000 ORDER BY f.last_at LIMIT ?)`,
	`DELETE FROM throttles WHERE (bucket, who) IN (SELECT b.bucket, b.who FROM throttles b WHERE b.full_at <= ? ORDER BY b.full_at LIMIT ?)`,
	`DELETE FROM client_assertions WHERE assertion_hash IN
		(SELECT a.assertion_hash FROM client_assertions a WHERE a.expires_at <= ? ORDER BY a.expires_at LIMIT ?)`,
	`DELETE FROM refresh_tokens WHERE token_hash IN (SELECT r.token_hash FROM refresh_tokens r
		WHERE r.kept_until <> 0 AND r.kept_until <= ? ORDER BY r.kept_until LIMIT ?)`,
	`DELETE FROM device_codes WHERE device_hash IN (SELECT d.device_hash FROM device_codes d WHERE d.kept_until <= ? ORDER BY d.kept_until LIMIT ?)`,
	`DELETE FROM approvals WHERE request_hash IN (SELECT a.request_hash FROM approvals a WHERE a.kept_until <= ? ORDER BY a.kept_until LIMIT ?)`,
	`DELETE FROM device_guesses WHERE origin IN (SELECT g.origin FROM device_guesses g WHERE g.ends_at <= ? ORDER BY g.ends_at LIMIT ?)`,
}

const (
	staleUploads = `SELECT job_id FROM jobs WHERE status = 'receiving' AND updated_at <= ? LIMIT 20`
	oldJobs      = `SELECT job_id FROM jobs WHERE status IN ('completed', 'failed') AND updated_at <= ? LIMIT 20`
	leftInput    = `SELECT DISTINCT i.job_id FROM job_input i WHERE NOT EXISTS
		(SELECT 1 FROM jobs j WHERE j.job_id = i.job_id AND j.status IN ('receiving', 'pending', 'processing')) LIMIT 20`
	dropOldJob    = `DELETE FROM jobs WHERE job_id = ? AND status IN ('completed', 'failed')`
	dropJobErrors = `DELETE FROM job_errors WHERE job_id = ? AND n IN (SELECT e.n FROM job_errors e WHERE e.job_id = ? ORDER BY e.n LIMIT ?)`
)

// Sweep deletes what is over: codes, opaque tokens, sessions and login
// transactions that expired by now, what was assigned of roles and permissions
// that are gone, uploads that were given up, and jobs that ended a day ago. It
// works in small transactions that let others go first.
func (s *Store) Sweep(ctx context.Context, now int64) error {
	for _, q := range sweeps {
		if err := s.deleteAll(ctx, q, now, int64(sweepLimit)); err != nil {
			return err
		}
	}
	for _, q := range factorSweeps {
		if err := s.deleteAll(ctx, q, now, int64(sweepLimit)); err != nil {
			return err
		}
	}
	if err := s.sweepWithdrawn(ctx); err != nil {
		return err
	}
	if err := s.sweepMigrations(ctx); err != nil {
		return err
	}
	return s.sweepJobs(ctx, now)
}

// deleteAll repeats a limited delete until it finds nothing. An empty sweep is
// a read for most of the tables most of the time, hence cheap.
func (s *Store) deleteAll(ctx context.Context, q string, a ...any) error {
	for {
		var n int64
		err := s.writeBulk(ctx, func(t tx) (err error) {
			n, err = t.exec(q, append([]any{}, a...)...)
			return err
		})
		if err != nil || n < sweepLimit {
			return err
		}
	}
}

func (s *Store) sweepJobs(ctx context.Context, now int64) error {
	stale, err := s.texts(ctx, staleUploads, now-uploadSilence)
	if err != nil {
		return err
	}
	for _, id := range stale {
		// An upload that came back to life in between is not there to be dropped.
		if err := s.DropJob(ctx, id); err != nil && !errors.Is(err, job.ErrNotFound) {
			return err
		}
	}
	old, err := s.texts(ctx, oldJobs, now-jobsStay)
	if err != nil {
		return err
	}
	for _, id := range old {
		if err := s.deleteAll(ctx, dropJobErrors, id, id, int64(sweepLimit)); err != nil {
			return err
		}
		if err := s.dropOutput(ctx, id); err != nil {
			return err
		}
		if err := s.dropReports(ctx, id); err != nil {
			return err
		}
		if err := s.writeBulk(ctx, func(t tx) error { return t.send(nil, dropOldJob, id) }); err != nil {
			return err
		}
	}
	left, err := s.texts(ctx, leftInput)
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := s.dropInput(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// texts reads one column of text.
func (s *Store) texts(ctx context.Context, q string, a ...any) (list []string, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, a, func(r row) error {
			var v string
			err := r.Scan(&v)
			list = append(list, v)
			return err
		})
	})
	return list, err
}
