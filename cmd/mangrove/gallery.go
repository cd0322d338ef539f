package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"mangrove/internal/page"
)

type galleryCommand struct {
	Listen string `help:"Where to serve it." placeholder:"ADDRESS" default:"127.0.0.1:0"`
	Out    string `help:"Write files into this directory instead of serving." placeholder:"DIR" type:"path"`
}

// Help is printed below the summary of --help.
func (galleryCommand) Help() string {
	return `Sign-in, second factors, consent, errors and all the others, with example data, in three brands and
every language. It needs no database and changes nothing.

Examples:

  mangrove gallery
  mangrove gallery --listen 127.0.0.1:9000
  mangrove gallery --out /tmp/pages`
}

// Run serves the gallery until it is told to end, or writes it.
func (c *galleryCommand) Run(ctx context.Context, std streams) error {
	exhibit, err := page.NewExhibit("")
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := exhibit.Write(c.Out); err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%d pages in %s\n", len(exhibit.Paths()), c.Out)
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "The gallery is at http://%s/ until you press Ctrl-C.\n", listener.Addr())
	srv := &http.Server{Handler: exhibit, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
