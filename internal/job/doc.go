// Package job is long work: imports now, exports and bulk updates later.
//
// Owns: the Job noun (job.go), the runner that leases and drives jobs
// (runner.go), imports (importer.go, input.go), the removal of a deleted
// connection's users (cleanup.go).
// Does not own: what a row means (user/importrow.go), SQL (store), HTTP (mgmt).
// May import: errs, profile, strictjson, audit, user, connection.
package job
