package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mangrove/internal/user"
)

// evaluation is one pass over a plan. Postings are read from a chunk on, up to a
// number of rows; where there are more, until moves to where the reading ended.
type evaluation struct {
	*finder
	from  int64
	limit int
	until int64
	all   bitset
}

func (e *evaluation) eval(p user.Plan) (bitset, error) {
	if err := e.ctx.Err(); err != nil {
		return nil, err
	}
	switch p := p.(type) {
	case user.Everybody:
		return e.everybody()
	case user.Except:
		all, err := e.everybody()
		if err != nil {
			return nil, err
		}
		set, err := e.eval(p.Plan)
		return minus(all, set), err
	case user.AnyOf:
		var out bitset
		for _, part := range p {
			set, err := e.eval(part)
			if err != nil {
				return nil, err
			}
			out = union(out, set)
		}
		return out, nil
	case user.AllOf:
		return e.allOf(p)
	case *user.Lookup:
		return e.lookup(p)
	}
	return nil, fmt.Errorf("a plan of type %T", p)
}

// allOf subtracts what is excluded instead of turning it around first.
func (e *evaluation) allOf(p user.AllOf) (out bitset, err error) {
	started := false
	for _, part := range p {
		if _, negative := part.(user.Except); negative {
			continue
		}
		set, err := e.eval(part)
		if err != nil {
			return nil, err
		}
		if !started {
			out, started = set, true
		} else {
			out = intersect(out, set)
		}
		if len(out) == 0 && e.until == e.last+1 {
			return nil, nil
		}
	}
	if !started {
		if out, err = e.everybody(); err != nil {
			return nil, err
		}
	}
	for _, part := range p {
		if x, negative := part.(user.Except); negative {
			set, err := e.eval(x.Plan)
			if err != nil {
				return nil, err
			}
			out = minus(out, set)
		}
	}
	return out, nil
}

func (e *evaluation) everybody() (bitset, error) {
	if e.all == nil {
		set, err := e.term(user.Term{Path: user.PathAll})
		if err != nil {
			return nil, err
		}
		e.all = set
	}
	return e.all, nil
}

func (e *evaluation) lookup(l *user.Lookup) (bitset, error) {
	if c, ok := ownColumns[l.Path]; ok {
		// Not read chunk by chunk, so it is whole whatever the limit.
		set, err := e.column(l, c)
		return set.from(e.from << 6), err
	}
	if len(l.Exact) > 0 {
		var out bitset
		for _, v := range l.Exact {
			set, err := e.term(user.Term{Path: l.Path, Value: v})
			if err != nil {
				return nil, err
			}
			out = union(out, set)
		}
		return out, nil
	}
	where, a, keep := conditions("value", "s", l, e.s.eng.dialect().contains)
	g := newGather()
	err := e.r.query(`SELECT value, chunk, bits FROM user_postings WHERE path = ?`+where, append(args(l.Path), a...), func(r row) error {
		var v string
		var chunk, b int64
		if err := r.Scan(&v, &chunk, &b); err != nil {
			return err
		}
		if keep == nil || keep(v) {
			g.add(chunk, uint64(b)) //nolint:gosec // all 64 bits are flags
		}
		return nil
	})
	return g.set().from(e.from << 6), err
}

// term reads the postings of one value, from memory where they are kept there.
func (e *evaluation) term(t user.Term) (bitset, error) {
	cache := e.s.terms
	if cache != nil {
		if set, ok := cache.get(t); ok {
			return set.from(e.from << 6), nil
		}
	}
	keep := cache != nil && e.from == 0 && e.limit == everything && cache.begin(t)
	var set bitset
	err := e.r.query(readPostings, args(t.Path, t.Value, e.from, int64(e.limit)), func(r row) error {
		var chunk, b int64
		err := r.Scan(&chunk, &b)
		set = append(set, slot{chunk, uint64(b)}) //nolint:gosec // all 64 bits are flags
		return err
	})
	if keep {
		if err != nil {
			cache.finish(t, nil)
		} else {
			cache.finish(t, set)
		}
	}
	if err == nil && len(set) == e.limit {
		e.until = min(e.until, set[len(set)-1].chunk+1)
	}
	return set, err
}

