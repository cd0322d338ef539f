package store

import (
	"sync"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/resourceserver"
	"mangrove/internal/tenant"
)

// cacheAge is how long another node's change may stay unseen.
const cacheAge = time.Second

// cacheSize bounds a cache; a full one starts afresh.
const cacheSize = 4096

// caches hold what every request reads and hardly anybody writes. A local
// write empties the cache of its noun.
type caches struct {
	connections     cache[connection.Connection]
	clients         cache[client.Client]
	resourceServers cache[resourceserver.ResourceServer]
	grants          cache[grant.Grant]
	settings        cache[tenant.Settings]
	texts           cache[texts]
	mail            cache[mailSettings]
}

func (c *caches) init(now func() time.Time) {
	c.connections.now, c.clients.now, c.resourceServers.now, c.grants.now = now, now, now, now
	c.settings.now, c.texts.now, c.mail.now = now, now, now
}

// cache keeps values by key for cacheAge. Values are shared: nobody changes them.
type cache[T any] struct {
	now func() time.Time

	mu      sync.RWMutex
	entries map[string]entry[T]
	// age counts the local writes, so that a value which was read before a write
	// is not kept after it.
	age int64
}

type entry[T any] struct {
	value *T
	at    time.Time
}

// get is the value of that key, loaded if need be. Failures are not kept: keys
// come from strangers.
func (c *cache[T]) get(key string, load func() (*T, error)) (*T, error) {
	now := c.now()
	c.mu.RLock()
	e, ok := c.entries[key]
	age := c.age
	c.mu.RUnlock()
	if d := now.Sub(e.at); ok && d >= 0 && d < cacheAge {
		return e.value, nil
	}
	v, err := load()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.age == age {
		if c.entries == nil || len(c.entries) >= cacheSize {
			c.entries = make(map[string]entry[T])
		}
		c.entries[key] = entry[T]{v, now}
	}
	return v, nil
}

// drop forgets everything.
func (c *cache[T]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
	c.age++
}

func (c *caches) drop() {
	c.connections.drop()
	c.clients.drop()
	c.resourceServers.drop()
	c.grants.drop()
	c.settings.drop()
	c.texts.drop()
	c.mail.drop()
}
