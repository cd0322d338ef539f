// Package fakeidp is an OpenID provider that stands in for an upstream, in
// tests and in the demo: polite, or rude in one way at a time.
//
// Owns: discovery, keys, /authorize, /token, /userinfo, /logout (idp.go, authorize.go,
// token.go, assertion.go), the catalogue of bad manners (rude.go).
// Does not own: anything that a real installation needs. It asks nobody for a
// password: whoever reaches it may be anyone it knows.
// May import: go-jose, the standard library.
package fakeidp
