// Package upstream says what a connector to an upstream identity provider is.
//
// Owns: the Connector interface and its values. Each strategy is a package below.
// Does not own: what a login does to a profile (profile/sync.go), browser state (login).
// May import: errs, profile, connection, outbound.
package upstream
