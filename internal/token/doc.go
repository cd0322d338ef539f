// Package token is what the provider hands out and takes back: authorization
// codes, opaque access tokens, and JWTs, which are access tokens, ID tokens and
// logout tokens. Refresh tokens are a noun of their own (refresh).
//
// Owns: codes and opaque tokens as nouns (token.go, secret.go), minting JWTs
// (jwt.go, logout.go), verifying access tokens (verify.go) and the cache of
// verified ones (cache.go), ID tokens that come back as a hint (endhint.go) or as
// a proof (linkproof.go), claims by scope (claims.go).
// Does not own: grants and protocol errors (op), keys (key), SQL (store).
// May import: errs, oauth, key, profile, user, go-jose.
package token
