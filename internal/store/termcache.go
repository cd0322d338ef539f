package store

import (
	"slices"
	"sync"

	"mangrove/internal/user"
)

// termCache keeps the bitsets of terms that many users have, of an engine whose
// only writer is this process: the writer applies each change to them before the
// caller of the change gets its answer. So a total is the sum of words in memory
// instead of a walk over thousands of rows.
type termCache struct {
	mu    sync.Mutex
	sets  map[user.Term]*cachedSet
	words int
	clock int64
	from  int // rows that make a term worth keeping
}

// cachedSet is a set, or, while ready is false, the changes since its reading began.
type cachedSet struct {
	ready bool
	set   bitset
	queue []change64
	used  int64
}

type change64 struct {
	chunk int64
	bits  uint64
	gone  bool
}

const (
	// cacheWords bounds the cache: 16 bytes each.
	cacheWords = 1 << 20
	// cacheFrom: a walk over fewer rows takes no longer than a copy.
	cacheFrom = 256
)

func newTermCache() *termCache {
	return &termCache{sets: make(map[user.Term]*cachedSet), from: cacheFrom}
}

// get is the set of a term as it is now, for the caller alone.
func (c *termCache) get(t user.Term) (bitset, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.sets[t]
	if !ok || !e.ready {
		return nil, false
	}
	c.clock++
	e.used = c.clock
	return slices.Clone(e.set), true
}

// begin announces that the term is about to be read. It reports false when
// somebody else does so already.
func (c *termCache) begin(t user.Term) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.sets[t]; there {
		return false
	}
	c.sets[t] = &cachedSet{}
	return true
}

// finish stores what was read since begin; nil forgets the term. What was
// written meanwhile is applied once more, which changes nothing that was seen.
func (c *termCache) finish(t user.Term, set bitset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.sets[t]
	if !ok {
		return
	}
	if len(set) < c.from || len(set) > cacheWords/4 {
		delete(c.sets, t)
		return
	}
	c.clock++
	e.ready, e.set, e.used = true, slices.Clone(set), c.clock
	c.words += len(e.set)
	for _, q := range e.queue {
		c.change(e, q)
	}
	e.queue = nil
	for c.words > cacheWords {
		c.evict()
	}
}

func (c *termCache) evict() {
	var oldest user.Term
	var found *cachedSet
	for t, e := range c.sets {
		if e.ready && (found == nil || e.used < found.used) {
			oldest, found = t, e
		}
	}
	if found == nil {
		return
	}
	c.words -= len(found.set)
	delete(c.sets, oldest)
}

// apply is called by the writer behind each commit, in their order.
func (c *termCache) apply(p *postings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sets) == 0 {
		return
	}
	for at, b := range p.gone {
		c.note(at, change64{at.chunk, b, true})
	}
	for at, b := range p.come {
		c.note(at, change64{at.chunk, b, false})
	}
}

func (c *termCache) note(at posting, q change64) {
	e, ok := c.sets[at.Term]
	switch {
	case !ok:
	case e.ready:
		c.change(e, q)
	default:
		e.queue = append(e.queue, q)
	}
}

func (c *termCache) change(e *cachedSet, q change64) {
	i, there := e.set.find(q.chunk)
	switch {
	case there && q.gone:
		if e.set[i].bits &^= q.bits; e.set[i].bits == 0 {
			e.set = slices.Delete(e.set, i, i+1)
			c.words--
		}
	case there:
		e.set[i].bits |= q.bits
	case !q.gone:
		e.set = slices.Insert(e.set, i, slot{q.chunk, q.bits})
		c.words++
	}
}
