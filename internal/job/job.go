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
	UsersImport       = "users_import"
	UsersExport       = "users_export"
	UsersUpdate       = "users_update" // ours: many PATCHes in one file
	VerificationEmail = "verification_email"
	ConnectionDelete  = "connection_delete" // ours, not shown: removes the users of a deleted connection
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
	// Params are the members of the request that rule the work: those of an import
	// are ImportParams.
	Params        json.RawMessage
	Summary       Summary
	StatusDetails string // why the whole job failed
	// Cursor: bytes of input consumed, of an export users written; everything before
	// it is done and recorded.
	Cursor int64
	// InputBytes is the size of the input, set when it is complete.
	InputBytes           int64
	CreatedAt, UpdatedAt int64
	// StartedAt is when a runner first took it; zero: nobody yet.
	StartedAt int64
	// CanceledAt is when somebody asked for its end; zero: nobody.
	CanceledAt    int64
	ActorClientID string
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
	Number int64 // of the row in the file, from 1
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
	Number int64 // in the file, from 1
	// New is the user to insert.
	New *user.User
	// Supplied is the row for the error report, secrets masked.
	Supplied json.RawMessage
	// Upsert, when not nil, is run on the user that has New's e-mail already
	// (match key: reference/users.md §6.2); nil: such a row fails as a duplicate.
	// A returned *errs.Error becomes the row's problem (Code, Text).
	Upsert func(*user.User) (user.Effect, error)
}

// What became of a row. One that found its user as it would make it is
// unchanged, which the summary counts as updated.
const (
	RowInserted  = "inserted"
	RowUpdated   = "updated"
	RowUnchanged = "unchanged"
	RowFailed    = "failed"
)

// Outcome is what became of one row: a line of the file of outcomes.
type Outcome struct {
	Row     int64     `json:"row"` // from 1
	Outcome string    `json:"outcome"`
	UserID  string    `json:"user_id,omitempty"` // of the user who is there now; empty when the row failed
	Errors  []Problem `json:"errors,omitempty"`
}

// Change is one row of a bulk update. It was refused and has problems, or it has
// all the rest.
type Change struct {
	Number   int64 // of the row in the file, from 1
	UserID   user.ID
	Supplied json.RawMessage // the row for the error report, secrets masked
	Problems []Problem
	// Apply is run on the user as it is then. It may run more than once and must
	// not do I/O. user.PatchProblems tells its refusals.
	Apply func(*user.User) (user.Effect, error)
}

// BatchResult counts what a batch did.
type BatchResult struct{ Inserted, Updated, Failed int64 }

// Failures.
var (
	ErrNotFound  = errs.New(errs.NotFound, "inexistent_job", "The job does not exist")
	ErrLeaseLost = errs.New(errs.Conflict, "", "Another runner has this job now.")
	ErrFinished  = errs.New(errs.Conflict, "job_finished", "The job has already finished.")
	// ErrNoConnection is an import whose connection was deleted.
	ErrNoConnection = errs.New(errs.Invalid, "inexistent_connection", "The connection does not exist.")
)

// CanceledDetails is the status_details of a job that was canceled.
const CanceledDetails = "The job was canceled."

// ErrTooMany is the refusal of an import beside n others (reference/users.md §6.1).
func ErrTooMany(n int64) error {
	return errs.New(errs.TooMany, "", "There are %d active import users jobs, please wait until some of them are finished and try again", n)
}

// Store keeps jobs.
type Store interface {
	ExportStore

	// CreateJob inserts it with the status it has.
	CreateJob(ctx context.Context, j *Job, e audit.Event) error
	Job(ctx context.Context, id string) (*Job, error)
	// AppendInput stores the next piece of the file (seq 0, 1, 2, … all of the same
	// size but the last); durable when it returns.
	AppendInput(ctx context.Context, jobID string, seq int64, piece []byte) error
	// InputPiece reads one piece; nil where there is none.
	InputPiece(ctx context.Context, jobID string, seq int64) ([]byte, error)
	// Publish makes a received job pending, with the connection, the parameters and
	// the size of the input that j has. ErrTooMany when limit jobs of its type are
	// pending or processing; limit 0: any number may be.
	Publish(ctx context.Context, j *Job, limit int64, e audit.Event) error
	// DropJob removes a job whose input never became complete.
	DropJob(ctx context.Context, jobID string) error

	// Claim leases the oldest pending job, or processing one whose lease ran out, of
	// one of the types; none: of any. nil, when there is none.
	Claim(ctx context.Context, owner string, now, until int64, types ...string) (*Job, *Lease, error)
	// Extend moves the lease's end; ErrLeaseLost when it is another's.
	Extend(ctx context.Context, l Lease, until int64) error
	// ImportBatch stores the rows, the errors (those found before, and those that
	// uniqueness finds), the counts and the cursor in one transaction.
	// ErrLeaseLost when the fence is old, ErrNoConnection when the job's connection
	// is gone, and then nothing was written.
	ImportBatch(ctx context.Context, l Lease, j *Job, rows []Row, failed []RowError, cursor, now int64) (BatchResult, error)
	// UpdateBatch applies the changes in their order, with their effects, and stores
	// the errors, the counts and the cursor in the same transaction. A user may come
	// more than once. ErrLeaseLost as above.
	UpdateBatch(ctx context.Context, l Lease, rows []Change, cursor, now int64) (BatchResult, error)
	// CheckBatch is ImportBatch for a dry run: it finds and keeps the same counts,
	// errors and outcomes, and writes no user.
	CheckBatch(ctx context.Context, l Lease, j *Job, rows []Row, failed []RowError, cursor, now int64) (BatchResult, error)
	// Finish ends the job (Completed or Failed), drops its input and its lease.
	Finish(ctx context.Context, l Lease, status, details string, now int64, e ...audit.Event) error
	// Cancel ends a pending job, and asks the runner of one in process to end it
	// after its batch. It returns the job as it is then. A job that was canceled
	// before stays as it is; ErrFinished when it ended otherwise.
	Cancel(ctx context.Context, jobID string, now int64, e audit.Event) (*Job, error)
	// Release gives an unfinished job back at once.
	Release(ctx context.Context, l Lease) error
	// RowErrors reads up to limit errors after the n-th.
	RowErrors(ctx context.Context, jobID string, after int64, limit int) ([]RowError, error)
	// Outcomes reads the lines (NDJSON of Outcome) of the first batch that begins
	// behind the after-th row, and where it begins; nil when there is none.
	Outcomes(ctx context.Context, jobID string, after int64) (lines []byte, begin int64, err error)
	// DeleteUsersOf deletes up to limit users whose primary identity is there and
	// reports how many; the connection row goes when none is left.
	DeleteUsersOf(ctx context.Context, connectionID string, limit int) (int, error)
}
