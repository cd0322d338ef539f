// Package refresh is refresh tokens: what an application keeps to get new access
// tokens without the person (reference/authentication.md §3.8).
//
//	first issue ──▶ Token ──(Use: Keep, Rotate)──▶ exchanged ──▶ …
//	                  └──(Use: Reused)──▶ the family is gone
//
// Owns: the noun and its store interface (token.go), the text of a token and what
// is stored of it (secret.go), when a token may be exchanged and what becomes of
// it (use.go), which scopes it may still give (scope.go), what the Management API
// may ask (directory.go).
// Does not own: the grant and its errors' order (op), SQL (store), the wire form
// of the Management API (mgmt).
// May import: errs, oauth, audit, client, session, token.
package refresh
