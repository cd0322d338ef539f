package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mangrove/internal/user"
)

// pullFlags are those of import --from-connection.
type pullFlags struct {
	FromConnection  string `help:"Instead of a file, bring in whoever is left in the old database of this connection. Who is here already stays as they are." placeholder:"NAME" group:"Old database"`
	Identifiers     string `help:"With --from-connection: ask for these people one by one, by the names in this file, one a line; - for the standard input. Without it the action list is asked for all." placeholder:"FILE" group:"Old database"`
	WithoutPassword bool   `help:"With --from-connection: take people of whose password the old database tells no hash, too. They have to set a new one." group:"Old database"`
	After           string `help:"With --from-connection: go on behind this cursor, or behind so many lines of --identifiers." placeholder:"CURSOR" group:"Old database"`
}

// pullBatch is how many people are asked for in one request.
const pullBatch = 50

// pullRequest is the body of POST /connections/{id}/migration/pull.
type pullRequest struct {
	After       string   `json:"after,omitempty"`
	Limit       int      `json:"limit,omitempty"`
	Identifiers []string `json:"identifiers,omitempty"`
	// WithoutPassword: take also people of whose password nothing is known.
	WithoutPassword bool `json:"without_password,omitempty"`
}

// pulled is its answer.
type pulled struct {
	Migrated int64           `json:"migrated"`
	Present  int64           `json:"present"`
	Deleted  int64           `json:"deleted"`
	Failed   int64           `json:"failed"`
	Failures []pulledFailure `json:"failures"`
	Next     string          `json:"next"`
}

// pulledFailure is somebody who could not be taken.
type pulledFailure struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func (p *pulled) total() int64 { return p.Migrated + p.Present + p.Deleted + p.Failed }

func (p *pulled) String() string {
	text := fmt.Sprintf("migrated %d  already here %d", p.Migrated, p.Present)
	if p.Deleted > 0 {
		text += fmt.Sprintf("  deleted before %d", p.Deleted)
	}
	return text + fmt.Sprintf("  failed %d  total %d", p.Failed, p.total())
}

// text is the line of progress.
func (p *pulled) text(elapsed time.Duration) string {
	line := p.String()
	if elapsed >= time.Second {
		line += fmt.Sprintf("  %.0f/s", float64(p.total())/elapsed.Seconds())
	}
	return line
}

// pull is one run of import --from-connection.
type pull struct {
	*importCommand
	m     *management
	of    namedConnection
	all   pulled
	shown int
	// wait passes the time before a batch is tried again; false: no longer.
	wait func(ctx context.Context, attempt int) bool
	// pages are what a batch asks for; they give io.EOF at the end.
	pages func() (pullRequest, error)
	// fail counts and tells somebody who is not asked for; pages calls it.
	fail func(pulledFailure) error
	// done is told what a batch answered, and returns what of it counts.
	done func(pulled) pulled
	// cursor is what --after takes.
	cursor func() string
}

// pullMistake says which flags do not go together.
func (c *importCommand) pullMistake() error {
	switch {
	case c.FromConnection == "" && (c.Identifiers != "" || c.After != "" || c.WithoutPassword):
		return errors.New("--identifiers, --without-password and --after are for --from-connection")
	case c.FromConnection == "":
		return nil
	case c.File != "" || c.Job != "":
		return errors.New("--from-connection takes neither a FILE nor --job")
	case c.Connection != "" || c.Upsert || c.UpsertAll || c.Merge || c.DryRun || c.ExternalID != "" || c.Outcomes != "":
		return errors.New("--from-connection takes no other flags of an import than --identifiers, --without-password, --after, --errors and --quiet")
	}
	return nil
}

// fromConnection brings in who is left, batch by batch.
func (c *importCommand) fromConnection(ctx context.Context, m *management, std streams) (err error) {
	of, err := m.connection(ctx, c.FromConnection)
	if err != nil {
		return err
	}
	p := &pull{importCommand: c, m: m, of: of, wait: pause}
	if c.Identifiers == "" {
		p.fromList()
	} else {
		in, _, err := openFile(c.Identifiers)
		if err != nil {
			return err
		}
		defer in.Close()
		if err := p.fromIdentifiers(in); err != nil {
			return err
		}
	}
	failed, err := c.failures(std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, failed.Close()) }()
	return p.run(ctx, failed, std)
}

