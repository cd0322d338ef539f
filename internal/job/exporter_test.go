package job_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// populate makes n users of the database, and one of another connection.
func (w *world) populate(n int) {
	w.t.Helper()
	w.connect("con_0000000000000002", "others", "auth0", `{}`)
	for i := range n + 1 {
		c := connection.Connection{ID: database, Name: "people", Strategy: "auth0"}
		id := fmt.Sprintf("u%04d", i)
		if i == n {
			c.ID, c.Name = "con_0000000000000002", "others"
		}
		u := &user.User{CreatedAt: 1, UpdatedAt: 1, Password: user.Password{Hash: "$2a$10$hash-of-" + id}, MFAFactors: profile.Value(`[{"totp":{"secret":"ABC"}}]`)}
		u.SetPrimary(&c, id)
		src := profile.Source{Origin: profile.FromManagement, At: 1}
		u.Profile.Set(profile.Email, profile.Text(id+"@example.com"), src)
		if err := w.CreateUser(bg, u, user.Effect{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// exports makes an export of the database.
func (w *world) exports(p job.ExportParams, change func(*job.Job)) *job.Job {
	w.t.Helper()
	params, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.jobs++
	j := &job.Job{
		ID: fmt.Sprintf("job_%016d", w.jobs), Type: job.UsersExport, Status: job.Pending, ConnectionID: database, Connection: "people",
		Params: params, CreatedAt: w.clock.Now().UnixMicro(), ActorClientID: "client",
	}
	if change != nil {
		change(j)
	}
	if err := w.CreateJob(bg, j, audit.Event{Type: audit.APIOperation}); err != nil {
		w.t.Fatal(err)
	}
	return j
}

// file is the file of an export, unpacked, and how many pieces it is of.
func (w *world) file(j *job.Job) (text string, pieces int) {
	w.t.Helper()
	var packed bytes.Buffer
	for ; ; pieces++ {
		piece, err := w.OutputPiece(bg, j.ID, int64(pieces))
		if err != nil {
			w.t.Fatal(err)
		}
		if piece == nil {
			break
		}
		packed.Write(piece)
	}
	if pieces == 0 {
		return "", 0
	}
	size := int64(packed.Len())
	z, err := gzip.NewReader(&packed)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := job.ReadExportParams(j.Params)
	if err != nil {
		w.t.Fatal(err)
	}
	if p.Plain {
		size = int64(len(all))
	}
	if last, err := w.LastOutput(bg, j.ID); err != nil || last == nil || last.Bytes != size || last.Seq != int64(pieces-1) {
		w.t.Errorf("last piece %+v, %v; want %d bytes", last, err, size)
	}
	return string(all), pieces
}

// ended checks how an export ended. It has no summary.
func (w *world) ended(j *job.Job, status, details string, users int64) {
	w.t.Helper()
	w.want(j, status, details, job.Summary{})
	if got, err := w.Job(bg, j.ID); err != nil || got.Cursor != users {
		w.t.Errorf("%d users, %v, want %d", got.Cursor, err, users)
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	w.populate(25)
	email := []user.ExportField{{Name: "email", As: "mail"}}
	for _, c := range []struct {
		about  string
		params job.ExportParams
		where  string
		users  int64
		pieces int
		first  string // line
		last   string
	}{
		{"one connection", job.ExportParams{Format: "json", Fields: email}, database, 25, 3, `{"mail":"u0000@example.com"}`, `{"mail":"u0024@example.com"}`},
		{"everybody", job.ExportParams{Format: "json", Fields: email}, "", 26, 3, `{"mail":"u0000@example.com"}`, `{"mail":"u0025@example.com"}`},
		{"a limit", job.ExportParams{Format: "json", Fields: email, Limit: 12}, database, 12, 2, `{"mail":"u0000@example.com"}`, `{"mail":"u0011@example.com"}`},
		{"a limit of whole pages", job.ExportParams{Format: "json", Fields: email, Limit: 10}, database, 10, 1, `{"mail":"u0000@example.com"}`, `{"mail":"u0009@example.com"}`},
		{"a limit over all", job.ExportParams{Format: "json", Fields: email, Limit: 1 << 50}, database, 25, 3, `{"mail":"u0000@example.com"}`, `{"mail":"u0024@example.com"}`},
		{"csv", job.ExportParams{Format: "csv", Fields: email}, database, 25, 3, `mail`, `"'u0024@example.com"`},
		{"not packed", job.ExportParams{Format: "csv", Fields: email, Plain: true}, database, 25, 3, `mail`, `"'u0024@example.com"`},
		{"whole users", job.ExportParams{Format: "json"}, database, 25, 3,
			`{"user_id":"auth0|u0000","email":"u0000@example.com","identities":[{"connection":"people","user_id":"u0000","provider":"auth0","isSocial":false}],"created_at":"1970-01-01T00:00:00.000Z","updated_at":"1970-01-01T00:00:00.000Z"}`,
			`{"user_id":"auth0|u0024","email":"u0024@example.com","identities":[{"connection":"people","user_id":"u0024","provider":"auth0","isSocial":false}],"created_at":"1970-01-01T00:00:00.000Z","updated_at":"1970-01-01T00:00:00.000Z"}`},
		{"with secrets", job.ExportParams{Format: "json", Secrets: true, Limit: 1}, database, 1, 1,
			`{"user_id":"auth0|u0000","email":"u0000@example.com","identities":[{"connection":"people","user_id":"u0000","provider":"auth0","isSocial":false}],"created_at":"1970-01-01T00:00:00.000Z","updated_at":"1970-01-01T00:00:00.000Z","password_hash":"$2a$10$hash-of-u0000","mfa_factors":[{"totp":{"secret":"ABC"}}]}`, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			j := w.exports(c.params, func(j *job.Job) { j.ConnectionID = c.where })
			work(t, w.runner(w))
			w.ended(j, job.Completed, "", c.users)
			text, pieces := w.file(j)
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			rows := int64(len(lines))
			if c.params.Format == "csv" {
				rows--
			}
			if c.last == "" {
				c.last = c.first
			}
			if pieces != c.pieces || rows != c.users || lines[0] != c.first || lines[len(lines)-1] != c.last {
				t.Errorf("%d pieces, %d rows, from\n%s to\n%s", pieces, rows, lines[0], lines[len(lines)-1])
			}
		})
	}
}

func TestExportOfNobody(t *testing.T) {
	w := newWorld(t)
	for format, want := range map[string]string{"json": "", "csv": "user_id,nickname,name,email,connection,created_at,updated_at\n"} {
		j := w.exports(job.ExportParams{Format: format}, nil)
		work(t, w.runner(w))
		w.ended(j, job.Completed, "", 0)
		if text, pieces := w.file(j); text != want || pieces != 1 {
			t.Errorf("%s: %q in %d pieces", format, text, pieces)
		}
	}
	gone := w.exports(job.ExportParams{Format: "json"}, func(j *job.Job) { j.ConnectionID = "con_9999999999999999" })
	work(t, w.runner(w))
	w.ended(gone, job.Failed, "The connection does not exist.", 0)
}

// dying is a store whose runner dies at the n-th piece: before the piece is
// written, or behind it.
type dying struct {
	job.Store
	n      int
	behind bool
}

var errDied = errors.New("died")

func (d *dying) AppendOutput(ctx context.Context, l job.Lease, o job.Output, now int64) error {
	if d.n--; d.n > 0 {
		return d.Store.AppendOutput(ctx, l, o, now)
	}
	if d.behind {
		if err := d.Store.AppendOutput(ctx, l, o, now); err != nil {
			return err
		}
	}
	return errDied
}

// Release does nothing: who died gives nothing back.
func (d *dying) Release(context.Context, job.Lease) error { return nil }

// Wherever a runner dies, the next one goes on at the piece: nobody is lost,
// nobody is twice.
func TestExportGoesOn(t *testing.T) {
	w := newWorld(t)
	w.populate(25)
	p := job.ExportParams{Format: "csv", Fields: []user.ExportField{{Name: "email"}}}
	whole := w.exports(p, nil)
	work(t, w.runner(w))
	want, pieces := w.file(whole)
	for n := 1; n <= pieces; n++ {
		for _, behind := range []bool{false, true} {
			j := w.exports(p, nil)
			if _, err := w.runner(&dying{Store: w, n: n, behind: behind}).Work(bg); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			if found, err := w.runner(w).Work(bg); found || err != nil {
				t.Fatalf("taken over under a lease: %v", err)
			}
			w.clock.forward(2 * time.Minute)
			work(t, w.runner(w))
			w.ended(j, job.Completed, "", 25)
			if got, n := w.file(j); got != want || n != pieces {
				t.Errorf("died at %d, behind %v: %d pieces\n%s", n, behind, n, got)
			}
		}
	}
}

// A runner that is asked to stop gives the export back between two pieces.
func TestExportStops(t *testing.T) {
	w := newWorld(t)
	w.populate(25)
	j := w.exports(job.ExportParams{Format: "json"}, nil)
	stopped, cancel := context.WithCancel(bg)
	cancel()
	for range 2 {
		if _, err := w.runner(w).Work(stopped); err != nil {
			t.Fatal(err)
		}
	}
	if _, pieces := w.file(j); pieces != 2 {
		t.Errorf("%d pieces after two stops", pieces)
	}
	work(t, w.runner(w))
	w.ended(j, job.Completed, "", 25)
}

// A connection that is deleted under way ends the export.
func TestExportOfADeletedConnection(t *testing.T) {
	w := newWorld(t)
	w.populate(25)
	j := w.exports(job.ExportParams{Format: "json"}, nil)
	stopped, cancel := context.WithCancel(bg)
	cancel()
	if _, err := w.runner(w).Work(stopped); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteConnection(bg, database, 0, w.clock.Now().UnixMicro(), audit.Event{Type: audit.APIOperation}); err != nil {
		t.Fatal(err)
	}
	work(t, w.runner(w))
	w.ended(j, job.Failed, "The connection does not exist.", 10)
}

// Users come in the order of their ids, whatever the alphabet.
func TestExportOrder(t *testing.T) {
	w := newWorld(t)
	names := []string{"Z", "a", "é", "ж", "0", "|", "a|b"}
	for _, id := range names {
		u := &user.User{CreatedAt: 1, UpdatedAt: 1}
		u.SetPrimary(&connection.Connection{ID: database, Name: "people", Strategy: "auth0"}, id)
		if err := w.CreateUser(bg, u, user.Effect{}); err != nil {
			t.Fatal(err)
		}
	}
	r := w.runner(w)
	r.BatchSize = 1
	j := w.exports(job.ExportParams{Format: "json", Fields: []user.ExportField{{Name: "user_id"}}}, nil)
	work(t, r)
	slices.Sort(names)
	var want strings.Builder
	for _, n := range names {
		fmt.Fprintf(&want, "{\"user_id\":%q}\n", "auth0|"+n)
	}
	if got, pieces := w.file(j); got != want.String() || pieces != len(names) {
		t.Errorf("%d pieces\n%s", pieces, got)
	}
}

// An export that is canceled ends behind its piece.
func TestExportCanceled(t *testing.T) {
	w := newWorld(t)
	w.populate(25)
	j := w.exports(job.ExportParams{Format: "json"}, nil)
	s := &canceling{Store: w, id: j.ID}
	if _, err := w.runner(s).Work(bg); err != nil {
		t.Fatal(err)
	}
	w.ended(j, job.Failed, job.CanceledDetails, 10)
}

// canceling is a store where the job is canceled as soon as it has a piece.
type canceling struct {
	job.Store
	id string
}

func (c *canceling) AppendOutput(ctx context.Context, l job.Lease, o job.Output, now int64) error {
	if err := c.Store.AppendOutput(ctx, l, o, now); err != nil {
		return err
	}
	_, err := c.Cancel(ctx, c.id, now, audit.Event{Type: audit.APIOperation})
	return err
}

// BenchmarkExportSQLite is a whole export of users of half a kilobyte.
func BenchmarkExportSQLite(b *testing.B) {
	const rows = 20_000
	w := newWorld(b)
	w.imports(string(benchFile(rows)), 1<<20, nil)
	work(b, &job.Runner{Store: w, Connections: w})
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		j := w.exports(job.ExportParams{Format: user.ExportJSON}, nil)
		work(b, &job.Runner{Store: w, Connections: w})
		w.ended(j, job.Completed, "", rows)
	}
	perRow(b, rows, before)
}
