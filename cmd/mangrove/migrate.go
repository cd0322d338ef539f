package main

import (
	"context"
	"fmt"
	"os"

	"mangrove/internal/config"
	"mangrove/internal/server"
)

type migrateCommand struct {
	config.Storage `embed:""`
}

// Help is printed below the summary of --help.
func (migrateCommand) Help() string {
	return `serve does the same when it starts. Migrations go forward only: make a backup first.

Examples:

  mangrove migrate --data /var/lib/mangrove
  MANGROVE_DATABASE=postgres://mangrove@db/mangrove mangrove migrate`
}

// Run migrates and says from which version to which.
func (c *migrateCommand) Run(ctx context.Context, file *config.File, std streams) error {
	cfg, err := c.Parse(file, os.Getenv)
	if err != nil {
		return err
	}
	m, err := server.Migrate(ctx, cfg, server.Options{Log: newLog(std.err, cfg)})
	if err != nil {
		return err
	}
	if m.From == m.To {
		_, err = fmt.Fprintf(std.out, "%s: version %d, nothing to do\n", m.Engine, m.To)
	} else {
		_, err = fmt.Fprintf(std.out, "%s: version %d, was %d\n", m.Engine, m.To, m.From)
	}
	return err
}
