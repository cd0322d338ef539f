package script

import "time"

// Limits of one run. A zero means the default.
type Limits struct {
	// Time is how long a run may take by the clock, Busy how long JavaScript may
	// be at work in it.
	Time, Busy time.Duration
	Memory     int // bytes that the engine may hold
	Result     int // bytes of the answer as JSON
	Console    int // bytes that are kept of the console
	Timers     int // that are set, each ring of an interval counted
	Requests   int // that are sent
	Queries    int // operations of databases, opening one among them
	Hashes     int // of passwords: bcrypt, PBKDF2, scrypt, argon2
}

// Bounds of a Limits that nothing set (security.md 108–109).
const (
	DefaultTime     = 10 * time.Second
	DefaultBusy     = 2 * time.Second
	DefaultMemory   = 32 << 20
	DefaultResult   = 100 << 10
	DefaultConsole  = 16 << 10
	DefaultTimers   = 1000
	DefaultRequests = 20
	DefaultQueries  = 50
	DefaultHashes   = 200
)

func (l Limits) orDefaults() Limits {
	or := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	or(&l.Memory, DefaultMemory)
	or(&l.Result, DefaultResult)
	or(&l.Console, DefaultConsole)
	or(&l.Timers, DefaultTimers)
	or(&l.Requests, DefaultRequests)
	or(&l.Queries, DefaultQueries)
	or(&l.Hashes, DefaultHashes)
	if l.Time <= 0 {
		l.Time = DefaultTime
	}
	if l.Busy <= 0 {
		l.Busy = DefaultBusy
	}
	return l
}
