// Package ip signs people in by the network address that they come from
// (reference/connections.md §2.12, §4.6). Everybody of a range is the same user. The
// strategy is deprecated and kept for tenants that have such connections.
//
// Owns: what options.range and options.username mean.
// Does not own: which address a browser has, behind proxies or not (web).
// May import: upstream.
package ip
