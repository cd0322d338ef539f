// Package user is the user as one aggregate: profile, identities, password and
// provenance, and the use cases that change it.
//
// Owns: the User type, its ids, its stored encoding (codec.go), the use cases
// (service.go and its neighbours), what an import row means (importrow.go).
// Does not own: who may edit what and what a login does (profile), password
// hashes (passwd), SQL (store), the wire form (mgmt/userjson.go).
// May import: errs, opt, schema, strictjson, profile, passwd, audit, connection.
package user
