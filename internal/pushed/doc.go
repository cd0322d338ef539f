// Package pushed is authorization requests that a client sent ahead of the
// browser (reference/authentication.md §4.7, RFC 9126).
//
// Owns: the noun, its reference.
// Does not own: what a request may ask, and who may push one (op), SQL (store).
// May import: errs, token.
package pushed
