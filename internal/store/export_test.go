package store

import (
	"context"
	"errors"

	"mangrove/internal/user"
)

// What the tests beside the package may reach.

// Exec runs one statement as a transaction of its own.
func (s *Store) Exec(ctx context.Context, q string, args ...any) error {
	return s.writePlain(ctx, func(t tx) error {
		_, err := t.exec(q, args...)
		return err
	})
}

// InsertRaw inserts rows of the tables of users in one bulk transaction, with no
// check of what happened. Postings are joined with those that are there.
func (s *Store) InsertRaw(ctx context.Context, tables map[string][][]any) error {
	return s.writeBulk(ctx, func(t tx) error {
		for name, rows := range tables {
			var err error
			if b := rawTables[name]; name == postingsTable.table {
				err = t.combine(b, rows)
			} else {
				_, err = t.insertNew(b, rows)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

var rawTables = map[string]*bulk{
	"users": usersTable, "identities": identitiesTable, "user_identifiers": identifiersTable,
	"user_activity": activityTable, "user_postings": postingsTable,
}

// PostingRows are the rows of the index for users with these numbers.
func PostingRows(terms map[int64][]user.Term) (rows [][]any) {
	var p postings
	for num, list := range terms {
		p.add(num, list)
	}
	for _, at := range ordered(p.come) {
		rows = append(rows, []any{at.Path, at.Value, at.chunk, int64(p.come[at])})
	}
	return rows
}

// Columns are the columns of a table of users, in the order of its rows.
func Columns(table string) (names []string) {
	for _, c := range rawTables[table].cols {
		names = append(names, c.name)
	}
	return names
}

// LimitPages makes the disk of an SQLite store full at n pages, on this and
// every later connection of the writer; 0 lifts the limit.
func (s *Store) LimitPages(n int64) {
	w := s.eng.(*sqliteEngine).writer
	open := w.open
	limit := func(c *sqliteConn) {
		if n == 0 {
			n = 1 << 30
		}
		var v int64
		_, _ = one(c, "PRAGMA max_page_count = "+itoa(n), nil, &v)
	}
	_ = s.eng.write(context.Background(), func(t tx) error {
		w.open = func() (*sqliteConn, error) {
			c, err := open()
			if err == nil {
				limit(c)
			}
			return c, err
		}
		limit(w.conn)
		return errUnchanged
	})
}

// Pages is the size of an SQLite database.
func (s *Store) Pages() (n int64) {
	_ = s.eng.write(context.Background(), func(t tx) error {
		_, err := one(t, "PRAGMA page_count", nil, &n)
		return errors.Join(err, errUnchanged)
	})
	return n
}

// Plan is SQLite's plan of a query, a line per step.
func (s *Store) Plan(q string, args ...any) (plan []string, err error) {
	err = s.read(context.Background(), func(r reader) error {
		return r.query("EXPLAIN QUERY PLAN "+q, args, func(r row) error {
			var id, parent, unused int64
			var step string
			err := r.Scan(&id, &parent, &unused, &step)
			plan = append(plan, step)
			return err
		})
	})
	return plan, err
}

// Hot are the statements of every request, of logins and of jobs.
func Hot() map[string]string {
	return map[string]string{
		"view": selectView, "views by e-mail": viewsByEmail, "page of users": viewsAfter, "user": selectUser, "lock user": lockUser,
		"user by identifier": selectByIdentifier, "user by identity": selectByIdentity, "upstream data": selectUpstream,
		"save user": updateUser, "save profile": updateProfile, "record login": countLogin, "postings": readPostings, "views of numbers": viewsOfNumber + "(?, ?)", "save activity": updateActivity,
		"add posting": insertPosting, "clear posting": clearPosting, "drop posting": dropPosting, "last number": lastNumber, "rehash": rehashPassword, "end sessions": endSessions,
		"session": selectSession, "session metadata": setSessionMetadata, "end letters": `DELETE FROM letters WHERE user_id IN (?, ?)`, "touch session": touchSession, "transaction": selectTransaction, "take transaction": takeTransaction,
		"redeem code": redeemCode, "spoil code": spoilCode, "kill tokens": killTokens, "opaque": selectOpaque,
		"refresh token": selectRefresh, "refresh token by id": selectRefreshByID, "rotate": rotateRefresh, "touch refresh token": touchRefresh, "keep refresh token": keepRefresh,
		"refresh tokens of a user": refreshOf, "of a client": refreshOfClient, "drop refresh token": dropRefresh, "drop refresh tokens": dropRefreshOf, "kill refresh token": killRefresh,
		"crowd out": crowdOut, "end refresh tokens": endRefresh + "(?, ?)", "end codes": endCodesOf + "(?, ?)", "end opaque tokens": endOpaqueOf + "(?, ?)", "end devices": endDevicesOf + "(?, ?)", "end approvals": endApprovalsOf + "(?, ?)",
		"end opaque tokens of a session": endOpaqueIn, "end codes of a session": endCodesIn, "end refresh tokens of a session": endRefreshIn, "end devices of a session": endDevicesIn,
		"end all session tokens": endSessionTok, "device": selectDevice, "device by code": selectDeviceCode, "lock device": lockDevice,
		"client": selectClient, "connection": selectConnection, "connection by name": selectConnectionByName, "connection by realm": selectConnectionByRealm,
		"roles of a user": selectRolesOf, "members of a role": selectMembers, "permissions of a role": selectRolePermissions,
		"permissions of a user": selectUserPermissions, "count members": countMembers,
		"grant": selectGrantFor, "resource server": selectResourceServerByIdentifier, "users of a connection": connectionHasUsers,
		"holders of names": namesHeld + "(?, ?)", "holders of ids": idsHeld + "(?, ?)", "lock users": lockUsers + "(?, ?)",
		"piece": selectPiece, "pieces": deletePieces, "row errors": selectErrors, "any job": anyJob, "claim": claimJob,
		"sweep codes": sweeps[0], "sweep tokens": sweeps[1], "sweep sessions": sweeps[2], "sweep transactions": sweeps[3],
		"stale uploads": staleUploads, "old jobs": oldJobs,
	}
}

// Checkpoint runs a checkpoint as the writer would ask for it.
func (s *Store) Checkpoint() error { return s.eng.(*sqliteEngine).check.checkpoint() }

func itoa(n int64) string { return pieceID("", n)[1:] }

// CacheEverything keeps in memory every term that a search reads whole.
func (s *Store) CacheEverything() { s.terms.from = 0 }

// Count is the number that a query of one number gives.
func (s *Store) Count(ctx context.Context, q string) (n int64, err error) {
	err = s.read(ctx, func(r reader) error {
		_, err := one(r, q, nil, &n)
		return err
	})
	return n, err
}

// MigrateTo brings an older schema about.
func (s *Store) MigrateTo(ctx context.Context, version int64) error { return s.migrateTo(ctx, version) }

// HoldSearches takes the turns of all wide searches until free is called.
func (s *Store) HoldSearches() (free func()) {
	n := cap(s.searching)
	for range n {
		s.searching <- struct{}{}
	}
	return func() {
		for range n {
			<-s.searching
		}
	}
}

// Durability is how a write transaction waits for the disk, in the words of the
// engine; loose: one of writeLoose.
func (s *Store) Durability(ctx context.Context, loose bool) (word string, err error) {
	write, q := s.writePlain, `SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous`
	if loose {
		write = s.writeLoose
	}
	if _, postgres := s.eng.(*postgresEngine); postgres {
		q = `SELECT current_setting('synchronous_commit')`
	}
	err = write(ctx, func(t tx) error {
		_, err := one(t, q, nil, &word)
		return err
	})
	return word, err
}
