// Package oauth is the protocol's words and its pure rules.
//
// Owns: redirect.go (which redirect URIs and origins match), pkce.go, scope.go,
// response.go (response types and modes), authorize.go (the validated authorization request), clientid.go, errors as RFC 6749 names them.
// Does not own: endpoints (op), tokens (token).
// May import: errs, the standard library.
package oauth
