package token

import (
	"crypto/sha256"
	"sync"
	"unsafe"
)

// The cache holds this many verified tokens; beyond it any one gives way.
const (
	cacheShards = 16
	shardSize   = 640
	CacheSize   = cacheShards * shardSize
)

// cache remembers verified tokens by the SHA-256 of their text until they
// expire, or the keys change. The text itself is not kept.
type cache struct{ shards [cacheShards]shard }

type shard struct {
	mu         sync.RWMutex
	generation uint64
	m          map[[sha256.Size]byte]*Bearer
}

// hash reads the text in place: a copy would cost as much as the rest of a warm check.
func hash(raw string) [sha256.Size]byte {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw)))
}

func (c *cache) of(sum *[sha256.Size]byte) *shard { return &c.shards[sum[0]%cacheShards] }

// get is a token that was verified under the generation and has not expired by
// now (seconds); nil otherwise.
func (c *cache) get(sum [sha256.Size]byte, generation uint64, now int64) *Bearer {
	s := c.of(&sum)
	s.mu.RLock()
	var b *Bearer
	if s.generation == generation {
		b = s.m[sum]
	}
	s.mu.RUnlock()
	if b == nil || now >= b.ExpiresAt {
		return nil
	}
	return b
}

func (c *cache) put(sum [sha256.Size]byte, generation uint64, b *Bearer) {
	s := c.of(&sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation < s.generation {
		return // verified by keys that have changed meanwhile
	}
	if s.m == nil || generation > s.generation {
		s.generation = generation
		s.m = make(map[[sha256.Size]byte]*Bearer)
	}
	// The order of a map is random: so is what gives way. Neither a flood of
	// good tokens nor an unlucky one can then keep the useful ones out for long.
	for old := range s.m {
		if len(s.m) < shardSize {
			break
		}
		delete(s.m, old)
	}
	s.m[sum] = b
}
