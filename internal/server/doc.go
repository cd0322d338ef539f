// Package server puts the parts together and runs them: what `mangrove serve`
// serves is what New makes, and what end-to-end tests and the demonstration run.
//
// Owns: the wiring (server.go), the routes that are nobody else's (health.go,
// picture.go), what the first start creates (bootstrap.go), TLS (tlsdev.go,
// certificate.go), starting and stopping (serve.go).
// Does not own: any rule. What is decided here is only who gets what.
// May import: every package but cmd, demo and bench.
package server
