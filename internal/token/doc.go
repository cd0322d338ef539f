// Package token is what the token endpoint hands out and takes back:
// authorization codes, opaque access tokens, JWT access and ID tokens.
//
// Owns: codes and opaque tokens as nouns (token.go, secret.go), minting JWTs
// (jwt.go), verifying them (verify.go) and the cache of verified ones
// (cache.go), claims by scope (claims.go).
// Does not own: grants and protocol errors (op), keys (key), SQL (store).
// May import: errs, oauth, key, profile, user, go-jose.
package token
