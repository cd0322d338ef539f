// Package fetched keeps what providers publish at addresses: discovery documents and
// key sets.
//
// Owns: that an address is asked once at a time, and everybody gets that answer
// (cache.go); which keys of a set count, and how often an unknown one makes us ask
// again (keys.go).
// Does not own: the requests, and what the documents mean (oidc, social).
// May import: go-jose, json.
package fetched
