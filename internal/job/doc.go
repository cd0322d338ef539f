// Package job is long work: imports and their dry runs, exports, bulk updates,
// mails.
//
// Owns: the Job noun (job.go), the runner that leases and drives jobs
// (runner.go), imports (importer.go, input.go), exports (exporter.go), bulk
// updates (updater.go), the removal of a deleted connection's users (cleanup.go),
// verification mails (verification.go), when the other letters are sent (letters.go).
// Does not own: what a row means (user/importrow.go, user/updaterow.go,
// user/exportrow.go), SQL (store), HTTP (mgmt).
// May import: errs, profile, strictjson, audit, letter, user, connection, ticket.
package job
