// Package action runs the actions of custom databases: by script, by SQL, by webhook.
//
// Owns: which carrier runs an action (runner.go), what a script sees and what its error
// classes mean (script.go), statements, their parameters and what their rows mean (sql.go,
// sqlparams.go, sqlrow.go), webhooks and their signatures (webhook.go), what options are
// refused when a connection is written (prepare.go).
// Does not own: the sandbox (script), databases (foreigndb), what an answer means (customdb).
// May import: errs, profile, passwd, schema, strictjson, connection, customdb, script, foreigndb, outbound.
package action
