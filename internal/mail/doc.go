// Package mail sends what has to be said by mail.
//
// Owns: the letters and their words (letters.go), the ways to send them (smtp.go,
// directory.go), the form of the setting that chooses one (server.go).
// Does not own: when a mail is due (job), what its link does (ticket).
// May import: errs, ticket, job, the standard library, go-mail.
package mail
