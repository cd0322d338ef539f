package foreigndb

import (
	"context"
	"slices"
	"sync"
	"time"
)

// What is kept of connections for single statements.
const (
	// PoolSize is how many connections with one target there are at a time.
	PoolSize = 4
	// IdleTime is how long one is kept that nobody uses.
	IdleTime = time.Minute
)

// Query runs one statement, in a transaction of its own, on a connection that is kept
// for the next one. One that the server has closed meanwhile is replaced first; a
// statement that was sent is never sent again. Errors: *Error.
func (o *Opener) Query(ctx context.Context, t Target, statement string, args []any) (Result, error) {
	p := o.pools.enter(t)
	defer o.pools.leave(t, p)
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return Result{}, &Error{Code: "ETIMEDOUT", Message: "all connections with the database are in use"}
	}
	defer func() { <-p.slots }()
	c := o.pools.take(p)
	if c == nil {
		var err error
		if c, err = o.Connect(ctx, t); err != nil {
			return Result{}, err
		}
	}
	answer, err := c.Query(ctx, statement, args)
	if r, ok := c.(reusable); ok && r.clean() {
		o.pools.give(t, p, c)
	} else {
		_ = c.Close() // err says why
	}
	return answer, err
}

// reusable is a Conn that the next statement may have.
type reusable interface {
	// clean: nothing was lost on the way, and no transaction is open.
	clean() bool
	// alive: the server has not hung up since.
	alive() bool
}

// pools are those of an Opener, by where they go.
type pools struct {
	mu  sync.Mutex
	all map[Target]*pool
	// idle replaces IdleTime in tests.
	idle time.Duration
}

// pool are the connections with one target. Its members but slots are guarded by
// pools.mu.
type pool struct {
	slots chan struct{}
	users int
	free  []*spare // the last used one last
}

// spare is a connection that waits for the next statement.
type spare struct {
	conn Conn
	end  *time.Timer
}

func (ps *pools) enter(t Target) *pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		ps.all = map[Target]*pool{}
	}
	p := ps.all[t]
	if p == nil {
		p = &pool{slots: make(chan struct{}, PoolSize)}
		ps.all[t] = p
	}
	p.users++
	return p
}

func (ps *pools) leave(t Target, p *pool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.users--
	ps.forget(t, p)
}

// forget drops a pool that nobody uses and that holds nothing: a new password makes a
// new target, and the old one must not stay.
func (ps *pools) forget(t Target, p *pool) {
	if p.users == 0 && len(p.free) == 0 {
		delete(ps.all, t)
	}
}

// take returns a connection that is open, or nil.
func (ps *pools) take(p *pool) Conn {
	for {
		ps.mu.Lock()
		last := len(p.free) - 1
		if last < 0 {
			ps.mu.Unlock()
			return nil
		}
		s := p.free[last]
		p.free = p.free[:last]
		ps.mu.Unlock()
		s.end.Stop()
		if r, ok := s.conn.(reusable); ok && r.alive() {
			return s.conn
		}
		_ = s.conn.Close() // the server has closed it before
	}
}

// give keeps a connection until it is taken, or was idle for too long.
func (ps *pools) give(t Target, p *pool, c Conn) {
	after := ps.idle
	if after <= 0 {
		after = IdleTime
	}
	s := &spare{conn: c}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.free = append(p.free, s)
	s.end = time.AfterFunc(after, func() { ps.expire(t, p, s) })
}

// expire closes a connection that nobody has taken meanwhile.
func (ps *pools) expire(t Target, p *pool, s *spare) {
	ps.mu.Lock()
	i := slices.Index(p.free, s)
	if i >= 0 {
		p.free = slices.Delete(p.free, i, i+1)
		ps.forget(t, p)
	}
	ps.mu.Unlock()
	if i >= 0 {
		_ = s.conn.Close() // nobody waits for it
	}
}

// close closes what waits.
func (ps *pools) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		for _, s := range p.free {
			s.end.Stop()
			_ = s.conn.Close() // nobody waits for it
		}
		p.free = nil
	}
	clear(ps.all)
}
