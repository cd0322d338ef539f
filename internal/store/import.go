package store

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/user"
)

const (
	holdJob = `UPDATE jobs SET updated_at = ?` + held + ` RETURNING failed`
	markJob = `UPDATE jobs SET consumed = ?, failed = failed + ?, updated = updated + ?, inserted = inserted + ?, total = total + ?` + held

	lockUsers     = `UPDATE users SET version = version + 1 WHERE user_id IN `
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
	prepared, err := s.prepareImport(l.JobID, rows)
	if err != nil {
		return job.BatchResult{}, err
	}
	var res job.BatchResult
	for range tries {
		err = s.writeBulk(ctx, func(t tx) error {
			res, err = s.importBatch(t, l, prepared, rows, failed, cursor, now)
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

func (s *Store) importBatch(t tx, l job.Lease, prepared []importRow, rows []job.Row, failed []job.RowError, cursor, now int64) (res job.BatchResult, err error) {
	var before int64
	found, err := one(t, holdJob, args(now, l.JobID, l.Owner, l.Fence), &before)
	if err != nil {
		return res, err
	}
	if !found {
		return res, job.ErrLeaseLost
	}
	b := &batch{s: s, t: t, jobID: l.JobID, rows: prepared, problems: make(map[int]job.Problem)}
	if err := b.run(); err != nil {
		return res, err
	}
	all := slices.Clone(failed)
	for i := range rows {
		if p, ok := b.problems[i]; ok {
			all = append(all, job.RowError{User: rows[i].Supplied, Errors: []job.Problem{p}})
		}
	}
	res = job.BatchResult{Inserted: b.inserted, Updated: b.updated, Failed: int64(len(all))}
	if err := saveRowErrors(t, l.JobID, before, all); err != nil {
		return res, err
	}
	return res, leased(t, l, markJob, cursor, res.Failed, res.Updated, res.Inserted, int64(len(rows)+len(failed)))
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
	id         string
	names      []identifier
	identities [][]any
	upsert     func(*user.User) error
}

func (s *Store) prepareImport(jobID string, rows []job.Row) ([]importRow, error) {
	out := make([]importRow, len(rows))
	for i := range rows {
		u := rows[i].New
		if u == nil || len(u.Identities) == 0 {
			return nil, errors.New("an import row without a user or identity")
		}
		if u.Version == 0 {
			u.Version = 1
		}
		r := importRow{user: s.newUserRow(u, jobID), id: string(u.ID), names: identifiersOf(u), upsert: rows[i].Upsert}
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
	t     tx
	jobID string
	rows  []importRow

	problems          map[int]job.Problem
	inserted, updated int64

	// Who holds what the clashing rows want, and the targets of upserts, locked.
	names   map[identifier]holder
	ids     map[string]holder
	targets map[string]*userRow
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
	for id, row := range b.targets {
		if row.importJob != b.jobID {
			if err := b.t.send(nil, restoreUser, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// insert stores the rows that clash with nobody and returns the others, of
// which it leaves nothing behind.
func (b *batch) insert(rows []int) (clashing []int, err error) {
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

	for _, i := range rows {
		if !clash[i] {
			b.inserted++
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
	return clashing, nil
}

// findHolders asks once for all clashing rows who is in their way.
func (b *batch) findHolders(clashing []int) error {
	b.names, b.ids = make(map[identifier]holder), make(map[string]holder)
	wanted := make(map[identifier][]string) // scope and kind → values
	var groups []identifier
	var ids []string
	for _, i := range clashing {
		ids = append(ids, b.rows[i].id)
		for _, n := range b.rows[i].names {
			g := identifier{scope: n.scope, kind: n.kind}
			if wanted[g] == nil {
				groups = append(groups, g)
			}
			wanted[g] = append(wanted[g], n.value)
		}
	}
	for _, g := range groups {
		marks, values := in(wanted[g])
		err := b.t.query(namesHeld+marks, append(args(g.scope, g.kind), values...), func(r row) error {
			var h holder
			n := g
			err := r.Scan(&n.value, &h.userID, &h.importJob)
			b.names[n] = h
			return err
		})
		if err != nil {
			return err
		}
	}
	marks, values := in(ids)
	return b.t.query(idsHeld+marks, values, func(r row) error {
		var h holder
		err := r.Scan(&h.userID, &h.importJob)
		b.ids[h.userID] = h
		return err
	})
}

// target is the user that row i is to update: the one who has its e-mail.
func (b *batch) target(i int) (id string, ok bool) {
	if b.rows[i].upsert == nil {
		return "", false
	}
	for _, n := range b.rows[i].names {
		if h, held := b.names[n]; held && n.kind == user.ByEmail && h.importJob != b.jobID {
			return h.userID, true
		}
	}
	return "", false
}

// lockTargets locks and reads at once all users that are to be updated.
func (b *batch) lockTargets(clashing []int) error {
	b.targets = make(map[string]*userRow)
	var ids []string
	for _, i := range clashing {
		if id, ok := b.target(i); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids) // nodes that lock the same users do so in one order
	marks, values := in(slices.Compact(ids))
	return b.t.query(lockUsers+marks+returningUser, values, func(r row) error {
		row := &userRow{}
		err := r.Scan(row.dest()...)
		row.version-- // what it was before the lock
		b.targets[row.id] = row
		return err
	})
}

// Texts of reference/users.md §6.4.
const (
	codeDuplicated = "DUPLICATED_USER"
	textExists     = "The user already exist and upsert parameter is false"
)

func duplicated(text string) job.Problem { return job.Problem{Code: codeDuplicated, Message: text} }

// resolve decides about a row that clashed.
func (b *batch) resolve(i int) error {
	row := &b.rows[i]
	for _, n := range row.names {
		h, held := b.names[n]
		switch {
		case !held:
		case h.importJob == b.jobID:
			b.problems[i] = duplicated("A user with this " + n.kind + " was already provided.")
			return nil
		case n.kind == user.ByEmail && row.upsert != nil:
			return b.update(i, h.userID)
		case row.upsert != nil:
			b.problems[i] = duplicated("A user with this " + n.kind + " already exists.")
			return nil
		default:
			b.problems[i] = duplicated(textExists)
			return nil
		}
	}
	if h, held := b.ids[row.id]; held {
		switch {
		case h.importJob == b.jobID:
			b.problems[i] = duplicated("A user with this user_id was already provided.")
		case row.upsert != nil:
			b.problems[i] = duplicated("A user with this user_id already exists.")
		default:
			b.problems[i] = duplicated(textExists)
		}
		return nil
	}
	// Nobody is in the way any more: the row clashed with another of this batch
	// that failed itself, or with an identity that is linked to somebody.
	again, err := b.insert([]int{i})
	if err != nil {
		return err
	}
	if len(again) > 0 {
		b.problems[i] = duplicated("A user with this user_id already exists.")
		return nil
	}
	b.claim(row.names, row.id)
	return nil
}

// claim notes that this import wrote the user, for the rows that follow.
func (b *batch) claim(names []identifier, userID string) {
	for _, n := range names {
		b.names[n] = holder{userID, b.jobID}
	}
	b.ids[userID] = holder{userID, b.jobID}
}

// update runs the row's upsert on the locked user.
func (b *batch) update(i int, userID string) error {
	stored, ok := b.targets[userID]
	if !ok {
		// Deleted since: on the next run the e-mail is free.
		return errAgain
	}
	u, err := b.s.decode(stored)
	if err != nil {
		return err
	}
	old := remember(stored, u)
	err = b.rows[i].upsert(u)
	var refused *errs.Error
	switch {
	case errors.As(err, &refused):
		b.problems[i] = job.Problem{Code: refused.Code, Message: refused.Text}
		return nil
	case err != nil:
		return err
	}
	taken, err := b.takeNames(&old, u)
	if err != nil {
		return err
	}
	if taken != "" {
		b.problems[i] = duplicated("A user with this " + taken + " already exists.")
		return nil
	}
	stored.importJob = b.jobID
	c, err := b.s.difference(old, u, user.Effect{})
	if err != nil {
		return err
	}
	if err := c.save(b.s, b.t, stored.version+1, true); err != nil {
		return err
	}
	b.updated++
	b.claim(identifiersOf(u), userID)
	return nil
}

// takeNames inserts the identifiers that the update adds, and reports the kind
// of one that another user has.
func (b *batch) takeNames(old *before, u *user.User) (taken string, err error) {
	var lines [][]any
	var added []identifier
	for _, n := range identifiersOf(u) {
		if !slices.Contains(old.identifiers, n) {
			added = append(added, n)
			lines = append(lines, []any{n.scope, n.kind, n.value, old.row.id})
		}
	}
	if len(lines) == 0 {
		return "", nil
	}
	done, err := b.t.insertNew(identifiersTable, lines)
	if err != nil {
		return "", err
	}
	if at := slices.Index(done, false); at >= 0 {
		for k, n := range added {
			if done[k] {
				if err := b.t.send(nil, deleteIdentifier, n.scope, n.kind, n.value, old.row.id); err != nil {
					return "", err
				}
			}
		}
		return added[at].kind, nil
	}
	old.identifiers = append(slices.Clone(old.identifiers), added...)
	return "", nil
}
