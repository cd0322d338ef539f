// Package login is the browser's way from /authorize to an answer: the sign-in
// page, the trip to an upstream identity provider and back, the session.
//
//	Start ──▶ /u/login ──(password)──────────────▶ next ──▶ Respond
//	   └────▶ upstream ──▶ /login/callback ────────▶ next
//
// Steps never lead to one another: each ends in next.go, the one place that
// decides what follows a proven identity, or in RespondError.
//
// Owns: transactions and sessions as they travel in cookies and state, which
// connections a person may choose (choice.go), the routes above; the pages behind
// mailed links (ticketpages.go, magiclink.go) for one-time codes (passwordless.go), and for
// devices (device.go) and requests for approval (approval.go).
// Does not own: the authorization request and its answer (op), pages (page),
// what a provider says (upstream), who the user is (user).
// May import: errs, oauth, passwd, profile, audit, client, connection, session,
// ticket, factor, user, upstream, page, web, chi.
package login
