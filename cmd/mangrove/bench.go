package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mangrove/internal/bench"
)

type benchCommand struct {
	URL      string        `help:"The server's public URL." placeholder:"URL" default:"https://localhost:8443"`
	ClientID string        `help:"A management client; its secret is MANGROVE_BENCH_CLIENT_SECRET." placeholder:"ID"`
	What     []string      `help:"What to measure: create, get, search, patch, import, login, upstream, script, webhook, migrate, token, refresh; upstream and webhook need a server with --outbound-allow 127.0.0.0/8." placeholder:"KIND,…" default:"create,get,search,patch,import,login,token,refresh"`
	Clients  int           `help:"Clients at once." placeholder:"N" default:"8"`
	Duration time.Duration `help:"How long each kind is measured." placeholder:"TIME" default:"10s"`
	Users    int           `help:"Users to read, patch and sign in." placeholder:"N" default:"1000"`
	Rows     int           `help:"Users in an import file." placeholder:"N" default:"10000"`
}

// Help is printed below the summary of --help.
func (benchCommand) Help() string {
	return `Works in a connection and with a client of its own, and removes both at the end. create and login
compute a password hash each, which is most of what they cost; token and refresh sign one token or two.
script and webhook sign in people of an external store that checks no password; migrate brings people over
from an old database at their first login, with one hash compared and one made.

Examples:

  export MANGROVE_BENCH_CLIENT_SECRET=… SSL_CERT_FILE=data/tls/ca.pem
  mangrove bench --client-id …
  mangrove bench --client-id … --url https://id.example.com --what get,patch --clients 32 --duration 30s`
}

// Run measures and prints a table; the progress goes to the standard error.
func (c *benchCommand) Run(ctx context.Context, std streams) error {
	results, err := bench.Run(ctx, bench.Options{
		URL:      strings.TrimSuffix(c.URL, "/"),
		ClientID: c.ClientID,
		Secret:   os.Getenv("MANGROVE_BENCH_CLIENT_SECRET"),
		What:     c.What,
		Clients:  c.Clients,
		Duration: c.Duration,
		Users:    c.Users,
		Rows:     c.Rows,
		Progress: std.err,
		Terminal: isTerminal(std.err),
	})
	if len(results) > 0 {
		err = errors.Join(bench.Write(std.out, results), err)
	}
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Errors > 0 {
			return fmt.Errorf("%d requests failed", r.Errors)
		}
	}
	return nil
}
