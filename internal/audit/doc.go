// Package audit is the tenant log: what happened, who did it, to whom.
//
// Owns: the Event type and the type codes of the reference (users.md §3.13,
// authentication.md §7.7), how the log is read in bounded steps (read.go), and
// what a search for events means (search.go).
// Does not own: process logs (web), storage (store), the search syntax (query),
// the wire form (mgmt). An event is written in the transaction of what it tells.
// May import: errs, query.
package audit
