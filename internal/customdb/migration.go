package customdb

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// State is what is known of somebody who has not migrated.
type State string

// The states.
const (
	Known     State = "known"     // the old store has them; they have not come yet
	Failing   State = "failing"   // they came, and could not be taken
	Differing State = "differing" // both stores have them, and do not agree
)

// Note is what a request has learnt of a migration.
type Note struct {
	ConnectionID string
	// Name is by what the person is known in the notes: the identifier as it was
	// typed, folded. Aliases are further ones, whose notes end with this one.
	Name    string
	Aliases []string
	// State of the person; empty: they are in order, and no note of them is kept.
	State State
	// Migrated: this request has made the user.
	Migrated bool
	// Graves are those that a deleted user of the same id or identifiers would have. Where
	// one of them is there nothing is kept, and what the note belongs to fails: ErrBuried.
	Graves []string
	// Compared: both stores were asked, in shadow mode.
	Compared bool
	// Reason is why, in words for the operator; empty where all is well.
	Reason string
	At     int64 // microseconds
}

// ErrBuried is of a change that would bring back somebody who was deleted here.
var ErrBuried = errors.New("the person was deleted here")

// Progress of a migration. Known, Failing and Differing are people who are in that
// state now; the others count what happened.
type Progress struct {
	Migrated                  int64
	Known, Failing, Differing int64
	// Compared are the comparisons of shadow mode, Same those without a difference.
	Compared, Same int64
	// Deleted are those who may not come again.
	Deleted int64
	// Truncated: there was no room for everybody's name. Known, Failing, Differing and
	// Stragglers are then only of some.
	Truncated     bool
	FirstAt       int64 // of the first note, microseconds; zero: none
	LastMigration int64 // when somebody migrated last, microseconds; zero: never
	LastError     string
	LastErrorAt   int64
}

// Straggler is somebody in a state.
type Straggler struct {
	Name   string
	State  State
	Reason string
	At     int64 // microseconds
}

// MigrationStore keeps the notes.
type MigrationStore interface {
	// Note keeps what was learnt, apart from any change of a user. Those that a change
	// brings along are part of its transaction (user.Effect.Migration).
	Note(ctx context.Context, n Note) error
	Progress(ctx context.Context, connectionID string) (Progress, error)
	// Stragglers are up to limit people of a state (empty: of any), by name, behind
	// a name (empty: from the start).
	Stragglers(ctx context.Context, connectionID string, state State, after string, limit int) ([]Straggler, error)
	// Buried reports whether one of the graves is that of a deleted user of the connection.
	Buried(ctx context.Context, connectionID string, graves []string) (bool, error)
}

// Grave is what is kept of a deleted user: a keyed digest of an id or an identifier,
// from which nobody can tell whose it was. kind is user_id or that of the identifier.
func Grave(key []byte, connectionID, kind, value string) string {
	mac := hmac.New(sha256.New, key)
	for _, s := range []string{connectionID, kind, value} {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil))
}
