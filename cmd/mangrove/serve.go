package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"mangrove/internal/config"
	"mangrove/internal/server"
)

type serveCommand struct {
	config.Flags `embed:""`
}

// Help is printed below the summary of --help.
func (serveCommand) Help() string {
	return `Examples:

  mangrove serve --tls-dev
  mangrove serve --tls-dev --mail directory --sms directory
  mangrove serve --listen :443 --public-url https://id.example.com \
      --tls-cert /etc/mangrove/cert.pem --tls-key /etc/mangrove/key.pem
  MANGROVE_DATABASE=postgres://mangrove@db/mangrove mangrove serve \
      --public-url https://id.example.com --listen :8080 --trusted-proxies 10.0.0.0/8

The first start prints the id and secret of the management client, once.

` + config.EnvironmentHelp
}

// Run serves until ctx ends, and then finishes what was accepted.
func (c *serveCommand) Run(ctx context.Context, file *config.File, std streams) error {
	cfg, err := c.Parse(file, os.Getenv)
	if err != nil {
		return err
	}
	log := newLog(std.err, cfg)
	for _, w := range cfg.Warnings() {
		log.Warn(w)
	}
	// Before anything is created: a secret that is told once must not get lost
	// because the port is taken.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return err
	}
	defer l.Close() // Serve has closed it already
	s, err := server.New(ctx, cfg, server.Options{Log: log})
	if err != nil {
		return err
	}
	// As many hashes run at once as there are processors (user.NewHashing). With as
	// many again, the runtime need not take a processor from a hash to answer a
	// request: the system does, and sooner.
	runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	if err := announce(std.out, cfg, s); err != nil {
		return closing(s, err)
	}
	return s.Serve(ctx, l)
}

// announce writes what only a person needs, and the secret that is told once,
// to the standard output: the log goes elsewhere and is kept.
func announce(w io.Writer, cfg config.Config, s *server.Server) error {
	fmt.Fprintf(w, "Mangrove is ready at %s\n", cfg.PublicURL)
	if ca, ok := s.Authority(); ok {
		fmt.Fprintf(w, "\nTLS is by the local authority %s. To trust it:\n"+
			"  curl               export CURL_CA_BUNDLE=%[1]s\n"+
			"  Go, Terraform      export SSL_CERT_FILE=%[1]s\n"+
			"  Node.js            export NODE_EXTRA_CA_CERTS=%[1]s\n"+
			"  Python requests    export REQUESTS_CA_BUNDLE=%[1]s\n", ca.File)
		if ca.New {
			fmt.Fprintln(w, "It was made just now; one that was trusted before is no longer in use.")
		}
	}
	if made, ok := s.Bootstrapped(); ok {
		fmt.Fprintf(w, "\nThe management client, which may do everything in the Management API:\n  client id          %s\n", made.ClientID)
		if made.Given {
			fmt.Fprintln(w, "  client secret      as given")
		} else {
			fmt.Fprintf(w, "  client secret      %s\nThe secret is not shown again.\n", made.Secret)
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// closing ends a server that will not be served.
func closing(s *server.Server, err error) error {
	if cerr := s.Close(); cerr != nil {
		return fmt.Errorf("%w; closing: %w", err, cerr)
	}
	return err
}
