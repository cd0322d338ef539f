// Package saml is the connector for the strategies samlp and pingfederate
// (reference/connections.md §2.6, §2.7, §4.7): a SAML 2.0 service provider.
//
// Owns: the authentication request (request.go), what of a response counts as said
// (response.go, decrypt.go, assertion.go), what it must fulfil (checks.go), single
// logout (logout.go), messages in their bindings (message.go), what the options mean
// (options.go, certificate.go) and what a provider's metadata makes of them
// (prepare.go, idpmetadata.go), our own metadata (metadata.go).
// Does not own: safe XML and signatures over it (upstream/safexml), how a statement
// becomes claims (upstream), which messages were seen (replay), whether a provider
// may begin a login, browser state, and which sessions end (login).
// May import: errs, profile, connection, session, replay, strictjson, upstream,
// upstream/safexml, etree, goxmldsig, gosaml2.
package saml
