package job

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/user"
)

// Types of job.
const (
	UsersImport      = "users_import"
	ConnectionDelete = "connection_delete" // ours, not shown: removes the users of a deleted connection
)

// Statuses. Receiving is not shown: the file is still coming in.
const (
	Receiving  = "receiving"
	Pending    = "pending"
	Processing = "processing"
	Completed  = "completed"
	Failed     = "failed"
)

// Summary of an import.
type Summary struct {
	Failed   int64 `json:"failed"`
	Updated  int64 `json:"updated"`
	Inserted int64 `json:"inserted"`
	Total    int64 `json:"total"`
}

// Job as stored.
type Job struct {
	ID           string // job_ and 16 alphanumerics
	Type         string
	Status       string
	ConnectionID string
	Connection   string // name
	// Params are the members of the request that rule the work: upsert, external_id, …
	Params        json.RawMessage
	Summary       Summary
	StatusDetails string // why the whole job failed
	// Cursor: bytes of input consumed; everything before it is done and recorded.
	Cursor int64
	// InputBytes is the size of the input, set when it is complete.
	InputBytes           int64
	CreatedAt, UpdatedAt int64
	ActorClientID        string
}

// Lease is the right to work on a job. Fence grows with each lease, so that a
// runner that lost its lease cannot write any more.
type Lease struct {
	JobID string
	Owner string
	Fence int64
}

// RowError is why one row failed.
type RowError struct {
	// User is the row as supplied, secrets masked; a compact JSON object.
	User   json.RawMessage
	Errors []Problem
}

// Problem as in reference/users.md §6.4.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Path    string `json:"path,omitempty"`
}

// Row is one validated row of an import, ready to be stored.
type Row struct {
	// New is the user to insert.
	New *user.User
	// Supplied is the row for the error report, secrets masked.
	Supplied json.RawMessage
	// Upsert, when not nil, is run on the user that has New's e-mail already
	// (match key: reference/users.md §6.2); nil: such a row fails as a duplicate.
	// A returned *errs.Error becomes the row's problem (Code, Text).
	Upsert func(*user.User) error
}

// BatchResult counts what a batch did.
type BatchResult struct{ Inserted, Updated, Failed int64 }

// Failures.
var (
	ErrNotFound  = errs.New(errs.NotFound, "inexistent_job", "The job does not exist")
	ErrLeaseLost = errs.New(errs.Conflict, "", "Another runner has this job now.")
)

// Store keeps jobs.
type Store interface {
	// CreateJob inserts it with the status it has.
	CreateJob(ctx context.Context, j *Job, e audit.Event) error
	Job(ctx context.Context, id string) (*Job, error)
	// AppendInput stores the next piece of the file (seq 0, 1, 2, … all of the same
	// size but the last); durable when it returns.
	AppendInput(ctx context.Context, jobID string, seq int64, piece []byte) error
	// InputPiece reads one piece; nil where there is none.
	InputPiece(ctx context.Context, jobID string, seq int64) ([]byte, error)
	// Publish makes a received job pending.
	Publish(ctx context.Context, jobID string, inputBytes int64) error
	// DropJob removes a job whose input never became complete.
	DropJob(ctx context.Context, jobID string) error

	// Claim leases a pending job, or a processing one whose lease ran out. nil, when there is none.
	Claim(ctx context.Context, owner string, now, until int64) (*Job, *Lease, error)
	// Extend moves the lease's end; ErrLeaseLost when it is another's.
	Extend(ctx context.Context, l Lease, until int64) error
	// ImportBatch stores the rows, the errors (those found before, and those that
	// uniqueness finds), the counts and the cursor in one transaction.
	// ErrLeaseLost when the fence is old, and then nothing was written.
	ImportBatch(ctx context.Context, l Lease, j *Job, rows []Row, failed []RowError, cursor, now int64) (BatchResult, error)
	// Finish ends the job (Completed or Failed), drops its input and its lease.
	Finish(ctx context.Context, l Lease, status, details string, now int64, e ...audit.Event) error
	// Release gives an unfinished job back at once.
	Release(ctx context.Context, l Lease) error
	// RowErrors reads up to limit errors after the n-th.
	RowErrors(ctx context.Context, jobID string, after int64, limit int) ([]RowError, error)
	// DeleteUsersOf deletes up to limit users whose primary identity is there and
	// reports how many; the connection row goes when none is left.
	DeleteUsersOf(ctx context.Context, connectionID string, limit int) (int, error)
}
