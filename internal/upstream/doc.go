// Package upstream says what a connector to an upstream identity provider is.
//
// Owns: the interfaces of connectors and their values (upstream.go), their refusals
// (refusals.go), what an enterprise may vouch for (vouch.go), what is passed on
// to a provider (forward.go), what the assertions of SAML and WS-Federation become
// (statement.go), which names nobody may bring (names.go), who we are to a provider (tenant.go),
// messages that end sessions (signout.go). Each family of strategies
// is a package below.
// Does not own: what a login does to a profile (profile/sync.go), browser state (login).
// May import: errs, profile, connection, session, outbound.
package upstream
