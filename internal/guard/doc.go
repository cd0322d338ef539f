// Package guard is attack protection: how often passwords are guessed for one
// account, and how often one address may fail and sign up
// (reference/authentication.md §5.4).
//
// Owns: what is counted and under which name (attempt.go), when it is refused and
// for how long (rules.go), the use cases (service.go), blocks as they are listed
// and released (blocks.go), the store interface.
// Does not own: the settings (tenant), SQL (store), passwords (user), the mailed
// link that releases (ticket), HTTP (op, login, mgmt).
// May import: errs, audit, tenant, connection, user.
package guard
