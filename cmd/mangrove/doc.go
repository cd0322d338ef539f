// Command mangrove is the identity server: serve, demo, migrate, import,
// export, migration, script, bench, gallery, version.
//
// Owns: the commands and their help. Each command is one file, import two (pull.go is
// --from-connection); those that work on users share the client of the Management API
// (management.go) and progress.go. What is typed and not shown is typed.go's.
// Does not own: settings (internal/config), what a command does (internal/server,
// demo, bench, page).
// May import: config, server, demo, bench, page, script, user, kong.
package main
