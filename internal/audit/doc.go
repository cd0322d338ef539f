// Package audit is the tenant log: what happened, who did it, to whom.
//
// Owns: the Event type and the type codes of the reference (users.md §3.13, authentication.md §7.7).
// Does not own: process logs (web), storage (store). An event is written in the
// transaction of what it tells.
// May import: the standard library.
package audit
