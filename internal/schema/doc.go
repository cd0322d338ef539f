// Package schema checks one JSON value against a small description and words
// each violation the way the reference does (the z-schema templates of
// reference/users.md §3.0).
//
// Owns: property descriptions (schema.go), the check (check.go), what a string
// must look like (text.go, format.go), exact comparison of numbers
// (number.go), walking the members of a JSON text in place (walk.go), and the
// texts of violations: the Payload, Query, URI and Row methods (violation.go).
// Does not own: which properties exist (profile, mgmt), what status or error
// code a violation gets on the wire, strict reading of bodies (strictjson).
// May import: the standard library.
package schema
