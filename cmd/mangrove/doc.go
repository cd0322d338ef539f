// Command mangrove is the identity server: serve, demo, migrate, bench, version.
//
// Owns: the commands and their help. Each command is one file.
// Does not own: settings (internal/config), what a command does (internal/server,
// demo, bench).
// May import: config, server, demo, bench, kong.
package main
