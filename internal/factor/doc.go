// Package factor is what a person has beside a password: second factors,
// recovery codes, passkeys, and the browsers that are trusted for a while.
//
// Owns: the Factor noun and its kinds, when a second factor is due (due.go), how
// each kind is enrolled and checked (enroll.go, totp.go, recovery.go, code.go, key.go),
// what an administrator gives and takes (assign.go), what owners are told (notice.go),
// how often one may guess (guess.go), the mfa_token (token.go), trusted browsers
// (browser.go), for whom an enrollment ticket is good (ticket.go), the passkey
// ceremonies that applications begin (apppasskey.go).
// Does not own: factors that an import brought (user/factors.go), which it asks
// for all the same, SQL (store), pages (login), HTTP (op, mgmt), mails (letter).
// May import: errs, profile, audit, connection, letter, session, tenant, token, user.
package factor