// conditions is a lookup of a range or pattern in SQL, and, where that admits
// too much, what is to be asked of each value. letter is what values of texts
// begin with.
func conditions(column, letter string, l *user.Lookup, contains string) (where string, a []any, keep func(string) bool) {
	add := func(op, v string) {
		where += " AND " + column + op
		a = append(a, v)
	}
	if b := l.Range; b != nil {
		low, high := b.Low, b.High
		// Bounds are of one type: an open end ends with it.
		if low == "" {
			low = high[:1]
		}
		if high == "" {
			high = behind(low[:1])
		}
		if letter == "" {
			low, high = low[1:], high[1:]
		}
		if b.LowExclusive {
			add(" > ?", low)
		} else {
			add(" >= ?", low)
		}
		if b.HighExclusive {
			add(" < ?", high)
		} else {
			add(" <= ?", high)
		}
		return where, a, nil
	}
	first := letter + l.Pattern[0]
	add(" >= ?", first)
	add(" < ?", behind(first))
	if len(l.Pattern) == 2 && l.Pattern[1] == "" && (len(l.Single) == 0 || !l.Single[0]) {
		return where, a, nil
	}
	if longest := slices.MaxFunc(l.Pattern[1:], func(a, b string) int { return len(a) - len(b) }); longest != "" {
		where += " AND " + contains
		a = append(a, longest)
	}
	g := newGlob(l)
	return where, a, func(v string) bool { return g.matches(user.TermText(v)[len(letter):]) }
}

// behind is where the texts end that begin with prefix.
func behind(prefix string) string { return prefix + string(utf8.MaxRune) }

// ownColumn is a field that is a column with an index of its own.
type ownColumn struct {
	name, table string
	present     string // the condition that a user has a value
	text        bool
}

var ownColumns = map[string]ownColumn{
	"user_id":      {"user_id", "users", "", true},
	"last_ip":      {"last_ip", "user_activity", " AND last_ip <> ''", true},
	"updated_at":   {"updated_at", "user_activity", "", false},
	"last_login":   {"last_login", "user_activity", " AND last_login <> 0", false},
	"logins_count": {"logins_count", "user_activity", " AND logins_count <> 0", false},
}

// column answers a lookup of such a field.
func (e *evaluation) column(l *user.Lookup, c ownColumn) (bitset, error) {
	if !c.text {
		return e.numbers(l, c)
	}
	g := newGather()
	query := func(where string, a []any, keep func(string) bool) error {
		q := `SELECT ` + c.name + `, num FROM ` + c.table + ` WHERE ` + strings.TrimPrefix(where+c.present, " AND ")
		return e.r.query(q, a, func(r row) error {
			var v string
			var num int64
			if err := r.Scan(&v, &num); err != nil {
				return err
			}
			if keep == nil || keep(v) {
				g.add(place(num))
			}
			return nil
		})
	}
	for _, v := range l.Exact {
		if err := query(" AND "+c.name+" = ?", args(strings.TrimPrefix(v, "s")), nil); err != nil {
			return nil, err
		}
	}
	if len(l.Exact) == 0 {
		where, a, keep := conditions(c.name, "", l, strings.Replace(e.s.eng.dialect().contains, "value", c.name, 1))
		if err := query(where, a, keep); err != nil {
			return nil, err
		}
	}
	return g.set(), nil
}

// numbers answers a lookup of a column that holds a number or a moment.
func (e *evaluation) numbers(l *user.Lookup, c ownColumn) (bitset, error) {
	name := c.name
	var where string
	var a []any
	g := newGather()
	scan := func(where string, a ...any) error {
		return e.r.query(`SELECT num FROM `+c.table+` WHERE `+strings.TrimPrefix(where+c.present, " AND "), a, func(r row) error {
			var num int64
			err := r.Scan(&num)
			g.add(place(num))
			return err
		})
	}
	for _, v := range l.Exact {
		low, high, ok := user.TermBounds(v)
		if !ok {
			continue
		}
		if err := scan(" AND "+name+" >= ? AND "+name+" <= ?", low, high); err != nil {
			return nil, err
		}
	}
	if l.Range == nil {
		return g.set(), nil
	}
	for _, bound := range []struct {
		value     string
		exclusive bool
		op        string
	}{{l.Range.Low, l.Range.LowExclusive, ">"}, {l.Range.High, l.Range.HighExclusive, "<"}} {
		if bound.value == "" {
			continue
		}
		low, high, ok := user.TermBounds(bound.value)
		if !ok {
			return nil, nil
		}
		// The stored moment is finer than the one that is asked for.
		at, op := low, ">="
		switch {
		case bound.op == ">" && bound.exclusive:
			at, op = high, ">"
		case bound.op == "<" && bound.exclusive:
			at, op = low, "<"
		case bound.op == "<":
			at, op = high, "<="
		}
		where += " AND " + name + " " + op + " ?"
		a = append(a, at)
	}
	if err := scan(where, a...); err != nil {
		return nil, err
	}
	return g.set(), nil
}

// views reads users by number, in that order. Somebody who was deleted
// meanwhile is missing.
func (f *finder) views(nums []int64) ([]user.View, error) {
	if len(nums) == 0 {
		return nil, nil
	}
	found := make(map[int64]user.View, len(nums))
	for part := range slices.Chunk(nums, 128) {
		list, values := in(part)
		err := f.r.query(viewsOfNumber+list, values, func(r row) error {
			var v user.View
			err := scanView(r, &v)
			found[v.Position] = v
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]user.View, 0, len(nums))
	for _, n := range nums {
		if v, ok := found[n]; ok {
			out = append(out, v)
		}
	}
	return out, nil
}
