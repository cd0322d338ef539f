// Package socialtest has doubles of social providers: servers on loopback that
// insist on what the provider insists on and answer what it answers.
//
// Owns: the double (double.go), its bad manners (rude.go), the cases with their
// fixtures and golden profiles (cases.go, testdata).
// Does not own: what a connector does with the answers (upstream/social).
// May import: connection, profile, script, strictjson, upstream, upstream/social, go-jose.
package socialtest
