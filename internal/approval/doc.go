// Package approval is requests of an application that a person approves
// elsewhere: client-initiated backchannel authentication
// (reference/authentication.md §3.11, OpenID Connect CIBA).
//
//	application: /bc-authorize ──▶ Pending ──(polls)──▶ Pending … Approved ──▶ Over
//	person: mailed link, sign-in, decision ─────────────▶ Approved or Denied
//
// Owns: the noun and its store interface (approval.go), what a poll is answered
// (poll.go), who is meant and what may be asked (ask.go).
// Does not own: the endpoint and the grant (op), pages (login, page), the letter
// (letter, mail), SQL (store).
// May import: errs, schema, strictjson, audit, letter, token.
package approval
