package store

import (
	"context"
	"errors"
	"slices"

	"mangrove/internal/job"
	"mangrove/internal/user"
)

const (
	holdUpdate  = `UPDATE jobs SET updated_at = ?` + held + ` RETURNING failed, total`
	selectUsers = userColumns + `WHERE u.user_id IN `
)

// UpdateBatch is one transaction: changes, errors, outcomes, counts and cursor.
func (s *Store) UpdateBatch(ctx context.Context, l job.Lease, rows []job.Change, cursor, now int64) (res job.BatchResult, err error) {
	err = s.writeBulk(ctx, func(t tx) error {
		res, err = s.updateBatch(t, l, rows, cursor, now)
		return err
	})
	if err != nil {
		return job.BatchResult{}, err
	}
	return res, nil
}

func (s *Store) updateBatch(t tx, l job.Lease, rows []job.Change, cursor, now int64) (res job.BatchResult, err error) {
	var before, total int64
	found, err := one(t, holdUpdate, args(now, l.JobID, l.Owner, l.Fence), &before, &total)
	if err != nil {
		return res, err
	}
	if !found {
		return res, job.ErrLeaseLost
	}
	u := &updates{s: s, t: t, stored: make(map[string]*userRow), written: make(map[string]bool)}
	if !s.eng.dialect().oneWriter {
		u.bump = 1
	}
	if err := u.lock(rows); err != nil {
		return res, err
	}
	var failed []job.RowError
	outcomes := make([]job.Outcome, len(rows))
	for i := range rows {
		row := &rows[i]
		o := job.Outcome{Row: row.Number, UserID: string(row.UserID)}
		problems := row.Problems
		if len(problems) == 0 {
			if o.Outcome, problems, err = u.apply(row); err != nil {
				return res, err
			}
		}
		if len(problems) > 0 {
			o = job.Outcome{Row: row.Number, Outcome: job.RowFailed, Errors: problems}
			failed = append(failed, job.RowError{Number: row.Number, User: row.Supplied, Errors: problems})
		} else {
			res.Updated++
		}
		outcomes[i] = o
	}
	if err := u.restore(); err != nil {
		return res, err
	}
	if err := s.index(t, &u.postings); err != nil {
		return res, err
	}
	res.Failed = int64(len(failed))
	if err := saveRowErrors(t, l.JobID, before, failed); err != nil {
		return res, err
	}
	if err := s.saveOutcomes(t, l.JobID, total+1, outcomes); err != nil {
		return res, err
	}
	return res, leased(t, l, markJob, cursor, res.Failed, res.Updated, int64(0), int64(len(rows)))
}

// updates is the work of one UpdateBatch within its transaction.
type updates struct {
	s *Store
	t tx
	// bump is what a lock adds to a version: nothing where there is one writer,
	// who need not lock (see UpdateUser).
	bump    int64
	stored  map[string]*userRow // as read, with the version before the lock
	written map[string]bool     // changed by a row of this batch, and not in stored
	// postings is what all changes make of the search index, written at the end:
	// transactions write it in one order.
	postings postings
}

// lock reads at once all users who are to be changed.
func (u *updates) lock(rows []job.Change) error {
	var ids []string
	for i := range rows {
		if len(rows[i].Problems) == 0 {
			ids = append(ids, string(rows[i].UserID))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids) // nodes that lock the same users do so in one order
	return u.read(slices.Compact(ids))
}

func (u *updates) read(ids []string) error {
	marks, values := in(ids)
	q := lockUsers + marks + returningUser
	if u.bump == 0 {
		q = selectUsers + marks
	}
	return u.t.query(q, values, func(r row) error {
		row := &userRow{}
		err := r.Scan(row.dest()...)
		row.version -= u.bump
		u.stored[row.id] = row
		return err
	})
}

// apply runs one change and saves it, or says why it was refused and leaves the
// user as it was.
func (u *updates) apply(c *job.Change) (outcome string, problems []job.Problem, err error) {
	id := string(c.UserID)
	if u.written[id] {
		delete(u.written, id)
		if err := u.read([]string{id}); err != nil {
			return "", nil, err
		}
	}
	stored := u.stored[id]
	if stored == nil {
		return refusal(user.ErrNotFound)
	}
	change, err := u.s.change(stored, c.Apply)
	if errors.Is(err, errUnchanged) {
		return job.RowUnchanged, nil, nil
	}
	if err != nil {
		return refusal(err)
	}
	switch taken, err := u.takeNames(change); {
	case err != nil:
		return "", nil, err
	case taken != nil:
		return refusal(taken)
	}
	u.postings.then(&change.postings)
	change.postings = postings{}
	if err := change.save(u.s, u.t, stored.version+u.bump, true); err != nil {
		return "", nil, err
	}
	delete(u.stored, id)
	u.written[id] = true
	return job.RowUpdated, nil, nil
}

// then adds a later change: who came before and goes now is gone.
func (p *postings) then(next *postings) {
	for at, bits := range next.gone {
		if left := p.come[at] &^ bits; left != 0 {
			p.come[at] = left
		} else {
			delete(p.come, at)
		}
		if p.gone == nil {
			p.gone = make(map[posting]uint64)
		}
		p.gone[at] |= bits
	}
	for at, bits := range next.come {
		if p.come == nil {
			p.come = make(map[posting]uint64)
		}
		p.come[at] |= bits
	}
}

// refusal is the problems of a row; an error that is none of a row's is returned.
func refusal(err error) (outcome string, list []job.Problem, _ error) {
	for _, p := range user.PatchProblems(err) {
		list = append(list, job.Problem(p))
	}
	if len(list) == 0 {
		return "", nil, err
	}
	return "", list, nil
}

// takeNames inserts the sign-in names that the change adds, so that saving it
// cannot fail; taken says that another user has one of them.
func (u *updates) takeNames(c *change) (taken, err error) {
	if len(c.new) == 0 {
		return nil, nil
	}
	lines := make([][]any, len(c.new))
	for k, n := range c.new {
		lines[k] = []any{n.scope, n.kind, n.value, c.id}
	}
	done, err := u.t.insertNew(identifiersTable, lines)
	if err != nil {
		return nil, err
	}
	at := slices.Index(done, false)
	if at < 0 {
		c.new = nil
		return nil, nil
	}
	for k, n := range c.new {
		if done[k] {
			if err := u.t.send(nil, deleteIdentifier, n.scope, n.kind, n.value, c.id); err != nil {
				return nil, err
			}
		}
	}
	return c.new[at].taken(), nil
}

// restore undoes the locks of those who stay as they were.
func (u *updates) restore() error {
	if u.bump == 0 {
		return nil
	}
	for id := range u.stored {
		if err := u.t.send(nil, restoreUser, id); err != nil {
			return err
		}
	}
	return nil
}
