package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"mangrove/internal/job"
	"mangrove/internal/user"
)

const (
	// holdImport tells the connection, too, which holdConnection keeps from being
	// deleted before the batch is there to be removed with it.
	holdImport     = `UPDATE jobs SET updated_at = ?` + held + ` RETURNING failed, total, connection_id`
	holdConnection = `UPDATE connections SET updated_at = updated_at WHERE connection_id = ? AND deleted_at = 0`
	markJob        = `UPDATE jobs SET consumed = ?, failed = failed + ?, updated = updated + ?, inserted = inserted + ?, total = total + ?` + held

	lockUsers     = `UPDATE users SET version = version + 1 WHERE user_id IN `
	markUser      = `UPDATE users SET import_job = ? WHERE user_id = ?`
	deleteUserRow = `DELETE FROM users WHERE user_id = ?`
	namesHeld     = `SELECT i.value, i.user_id, u.import_job FROM user_identifiers i, users u
		WHERE u.user_id = i.user_id AND i.scope = ? AND i.kind = ? AND i.value IN `
	idsHeld = `SELECT user_id, import_job FROM users WHERE user_id IN `
)

var jobErrorsTable = &bulk{
	table: "job_errors",
	cols:  []column{{"job_id", text}, {"n", number}, {"supplied", blob}, {"problems", blob}},
	key:   []string{"job_id", "n"},
}

// ImportBatch is one transaction: rows, errors, counts and cursor.
//
// Rows that clash with nobody are inserted in bulk, table by table. Those that
// do are then looked at one by one, in their order: they update the user who has
// their e-mail, or fail. A user remembers which import wrote it last
// (users.import_job), so that a row which comes twice in a file is told from one
// whose user was there before, in whichever batch the first one was.
func (s *Store) ImportBatch(ctx context.Context, l job.Lease, j *job.Job, rows []job.Row, failed []job.RowError,
	cursor, now int64) (job.BatchResult, error) {
	prepared, err := s.prepareImport(ctx, l.JobID, rows)
	if err != nil {
		return job.BatchResult{}, err
	}
	var res job.BatchResult
	for range tries {
		err = s.writeBulk(ctx, func(t tx) error {
			h, err := s.holdImport(t, l, now)
			if err != nil {
				return err
			}
			b := s.newBatch(l.JobID, prepared)
			b.t, b.r = t, t
			if err := b.run(); err != nil {
				return err
			}
			if err := s.index(t, &b.postings); err != nil {
				return err
			}
			res, err = s.keep(t, l, h, b, rows, failed, cursor)
			return err
		})
		if !errors.Is(err, errAgain) {
			break
		}
	}
	if errors.Is(err, errAgain) {
		err = errDown.Because(err)
	}
	if err != nil {
		return job.BatchResult{}, err
	}
	return res, nil
}

// heldImport is what a batch needs to know of its job.
type heldImport struct{ failed, total int64 }

// holdImport makes sure that the job is the lease's and has its connection
// still. Both stay so until the transaction ends.
func (s *Store) holdImport(t tx, l job.Lease, now int64) (h heldImport, err error) {
	var connectionID string
	found, err := one(t, holdImport, args(now, l.JobID, l.Owner, l.Fence), &h.failed, &h.total, &connectionID)
	if err != nil {
		return h, err
	}
	if !found {
		return h, job.ErrLeaseLost
	}
	n, err := t.exec(holdConnection, connectionID)
	if err == nil && n == 0 {
		err = job.ErrNoConnection
	}
	return h, err
}

// keep stores what came of a batch: errors, outcomes, counts and cursor.
func (s *Store) keep(t tx, l job.Lease, h heldImport, b *batch, rows []job.Row, failed []job.RowError, cursor int64) (res job.BatchResult, err error) {
	all := slices.Clone(failed)
	outcomes := make([]job.Outcome, 0, len(rows)+len(failed))
	for i := range rows {
		o := b.outcomes[i]
		o.Row = rows[i].Number
		if p, ok := b.problems[i]; ok {
			all = append(all, job.RowError{Number: o.Row, User: rows[i].Supplied, Errors: []job.Problem{p}})
			continue
		}
		outcomes = append(outcomes, o)
	}
	slices.SortStableFunc(all, func(a, b job.RowError) int { return cmp.Compare(a.Number, b.Number) })
	for _, e := range all {
		outcomes = append(outcomes, job.Outcome{Row: e.Number, Outcome: job.RowFailed, Errors: e.Errors})
	}
	res = job.BatchResult{Inserted: b.inserted, Updated: b.updated, Failed: int64(len(all))}
	if err := saveRowErrors(t, l.JobID, h.failed, all); err != nil {
		return res, err
	}
	if err := s.saveOutcomes(t, l.JobID, h.total+1, outcomes); err != nil {
		return res, err
	}
	return res, leased(t, l, markJob, cursor, res.Failed, res.Updated, res.Inserted, int64(len(outcomes)))
}

