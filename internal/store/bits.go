package store

import (
	"math/bits"
	"slices"
)

// slot is 64 users: bit n of bits is user 64 * chunk + n.
type slot struct {
	chunk int64
	bits  uint64
}

// bitset is a set of user numbers: slots by ascending chunk, none empty.
type bitset []slot

func place(num int64) (chunk int64, bit uint64) { return num >> 6, 1 << (num & 63) }

func (s bitset) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w.bits)
	}
	return n
}

func (s bitset) find(chunk int64) (int, bool) {
	return slices.BinarySearchFunc(s, chunk, func(w slot, c int64) int {
		switch {
		case w.chunk < c:
			return -1
		case w.chunk > c:
			return 1
		}
		return 0
	})
}

// each calls fn for every number in ascending order until fn says no.
func (s bitset) each(fn func(num int64) bool) {
	for _, w := range s {
		for b := w.bits; b != 0; b &= b - 1 {
			if !fn(w.chunk<<6 + int64(bits.TrailingZeros64(b))) {
				return
			}
		}
	}
}

// from is the part at and behind num.
func (s bitset) from(num int64) bitset {
	chunk, bit := place(num)
	i, ok := s.find(chunk)
	if !ok {
		return s[i:]
	}
	first := slot{chunk, s[i].bits &^ (bit - 1)}
	if first.bits == s[i].bits {
		return s[i:]
	}
	rest := s[i+1:]
	if first.bits == 0 {
		return rest
	}
	return append(bitset{first}, rest...)
}

// until is the part below the chunk.
func (s bitset) until(chunk int64) bitset {
	i, _ := s.find(chunk)
	return s[:i]
}

// merge joins two sets slot by slot; op sees zero where one has none.
func merge(a, b bitset, op func(a, b uint64) uint64) bitset {
	out := make(bitset, 0, max(len(a), len(b)))
	for len(a) > 0 || len(b) > 0 {
		var w slot
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].chunk < b[0].chunk:
			w = slot{a[0].chunk, op(a[0].bits, 0)}
			a = a[1:]
		case len(a) == 0 || b[0].chunk < a[0].chunk:
			w = slot{b[0].chunk, op(0, b[0].bits)}
			b = b[1:]
		default:
			w = slot{a[0].chunk, op(a[0].bits, b[0].bits)}
			a, b = a[1:], b[1:]
		}
		if w.bits != 0 {
			out = append(out, w)
		}
	}
	return out
}

func union(a, b bitset) bitset {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	return merge(a, b, func(a, b uint64) uint64 { return a | b })
}

func minus(a, b bitset) bitset {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	return merge(a, b, func(a, b uint64) uint64 { return a &^ b })
}

// intersect looks the words of the smaller set up in the larger one.
func intersect(a, b bitset) bitset {
	if len(a) > len(b) {
		a, b = b, a
	}
	out := make(bitset, 0, len(a))
	for _, w := range a {
		// Close together as a rule: look a few steps ahead before searching.
		i := 0
		for i < len(b) && i < 8 && b[i].chunk < w.chunk {
			i++
		}
		if i == 8 {
			n, _ := b[i:].find(w.chunk)
			i += n
		}
		if b = b[i:]; len(b) == 0 {
			break
		}
		if b[0].chunk == w.chunk && b[0].bits&w.bits != 0 {
			out = append(out, slot{w.chunk, b[0].bits & w.bits})
		}
	}
	return out
}

// gather collects words in any order, of one chunk several times, too.
type gather struct {
	list   bitset
	sorted bool
}

func newGather() *gather { return &gather{sorted: true} }

func (g *gather) add(chunk int64, b uint64) {
	if n := len(g.list); n > 0 {
		switch last := &g.list[n-1]; {
		case last.chunk == chunk:
			last.bits |= b
			return
		case last.chunk > chunk:
			g.sorted = false
		}
	}
	g.list = append(g.list, slot{chunk, b})
}

func (g *gather) set() bitset {
	if g.sorted {
		return g.list
	}
	slices.SortFunc(g.list, func(a, b slot) int {
		switch {
		case a.chunk < b.chunk:
			return -1
		case a.chunk > b.chunk:
			return 1
		}
		return 0
	})
	out := g.list[:0]
	for _, w := range g.list {
		if n := len(out); n > 0 && out[n-1].chunk == w.chunk {
			out[n-1].bits |= w.bits
		} else {
			out = append(out, w)
		}
	}
	return out
}
