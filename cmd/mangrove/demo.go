package main

import (
	"context"
	"os"

	"mangrove/internal/demo"
)

type demoCommand struct {
	Once bool `help:"End when everything was played, instead of staying up."`
}

// Help is printed below the summary of --help.
func (demoCommand) Help() string {
	return `Everything is on loopback and in a temporary directory that is deleted at the end. The exit status is
1 if any step did not come out as it should.

Examples:

  mangrove demo
  mangrove demo --once`
}

// Run plays the demonstration.
func (c *demoCommand) Run(ctx context.Context, std streams) error {
	return demo.Run(ctx, demo.Options{
		Out:    std.out,
		Colour: isTerminal(std.out) && os.Getenv("NO_COLOR") == "",
		Once:   c.Once,
	})
}
