// Package session is the browser's side of signing in: the session behind the
// cookie, and the login transaction behind the state of a login page.
//
// Owns: both nouns, their lifetimes, what their cookies hold.
// Does not own: pages and redirects (login, page), SQL (store).
// May import: errs.
package session
