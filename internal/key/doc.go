// Package key is the signing keys of the tenant.
//
// Owns: the noun (key.go), making RS256 keys with their certificate (generate.go),
// the JWKS document (jwks.go), the certificate by itself and as PKCS #7
// (certificate.go, pkcs7.go), the ring of keys that signs and verifies (ring.go,
// signer.go),
// rotation and revocation (rotate.go).
// Does not own: what is in a token (token, op), storage (store).
// May import: errs, audit.
package key
