package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"mangrove/internal/config"
)

// commands is everything that the program can do.
type commands struct {
	Serve     serveCommand     `cmd:"" help:"Run the server."`
	Demo      demoCommand      `cmd:"" help:"Play what Mangrove is for over HTTP, on a server and an identity provider of its own."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database to the version of this program."`
	Import    importCommand    `cmd:"" help:"Bring users in from a file, or from the old database of a connection."`
	Export    exportCommand    `cmd:"" help:"Write users to a file."`
	Migration migrationCommand `cmd:"" help:"Tell how people come from an old database."`
	Script    scriptCommand    `cmd:"" help:"Check scripts, and try those of custom databases."`
	Bench     benchCommand     `cmd:"" help:"Measure a running server over HTTP."`
	Gallery   galleryCommand   `cmd:"" help:"Show every page in every state, without a database."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// streams is where a command writes: results to out, everything else to err.
type streams struct{ out, err io.Writer }

// run runs the program and returns its exit status: 0, 1 for a failure, 2 for
// wrong usage. The first SIGINT or SIGTERM asks the command to end, the second
// ends the process.
func run(args []string, stdout, stderr io.Writer) (status int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// Whoever reads our output may stop reading; that is no reason to die before
	// everything is in order.
	signal.Ignore(syscall.SIGPIPE)

	type exit int
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exit:
			status = int(p)
		default:
			panic(p)
		}
	}()

	file := &config.File{}
	parser, err := kong.New(&commands{},
		kong.Name("mangrove"),
		kong.Description("A self-hosted identity server that speaks the Auth0 wire format."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(file, streams{stdout, stderr}),
		file.Option(),
	)
	if err != nil {
		panic(err) // the tags of commands are wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "mangrove: %v\nTry: mangrove --help\n", err)
		return 2
	}
	switch err := command.Run(); {
	case err == nil:
		return 0
	case errors.As(err, new(config.Mistakes)):
		fmt.Fprintf(stderr, "mangrove: %v\nTry: mangrove %s --help\n", err, command.Command())
		return 2
	default:
		fmt.Fprintf(stderr, "mangrove: %v\n", err)
		return 1
	}
}

// newLog is the process log. It is told no personal data: see package web.
func newLog(w io.Writer, c config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// isTerminal reports whether w is one, so that lines may be coloured and rewritten.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