// fromList asks the action list for page after page.
func (p *pull) fromList() {
	after, first := p.After, true
	p.cursor = func() string { return after }
	p.pages = func() (pullRequest, error) {
		if after == "" && !first {
			return pullRequest{}, io.EOF
		}
		first = false
		return pullRequest{After: after, Limit: pullBatch, WithoutPassword: p.WithoutPassword}, nil
	}
	p.done = func(r pulled) pulled {
		after = r.Next
		return r
	}
}

// fromIdentifiers asks for the people that a file names. Empty lines count as lines.
func (p *pull) fromIdentifiers(in io.Reader) error {
	skip := 0
	if p.After != "" {
		n, err := strconv.Atoi(p.After)
		if err != nil || n < 0 {
			return errors.New("--after: with --identifiers it is a number of lines")
		}
		skip = n
	}
	type line struct {
		name   string
		number int
	}
	lines := bufio.NewReader(in)
	read, behind := 0, skip
	var asked, again []line
	p.cursor = func() string {
		if behind == 0 {
			return ""
		}
		return strconv.Itoa(behind)
	}
	p.pages = func() (pullRequest, error) {
		asked, again = again, nil
		for len(asked) < pullBatch {
			name, whole, err := nextLine(lines)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return pullRequest{}, fmt.Errorf("--identifiers, line %d: %w", read+1, err)
			}
			if read++; name == "" || read <= skip {
				continue
			}
			if flaw := flawOf(name, whole); flaw != "" {
				if err := p.fail(pulledFailure{begins(name), fmt.Sprintf("Line %d %s", read, flaw)}); err != nil {
					return pullRequest{}, err
				}
				continue
			}
			asked = append(asked, line{name, read})
		}
		r := pullRequest{WithoutPassword: p.WithoutPassword}
		for _, l := range asked {
			r.Identifiers = append(r.Identifiers, l.name)
		}
		if len(asked) == 0 {
			return r, io.EOF
		}
		return r, nil
	}
	// Those whom a batch did not come to are asked for again; they are its last ones.
	p.done = func(r pulled) pulled {
		over := slices.IndexFunc(r.Failures, func(f pulledFailure) bool { return f.Reason == user.PullTimeOver })
		left := len(r.Failures) - over
		if over < 0 || left >= len(asked) { // all were asked for, or nobody: which does not get better
			behind = read
			return r
		}
		again = slices.Clone(asked[len(asked)-left:])
		behind = again[0].number - 1
		r.Failures, r.Failed = r.Failures[:over], r.Failed-int64(left)
		return r
	}
	return nil
}

// nextLine is the next line without blanks around it; not whole: its beginning, where it
// is longer than any name.
func nextLine(in *bufio.Reader) (text string, whole bool, err error) {
	b, more, err := in.ReadLine()
	text, whole = strings.TrimSpace(string(b)), !more
	for more && err == nil {
		if _, more, err = in.ReadLine(); errors.Is(err, io.EOF) {
			return text, whole, nil // it ended with what was read before
		}
	}
	return text, whole, err
}

// flawOf is why nobody can be asked for by a name; a request that has it would be
// refused with all the others in it. Empty: somebody can.
func flawOf(name string, whole bool) string {
	switch {
	case !whole || utf8.RuneCountInString(name) > user.PullNameLimit:
		return fmt.Sprintf("is longer than %d characters.", user.PullNameLimit)
	case !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return "is no text in UTF-8."
	}
	return ""
}

// begins is enough of a name to know it by.
func begins(name string) string {
	if r := []rune(name); len(r) > user.PullNameLimit {
		return string(r[:user.PullNameLimit]) + "…"
	}
	return name
}

