// Package storetest opens fresh databases for tests and holds the suite that
// defines what the store does; SQLite and PostgreSQL run all of it.
//
// Owns: Open and its relatives (open.go), the conformance suite (Run), a store that
// remembers what it sent (mailbox.go).
// Does not own: the store; tests that need its insides stand beside it.
// May import: store, what it imports, parttest, testing.
package storetest
