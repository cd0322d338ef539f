package store

import (
	"context"
	"errors"

	"mangrove/internal/job"
)

const (
	seenBefore = `SELECT value, user_id FROM job_seen WHERE job_id = ? AND scope = ? AND kind = ? AND value IN `
	seenAgain  = `UPDATE job_seen SET user_id = ? WHERE job_id = ? AND scope = ? AND kind = ? AND value = ?`
	dropSeen   = `DELETE FROM job_seen WHERE job_id = ? AND (scope, kind, value) IN
		(SELECT s.scope, s.kind, s.value FROM job_seen s WHERE s.job_id = ? ORDER BY s.scope, s.kind, s.value LIMIT ?)`
	linkedSubjects = `SELECT subject FROM identities WHERE connection_id = ? AND subject IN `
)

var seenTable = &bulk{
	table: "job_seen",
	cols:  []column{{"job_id", text}, {"scope", text}, {"kind", text}, {"value", text}, {"user_id", text}},
	key:   []string{"job_id", "scope", "kind", "value"},
}

// paper is what a dry run has instead of the tables of users: what its rows
// would have taken, and given back. It goes to a table of its own for the
// batches that follow.
type paper struct {
	seen   map[identifier]string // who would have it; empty: nobody any more
	linked map[string]bool       // subjects that are somebody's identity already
}

// see notes who would have a name; without paper it does nothing.
func (p *paper) see(n identifier, userID string) {
	if p != nil {
		p.seen[n] = userID
	}
}

// seenID is a user id among the names.
func seenID(userID string) identifier { return identifier{kind: "user_id", value: userID} }

// CheckBatch decides about the rows exactly as ImportBatch, by the same code, on
// what the tables hold and what earlier rows of the file would have changed.
// Only the report, the cursor and the notes on paper are written.
func (s *Store) CheckBatch(ctx context.Context, l job.Lease, _ *job.Job, rows []job.Row, failed []job.RowError,
	cursor, now int64) (res job.BatchResult, err error) {
	prepared := make([]importRow, len(rows))
	for i := range rows {
		u := rows[i].New
		if u == nil || len(u.Identities) == 0 {
			return res, errors.New("an import row without a user or identity")
		}
		prepared[i] = importRow{id: string(u.ID), names: identifiersOf(u), upsert: rows[i].Upsert}
		for k := range u.Identities {
			prepared[i].identities = append(prepared[i].identities, args(u.Identities[k].ConnectionID, u.Identities[k].Subject))
		}
	}
	var b *batch
	err = s.read(ctx, func(r reader) error {
		b = s.newBatch(l.JobID, prepared)
		b.r, b.paper = r, &paper{seen: make(map[identifier]string), linked: make(map[string]bool)}
		return b.rehearse()
	})
	if errors.Is(err, errAgain) { // a user went away between two looks
		err = errDown.Because(err)
	}
	if err != nil {
		return job.BatchResult{}, err
	}
	err = s.writeBulk(ctx, func(t tx) error {
		h, err := s.holdImport(t, l, now)
		if err != nil {
			return err
		}
		if err := b.paper.save(t, l.JobID); err != nil {
			return err
		}
		res, err = s.keep(t, l, h, b, rows, failed, cursor)
		return err
	})
	if err != nil {
		return job.BatchResult{}, err
	}
	return res, nil
}

// rehearse is run, with all that is in anybody's way looked up beforehand.
func (b *batch) rehearse() error {
	if len(b.rows) == 0 {
		return nil
	}
	all := make([]int, len(b.rows))
	for i := range all {
		all[i] = i
	}
	if err := b.findHolders(all); err != nil {
		return err
	}
	if err := b.findSeen(); err != nil {
		return err
	}
	if err := b.findLinked(); err != nil {
		return err
	}
	clashing, err := b.insert(all)
	if err != nil {
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
	return nil
}

// findSeen puts what earlier batches of the file would have changed over what
// the tables hold.
func (b *batch) findSeen() error {
	wanted := make(map[identifier][]string) // scope and kind → values
	for i := range b.rows {
		for _, n := range append([]identifier{seenID(b.rows[i].id)}, b.rows[i].names...) {
			g := identifier{scope: n.scope, kind: n.kind}
			wanted[g] = append(wanted[g], n.value)
		}
	}
	for g, list := range wanted {
		marks, values := in(list)
		err := b.r.query(seenBefore+marks, append(args(b.jobID, g.scope, g.kind), values...), func(r row) error {
			n := g
			var userID string
			if err := r.Scan(&n.value, &userID); err != nil {
				return err
			}
			switch {
			case n == seenID(userID):
				b.ids[userID] = holder{userID, b.jobID}
			case userID == "":
				delete(b.names, n)
			default:
				b.names[n] = holder{userID, b.jobID}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// findLinked finds the identities of rows that belong to somebody already.
func (b *batch) findLinked() error {
	wanted := make(map[string][]string) // by connection
	for i := range b.rows {
		for _, id := range b.rows[i].identities {
			connectionID, subject := id[0].(string), id[1].(string)
			wanted[connectionID] = append(wanted[connectionID], subject)
		}
	}
	for connectionID, list := range wanted {
		marks, values := in(list)
		err := b.r.query(linkedSubjects+marks, append(args(connectionID), values...), func(r row) error {
			var subject string
			err := r.Scan(&subject)
			b.paper.linked[connectionID+"/"+subject] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// insertOnPaper is insert: of several rows that want the same, the first has
// it, even when it clashes with something else.
func (b *batch) insertOnPaper(rows []int) (clashing []int) {
	names, ids := make(map[identifier]bool), make(map[string]bool)
	var free []int
	for _, i := range rows {
		r := &b.rows[i]
		clash := false
		for _, n := range r.names {
			_, held := b.names[n]
			clash = clash || held || names[n]
			names[n] = true
		}
		if !clash {
			_, held := b.ids[r.id]
			clash = held || ids[r.id]
			ids[r.id] = true
		}
		for k := 0; k < len(r.identities) && !clash; k++ {
			clash = b.paper.linked[r.identities[k][0].(string)+"/"+r.identities[k][1].(string)]
		}
		if clash {
			clashing = append(clashing, i)
			continue
		}
		free = append(free, i)
	}
	for _, i := range free {
		b.done(i, job.RowInserted, "") // there is no such user
		b.claim(b.rows[i].names, b.rows[i].id)
	}
	return clashing
}

// save keeps the notes for the next batches.
func (p *paper) save(t tx, jobID string) error {
	var lines [][]any
	for n, userID := range p.seen {
		lines = append(lines, args(jobID, n.scope, n.kind, n.value, userID))
	}
	done, err := t.insertNew(seenTable, lines)
	if err != nil {
		return err
	}
	for k, ok := range done {
		if !ok {
			l := lines[k]
			if err := t.send(nil, seenAgain, l[4], l[0], l[1], l[2], l[3]); err != nil {
				return err
			}
		}
	}
	return nil
}
