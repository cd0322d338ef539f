package foreigndb

import (
	"context"
	"net"
	"sync"
	"time"
)

// Engine is a kind of database server.
type Engine string

// The engines.
const (
	Postgres  Engine = "postgres"
	MySQL     Engine = "mysql" // and MariaDB
	SQLServer Engine = "sqlserver"
)

// TLS says how a connection is protected, from the weakest to the strongest.
type TLS string

// The ways. Prefer is what a server is asked for where nothing is said.
const (
	Plain   TLS = "disable"
	Prefer  TLS = "prefer"
	Encrypt TLS = "require"     // whoever answers is believed
	Verify  TLS = "verify-full" // certificate and name are checked
)

// Target is where a database is.
type Target struct {
	Engine                   Engine
	Host                     string
	Port                     int // zero: the engine's usual one
	User, Password, Database string
	TLS                      TLS
	// CA is PEM of the authorities that Verify trusts; empty: the system's.
	CA string
	// Options of PostgreSQL, as its command line has them (-c search_path=legacy).
	Options string
	// Timeout bounds the opening; zero: DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout is how long opening a connection may take.
const DefaultTimeout = 5 * time.Second

// Dial opens a connection to host:port; outbound.Dialer's in production.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Opener opens databases through the guard. It implements script.Databases.
type Opener struct {
	dial  Dial
	pools pools
	// ending are the statements that are being stopped on servers.
	ending sync.WaitGroup
}

// New makes an Opener whose connections all come from dial.
func New(dial Dial) *Opener { return &Opener{dial: dial} }

// Connect opens a session with a SQL database, which is the caller's alone. Errors: *Error.
func (o *Opener) Connect(ctx context.Context, t Target) (Conn, error) {
	var c Conn
	err := opening(ctx, t, func(ctx context.Context) (err error) {
		switch t.Engine {
		case Postgres:
			c, err = o.postgres(ctx, t)
			err = pgError(err)
		case MySQL:
			c, err = o.mysql(ctx, t)
		case SQLServer:
			c, err = o.sqlServer(ctx, t)
		default:
			err = &Error{Message: "unknown kind of database"}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// opening bounds what opens a connection.
func opening(ctx context.Context, t Target, open func(context.Context) error) (err error) {
	if t.Timeout <= 0 {
		t.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	defer unreadable(&err)
	return open(ctx)
}

// Close closes what is kept open, and waits until what was stopped has ended. Nothing
// may be asked at the same time.
func (o *Opener) Close() {
	o.pools.close()
	o.ending.Wait()
}

// Result is what a statement answered.
type Result struct {
	Columns []Column
	// Rows hold nil, bool, int64, uint64, float64, string, []byte and time.Time.
	// Decimals and everything that has no such form are strings.
	Rows     [][]any
	Affected int64
	InsertID int64  // of MySQL
	Command  string // of PostgreSQL: SELECT, UPDATE, …
}

// Column of a Result. Type is the engine's own name of it, in lower case.
type Column struct{ Name, Type string }

// Conn is one session with a SQL database, for one user at a time.
type Conn interface {
	// Query runs one statement with its arguments by position, in the placeholders of
	// the engine. Errors: *Error.
	Query(ctx context.Context, statement string, args []any) (Result, error)
	Close() error
}

// Bounds of one answer.
const (
	MaxRows  = 10_000
	MaxBytes = 8 << 20
)

// Error is what the server, or the way to it, said. No secret is in it.
type Error struct {
	Code    string // the server's own (23505, ER_DUP_ENTRY), or ECONNREFUSED, ETIMEDOUT, EACCES (the guard)
	Number  int    // of MySQL and SQL Server
	State   string // SQLSTATE
	Message string
	Detail  string // names of constraint and column, where the server says them
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}
