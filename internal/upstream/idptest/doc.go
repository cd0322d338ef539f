// Package idptest starts real identity providers on loopback for tests: SimpleSAMLphp
// (SAML 2.0, WS-Federation) and the npm pair samlp and wsfed.
//
// Owns: their configuration (simplesaml.go, samlp.go), their keys (keys.go), a browser
// without pages that signs people in there (browser.go).
// Does not own: what they are set up for (the tests).
// May import: parttest, outbound.
package idptest
