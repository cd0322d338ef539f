package fetched

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxEntries bounds a cache: connections are made by people, so this is plenty.
const maxEntries = 512

// Cache keeps one value per key. A hundred callers who need the same one ask for it
// once and get that answer, or that failure: a provider that hangs makes each of
// them wait once, and not one after the other. The zero Cache is ready.
type Cache[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
}

type entry[V any] struct {
	value  V
	age    Age
	flight *flight[V] // nil: nobody is asking
}

type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// Age of what is kept. Zero times: never.
type Age struct {
	At    time.Time // when the value came
	Tried time.Time // when it was asked for last, with or without success
}

// Get is the value of key: the one that is kept, unless it is stale, else what fetch
// returns. fetch is not cut off when a caller gives up, and has to end by itself.
func (c *Cache[V]) Get(ctx context.Context, key string, now time.Time, stale func(V, Age) bool, fetch func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	e := c.entry(key)
	if !stale(e.value, e.age) {
		defer c.mu.Unlock()
		return e.value, nil
	}
	f := e.flight
	if f == nil {
		f = &flight[V]{done: make(chan struct{})}
		e.flight, e.age.Tried = f, now
		go c.fly(context.WithoutCancel(ctx), e, f, now, fetch)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

func (c *Cache[V]) fly(ctx context.Context, e *entry[V], f *flight[V], now time.Time, fetch func(context.Context) (V, error)) {
	f.value, f.err = safely(ctx, fetch)
	c.mu.Lock()
	if e.flight = nil; f.err == nil {
		e.value, e.age.At = f.value, now
	}
	c.mu.Unlock()
	close(f.done)
}

// safely makes a panic an error: it happens beside the requests, where nothing else
// would catch it.
func safely[V any](ctx context.Context, fetch func(context.Context) (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fetch(ctx)
}

func (c *Cache[V]) entry(key string) *entry[V] {
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
	e := &entry[V]{}
	c.entries[key] = e
	return e
}
