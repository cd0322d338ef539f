// Package oauth is the protocol's words and its pure rules.
//
// Owns: which redirect URIs, logout URLs and origins match (redirect.go), code
// challenges (pkce.go), scopes (scope.go), response types and modes (response.go),
// the validated authorization request and its error (authorize.go), ids of clients
// that registered themselves (clientid.go).
// Does not own: endpoints (op), tokens (token).
// May import: the standard library.
package oauth
