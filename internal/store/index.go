package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"mangrove/internal/user"
)

// The search index: user_postings, 64 users to a row. It is written by
// difference in the transaction of the change, by statements that need no look
// at the row before, so that they cost no round trip of their own and any two
// commute.

const (
	insertPosting = `INSERT INTO user_postings (path, value, chunk, bits) VALUES (?, ?, ?, ?)
		ON CONFLICT (path, value, chunk) DO UPDATE SET bits = user_postings.bits | excluded.bits`
	clearPosting = `UPDATE user_postings SET bits = bits & ? WHERE path = ? AND value = ? AND chunk = ?`
	dropPosting  = `DELETE FROM user_postings WHERE path = ? AND value = ? AND chunk = ? AND bits = 0`
)

var postingsTable = &bulk{
	table: "user_postings",
	cols:  []column{{"path", text}, {"value", text}, {"chunk", number}, {"bits", number}},
	key:   []string{"path", "value", "chunk"},
}

// posting is one row of the index.
type posting struct {
	user.Term
	chunk int64
}

func comparePostings(a, b posting) int {
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	if c := strings.Compare(a.Value, b.Value); c != 0 {
		return c
	}
	return cmp.Compare(a.chunk, b.chunk)
}

// postings gathers what a transaction changes in the index.
type postings struct{ come, gone map[posting]uint64 }

func (p *postings) add(num int64, terms []user.Term) { put(&p.come, num, terms) }

func (p *postings) remove(num int64, terms []user.Term) { put(&p.gone, num, terms) }

func put(to *map[posting]uint64, num int64, terms []user.Term) {
	if *to == nil {
		*to = make(map[posting]uint64, len(terms))
	}
	chunk, bit := place(num)
	for _, t := range terms {
		(*to)[posting{t, chunk}] |= bit
	}
}

// ordered is the rows in the order of the index: neighbours are written one
// after the other, and transactions lock in one order.
func ordered(m map[posting]uint64) []posting {
	out := make([]posting, 0, len(m))
	for p := range m {
		out = append(out, p)
	}
	slices.SortFunc(out, comparePostings)
	return out
}

// manyPostings is from where one statement for all is worth its arrays.
const manyPostings = 64

// index writes the changes. Of a user who goes from a place and comes to it, the
// coming counts.
func (s *Store) index(t tx, p *postings) error {
	for _, at := range ordered(p.gone) {
		mask := int64(^p.gone[at]) //nolint:gosec // all 64 bits are flags
		if err := t.send(nil, clearPosting, mask, at.Path, at.Value, at.chunk); err != nil {
			return err
		}
		if err := t.send(nil, dropPosting, at.Path, at.Value, at.chunk); err != nil {
			return err
		}
	}
	come := ordered(p.come)
	if len(come) >= manyPostings {
		rows := make([][]any, len(come))
		for i, at := range come {
			rows[i] = []any{at.Path, at.Value, at.chunk, int64(p.come[at])} //nolint:gosec // all 64 bits are flags
		}
		if err := t.combine(postingsTable, rows); err != nil {
			return err
		}
	} else {
		for _, at := range come {
			if err := t.send(nil, insertPosting, at.Path, at.Value, at.chunk, int64(p.come[at])); err != nil { //nolint:gosec // all 64 bits are flags
				return err
			}
		}
	}
	if s.terms != nil && len(p.come)+len(p.gone) > 0 {
		t.committed(func() { s.terms.apply(p) })
	}
	return nil
}

// indexNew is index for users who come whole.
func (s *Store) indexNew(t tx, num int64, terms []user.Term) error {
	var p postings
	p.add(num, terms)
	return s.index(t, &p)
}

var loggedIn = []user.Term{{Path: user.PathExists, Value: user.LoggedIn}}

// Numbers of users are reserved many at a time, so that giving one out costs
// nothing. What a process has reserved and not given out stays unused.
const numberBlock = 4096

const reserveNumbers = `UPDATE counters SET n = n + ? WHERE name = 'users' RETURNING n`

// numbers gives out the numbers of new users.
type numbers struct {
	mu   sync.Mutex
	next int64 // how many of the block are given out
	base int64 // its first number; zero: none is reserved
}

// take is n numbers that are nobody's.
func (s *Store) take(ctx context.Context, n int) ([]int64, error) {
	s.numbers.mu.Lock()
	defer s.numbers.mu.Unlock()
	out := make([]int64, 0, n)
	for len(out) < n {
		if s.numbers.base == 0 || s.numbers.next == numberBlock {
			if err := s.reserve(ctx); err != nil {
				return nil, err
			}
		}
		i := s.numbers.next
		s.numbers.next++
		if !s.eng.dialect().oneWriter {
			// Users that are created at the same time get different rows of the index,
			// so that the transactions do not wait for each other.
			i = i%64*64 + i/64
		}
		out = append(out, s.numbers.base+i)
	}
	return out, nil
}

func (s *Store) reserve(ctx context.Context) error {
	return s.write(ctx, func(t tx) error {
		var end int64
		found, err := one(t, reserveNumbers, args(int64(numberBlock)), &end)
		if err == nil && !found {
			return errors.New("the counter of users is missing")
		}
		s.numbers.base, s.numbers.next = end-numberBlock, 0
		return err
	})
}
