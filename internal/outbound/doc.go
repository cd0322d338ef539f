// Package outbound is the one HTTP client for requests that leave the house.
//
// Owns: the guard against internal addresses (guard.go, checked at dial, for
// every hop), time, size and redirect limits (outbound.go, limit.go).
// Does not own: what is asked (upstream, later webhooks).
// May import: the standard library.
package outbound
