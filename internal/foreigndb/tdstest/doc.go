// Package tdstest is a double of SQL Server for tests: it speaks the protocol (MS-TDS
// 7.4) as far as its clients go, and has a test give the answers.
//
// Owns: packets, prelogin, TLS, login (server.go), what parameters and rows look like on
// the wire (value.go).
// Does not own: Transact-SQL: whoever tests says what a statement answers.
// May import: the standard library.
package tdstest
