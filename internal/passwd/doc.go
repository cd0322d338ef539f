// Package passwd is passwords: hashes in every format that people bring, and
// the strength policy.
//
// Owns: hash.go (the form we write), parse.go (which stored forms exist,
// ceilings on their cost), verify.go, normalize.go, custom.go (custom_password_hash of
// reference/users.md §6.3) with scheme.go, crypt.go, digest.go and encoding.go, text.go (what other
// applications write into one column),
// export.go (the way out for a stored form), policy.go, dictionary.go and history.go (reference/authentication.md §5).
// Does not own: where hashes are kept (user, store), how many run at once (user/hashing.go).
// May import: the standard library, x/crypto, x/text/unicode/norm, the list of frequent passwords.
package passwd
