// Command mangrove is the identity server: serve, demo, migrate, import,
// export, bench, gallery, version.
//
// Owns: the commands and their help. Each command is one file; import and export
// share the client of the Management API (management.go) and progress.go.
// Does not own: settings (internal/config), what a command does (internal/server,
// demo, bench, page).
// May import: config, server, demo, bench, page, kong.
package main
