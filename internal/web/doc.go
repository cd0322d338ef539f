// Package web is HTTP plumbing that every surface shares.
//
// Owns: handlers that return errors (serve.go), the record and log line of a
// request (record.go), reading bodies and parameters strictly (body.go,
// params.go), path parameters (path.go), writing JSON (write.go), public
// documents that are made once (document.go), who
// calls from where (address.go), server limits (limits.go), how often somebody may
// call (buckets.go).
// Does not own: routes, error families' shapes (mgmt, op, login render their
// own), the security headers of HTML (page, login), CORS (op).
// May import: errs, strictjson, profile (JSON text), chi, the standard library.
package web
