// Package ldap is the connector for the strategy ad (reference/connections.md
// §2.11, §4.7): Active Directory and other LDAP servers, asked directly, without
// an agent beside them. Somebody is searched for with an account of the
// connection, and proves the password by a bind of their own.
//
// Owns: the options below options.ldap (options.go) and their check (prepare.go),
// which entry a name means (name.go, filter.go), connections to servers, their
// failover and their limits (dial.go, server.go), what a refused bind means
// (refuse.go), groups (groups.go), how an entry becomes attributes (claims.go).
// Does not own: how often passwords are guessed (guard), what a login does to a
// profile (profile), which addresses may be reached (outbound).
// May import: errs, profile, connection, strictjson, upstream, outbound, go-ldap,
// x/text.
package ldap
