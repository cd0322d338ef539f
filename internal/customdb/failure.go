package customdb

import (
	"errors"
)

// Kind says why an action has no answer.
type Kind string

// The kinds. The first three are what the store itself decided; by a script, each is
// an error class (reference/connections.md §5.2).
const (
	Wrong        Kind = "wrong credentials" // WrongUsernameOrPasswordError
	Invalid      Kind = "invalid"           // ValidationError
	Unauthorized Kind = "unauthorized"      // UnauthorizedError: its message is for the person
	Failed       Kind = "failed"            // any other error
	Broken       Kind = "broken"            // it ran into a limit, cannot be read or reached, or answered what means nothing
	NoAction     Kind = "no action"         // the connection has none of the name
)

// Failure is why an action has no answer. Its texts are the store's own words, with
// secrets masked; they may still speak of a person.
type Failure struct {
	Kind Kind
	// UserID is whom a Wrong names: the id, without provider, of whoever has the
	// identifier; empty: nobody has.
	UserID string
	// Code is that of an Invalid (user_exists).
	Code    string
	Message string
	// Detail is for the operator alone: the class of the error, the line of the source,
	// the limit.
	Detail  string
	Console []Line
}

// Error tells the kind alone: it ends in process logs, and the store's own words may
// speak of a person.
func (f *Failure) Error() string { return "custom database: " + string(f.Kind) }

// IsWrong reports whether the store says that identifier and password do not belong
// together, or that nobody has the identifier.
func IsWrong(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Kind == Wrong
}

// broken is an answer that means nothing.
func broken(message string) *Failure { return &Failure{Kind: Broken, Message: message} }
