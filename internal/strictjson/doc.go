// Package strictjson reads JSON from strangers: one value, no duplicate keys,
// valid UTF-8, no NUL, no lone surrogates, a depth limit.
//
// Owns: splitting an object into members, compact canonical text (scan.go, with
// names.go for duplicate keys), the lenient reading of an object that came
// through (document.go), the streaming reader of files of rows (stream.go,
// records.go for CSV).
// Does not own: what members are allowed (schema, profile, mgmt).
// May import: the standard library; go-json-experiment in document.go, and in
// tests as the independent reader that the scanner has to agree with.
package strictjson
