// Package client is an application that asks for tokens (reference/authentication.md §7.1).
//
// Owns: the noun, the bodies of POST and PATCH (body.go), the rules between
// their members (rules.go), the typed view (settings.go), the use cases and
// defaults (service.go), the clients of a fresh installation (bootstrap.go), the
// keys that clients authenticate with (credential.go), what clients that register
// themselves may be (register.go).
// Does not own: token issuing (op), SQL (store), wire form and routes (mgmt).
// May import: errs, opt, schema, strictjson, oauth, audit, go-json-experiment.
package client
