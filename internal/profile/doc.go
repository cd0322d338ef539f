// Package profile is the engine: the attributes of a user at the first level,
// where each value came from, who may change it next, and what a login does.
// Nothing writes a profile attribute around it.
//
// Owns: the noun (profile.go), what a connection allows (policy.go), the one
// table of attributes (attributes.go) and bodies checked against it (check.go),
// and a rule per way in which values come:
// create.go (sign-up, Management API, import insert), edit.go (PATCH: who may
// edit what), upsert.go (import row of a known user), sync.go (upstream login),
// verify.go (a person proved an address). What they share: identifier.go
// (usernames, e-mail addresses, phone numbers), metadata.go (keys, limits),
// merge.go, defaults.go (name, nickname and picture that are made up), draft.go.
// Does not own: identities, passwords, storage, HTTP; it has no clock, no
// context and no I/O: the caller brings the facts.
// May import: errs, opt, schema, the standard library.
package profile
