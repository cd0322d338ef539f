package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"mangrove/internal/config"
)

type migrationCommand struct {
	Status migrationStatusCommand `cmd:"" help:"How far the people of an old database have come."`
	People migrationPeopleCommand `cmd:"" help:"Who has not come, and why."`
}

// Help is printed below the summary of --help.
func (migrationCommand) Help() string {
	return `People come one by one, when they sign in; mangrove import --from-connection brings in the rest.

Examples:

  mangrove migration status --connection legacy
  mangrove migration people --connection legacy --state failing`
}

type migrationStatusCommand struct {
	Connection string `help:"Name or id of the connection." placeholder:"NAME" required:""`
	JSON       bool   `help:"Print what the server answers."`
	Watch      bool   `help:"Print a line whenever something has changed, until Ctrl-C."`

	access `embed:""`
}

// Help is printed below the summary of --help.
func (migrationStatusCommand) Help() string {
	return `Examples:

  mangrove migration status --connection legacy
  mangrove migration status --connection legacy --watch --server https://id.example.com
  mangrove migration status --connection legacy --json | jq .failing`
}

// migrationState is what GET /connections/{id}/migration tells.
type migrationState struct {
	Mode          string            `json:"mode"`
	Actions       map[string]string `json:"actions"` // action to what runs it: script, sql, webhook
	Migrated      int64             `json:"migrated"`
	Known         int64             `json:"known"`
	Failing       int64             `json:"failing"`
	Differing     int64             `json:"differing"`
	Compared      int64             `json:"compared"`
	Same          int64             `json:"same"`
	Deleted       int64             `json:"deleted"`
	LastMigration string            `json:"last_migration"`
	LastError     string            `json:"last_error"`
	LastErrorAt   string            `json:"last_error_at"`
	Truncated     bool              `json:"truncated"`
}

// watchEvery is the pause between two looks.
const watchEvery = 2 * time.Second

