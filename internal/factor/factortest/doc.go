// Package factortest is an authenticator in software, for tests: it makes WebAuthn
// credentials and signs with them, and can be told to misbehave.
//
// Owns: the authenticator's side of both ceremonies (WebAuthn §6).
// Does not own: what is accepted of it (factor).
// May import: nothing of ours.
package factortest
