// Package device is codes by which a device without a browser is signed in on
// another one (RFC 8628; reference/authentication.md §3.11).
//
//	device: /oauth/device/code ──▶ Pending ──(polls)──▶ Pending … Approved ──▶ Used
//	person: /activate, sign-in, confirmation ────────────▶ Approved or Denied
//
// Owns: the noun and its store interface (device.go), what a poll is answered
// (poll.go), the code that people type (usercode.go), how many wrong ones they may
// type (guess.go).
// Does not own: the endpoint and the grant (op), pages (login, page), SQL (store).
// May import: errs, audit, token.
package device
