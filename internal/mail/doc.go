// Package mail sends what has to be said by mail.
//
// Owns: who sends a letter and in whose words (post.go), our own letters (letters.go,
// templates/) in their languages (words.go, words/), what a tenant's templates are
// given (theirs.go), the ways to send (smtp.go, directory.go, printer.go), the form
// of the setting that chooses one (server.go).
// Does not own: when a mail is due (job), what its link does (ticket), which
// templates and providers are accepted (letter).
// May import: errs, liquid, profile, strictjson, letter, tenant, client, connection,
// user, job, the standard library, go-mail, x/text/language.
package mail
