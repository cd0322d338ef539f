package script

import (
	"context"
	"encoding/json"
)

// Databases opens sessions with databases for scripts (package foreigndb).
type Databases interface {
	// Open opens a session: kind is that of a module (pg, mysql, mssql, mongodb), config
	// an object as its shim in js/ sends it. Errors are thrown in the script; *DatabaseError
	// with its members.
	Open(ctx context.Context, kind string, config json.RawMessage) (Session, error)
}

// Session is an open database, of one run: whatever a run leaves behind in it goes
// with it.
type Session interface {
	// Do runs one operation; what and the answer are JSON that the shim and the session
	// agree about.
	Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error)
	Close() error
}

// DatabaseError is an error with what scripts look at. No secret is in it.
type DatabaseError struct {
	Message string
	// Members become members of the JavaScript error: code, errno, sqlState, detail, …
	Members map[string]any
}

func (e *DatabaseError) Error() string { return e.Message }
