// Package script runs JavaScript that operators write, in a sandbox: profile
// scripts of social connections, action scripts of custom databases.
//
// Owns: the engine and its limits (engine.go, limits.go), what becomes of runs that nothing stops (watch.go), one run and its event
// loop (run.go), for how long JavaScript is at work (stopwatch.go), its virtual machine (machine.go) and the library in it, whose
// files are read when a script needs them (parts.go), whether a source can be read (check.go), what a script can reach (host.go,
// http.go, js/): sessions with databases (database.go), password hashes (derive.go), ciphers (cipher.go); what a failure is
// called (failure.go), what must not be told (mask.go).
// Does not own: what arguments a script gets and what its answer means (upstream/social, action), the databases (foreigndb).
// May import: strictjson, quickjs, x/crypto.
package script
