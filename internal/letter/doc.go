// Package letter is the mails that belong to a person's account: which one, to
// whom, with what in it. A letter is stored with the change that causes it and is
// brought on its way afterwards, so that neither its sending nor its absence can
// be told from how long an answer takes.
//
// Owns: the noun and its queue (letter.go), the templates that a tenant replaces
// (template.go), the provider that a tenant names (provider.go), which bodies of
// either are accepted, who changes them (service.go).
// Does not own: the words of our own letters and the sending (mail), the tables
// (store), when a letter is tried again (job), who gets one (user, ticket,
// passwordless, guard, factor).
// May import: errs, schema, liquid, strictjson, audit.
package letter
