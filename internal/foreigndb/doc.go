// Package foreigndb opens other people's databases: those that scripts and statements
// of custom databases ask.
//
// Owns: the connection to each kind of server through the guard, with its limits
// (target.go, postgres.go, mysql.go, sqlserver.go, mongodb.go), what their values look
// like in JSON (value.go, mongovalue.go), the sessions that scripts get (session.go, the files
// *session.go, mongodb.go).
// Does not own: our own database (store), the shims that scripts see (script/js), what
// an action means (action).
// May import: the standard library, script.
package foreigndb