func saveRowErrors(t tx, jobID string, before int64, list []job.RowError) error {
	rows := make([][]any, len(list))
	for i, e := range list {
		problems, err := json.Marshal(e.Errors)
		if err != nil {
			return err
		}
		rows[i] = []any{jobID, before + int64(i) + 1, []byte(e.User), problems}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := t.insertNew(jobErrorsTable, rows)
	return err
}

// importRow is a row encoded outside the transaction.
type importRow struct {
	user       []any
	activity   []any
	num        int64
	terms      []user.Term
	id         string
	names      []identifier
	identities [][]any
	upsert     func(*user.User) (user.Effect, error)
}

func (s *Store) prepareImport(ctx context.Context, jobID string, rows []job.Row) ([]importRow, error) {
	out := make([]importRow, len(rows))
	nums, err := s.take(ctx, len(rows))
	if err != nil {
		return nil, s.failure(err)
	}
	for i := range rows {
		u := rows[i].New
		if u == nil || len(u.Identities) == 0 {
			return nil, errors.New("an import row without a user or identity")
		}
		if u.Version == 0 {
			u.Version = 1
		}
		num := nums[i]
		r := importRow{user: s.newUserRow(u, num, jobID), activity: activityRow(u, num), num: num, terms: user.Terms(u), id: string(u.ID), names: identifiersOf(u), upsert: rows[i].Upsert}
		for k := range u.Identities {
			r.identities = append(r.identities, s.identityRow(u, &u.Identities[k]))
		}
		out[i] = r
	}
	return out, nil
}

// batch is the work of one ImportBatch within its transaction.
type batch struct {
	s     *Store
	t     tx     // nil in a dry run
	r     reader // t, or whatever a dry run reads from
	jobID string
	rows  []importRow

	problems          map[int]job.Problem
	outcomes          []job.Outcome // of the rows that have no problem
	inserted, updated int64

	// Who holds what the clashing rows want, and the targets of upserts, locked.
	names   map[identifier]holder
	ids     map[string]holder
	targets map[string]*userRow
	saved   map[string]bool

	// postings is what all rows make of the search index, written at the end:
	// transactions write it in one order.
	postings postings

	// paper is set in a dry run: nothing goes to the tables of users.
	paper *paper
}

func (s *Store) newBatch(jobID string, rows []importRow) *batch {
	return &batch{
		s: s, jobID: jobID, rows: rows,
		problems: make(map[int]job.Problem), outcomes: make([]job.Outcome, len(rows)), saved: make(map[string]bool),
	}
}

// holder is who has an identifier or a user id, and which import wrote it last.
type holder struct{ userID, importJob string }

func (b *batch) run() error {
	all := make([]int, len(b.rows))
	for i := range all {
		all[i] = i
	}
	clashing, err := b.insert(all)
	if err != nil || len(clashing) == 0 {
		return err
	}
	if err := b.findHolders(clashing); err != nil {
		return err
	}
	if err := b.lockTargets(clashing); err != nil {
		return err
	}
	for _, i := range clashing {
		if err := b.resolve(i); err != nil {
			return err
		}
	}
	// Users who were locked for an update that was refused stay as they were.
	for id := range b.targets {
		if !b.saved[id] {
			if err := b.t.send(nil, restoreUser, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// done notes what became of a row.
func (b *batch) done(i int, outcome, userID string) {
	b.outcomes[i] = job.Outcome{Outcome: outcome, UserID: userID}
	if outcome == job.RowInserted {
		b.inserted++
	} else {
		b.updated++
	}
}

// insert stores the rows that clash with nobody and returns the others, of
// which it leaves nothing behind.
func (b *batch) insert(rows []int) (clashing []int, err error) {
	if b.paper != nil {
		return b.insertOnPaper(rows), nil
	}
	clash := make(map[int]bool)
	stored := make(map[int][]identifier) // by row, to be undone

	var lines [][]any
	var of []int
	for _, i := range rows {
		for _, n := range b.rows[i].names {
			lines, of = append(lines, []any{n.scope, n.kind, n.value, b.rows[i].id}), append(of, i)
		}
	}
	done, err := b.t.insertNew(identifiersTable, lines)
	if err != nil {
		return nil, err
	}
	for k, ok := range done {
		if i := of[k]; ok {
			stored[i] = append(stored[i], identifier{lines[k][0].(string), lines[k][1].(string), lines[k][2].(string)})
		} else {
			clash[i] = true
		}
	}

	lines, of = nil, nil
	for _, i := range rows {
		if !clash[i] {
			lines, of = append(lines, b.rows[i].user), append(of, i)
		}
	}
	if done, err = b.t.insertNew(usersTable, lines); err != nil {
		return nil, err
	}
	users := make(map[int]bool)
	for k, ok := range done {
		users[of[k]], clash[of[k]] = ok, !ok
	}

	lines, of = nil, nil
	for _, i := range rows {
		if users[i] {
			for _, id := range b.rows[i].identities {
				lines, of = append(lines, id), append(of, i)
			}
		}
	}
	if done, err = b.t.insertNew(identitiesTable, lines); err != nil {
		return nil, err
	}
	for k, ok := range done {
		clash[of[k]] = clash[of[k]] || !ok
	}
	for k, ok := range done {
		if ok && clash[of[k]] {
			if err := b.t.send(nil, deleteIdentity, lines[k][0], lines[k][1], lines[k][2]); err != nil {
				return nil, err
			}
		}
	}

	lines = nil
	for _, i := range rows {
		if !clash[i] {
			b.done(i, job.RowInserted, b.rows[i].id)
			lines = append(lines, b.rows[i].activity)
			b.postings.add(b.rows[i].num, b.rows[i].terms)
			continue
		}
		clashing = append(clashing, i)
		for _, n := range stored[i] {
			if err := b.t.send(nil, deleteIdentifier, n.scope, n.kind, n.value, b.rows[i].id); err != nil {
				return nil, err
			}
		}
		if users[i] {
			if err := b.t.send(nil, deleteUserRow, b.rows[i].id); err != nil {
				return nil, err
			}
		}
	}
	if len(lines) > 0 {
		if _, err := b.t.insertNew(activityTable, lines); err != nil {
			return nil, err
		}
	}
	return clashing, nil
}
