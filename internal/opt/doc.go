// Package opt is the three-state value of PATCH bodies: absent, null, or a value.
//
// Owns: the Value type and its JSON form.
// Does not own: what null means for a given member (profile, client, connection).
// May import: the standard library.
package opt
