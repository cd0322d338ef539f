package store

import (
	"errors"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/user"
)

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
		err := b.r.query(namesHeld+marks, append(args(g.scope, g.kind), values...), func(r row) error {
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
	return b.r.query(idsHeld+marks, values, func(r row) error {
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
	q, bump := lockUsers+marks+returningUser, int64(1)
	if b.paper != nil {
		q, bump = selectUsers+marks, 0
	}
	return b.r.query(q, values, func(r row) error {
		row := &userRow{}
		err := r.Scan(row.dest()...)
		row.version -= bump // what it was before the lock
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
		b.paper.see(n, userID)
	}
	b.ids[userID] = holder{userID, b.jobID}
	b.paper.see(seenID(userID), userID)
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
	e, err := b.rows[i].upsert(u)
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
	names := identifiersOf(u)
	outcome := job.RowUnchanged
	if !e.Unchanged {
		outcome = job.RowUpdated
		for _, n := range old.identifiers {
			if !slices.Contains(names, n) {
				delete(b.names, n)
				b.paper.see(n, "")
			}
		}
		if err := b.save(stored, old, u, e); err != nil {
			return err
		}
	}
	if b.paper == nil {
		if err := b.t.send(nil, markUser, b.jobID, userID); err != nil {
			return err
		}
	}
	b.done(i, outcome, userID)
	b.claim(names, userID)
	return nil
}

// save writes an updated user.
func (b *batch) save(stored *userRow, old before, u *user.User, e user.Effect) error {
	if b.paper != nil {
		return nil
	}
	c, err := b.s.difference(old, u, e)
	if err != nil {
		return err
	}
	b.saved[stored.id] = true
	b.postings.then(&c.postings)
	c.postings = postings{}
	return c.save(b.s, b.t, stored.version+1, true)
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
	if b.paper != nil {
		for _, n := range added {
			if _, held := b.names[n]; held {
				return n.kind, nil
			}
		}
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
