// Package resourceserver is an API that access tokens are for (reference/authentication.md §7.2).
//
// Owns: the noun, its bodies (body.go), its typed view (settings.go), its rules
// and use cases (service.go), the scopes of the Management API (managementscopes.go).
// Does not own: token issuing (op), SQL (store), wire form and routes (mgmt).
// May import: errs, opt, schema, strictjson, oauth, audit, go-json-experiment.
package resourceserver
