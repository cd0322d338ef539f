package oidc

import (
	"context"
	"sync"
	"time"
)

// maxEntries bounds a cache: connections are made by people, so this is plenty.
const maxEntries = 512

// cache keeps one value per key and lets one caller at a time work on it, so
// that a hundred logins ask a provider once.
type cache[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
}

type entry[V any] struct {
	turn  chan struct{} // holds one token while somebody works on the entry
	value V
	at    time.Time // when value was fetched; zero: never
	tried time.Time // when it was asked for last, with or without success
}

// with runs fn alone on the entry of key.
func (c *cache[V]) with(ctx context.Context, key string, fn func(*entry[V]) error) error {
	e := c.entry(key)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return errUnreachable.Because(ctx.Err())
	}
	defer func() { <-e.turn }()
	return fn(e)
}

func (c *cache[V]) entry(key string) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		return e
	}
	if c.entries == nil {
		c.entries = map[string]*entry[V]{}
	}
	if len(c.entries) >= maxEntries {
		for old := range c.entries { // any one: what is needed again is fetched again
			delete(c.entries, old)
			break
		}
	}
	e := &entry[V]{turn: make(chan struct{}, 1)}
	c.entries[key] = e
	return e
}
