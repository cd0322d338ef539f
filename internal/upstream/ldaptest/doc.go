// Package ldaptest starts real directories for tests: OpenLDAP's slapd and a Samba
// Active Directory domain controller, each in a directory of its own, with TLS by
// an authority of its own.
//
// Owns: how they are installed, set up, started, ended (slapd.go, samba.go), their
// certificates (authority.go), and how tests change what is in them (directory.go).
// Does not own: what is tested against them (upstream/ldap, server).
// May import: parttest, go-ldap.
package ldaptest