// failures opens what --errors names. It holds people's names, so it is the owner's
// alone, and it is written as they fail: what was done does not depend on the end.
func (c *importCommand) failures(std streams) (io.WriteCloser, error) {
	switch c.Errors {
	case "":
		return nopCloser{io.Discard}, nil
	case "-":
		return nopCloser{std.out}, nil
	}
	return os.OpenFile(c.Errors, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// run asks until nobody is left. A batch that is under way is waited for, whoever
// presses Ctrl-C: what it has done is then told.
func (p *pull) run(ctx context.Context, failed io.Writer, std streams) error {
	line := newProgress(std.err, p.Quiet)
	defer line.clear()
	p.fail = func(f pulledFailure) error {
		p.add(pulled{Failed: 1})
		return p.tellFailures([]pulledFailure{f}, failed, line, std)
	}
	for ctx.Err() == nil {
		req, err := p.pages()
		if errors.Is(err, io.EOF) {
			return p.tell(std)
		}
		if err != nil {
			return err
		}
		r, err := p.batch(ctx, req)
		if err != nil {
			line.clear()
			if p.all.total() == 0 {
				return err
			}
			return fmt.Errorf("%w\nBefore that: %s\n%s", err, &p.all, p.goOn())
		}
		r = p.done(r)
		p.add(r)
		if err := p.tellFailures(r.Failures, failed, line, std); err != nil {
			return err
		}
		line.show(p.all.text(line.elapsed()))
	}
	line.clear()
	return fmt.Errorf("stopped; what is done stays done: %s\n%s", &p.all, p.goOn())
}

func (p *pull) add(r pulled) {
	p.all.Migrated += r.Migrated
	p.all.Present += r.Present
	p.all.Deleted += r.Deleted
	p.all.Failed += r.Failed
}

// batch asks once, and again where the refusal may pass.
func (p *pull) batch(ctx context.Context, req pullRequest) (r pulled, err error) {
	for attempt := 1; ; attempt++ {
		err = p.m.post(context.WithoutCancel(ctx), "/connections/"+p.of.ID+"/migration/pull", req, &r)
		if err == nil {
			return r, nil
		}
		if !mayPass(err) || !p.wait(ctx, attempt) {
			return pulled{}, err
		}
	}
}

// pause waits before another attempt, longer each time: 1, 2, 4, 8 and 16 seconds.
func pause(ctx context.Context, attempt int) bool {
	if attempt > 5 {
		return false
	}
	t := time.NewTimer(time.Second << (attempt - 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// goOn says how to continue.
func (p *pull) goOn() string {
	command := "To go on: mangrove import --from-connection " + shellWord(p.of.Name)
	if p.Identifiers != "" {
		command += " --identifiers " + shellWord(p.Identifiers)
	}
	if p.WithoutPassword {
		command += " --without-password"
	}
	if cursor := p.cursor(); cursor != "" {
		command += " --after " + shellWord(cursor)
	}
	return command
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:@/=+,-", r)
	}) {
		return "'" + strings.ReplaceAll(printable(s), "'", `'\''`) + "'"
	}
	return s
}

// tellFailures writes failures to the file, and the first ones to the standard error.
func (p *pull) tellFailures(list []pulledFailure, file io.Writer, line *progress, std streams) error {
	e := json.NewEncoder(file)
	e.SetEscapeHTML(false)
	for _, f := range list {
		if err := e.Encode(f); err != nil {
			return fmt.Errorf("--errors: %w", err)
		}
		if p.shown++; p.shown <= shownErrors {
			line.clear()
			fmt.Fprintf(std.err, "%s  %s\n", printable(f.Name), printable(f.Reason))
		}
	}
	return nil
}

// tell prints the totals.
func (p *pull) tell(std streams) error {
	if p.shown > shownErrors && p.Errors == "" {
		fmt.Fprintln(std.err, "… and more: --errors FILE writes them all")
	}
	if _, err := fmt.Fprintf(std.out, "%s  %s\n", p.of.Name, &p.all); err != nil {
		return err
	}
	if p.all.Failed > 0 {
		return errPeople{p.all.Failed, p.all.total()}
	}
	return nil
}

// errPeople is the failure of a run in which people could not be taken.
type errPeople struct{ failed, total int64 }

func (e errPeople) Error() string {
	return fmt.Sprintf("%d of %d people could not be taken", e.failed, e.total)
}
