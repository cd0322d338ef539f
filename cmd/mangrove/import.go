package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	"mangrove/internal/config"
)

type importCommand struct {
	File string `arg:"" optional:"" help:"Users as JSON, NDJSON or CSV, also gzipped; - for the standard input."`

	Connection string `help:"Name or id of the database to import into (default: the only one, or Username-Password-Authentication)." placeholder:"NAME"`
	Upsert     bool   `help:"Rows may update users who are there, found by e-mail."`
	UpsertAll  bool   `help:"With --upsert: change every attribute that a row has, also username, phone number, blocked and the password's hash."`
	Merge      bool   `help:"With --upsert: merge metadata by its first level instead of replacing it; null removes."`
	DryRun     bool   `help:"Report what would happen, and write no user."`
	ExternalID string `help:"A text of yours that the job carries." placeholder:"TEXT"`
	Outcomes   string `help:"Write what became of every row, one JSON object a line." placeholder:"FILE"`
	Errors     string `help:"Write the rows that failed and why, as JSON." placeholder:"FILE"`
	Quiet      bool   `help:"Show no progress." short:"q"`
	Job        string `help:"Follow a job that exists, instead of sending a file." placeholder:"ID"`

	pullFlags `embed:""`
	access    `embed:""`
}

// Help is printed below the summary of --help.
func (importCommand) Help() string {
	return `The exit status is 1 if any row failed. Ctrl-C ends the waiting: a running server goes on with the job;
without --server the job stops where it is, and goes on with --job, or when a server starts.

With --from-connection nobody is asked for a password: people come with the hash that the old database
brings (password_hash, custom_password_hash), and those without one only if you say so. Ctrl-C stops after the batch under
way. It may be run again: who is here already stays as they are. --errors is then one JSON object a line.

Examples:

  mangrove import users.json
  mangrove import users.csv.gz --connection people --upsert --merge --errors failed.json
  export MANGROVE_CLIENT_SECRET=…
  mangrove import users.json --dry-run --server https://id.example.com --client-id …
  mangrove import --job job_0123456789abcdef
  mangrove import --from-connection legacy --errors failed.ndjson
  mangrove import --from-connection legacy --identifiers names.txt`
}

// Run sends the file, waits for the job and tells how it went: the summary on
// the standard output, everything else on the standard error.
func (c *importCommand) Run(ctx context.Context, file *config.File, std streams) (err error) {
	if err := c.pullMistake(); err != nil {
		return err
	}
	if c.FromConnection == "" && (c.File == "") == (c.Job == "") {
		return errors.New("give a FILE, or --job with the id of a job")
	}
	in, size, err := openFile(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	m, err := c.open(ctx, file, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if c.FromConnection != "" {
		return c.fromConnection(ctx, m, std)
	}
	p := newProgress(std.err, c.Quiet)
	id := c.Job
	if id == "" {
		into, err := m.connection(ctx, c.Connection)
		if err != nil {
			return err
		}
		if id, err = c.send(ctx, m, into.ID, &counted{Reader: in, size: size, p: p}); err != nil {
			p.clear()
			if ctx.Err() != nil {
				return errors.New("stopped while the file was being sent: nothing was imported")
			}
			return err
		}
		p = newProgress(std.err, c.Quiet)
	}
	j, err := m.follow(ctx, id, p)
	if err != nil {
		return m.left(err, id, ctx.Err() != nil)
	}
	return c.tell(ctx, m, j, std)
}

// left says what becomes of a job that is no longer waited for.
func (m *management) left(err error, id string, stopped bool) error {
	switch {
	case !stopped:
		return fmt.Errorf("%w\nThe job is %s; to look at it again: mangrove import --job %[2]s", err, id)
	case m.remote:
		return fmt.Errorf("no longer waiting: the server goes on with %s\nTo look at it: mangrove import --job %[1]s, or GET %s/api/v2/jobs/%[1]s\nTo cancel it: POST %[2]s/api/v2/jobs/%[1]s/cancel", id, m.url)
	default:
		return fmt.Errorf("stopped after the rows under way; what is done stays done\nTo go on: mangrove import --job %s", id)
	}
}

// openFile opens the input; an empty name is an empty one.
func openFile(name string) (in io.ReadCloser, size int64, err error) {
	switch name {
	case "":
		return io.NopCloser(strings.NewReader("")), 0, nil
	case "-":
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// fields are the parts beside the file; what is not asked for is left out.
func (c *importCommand) fields(connectionID string) [][2]string {
	list := [][2]string{{"connection_id", connectionID}, {"send_completion_email", "false"}}
	for _, f := range []struct {
		name string
		set  bool
	}{{"upsert", c.Upsert}, {"upsert_all", c.UpsertAll}, {"merge", c.Merge}, {"dry_run", c.DryRun}} {
		if f.set {
			list = append(list, [2]string{f.name, "true"})
		}
	}
	if c.ExternalID != "" {
		list = append(list, [2]string{"external_id", c.ExternalID})
	}
	return list
}

// send uploads the file as it is read and returns the job's id.
func (c *importCommand) send(ctx context.Context, m *management, connectionID string, in io.Reader) (string, error) {
	body, out := io.Pipe()
	form := multipart.NewWriter(out)
	go func() { out.CloseWithError(c.write(form, connectionID, in)) }()
	// Whoever refuses the file early reads no further: that ends the writing.
	defer func() { _ = body.Close() }() // it always succeeds
	r, err := m.request(ctx, http.MethodPost, "/jobs/users-imports", form.FormDataContentType(), body)
	if err != nil {
		return "", err
	}
	var j jobState
	if err := m.send(r, &j); err != nil {
		return "", err
	}
	return j.ID, nil
}

func (c *importCommand) write(form *multipart.Writer, connectionID string, in io.Reader) error {
	for _, f := range c.fields(connectionID) {
		if err := form.WriteField(f[0], f[1]); err != nil {
			return err
		}
	}
	name := filepath.Base(c.File)
	if c.File == "-" {
		name = "users"
	}
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("users", name)},
		"Content-Type":        {"application/octet-stream"},
	})
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, in); err != nil {
		return err
	}
	return form.Close()
}

