// Package legacytest is the old database of a shop, on real servers: for tests of people
// who leave it.
//
// Owns: a PostgreSQL and a MariaDB server of a test's own, which can be stopped and tell
// what they were asked (servers.go), the table and its people with the hashes that such
// tables have (people.go).
// Does not own: the shared servers of the suite (scripts/test).
// May import: parttest, foreigndb, x/crypto.
package legacytest
