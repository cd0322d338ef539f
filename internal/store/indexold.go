package store

import (
	"context"
	"time"

	"mangrove/internal/user"
)

const (
	selectUnindexed = `SELECT n FROM counters WHERE name = 'unindexed' AND n > 0`
	holdUnindexed   = `UPDATE counters SET n = n WHERE name = 'unindexed' RETURNING n`
	moveUnindexed   = `UPDATE counters SET n = ? WHERE name = 'unindexed'`
	unindexedUsers  = userColumns + `WHERE u.num <= ? ORDER BY u.num DESC LIMIT 500`
)

// indexOld indexes the users who were there before the index was, from the
// newest to the oldest. A later start goes on where an earlier one was stopped,
// and nodes that start at once take turns.
func (s *Store) indexOld(ctx context.Context) error {
	var left int64
	err := s.read(ctx, func(r reader) error {
		_, err := one(r, selectUnindexed, nil, &left)
		return err
	})
	if err != nil || left == 0 {
		return err
	}
	s.log.Info("building the search index; this is done once", "from", left)
	told := s.now()
	for left > 0 {
		err := s.writeBulk(ctx, func(t tx) error {
			if _, err := one(t, holdUnindexed, nil, &left); err != nil || left == 0 {
				return err
			}
			var p postings
			lowest := int64(0)
			err := t.query(unindexedUsers, args(left), func(r row) error {
				u := &userRow{}
				if err := r.Scan(u.dest()...); err != nil {
					return err
				}
				lowest = u.num
				decoded, err := s.decode(u)
				if err == nil {
					p.add(u.num, user.Terms(decoded))
				}
				return err
			})
			if err != nil {
				return err
			}
			left = max(0, lowest-1)
			if err := t.send(nil, moveUnindexed, left); err != nil {
				return err
			}
			return s.index(t, &p)
		})
		if err != nil {
			return err
		}
		if now := s.now(); now.Sub(told) > 5*time.Second {
			told = now
			s.log.Info("building the search index", "left", left)
		}
	}
	s.log.Info("search index built")
	return nil
}
