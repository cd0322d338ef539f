// Package session is the browser's side of signing in: the session behind the
// cookie, and the login transaction behind the state of a login page.
//
// Owns: both nouns, their lifetimes, what their cookies hold, how sessions are
// listed and ended from outside the browser (directory.go), the sessions at
// providers that they came from (foreign.go).
// Does not own: pages and redirects (login, page), SQL (store).
// May import: errs, audit.
package session
