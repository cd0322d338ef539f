// Package role is roles and permissions: which role has which scopes of which
// APIs, and who has which role (reference/users.md §3.13, authentication.md §7.2).
//
// Owns: the noun, its bodies (body.go), what a user may do and why
// (effective.go), its rules, limits and use cases (service.go).
// Does not own: the scopes that an API defines (resourceserver), users (user),
// what a token says of permissions (op), SQL (store), wire form and routes (mgmt).
// May import: errs, opt, schema, strictjson, audit, resourceserver, go-json-experiment.
package role
