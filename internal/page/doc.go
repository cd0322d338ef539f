// Package page draws what a person sees: sign-in, sign-out, errors, and the
// form that carries an answer to an application.
//
// Owns: the pages as types (pages.go, tickets.go), their templates and style (templates/),
// the security headers of HTML answers (headers.go), the gallery of every page
// in every state (gallery.go).
// Does not own: which page comes when (login, op), texts of failures (errs).
// May import: errs, oauth, the standard library.
package page
