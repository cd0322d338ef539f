// Package errs is the one error type that crosses package borders.
//
// Owns: the kinds of failure, the text that may be shown to a caller, the
// machine-readable code of the wire format, and the hidden cause.
// Does not own: how a failure looks on the wire (web, op) or in a log line.
// May import: the standard library.
package errs
