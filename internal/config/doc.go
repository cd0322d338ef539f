// Package config is what an operator can set: flags, environment and a file,
// in that order of strength.
//
// Owns: the flags and their names (flags.go), the file (file.go), what the
// settings mean and which are wrong, all told at once (config.go, parse.go),
// the secrets that no argument may carry (secrets.go).
// Does not own: commands (cmd/mangrove), what is done with a setting (server).
// May import: the standard library, kong, yaml.
package config
