package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mangrove/internal/config"
)

type exportCommand struct {
	Output         string   `short:"o" help:"File to write; - for the standard output (default: ${default})." placeholder:"FILE" default:"-"`
	Connection     string   `help:"Name or id of the connection whose users are exported (default: all users)." placeholder:"NAME"`
	Format         string   `help:"json, one user a line, or csv (default: ${default})." enum:"json,csv" placeholder:"FORMAT" default:"json"`
	Fields         []string `help:"What to export, and under which names." placeholder:"NAME[=AS],…"`
	Limit          int      `help:"At most so many users." placeholder:"N"`
	Gzip           bool     `help:"Write it compressed, as it comes; also for a FILE that ends in .gz."`
	PasswordHashes bool     `help:"Export the passwords' hashes and the second factors, in the form in which an import takes them."`
	Quiet          bool     `help:"Show no progress." short:"q"`

	access `embed:""`
}

// Help is printed below the summary of --help.
func (exportCommand) Help() string {
	return `The file has its name only when it is complete, and only its owner can read it.

Examples:

  mangrove export -o users.json
  mangrove export --format csv --fields user_id,email,identities[0].connection=database > users.csv
  export MANGROVE_CLIENT_SECRET=…
  mangrove export -o users.json.gz --password-hashes --server https://id.example.com --client-id …`
}

// exportField is an element of fields.
type exportField struct {
	Name string `json:"name"`
	As   string `json:"export_as,omitempty"`
}

// exportRequest is the body of POST /jobs/users-exports.
type exportRequest struct {
	ConnectionID   string        `json:"connection_id,omitempty"`
	Format         string        `json:"format"`
	Limit          int           `json:"limit,omitempty"`
	Fields         []exportField `json:"fields,omitempty"`
	PasswordHashes bool          `json:"include_password_hashes,omitempty"`
}

// Run has the job done, and writes its file.
func (c *exportCommand) Run(ctx context.Context, file *config.File, std streams) (err error) {
	if c.Limit < 0 {
		return errors.New("--limit has to be more than nothing")
	}
	if c.PasswordHashes {
		fmt.Fprintln(std.err, "mangrove: the file will hold password hashes and second factors: whoever reads it can try to guess passwords")
	}
	m, err := c.open(ctx, file, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	req := exportRequest{Format: c.Format, Limit: c.Limit, Fields: exportFields(c.Fields), PasswordHashes: c.PasswordHashes}
	if c.Connection != "" {
		from, err := m.connection(ctx, c.Connection)
		if err != nil {
			return err
		}
		req.ConnectionID = from.ID
	}
	var j jobState
	if err := m.post(ctx, "/jobs/users-exports", req, &j); err != nil {
		return err
	}
	if j, err = m.follow(ctx, j.ID, newProgress(std.err, c.Quiet)); err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped: nothing was written")
		}
		return err
	}
	switch {
	case j.Status == "failed":
		return fmt.Errorf("the export failed: %s", j.Details)
	case j.Location == "":
		return fmt.Errorf("the job %s has no file", j.ID)
	}
	return writeFile(c.Output, std.out, func(w io.Writer) error { return m.download(ctx, j.Location, c.compressed(), w) })
}

func (c *exportCommand) compressed() bool { return c.Gzip || strings.HasSuffix(c.Output, ".gz") }

// exportFields reads name=as.
func exportFields(list []string) []exportField {
	var out []exportField
	for _, s := range list {
		name, as, _ := strings.Cut(s, "=")
		out = append(out, exportField{Name: name, As: as})
	}
	return out
}

// download copies the file behind a signed address, which takes no token.
func (m *management) download(ctx context.Context, location string, compressed bool, w io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return err
	}
	// Else the transport would ask for it compressed once more.
	r.Header.Set("Accept-Encoding", "identity")
	res, err := m.stream(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if compressed {
		_, err = io.Copy(w, res.Body)
		return err
	}
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, z)
	return errors.Join(err, z.Close())
}
