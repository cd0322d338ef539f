package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/user"
)

// searchLimit is how long one search may take.
const searchLimit = time.Second

// Search finds the users of a plan. The answer is that of the index at this
// moment: what was written before is in it.
func (s *Store) Search(ctx context.Context, q user.Search) (user.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	if q.SortBy != "" || wide(q.Plan) {
		select {
		case s.searching <- struct{}{}:
			defer func() { <-s.searching }()
		case <-ctx.Done():
			return user.Found{}, searchEnded(ctx, ctx.Err())
		}
	}
	var found user.Found
	err := s.eng.search(ctx, func(r reader) error {
		f := &finder{s: s, ctx: ctx, r: r, q: q}
		var err error
		found, err = f.find()
		return err
	})
	if err != nil {
		return user.Found{}, searchEnded(ctx, s.failure(err))
	}
	return found, nil
}

// wide reports whether a plan may have to look at every value of a field. Such
// searches take turns, so that they never hold all readers; whole values, which
// are found at once, do not wait for them.
func wide(p user.Plan) bool {
	switch p := p.(type) {
	case user.AllOf:
		return slices.ContainsFunc(p, wide)
	case user.AnyOf:
		return slices.ContainsFunc(p, wide)
	case user.Except:
		return wide(p.Plan)
	case *user.Lookup:
		return len(p.Exact) == 0
	}
	return false
}

// searchEnded is the failure of a search, whose reason may be the clock.
func searchEnded(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return user.ErrSearchTimeout.Because(err)
	case ctx.Err() != nil: // the caller has gone
		return fromContext(ctx)
	}
	return err
}

// finder answers one search.
type finder struct {
	s   *Store
	ctx context.Context
	r   reader
	q   user.Search

	last int64 // chunk of the newest user
}

const (
	lastNumber = `SELECT COALESCE(MAX(num), 0) FROM users`

	readPostings  = `SELECT chunk, bits FROM user_postings WHERE path = ? AND value = ? AND chunk >= ? ORDER BY chunk LIMIT ?`
	viewsOfNumber = viewColumns + `WHERE u.num IN `
)

// everything is a limit that is none.
const everything = 1 << 40

func (f *finder) find() (user.Found, error) {
	var newest int64
	if _, err := one(f.r, lastNumber, nil, &newest); err != nil {
		return user.Found{}, err
	}
	f.last, _ = place(newest)
	if f.q.After != 0 || f.q.SortBy == "" && !f.q.Total {
		return f.page()
	}
	set, err := f.whole(f.q.Plan)
	if err != nil {
		return user.Found{}, err
	}
	out := user.Found{Total: set.count()}
	if f.q.Limit == 0 {
		return out, nil
	}
	var nums []int64
	if f.q.SortBy == "" {
		nums = pick(set, f.q.Offset, f.q.Limit)
	} else if nums, err = f.sorted(set, out.Total); err != nil {
		return user.Found{}, err
	}
	out.Users, err = f.views(nums)
	return out, err
}

// pick is the numbers of a page.
func pick(set bitset, offset, limit int) []int64 {
	nums := make([]int64, 0, min(limit, 100))
	set.each(func(num int64) bool {
		if offset > 0 {
			offset--
			return true
		}
		if len(nums) < limit {
			nums = append(nums, num)
		}
		return len(nums) < limit
	})
	return nums
}

// page answers a search whose order is that of the numbers and which needs no
// total: it reads as much of the postings as the page takes, more and more of
// them while that does not suffice.
func (f *finder) page() (user.Found, error) {
	want := f.q.Offset + f.q.Limit + 1
	first := f.q.After + 1
	if f.q.After != 0 {
		want = f.q.Limit + 1
	}
	from, _ := place(first)
	start := 128
	if wide(f.q.Plan) {
		// What looks at every value of a field does so once, not once a step.
		start = everything
	}
	var nums []int64
	for limit := start; from <= f.last && len(nums) < want; limit = min(limit*8, everything) {
		part, until, err := f.some(f.q.Plan, from, limit)
		if err != nil {
			return user.Found{}, err
		}
		nums = append(nums, pick(part.from(first), 0, want-len(nums))...)
		from = until
	}
	if f.q.After == 0 {
		nums = nums[min(f.q.Offset, len(nums)):]
	}
	more := len(nums) > f.q.Limit
	nums = nums[:min(len(nums), f.q.Limit)]
	views, err := f.views(nums)
	out := user.Found{Users: views}
	if more && len(nums) > 0 {
		out.Next = nums[len(nums)-1]
	}
	return out, err
}

// some evaluates a plan from a chunk on; what it found is all there is below
// the chunk that it returns.
func (f *finder) some(p user.Plan, from int64, limit int) (bitset, int64, error) {
	e := evaluation{finder: f, from: from, limit: limit, until: f.last + 1}
	set, err := e.eval(p)
	if err != nil {
		return nil, 0, err
	}
	return set.until(e.until), e.until, nil
}

// whole evaluates a plan for everybody.
func (f *finder) whole(p user.Plan) (bitset, error) {
	set, _, err := f.some(p, 0, everything)
	return set, err
}
