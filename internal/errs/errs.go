package errs

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure it is; the surfaces turn it into a status.
// The zero Kind is Internal, so a forgotten kind tells the caller nothing.
type Kind uint8

// The kinds, with the HTTP status that every surface uses for them.
const (
	Internal        Kind = iota // 500: the text is never shown
	Invalid                     // 400
	Unauthenticated             // 401
	Forbidden                   // 403
	NotFound                    // 404
	Conflict                    // 409
	Stale                       // 412
	TooLarge                    // 413
	Unsupported                 // 415
	TooMany                     // 429
	Unavailable                 // 503
)

// Status is the HTTP status of the kind.
func (k Kind) Status() int {
	switch k {
	case Invalid:
		return 400
	case Unauthenticated:
		return 401
	case Forbidden:
		return 403
	case NotFound:
		return 404
	case Conflict:
		return 409
	case Stale:
		return 412
	case TooLarge:
		return 413
	case Unsupported:
		return 415
	case TooMany:
		return 429
	case Unavailable:
		return 503
	default:
		return 500
	}
}

// Error is a failure with a public side (Text, Code) and a private one (Cause).
type Error struct {
	Kind  Kind
	Code  string // errorCode of the Management API, or error of the OAuth family; may be empty
	Text  string // shown to the caller; never holds a secret
	Cause error  // for the log only; may be nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Text + ": " + e.Cause.Error()
	}
	return e.Text
}

func (e *Error) Unwrap() error { return e.Cause }

// Is matches errors of equal kind, code and text, so that a sentinel can be
// compared after it was wrapped with a cause.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code && t.Text == e.Text
}

// New makes an error; format and args give the public text.
func New(kind Kind, code, format string, args ...any) *Error {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	return &Error{Kind: kind, Code: code, Text: text}
}

// Because is a copy of e that remembers cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// From finds the *Error in err's chain. Any other error becomes Internal with
// err as its cause and a text that says nothing.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Text: "Internal error.", Cause: err}
}

// KindOf is the kind of err; Internal for foreign errors.
func KindOf(err error) Kind { return From(err).Kind }
