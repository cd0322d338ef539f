// Package letter is the mails that belong to a person's account: which one, to
// whom, with what in it. A letter is stored with the change that causes it and is
// brought on its way afterwards, so that neither its sending nor its absence can
// be told from how long an answer takes.
//
// Owns: the noun, the names of the templates, when one is tried again.
// Does not own: words, templates and servers (mail), the queue's table (store),
// who gets one (user, ticket, passwordless, guard).
// May import: errs, audit.
package letter