// Run prints the state, once or as it changes.
func (c *migrationStatusCommand) Run(ctx context.Context, file *config.File, std streams) (err error) {
	if c.JSON && c.Watch {
		return errors.New("--json and --watch do not go together")
	}
	m, err := c.open(ctx, file, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	of, err := m.connection(ctx, c.Connection)
	if err != nil {
		return err
	}
	if c.Watch {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		return m.watch(ctx, of, tick.C, std.out)
	}
	raw, state, err := m.migration(ctx, of.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err = fmt.Fprintf(std.out, "%s\n", raw)
		return err
	}
	return state.table(of.Name, std.out)
}

// migration is the state of a connection, as it came and as it was read.
func (m *management) migration(ctx context.Context, id string) (raw json.RawMessage, s migrationState, err error) {
	if err := m.get(ctx, "/connections/"+id+"/migration", &raw); err != nil {
		return nil, s, err
	}
	return raw, s, json.Unmarshal(raw, &s)
}

// watch prints a line for each change, until ctx ends.
func (m *management) watch(ctx context.Context, of namedConnection, tick <-chan time.Time, w io.Writer) error {
	last := ""
	for misses := 0; ctx.Err() == nil; {
		_, s, err := m.migration(ctx, of.ID)
		switch {
		case err == nil:
			misses = 0
			if line := s.line(); line != last {
				last = line
				if _, err := fmt.Fprintf(w, "%s  %s\n", time.Now().Format(time.TimeOnly), line); err != nil {
					return err
				}
			}
		case ctx.Err() == nil:
			if misses++; !mayPass(err) || misses > 30 {
				return err
			}
		}
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
	return nil
}

// line is the state on one line.
func (s *migrationState) line() string {
	text := fmt.Sprintf("%s  migrated %d  known %d  failing %d", s.Mode, s.Migrated, s.Known, s.Failing)
	if s.Compared > 0 || s.Differing > 0 {
		text += fmt.Sprintf("  compared %d  same %d  differing %d", s.Compared, s.Same, s.Differing)
	}
	if s.LastError != "" {
		text += "  last error: " + printable(s.LastError)
	}
	return text
}

// table is the state with what each number means.
func (s *migrationState) table(name string, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what string, value any, meaning string) {
		fmt.Fprintf(t, "%s\t%v\t%s\n", what, value, meaning)
	}
	actions := "none"
	if len(s.Actions) > 0 {
		actions = ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.Actions)) {
		actions += name + " (" + s.Actions[name] + ")  "
	}
	if s.Mode == "" {
		_, err := fmt.Fprintf(w, "%s is an external store: it is asked at every sign-in, and nobody migrates.\nactions: %s\n", printable(name), printable(strings.TrimSpace(actions)))
		return err
	}
	fmt.Fprintf(t, "connection\t%s\nmode\t%s\nactions\t%s\n", printable(name), printable(s.Mode), printable(strings.TrimSpace(actions)))
	row("migrated", s.Migrated, at("came from the old database", s.LastMigration, "the last at"))
	row("known", s.Known, "are there, were asked about, and have not come")
	row("failing", s.Failing, at("came and could not be taken", s.LastErrorAt, "the last at"))
	if s.Compared > 0 || s.Differing > 0 {
		row("compared", s.Compared, "comparisons in shadow mode")
		row("same", s.Same, "of them without a difference")
		row("differing", s.Differing, "people of whom the two databases do not say the same")
	}
	row("deleted", s.Deleted, "were deleted here and may not come again")
	if s.LastError != "" {
		fmt.Fprintf(t, "last error\t%s\n", printable(s.LastError))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Failing+s.Known+s.Differing > 0 {
		if _, err := fmt.Fprintf(w, "Who: mangrove migration people --connection %s\n", printable(name)); err != nil {
			return err
		}
	}
	if s.Truncated {
		_, err := fmt.Fprintln(w, "There are more people than are kept by name: the numbers of known, failing and differing are too low.")
		return err
	}
	return nil
}

// at adds a time, where there is one.
func at(text, when, word string) string {
	if when == "" {
		return text
	}
	return text + ", " + word + " " + printable(when)
}

type migrationPeopleCommand struct {
	Connection string `help:"Name or id of the connection." placeholder:"NAME" required:""`
	State      string `help:"Only these: known, failing or differing (default: all)." enum:",known,failing,differing" placeholder:"STATE" default:""`
	JSON       bool   `help:"Print one JSON object a line."`

	access `embed:""`
}

// Help is printed below the summary of --help.
func (migrationPeopleCommand) Help() string {
	return `Known are those of whom the old database has told, and who have not signed in since. Failing are those
who came and could not be taken. Differing are those of whom shadow mode has seen two answers.
They are listed by name; the columns are name, state, time and reason.

Examples:

  mangrove migration people --connection legacy --state failing
  mangrove migration people --connection legacy --state known --json | jq -r .name > rest.txt
  mangrove import --from-connection legacy --identifiers rest.txt`
}

// migrationPerson is an element of GET /connections/{id}/migration/people.
type migrationPerson struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	At     string `json:"at"`
}

// Run prints everybody, page by page.
func (c *migrationPeopleCommand) Run(ctx context.Context, file *config.File, std streams) (err error) {
	m, err := c.open(ctx, file, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	of, err := m.connection(ctx, c.Connection)
	if err != nil {
		return err
	}
	shown := 0
	for from := ""; ; {
		q := url.Values{"take": {"100"}}
		if c.State != "" {
			q.Set("state", c.State)
		}
		if from != "" {
			q.Set("from", from)
		}
		var page struct {
			People []json.RawMessage `json:"people"`
			Next   string            `json:"next"`
		}
		if err := m.get(ctx, "/connections/"+of.ID+"/migration/people?"+q.Encode(), &page); err != nil {
			return err
		}
		for _, raw := range page.People {
			if err := c.print(raw, std.out); err != nil {
				return err
			}
			shown++
		}
		if from = page.Next; from == "" {
			if shown == 0 {
				fmt.Fprintln(std.err, "nobody")
			}
			return nil
		}
	}
}

func (c *migrationPeopleCommand) print(raw json.RawMessage, w io.Writer) error {
	if c.JSON {
		_, err := fmt.Fprintf(w, "%s\n", raw)
		return err
	}
	var p migrationPerson
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(printable(strings.Join([]string{p.Name, p.State, p.At, p.Reason}, "\t")), "\t"))
	return err
}
