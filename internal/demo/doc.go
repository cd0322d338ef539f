// Package demo plays what Mangrove is for, over HTTP, on a real server with the
// embedded database and an upstream identity provider on loopback, and checks
// every answer.
//
// Owns: the play (play.go, acts.go, code.go), the old store that
// somebody comes from (oldstore.go), the browser that signs in
// (browser.go), how it reads on a terminal (print.go).
// Does not own: any behaviour of the server: this package knows it only as its
// clients do.
// May import: config, server, fakeidp, mail.
package demo
