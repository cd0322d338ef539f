package store

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"mangrove/internal/user"
)

// sortInMemory is up to how many users are read and sorted. More of them are
// met by walking along the index of the field, which then finds a page of them
// soon.
const sortInMemory = 1000

// sorted is the numbers of the page.
func (f *finder) sorted(set bitset, total int) ([]int64, error) {
	if total > sortInMemory {
		return f.walk(set)
	}
	views, err := f.views(pick(set, 0, total))
	if err != nil {
		return nil, err
	}
	type keyed struct {
		key string
		num int64
	}
	list := make([]keyed, len(views))
	for i := range views {
		list[i] = keyed{user.SortKey(&views[i], f.q.SortBy), views[i].Position}
	}
	slices.SortFunc(list, func(a, b keyed) int {
		switch {
		case a.key == "" && b.key == "":
			return cmp.Compare(a.num, b.num)
		case a.key == "":
			return 1
		case b.key == "":
			return -1
		}
		c := cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.num, b.num))
		if f.q.Descending {
			return -c
		}
		return c
	})
	list = list[min(f.q.Offset, len(list)):]
	list = list[:min(f.q.Limit, len(list))]
	nums := make([]int64, len(list))
	for i, k := range list {
		nums[i] = k.num
	}
	return nums, nil
}

// Rows of an index are read few at first, then many at once.
const (
	firstStep = 128
	lastStep  = 8192
)

// walker follows an index, calling meet with the users it meets, in order, until
// meet says that it is enough.
type walker struct {
	*finder
	set  bitset
	seen *gather
	skip int
	nums []int64
}

// meet notes users of one place in the index; false: the page is full.
func (w *walker) meet(chunk int64, b uint64) bool {
	i, ok := w.set.find(chunk)
	if !ok {
		return true
	}
	if b &= w.set[i].bits; b == 0 {
		return true
	}
	w.seen.add(chunk, b)
	met := pick(bitset{{chunk, b}}, 0, 64)
	if w.q.Descending {
		slices.Reverse(met)
	}
	for _, n := range met {
		if w.skip > 0 {
			w.skip--
			continue
		}
		if len(w.nums) < w.q.Limit {
			w.nums = append(w.nums, n)
		}
	}
	return len(w.nums) < w.q.Limit
}

func (f *finder) walk(set bitset) ([]int64, error) {
	w := &walker{finder: f, set: set, seen: newGather(), skip: f.q.Offset}
	var err error
	if c, ok := ownColumns[f.q.SortBy]; ok {
		err = w.alongColumn(c)
	} else {
		err = w.alongPostings()
	}
	if err != nil || len(w.nums) == f.q.Limit {
		return w.nums, err
	}
	// Those who have no value come last.
	rest := minus(set, w.seen.set())
	return append(w.nums, pick(rest, w.skip, f.q.Limit-len(w.nums))...), nil
}

// order is what of the SQL depends on the direction.
func (w *walker) order() (op, direction string) {
	if w.q.Descending {
		return "<", " DESC"
	}
	return ">", ""
}

func (w *walker) alongPostings() error {
	op, direction := w.order()
	q := `SELECT value, chunk, bits FROM user_postings WHERE path = ? AND (value, chunk) ` + op + ` (?, ?) ORDER BY value` +
		direction + `, chunk` + direction + ` LIMIT ?`
	value, chunk := "", int64(-1)
	if w.q.Descending {
		value, chunk = behind(""), int64(math.MaxInt64)
	}
	for step := firstStep; ; step = min(step*4, lastStep) {
		n, more := 0, true
		err := w.r.query(q, args(w.q.SortBy, value, chunk, int64(step)), func(r row) error {
			var b int64
			n++
			if err := r.Scan(&value, &chunk, &b); err != nil {
				return err
			}
			more = more && w.meet(chunk, uint64(b)) //nolint:gosec // all 64 bits are flags
			return nil
		})
		if err != nil || !more || n < step {
			return err
		}
	}
}

func (w *walker) alongColumn(c ownColumn) error {
	op, direction := w.order()
	q := `SELECT ` + c.name + `, num FROM ` + c.table + ` WHERE (` + c.name + `, num) ` + op + ` (?, ?)` + c.present +
		` ORDER BY ` + c.name + direction + `, num` + direction + ` LIMIT ?`
	var key any = int64(math.MinInt64)
	num := int64(-1)
	switch {
	case c.text && w.q.Descending:
		key, num = behind(""), int64(math.MaxInt64)
	case c.text:
		key = ""
	case w.q.Descending:
		key, num = int64(math.MaxInt64), int64(math.MaxInt64)
	}
	for step := firstStep; ; step = min(step*4, lastStep) {
		n, more := 0, true
		err := w.r.query(q, args(key, num, int64(step)), func(r row) error {
			n++
			var err error
			if c.text {
				var v string
				err = r.Scan(&v, &num)
				key = v
			} else {
				var v int64
				err = r.Scan(&v, &num)
				key = v
			}
			chunk, bit := place(num)
			more = more && (err != nil || w.meet(chunk, bit))
			return err
		})
		if err != nil || !more || n < step {
			return err
		}
	}
}