// errRows is the failure of an import in which rows failed.
type errRows struct{ failed, total int64 }

func (e errRows) Error() string { return fmt.Sprintf("%d of %d rows failed", e.failed, e.total) }

// tell writes the files that were asked for, the first failures, and the summary.
func (c *importCommand) tell(ctx context.Context, m *management, j jobState, std streams) error {
	if c.Outcomes != "" {
		if err := m.save(ctx, "/jobs/"+j.ID+"/outcomes", c.Outcomes, "", std); err != nil {
			return fmt.Errorf("--outcomes: %w", err)
		}
	}
	if j.Status == "failed" {
		done := ""
		if j.Summary != nil {
			done = "\nBefore that: " + j.Summary.String()
		}
		return fmt.Errorf("the import failed: %s%s", j.Details, done)
	}
	if j.Summary == nil {
		return fmt.Errorf("the job %s has no summary: is it an import?", j.ID)
	}
	if c.Errors != "" {
		if err := m.save(ctx, "/jobs/"+j.ID+"/errors", c.Errors, "[]", std); err != nil {
			return fmt.Errorf("--errors: %w", err)
		}
	}
	s := j.Summary
	if s.Failed > 0 {
		if err := m.listErrors(ctx, j.ID, std.err); err != nil {
			return err
		}
	}
	dry := ""
	if c.DryRun {
		dry = "  (dry run: no user was written)"
	}
	_, err := fmt.Fprintf(std.out, "%s  %s%s\n", j.ID, s, dry)
	if err == nil && s.Failed > 0 {
		return errRows{s.Failed, s.Total}
	}
	return err
}

// save writes an answer to a file; empty is what stands there when there is none.
func (m *management) save(ctx context.Context, path, name, empty string, std streams) error {
	r, err := m.request(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	res, err := m.stream(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return writeFile(name, std.out, func(w io.Writer) error {
		n, err := io.Copy(w, res.Body)
		if err == nil && n == 0 {
			_, err = io.WriteString(w, empty)
		}
		return err
	})
}

// writeFile gives fill a file that takes its name only when it is complete: it
// holds people's data, so it is the owner's alone. - is the standard output.
func writeFile(name string, stdout io.Writer, fill func(io.Writer) error) (err error) {
	if name == "-" {
		return fill(stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".mangrove-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// shownErrors is how many failures are shown.
const shownErrors = 10

// listErrors prints the first rows that failed.
func (m *management) listErrors(ctx context.Context, id string, w io.Writer) error {
	r, err := m.request(ctx, http.MethodGet, "/jobs/"+id+"/errors", "", nil)
	if err != nil {
		return err
	}
	res, err := m.stream(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() // what is behind the first ones is not read
	list := json.NewDecoder(res.Body)
	if _, err := list.Token(); err != nil {
		return err
	}
	for n := 0; n < shownErrors && list.More(); n++ {
		var e rowError
		if err := list.Decode(&e); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, e.line()); err != nil {
			return err
		}
	}
	if list.More() {
		_, err = fmt.Fprintln(w, "… and more: --errors FILE writes them all")
	}
	return err
}
