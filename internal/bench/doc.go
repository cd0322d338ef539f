// Package bench measures a running server over HTTP, as its clients see it, so
// that an installation can be measured where it stands.
//
// Owns: what is measured (work.go, upstream.go, olddatabase.go), how it is driven (bench.go), percentiles
// (histogram.go), the table (report.go).
// Does not own: benchmarks of single packages, which are beside their code.
// May import: fakeidp, x/crypto.
package bench
