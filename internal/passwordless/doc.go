// Package passwordless signs people in by a code or a link that is sent to their
// e-mail address or telephone (reference/authentication.md §3.9, §4.3;
// reference/connections.md §6).
//
// Owns: the codes and how they are kept (code.go), what an address is
// (recipient.go), who gets one (withhold.go), how many are sent (budget.go), the
// use cases (service.go).
// Does not own: what a first sign-in makes of a person (user/passwordless.go), the
// words of mails (mail) and the ways of text messages (sms), SQL (store), HTTP and
// pages (op, login).
// May import: errs, profile, schema, audit, guard, letter, user, connection.
package passwordless
