// Package safexml reads XML of strangers: SAML messages, WS-Federation tokens, metadata.
//
// Owns: what a document has to be before anybody looks into it (parse.go), whose
// signature covers what (signature.go) and which keys are good for one (strength.go), reading whole texts by namespace (read.go).
// Does not own: what a message means (saml, wsfed).
// May import: the standard library, etree, goxmldsig.
package safexml
