// Package replay remembers messages that identity providers sent, so that each is
// taken once (security.md 102).
//
// Owns: the key of a message, the memory's interface.
// Does not own: until when a message could be sent again (upstream/saml,
// upstream/wsfed), SQL (store).
// May import: token.
package replay
