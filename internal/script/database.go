package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Databases opens sessions with databases for scripts (package foreigndb).
type Databases interface {
	// Open opens a session: kind is that of a module (pg, mysql, mssql, mongodb), config
	// an object as its shim in js/ sends it. Errors are given to the script; *DatabaseError
	// with its members.
	Open(ctx context.Context, kind string, config json.RawMessage) (Session, error)
}

// Session is an open database, of one run: whatever a run leaves behind in it goes
// with it. It is asked one thing at a time, in the order of the script.
type Session interface {
	// Do runs one operation; what and the answer are JSON that the shim and the session
	// agree about. Where JSON has no form for a value, both directions have an object with
	// one member: {"$bytes": "Base64"} is a Buffer, {"$date": 12} a Date in milliseconds
	// since 1970, {"$int": "9007199254740993"} a BigInt.
	Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error)
	Close() error
}

// DatabaseError is an error with what scripts look at. No secret is in it.
type DatabaseError struct {
	Message string
	// Members become members of the JavaScript error: code, errno, sqlState, detail, …
	// Of one that is called name it is the name.
	Members map[string]any
}

func (e *DatabaseError) Error() string { return e.Message }

// maxSessions is how many databases a run has open at a time.
const maxSessions = 5

// sessions are the databases of a run. What a run has not closed is closed behind it.
type sessions struct {
	mu   sync.Mutex
	list map[int]*session
	live int // open, or being opened
}

// session is a database as a script numbers it. Its turns are taken one behind the other.
type session struct {
	last   <-chan struct{} // closed when what was asked last is done
	closed bool            // no more than one is asked to close it
	conn   Session         // of whoever has the turn; nil: not open
	err    error           // why it is not
}

var errClosed = errors.New("the database is closed")

// openDatabase begins a session. Its answer, as that of all the others, becomes an event.
func (r *run) openDatabase(id, number int, kind, config string) error {
	if err := r.query(); err != nil {
		return err
	}
	began := make(chan struct{})
	close(began)
	s := &session{last: began, err: errors.New("the database is not open")}
	full := !r.sessions.add(number, s)
	r.turn(id, s, func(ctx context.Context) (json.RawMessage, error) {
		switch {
		case full:
			s.err = fmt.Errorf("a script can have %d databases open at a time", maxSessions)
		case r.engine.Databases == nil:
			s.err = errors.New("scripts of this kind reach no databases")
		default:
			s.conn, s.err = r.engine.Databases.Open(ctx, kind, json.RawMessage(config))
		}
		if s.err != nil && !full {
			r.sessions.left()
		}
		return nil, s.err
	})
	return nil
}

// askDatabase runs one operation of a session.
func (r *run) askDatabase(id, number int, op, what string) error {
	if err := r.query(); err != nil {
		return err
	}
	s := r.sessions.get(number)
	if s == nil {
		return errClosed
	}
	r.turn(id, s, func(ctx context.Context) (json.RawMessage, error) {
		if s.conn == nil {
			return nil, s.err
		}
		return s.conn.Do(ctx, op, json.RawMessage(what))
	})
	return nil
}

// closeDatabase ends a session, behind what it is still asked.
func (r *run) closeDatabase(id, number int) error {
	s := r.sessions.get(number)
	if s == nil || s.closed {
		return errClosed
	}
	s.closed = true
	r.turn(id, s, func(context.Context) (json.RawMessage, error) {
		if s.conn == nil {
			return nil, nil
		}
		conn := s.conn
		s.conn, s.err = nil, errClosed
		r.sessions.left()
		return nil, conn.Close()
	})
	return nil
}

// query counts an operation.
func (r *run) query() error {
	if r.queried++; r.queried > r.limits.Queries {
		return r.stop(tooMuch("more than %d operations of databases", r.limits.Queries))
	}
	return nil
}

// turn does what is asked of a session when everything before it is done.
func (r *run) turn(id int, s *session, work func(context.Context) (json.RawMessage, error)) {
	before, done := s.last, make(chan struct{})
	s.last = done
	r.beside(id, func(ctx context.Context) string {
		defer close(done)
		<-before
		return outsideAnswer(guarded(func() (json.RawMessage, error) { return work(ctx) }))
	})
}

// guarded makes an error of a panic in what runs outside: drivers read what strangers
// answer, and a goroutine that panics takes the server with it.
func guarded(work func() (json.RawMessage, error)) (v json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("it failed in a way that nobody expected")
		}
	}()
	return work()
}

// outsideAnswer is what js/1_host.js gets of databases and password hashes: {"ok": …} or {"error": {"message", "members"}}.
func outsideAnswer(v json.RawMessage, err error) string {
	if err == nil {
		if len(v) == 0 {
			v = json.RawMessage("null")
		}
		return `{"ok":` + string(v) + `}`
	}
	var known *DatabaseError
	if !errors.As(err, &known) {
		known = &DatabaseError{Message: err.Error()}
	}
	b, err := json.Marshal(map[string]any{"error": map[string]any{"message": known.Message, "members": known.Members}})
	if err != nil { // a member that is no JSON
		b = []byte(`{"error":{"message":"it failed","members":{}}}`)
	}
	return string(b)
}

func (s *sessions) add(number int, one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = map[int]*session{}
	}
	s.list[number] = one
	if s.live >= maxSessions {
		return false
	}
	s.live++
	return true
}

func (s *sessions) get(number int) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[number]
}

func (s *sessions) left() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live--
}

// close closes what is open. Nothing may be under way in any of them.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		if one.conn != nil {
			_, _ = guarded(func() (json.RawMessage, error) { return nil, one.conn.Close() }) // the run has its answer
			one.conn = nil
		}
	}
}
