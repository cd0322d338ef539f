// Package user is the user as one aggregate: profile, identities, password and
// provenance, and the use cases that change it.
//
// Owns: the User type, its ids, its stored encoding (codec.go), the use cases
// (service.go and its neighbours), what an import row means (importrow.go),
// what a row of a bulk update means (updaterow.go),
// what a line of an export is (exportrow.go, exportcsv.go), the wire form (wire.go),
// what a search query means (searchplan.go).
// Does not own: who may edit what and what a login does (profile), password
// hashes (passwd), SQL (store), who sees how much of the wire form (mgmt).
// May import: errs, opt, schema, query, strictjson, profile, passwd, audit, letter, connection, customdb.
package user
