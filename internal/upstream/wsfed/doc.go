// Package wsfed is the connector for WS-Federation: the strategy adfs, and waad where
// it is set to ws-federation (reference/connections.md §2.8, §2.9, §4.7).
//
//	Depart ── wa=wsignin1.0 ──▶ provider ── wa, wresult, wctx ──▶ Callback
//
// Owns: the requests (connector.go), what a token says (token.go) and which is
// accepted (checks.go), federation metadata (metadata.go) and when it is read
// (trust.go), options (options.go) and what a write adds to them (prepare.go),
// which waad connections are spoken to so (either.go).
// Does not own: XML and signatures (safexml), the mapping (upstream/statement.go),
// the memory of tokens (replay).
// May import: errs, profile, connection, replay, session, strictjson, upstream,
// upstream/safexml.
package wsfed
