// Package grant is a client grant: which client may ask for which API and scopes (reference/authentication.md §7.2).
//
// Owns: the noun, its bodies (body.go), its rules and use cases (service.go).
// Does not own: token issuing (op), SQL (store), wire form and routes (mgmt).
// May import: errs, opt, schema, strictjson, oauth, audit.
package grant
