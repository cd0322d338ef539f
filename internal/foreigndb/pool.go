package foreigndb

import (
	"context"
	"errors"
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
	return o.pooled(ctx, t, statement, args, false)
}

// Read is Query for a statement that changes nothing: one whose connection is lost before
// the answer is there is sent once more, on a new connection.
func (o *Opener) Read(ctx context.Context, t Target, statement string, args []any) (Result, error) {
	return o.pooled(ctx, t, statement, args, true)
}

func (o *Opener) pooled(ctx context.Context, t Target, statement string, args []any, again bool) (Result, error) {
	p := o.pools.enter(t)
	defer o.pools.leave(t, p)
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return Result{}, &Error{Code: "ETIMEDOUT", Message: "all connections with the database are in use"}
	}
	defer func() { <-p.slots }()
	c := o.pools.take(p)
	for {
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
		if !again || !lost(err) || ctx.Err() != nil {
			return answer, err
		}
		c, again = nil, false
	}
}

// What servers say when they end a session: PostgreSQL when it is told to (57P01), when
// another of its processes fell (57P02), and of an idle one (57P05); MySQL and MariaDB when
// they go down (1053), when somebody ends it (1927), and of an idle one (4031).
var (
	lostStates  = []string{"57P01", "57P02", "57P05"}
	lostNumbers = []int{1053, 1927, 4031}
)

// lost reports whether err is that the connection ended before the answer was there.
func lost(err error) bool {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return false
	case e.State == "" && e.Number == 0:
		return e.Code == "ECONNRESET" || e.Code == "EPIPE"
	}
	return slices.Contains(lostStates, e.State) || slices.Contains(lostNumbers, e.Number)
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
