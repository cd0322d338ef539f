// Package store keeps everything Mangrove remembers, in SQLite or PostgreSQL.
//
// Owns: the only SQL of the product, one set of queries for both engines
// (user.go, connection.go, …); what differs between the engines (dialect.go);
// the SQLite writer with group commit (writer.go) and the PostgreSQL pool
// (postgres.go); migrations; sealing of what must not be readable in a copy;
// the short-lived read cache (cache.go).
// Does not own: what may be changed by whom and what a change means (the nouns);
// the encoding of a user (user/codec.go). storetest is the suite that both
// engines run whole.
// May import: the rings of rules and nouns, pgx, goose, modernc.org/sqlite.
package store
