// Package social is the connector for the social strategies: one declarative
// Provider each (reference/connections.md §4.1, §4.2), one flow for all of them,
// OAuth 2.0's authorization code.
//
// Owns: what there is to say about a provider (provider.go), one file per
// provider, the authorization request (depart.go), the token and profile requests
// (fetch.go), ID tokens of social providers (idtoken.go), how raw profiles become
// attributes (mapper.go), which scope follows from the flags (scope.go), OAuth 1.0a
// (oauth1.go), custom connections and their scripts (custom.go, scripts.go).
// Does not own: what a login does to a profile (profile), browser state (login).
// May import: errs, profile, connection, session, strictjson, upstream, upstream/fetched, script,
// go-jose, dghubble/oauth1, json.
package social
