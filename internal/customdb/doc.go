// Package customdb is a custom database as its connection describes it: what it can
// be asked, and what its answers mean.
//
// Owns: the actions and what they are given (action.go), what an answer means
// (person.go, answer.go), why there is none (failure.go), the options that say who
// answers (options.go), what is kept of a migration (migration.go), what whoever tries an
// action may give and see (given.go, shown.go).
// Does not own: how an action is run (action), what an answer does to a user
// (user, profile).
// May import: errs, schema, profile, strictjson, connection.
package customdb
