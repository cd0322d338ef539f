package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

var bg = context.Background()

const database = "con_0000000000000001"

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a store with a database connection, and a clock.
type world struct {
	*store.Store
	t     testing.TB
	clock *clock
	jobs  int
}

func newWorld(t testing.TB) *world {
	w := &world{Store: storetest.Open(t, storetest.SQLite), t: t, clock: &clock{t: time.Unix(1_750_000_000, 0)}}
	w.connect(database, "people", "auth0", `{}`)
	return w
}

func (w *world) connect(id, name, strategy, options string) {
	w.t.Helper()
	c := &connection.Connection{
		ID: id, Name: name, Strategy: strategy, Options: json.RawMessage(options), Extra: json.RawMessage(`{}`),
		EnabledClients: []string{"app"}, Realms: []string{name}, Version: 1,
	}
	if err := w.CreateConnection(bg, c, audit.Event{Type: audit.APIOperation}); err != nil {
		w.t.Fatal(err)
	}
}

// runner makes a runner over s, which is w or something around it.
func (w *world) runner(s job.Store) *job.Runner {
	return &job.Runner{Store: s, Connections: w, Now: w.clock.Now, BatchSize: 10, Workers: 3, Lease: time.Minute, Poll: time.Hour}
}

// imports stores a file in pieces of size and publishes the job.
func (w *world) imports(file string, size int, change func(*job.Job)) *job.Job {
	w.t.Helper()
	w.jobs++
	j := &job.Job{
		ID: fmt.Sprintf("job_%016d", w.jobs), Type: job.UsersImport, Status: job.Receiving, ConnectionID: database, Connection: "people",
		Params: json.RawMessage(`{"upsert":false}`), CreatedAt: w.clock.Now().UnixMicro(), ActorClientID: "client",
	}
	if change != nil {
		change(j)
	}
	if err := w.CreateJob(bg, j, audit.Event{Type: audit.APIOperation}); err != nil {
		w.t.Fatal(err)
	}
	seq := int64(0)
	for piece := range slices.Chunk([]byte(file), size) {
		if err := w.AppendInput(bg, j.ID, seq, piece); err != nil {
			w.t.Fatal(err)
		}
		seq++
	}
	j.InputBytes = int64(len(file))
	if err := w.Publish(bg, j, 0, audit.Event{}); err != nil {
		w.t.Fatal(err)
	}
	return j
}

// work lets r work until there is nothing to do.
func work(t testing.TB, r *job.Runner) {
	t.Helper()
	for {
		found, err := r.Work(bg)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return
		}
	}
}

func (w *world) want(j *job.Job, status, details string, s job.Summary) {
	w.t.Helper()
	got, err := w.Job(bg, j.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if got.Status != status || got.StatusDetails != details || got.Summary != s {
		w.t.Errorf("job: %s %q %+v, want %s %q %+v", got.Status, got.StatusDetails, got.Summary, status, details, s)
	}
}

func (w *world) failures(j *job.Job) []string {
	w.t.Helper()
	list, err := w.RowErrors(bg, j.ID, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		for _, p := range e.Errors {
			out = append(out, fmt.Sprintf("%s %s %s %s", e.User, p.Code, p.Path, p.Message))
		}
	}
	return out
}

// emails are those of all users, sorted.
func (w *world) emails() []string {
	w.t.Helper()
	var out []string
	var after user.ID
	for {
		page, err := w.Users(bg, after, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page) == 0 {
			slices.Sort(out)
			return out
		}
		for _, v := range page {
			var u struct{ Email string }
			if err := json.Unmarshal(v.Attributes, &u); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, u.Email)
			after = v.ID
		}
	}
}

func (w *world) password(email string) user.Password {
	w.t.Helper()
	u, err := w.UserByIdentifier(bg, database, user.ByEmail, email)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Password
}

// people is n rows; every seventh is refused.
func people(n int) (rows []string, good []string) {
	for i := range n {
		if i%7 == 3 {
			rows = append(rows, fmt.Sprintf(`{"email":"foo%d@"}`, i))
			continue
		}
		email := fmt.Sprintf("p%04d@example.com", i)
		rows, good = append(rows, fmt.Sprintf(`{"email":%q,"name":"Person %d","user_metadata":{"n":[%d]}}`, email, i, i)), append(good, email)
	}
	return rows, good
}

func array(rows []string) string { return "[" + strings.Join(rows, ",\n ") + "]\n" }
func lines(rows []string) string { return strings.Join(rows, "\n") }

// records is rows of people as CSV.
func records(rows []string) string {
	out := "email;name;user_metadata\r\n"
	for _, row := range rows {
		var u struct {
			Email, Name string
			Metadata    json.RawMessage `json:"user_metadata"`
		}
		if err := json.Unmarshal([]byte(row), &u); err != nil {
			panic(err)
		}
		out += u.Email + ";" + u.Name + `;"` + strings.ReplaceAll(string(u.Metadata), `"`, `""`) + "\"\r\n"
	}
	return out
}

func TestImport(t *testing.T) {
	rows, good := people(95)
	for _, c := range []struct {
		name, file string
		piece      int
	}{
		{"array, one piece", array(rows), 1 << 20},
		{"array, many pieces", array(rows), 64},
		{"lines, one piece", lines(rows), 1 << 20},
		{"lines, many pieces", lines(rows), 63},
		{"blanks before", strings.Repeat("\n", 200) + array(rows), 64},
		{"CSV, one piece", records(rows), 1 << 20},
		{"CSV, many pieces", "\xef\xbb\xbf" + records(rows), 63},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			j := w.imports(c.file, c.piece, nil)
			work(t, w.runner(w))
			failed := int64(len(rows) - len(good))
			w.want(j, job.Completed, "", job.Summary{Failed: failed, Inserted: int64(len(good)), Total: int64(len(rows))})
			if got := w.emails(); !slices.Equal(got, good) {
				t.Errorf("users %q", got)
			}
			failures := w.failures(j)
			if int64(len(failures)) != failed || failures[0] != `{"email":"foo3@"} FORMAT email Error in email property - Object didn't pass validation for format email: foo3@` {
				t.Errorf("failures %q", failures)
			}
			if piece, err := w.InputPiece(bg, j.ID, 0); piece != nil || err != nil {
				t.Errorf("the file is still there: %d bytes, %v", len(piece), err)
			}
		})
	}
}

func TestImportOfBrokenFiles(t *testing.T) {
	rows, good := people(25)
	failed := int64(len(rows) - len(good))
	before := job.Summary{Failed: failed, Inserted: int64(len(good)), Total: 25}
	open := "[" + strings.Join(rows, ",")
	for _, c := range []struct {
		name, file, status, details string
		summary                     job.Summary
	}{
		{"cut", open, job.Failed, fmt.Sprintf("Unexpected end of the file at byte %d, row 25", len(open)), before},
		{"broken row", open + `,{"email":"x@example.com"`, job.Failed, fmt.Sprintf("Unexpected end of the file at byte %d, row 26", len(open)+25), before},
		{"broken syntax", open + `,{"email":tru},{"email":"late@example.com"}]`, job.Failed, fmt.Sprintf("Broken JSON: expected a value at byte %d, row 26", len(open)+10), before},
		{"one object", `{}`, job.Completed, "", job.Summary{Failed: 1, Total: 1}},
		{"bracket", `[`, job.Failed, "Unexpected end of the file at byte 1, row 1", job.Summary{}},
		{"text", `nothing,known`, job.Failed, "Expected a JSON array, one JSON object per line, or CSV with a header, at byte 0, row 1", job.Summary{}},
		{"a header alone", `email,name`, job.Completed, "", job.Summary{}},
		{"a header twice the same", "email,email\na@example.com,b", job.Failed, "Expected a JSON array, one JSON object per line, or CSV with a header, at byte 0, row 1", job.Summary{}},
		{"an open quote", records(rows) + "\"x@example.com;;\n", job.Failed, fmt.Sprintf("Unexpected end of the file in a quoted field at byte %d, row 26", len(records(rows))+17), before},
		{"UTF-16", "\xff\xfe[\x00]\x00", job.Failed, "Expected a JSON array, or one JSON object per line, at byte 0, row 1", job.Summary{}},
		{"empty array", `[]`, job.Completed, "", job.Summary{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			j := w.imports(c.file, 100, nil)
			work(t, w.runner(w))
			w.want(j, c.status, c.details, c.summary)
			if n := len(w.emails()); int64(n) != c.summary.Inserted {
				t.Errorf("%d users", n)
			}
		})
	}
}

// Rows of a CSV file fail one by one, too.
func TestImportOfOddRecords(t *testing.T) {
	w := newWorld(t)
	file := "email,name,foo\na@example.com,\"A, B\",\n\nb@example.com,B\nc@example.com,\"C\nD\",\nd@example.com,\xff,\ne@example.com,E,1\nf@example.com,\"" + strings.Repeat("x", 1<<20) + "\",\ng@example.com,G,"
	j := w.imports(file, 1<<18, nil)
	work(t, w.runner(w))
	w.want(j, job.Completed, "", job.Summary{Failed: 5, Inserted: 2, Total: 7})
	want := []string{
		`{} INVALID_FORMAT  The row is not a valid CSV record: 2 fields, but the header has 3 (row 2)`,
		`{"email":"c@example.com","name":"C\nD"} FORMAT name Error in name property - Object didn't pass validation for format visible-text: C\nD`,
		`{} INVALID_FORMAT  The row is not a valid CSV record: invalid UTF-8 (row 4)`,
		`{"email":"e@example.com","name":"E","foo":"1"} OBJECT_ADDITIONAL_PROPERTIES  Additional properties not allowed: foo`,
		`{} MAX_LENGTH  The row is longer than 1048576 bytes (row 6)`,
	}
	if got := w.failures(j); !slices.Equal(got, want) {
		t.Errorf("failures\n%s", strings.Join(got, "\n"))
	}
}

// A file that calls itself CSV is told what is wrong with its header.
func TestImportOfNamedCSV(t *testing.T) {
	for header, want := range map[string]string{
		"nothing,known":       "The header names no property of a user, at byte 0, row 1",
		"email,email":         `The header is not usable: "email" is there twice, or above another column, at byte 0, row 1`,
		"\"email\"x,name\n\"": "The header is not usable: text behind a quoted field, at byte 0, row 1",
	} {
		w := newWorld(t)
		j := w.imports(header, 100, func(j *job.Job) { j.Params = json.RawMessage(`{"csv":true}`) })
		work(t, w.runner(w))
		w.want(j, job.Failed, want, job.Summary{})
	}
}

// A line of 100 MB is one bad row, in any format, and takes no memory to speak of.
func TestImportOfAnEndlessLine(t *testing.T) {
	filler := strings.Repeat("x", 100<<20)
	for name, file := range map[string]string{
		"array": `[{"email":"a@example.com"},{"x":"` + filler + `"},{"email":"b@example.com"}]`,
		"lines": `{"email":"a@example.com"}` + "\n" + filler + "\n" + `{"email":"b@example.com"}`,
		"CSV":   "email\na@example.com\n" + filler + "\nb@example.com\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			j := w.imports("x", 1, func(j *job.Job) {})
			f := &held{Store: w, id: j.ID, file: file}
			work(t, w.runner(f))
			w.want(j, job.Completed, "", job.Summary{Failed: 1, Inserted: 2, Total: 3})
		})
	}
}

// held is a store whose job has a file that is in memory.
type held struct {
	job.Store
	id, file string
}

func (h *held) Claim(ctx context.Context, owner string, now, until int64, types ...string) (*job.Job, *job.Lease, error) {
	j, l, err := h.Store.Claim(ctx, owner, now, until, types...)
	if j != nil {
		j.InputBytes = int64(len(h.file))
	}
	return j, l, err
}

func (h *held) InputPiece(_ context.Context, _ string, seq int64) ([]byte, error) {
	const size = 1 << 20
	return []byte(h.file[seq*size : min((seq+1)*size, int64(len(h.file)))]), nil
}

// Rows that are not even objects say which they were, since nothing else does.
func TestImportOfOddRows(t *testing.T) {
	w := newWorld(t)
	long := `{"email":"long@example.com","user_metadata":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`
	j := w.imports(lines([]string{`{"email":"a@example.com"}`, `nonsense`, `{"email":"a","email":"b"}`, long, `{"email":"b@example.com","password_hash":"secret"}`, `{"email":"c@example.com"}`}), 1<<18, nil)
	work(t, w.runner(w))
	w.want(j, job.Completed, "", job.Summary{Failed: 4, Inserted: 2, Total: 6})
	want := []string{
		`{} INVALID_FORMAT  The row is not a valid JSON object: expected a value at byte 0 (row 2)`,
		`{} INVALID_FORMAT  The row is not a valid JSON object: duplicate member name at byte 13 (row 3)`,
		`{} MAX_LENGTH  The row is longer than 1048576 bytes (row 4)`,
		`{"email":"b@example.com","password_hash":"*****"} FORMAT password_hash Error in password_hash property - Not a bcrypt hash ($2a$, $2b$ or $2y$)`,
	}
	if got := w.failures(j); !slices.Equal(got, want) {
		t.Errorf("failures\n%s", strings.Join(got, "\n"))
	}
}

func TestImportUpsertAndDoubles(t *testing.T) {
	w := newWorld(t)
	first := w.imports(lines([]string{`{"email":"a@example.com","name":"Old","app_metadata":{"a":1}}`}), 100, nil)
	var rows []string
	for i := range 30 { // several batches between the doubles
		rows = append(rows, fmt.Sprintf(`{"email":"n%d@example.com"}`, i))
	}
	rows = append(rows, `{"email":"A@Example.com","name":"New","app_metadata":{"b":2}}`, `{"email":"N0@example.com"}`, `{"email":"other@example.com","user_id":"auth0|mine"}`)
	upsert := w.imports(lines(rows), 100, func(j *job.Job) { j.Params = json.RawMessage(`{"upsert":true,"external_id":"x"}`) })
	insert := w.imports(lines([]string{`{"email":"a@example.com"}`, `{"email":"new@example.com","user_id":"mine"}`}), 100, nil)
	work(t, w.runner(w))
	w.want(first, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
	w.want(upsert, job.Completed, "", job.Summary{Inserted: 31, Updated: 1, Failed: 1, Total: 33})
	w.want(insert, job.Completed, "", job.Summary{Failed: 2, Total: 2})
	if got := w.failures(upsert); len(got) != 1 || got[0] != `{"email":"N0@example.com"} DUPLICATED_USER  A user with this email was already provided.` {
		t.Errorf("doubles %q", got)
	}
	for _, f := range w.failures(insert) {
		if !strings.HasSuffix(f, "DUPLICATED_USER  The user already exist and upsert parameter is false") {
			t.Errorf("existing: %q", f)
		}
	}
	u, err := w.UserByIdentifier(bg, database, user.ByEmail, "a@example.com")
	if err != nil || u.Profile.Text(profile.Name) != "New" || string(u.Profile.Value(profile.AppMetadata)) != `{"b":2}` {
		t.Errorf("updated: %+v, %v", u, err)
	}
}

// An upsert of the same file again writes nothing.
func TestImportAgain(t *testing.T) {
	w := newWorld(t)
	rows, good := people(25)
	again := func(j *job.Job) { j.Params = json.RawMessage(`{"upsert":true}`) }
	w.imports(lines(rows), 100, again)
	work(t, w.runner(w))
	before, err := w.Users(bg, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.forward(time.Hour)
	j := w.imports(lines(rows), 100, again)
	work(t, w.runner(w))
	w.want(j, job.Completed, "", job.Summary{Failed: int64(len(rows) - len(good)), Updated: int64(len(good)), Total: 25})
	after, err := w.Users(bg, "", 100)
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("users changed: %v", err)
	}
	if text := w.outcomes(j); strings.Count(text, `"outcome":"unchanged","user_id":"auth0|`) != len(good) {
		t.Errorf("outcomes\n%s", text)
	}
}

func (w *world) outcomes(j *job.Job) string {
	w.t.Helper()
	var all []byte
	for at := int64(0); ; {
		lines, begin, err := w.Outcomes(bg, j.ID, at)
		if err != nil {
			w.t.Fatal(err)
		}
		if lines == nil {
			return string(all)
		}
		all, at = append(all, lines...), begin
	}
}

// A dry run reports everything, doubles in the file included, and writes no user.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	spy := &spy{Store: w}
	w.imports(`[{"email":"old@example.com","name":"Old"}]`, 100, nil)
	work(t, w.runner(spy))
	rows, good := people(25)
	rows = append(rows, `{"email":"P0000@example.com"}`, `{"email":"old@example.com","name":"New","user_id":"x"}`, `{"email":"y@example.com","user_id":"auth0|x"}`)
	j := w.imports(lines(rows), 100, func(j *job.Job) { j.Params = json.RawMessage(`{"upsert":true,"dry_run":true}`) })
	work(t, w.runner(spy))
	w.want(j, job.Completed, "", job.Summary{Failed: int64(25-len(good)) + 1, Updated: 1, Inserted: int64(len(good)) + 1, Total: 28})
	if got := w.emails(); !slices.Equal(got, []string{"old@example.com"}) {
		t.Errorf("users %q", got)
	}
	failures := w.failures(j)
	if last := failures[len(failures)-1]; last != `{"email":"P0000@example.com"} DUPLICATED_USER  A user with this email was already provided.` {
		t.Errorf("failures %q", failures)
	}
	if text := w.outcomes(j); strings.Count(text, "\n") != 28 || strings.Count(text, `"outcome":"inserted"}`) != len(good)+1 || !strings.Contains(text, `{"row":27,"outcome":"updated","user_id":"auth0|`) {
		t.Errorf("outcomes\n%s", text)
	}
	if e := spy.events[1]; e.Type != audit.APIOperation || e.Description != "Users import checked in a dry run" {
		t.Errorf("event %+v", e)
	}
}

// The job that is canceled in the middle ends after its batch and tells what it did.
func TestCancelInTheMiddle(t *testing.T) {
	rows, _ := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	n := 0
	s := &spy{Store: w, after: func(what string) error {
		if n++; what == "batch" && n == 2 {
			_, err := w.Cancel(bg, j.ID, w.clock.Now().UnixMicro(), audit.Event{})
			return err
		}
		return nil
	}}
	work(t, w.runner(s))
	w.want(j, job.Failed, "The job was canceled.", job.Summary{Failed: 3, Inserted: 17, Total: 20})
	if len(s.events) != 1 || s.events[0].Type != audit.UserImportFailed {
		t.Errorf("events %+v", s.events)
	}
}

// A job that was canceled when its runner died is not begun again.
func TestCancelAfterACrash(t *testing.T) {
	rows, _ := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	dead := errs.New(errs.Unavailable, "", "killed")
	n := 0
	s := &spy{Store: w, hook: func(string) error {
		if n++; n > 1 {
			return dead
		}
		return nil
	}}
	if _, err := w.runner(s).Work(bg); !errors.Is(err, dead) {
		t.Fatal(err)
	}
	if _, err := w.Cancel(bg, j.ID, w.clock.Now().UnixMicro(), audit.Event{}); err != nil {
		t.Fatal(err)
	}
	w.clock.forward(time.Minute)
	work(t, w.runner(w))
	w.want(j, job.Failed, "The job was canceled.", job.Summary{Failed: 1, Inserted: 9, Total: 10})
}

func TestImportOfHashes(t *testing.T) {
	w := newWorld(t)
	const hash = "$2b$10$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"
	w.imports(`[{"email":"a@example.com","password_hash":"`+hash+`"},{"email":"b@example.com"}]`, 100, nil)
	work(t, w.runner(w))
	if p := w.password("a@example.com"); p.Hash != hash || !p.Imported {
		t.Errorf("a: %+v", p)
	}
	if p := w.password("b@example.com"); p != (user.Password{}) {
		t.Errorf("b: %+v", p)
	}
}

func TestImportTargets(t *testing.T) {
	for _, c := range []struct{ name, connection, details string }{
		{"unknown", "con_nobody", "The connection does not exist."},
		{"social", "con_0000000000000002", "Connection must be a database connection."},
		{"external store", "con_0000000000000003", "Connection must be a database connection."},
		{"passwordless", "con_0000000000000004", "Connection must be a database connection."},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.connect("con_0000000000000002", "google", "google-oauth2", `{}`)
			w.connect("con_0000000000000003", "theirs", "auth0", `{"enabledDatabaseCustomization":true}`)
			w.connect("con_0000000000000004", "email", "email", `{}`)
			j := w.imports(`[{"email":"a@example.com"}]`, 100, func(j *job.Job) { j.ConnectionID = c.connection })
			work(t, w.runner(w))
			w.want(j, job.Failed, c.details, job.Summary{})
			if got := w.emails(); len(got) > 0 {
				t.Errorf("users %q", got)
			}
		})
	}
}

// A job's end is recorded, without anything about the people in the file.
func TestImportEvents(t *testing.T) {
	w := newWorld(t)
	spy := &spy{Store: w}
	w.imports(`[{"email":"a@example.com"}]`, 100, nil)
	w.imports(`[{"email":"b@example.com"}`, 100, nil)
	work(t, w.runner(spy))
	if len(spy.events) != 2 {
		t.Fatalf("%d events", len(spy.events))
	}
	for i, want := range []audit.Event{
		{Type: "sui", Description: "Users import completed", Details: json.RawMessage(`{"job_id":"job_0000000000000001","summary":{"failed":0,"updated":0,"inserted":1,"total":1}}`)},
		{Type: "fui", Description: "Unexpected end of the file at byte 26, row 1", Details: json.RawMessage(`{"job_id":"job_0000000000000002","summary":{"failed":0,"updated":0,"inserted":1,"total":1}}`)},
	} {
		e := spy.events[i]
		if e.Type != want.Type || e.Description != want.Description || string(e.Details) != string(want.Details) ||
			e.ClientID != "client" || e.Connection != "people" || e.ConnectionID != database || e.At != w.clock.Now().UnixMicro() {
			t.Errorf("event %+v", e)
		}
	}
}

// spy records what goes to the store, and does what a hook says before it.
type spy struct {
	job.Store
	mu     sync.Mutex
	events []audit.Event
	orders [][]string // e-mails of the rows of each batch
	hook   func(what string) error
	after  func(what string) error
}

func (s *spy) on(f func(string) error, what string) error {
	if f == nil {
		return nil
	}
	return f(what)
}

func (s *spy) ImportBatch(ctx context.Context, l job.Lease, j *job.Job, rows []job.Row, failed []job.RowError, cursor, now int64) (job.BatchResult, error) {
	if err := s.on(s.hook, "batch"); err != nil {
		return job.BatchResult{}, err
	}
	var order []string
	for _, r := range rows {
		order = append(order, r.New.Profile.Text(profile.Email))
	}
	s.mu.Lock()
	s.orders = append(s.orders, order)
	s.mu.Unlock()
	res, err := s.Store.ImportBatch(ctx, l, j, rows, failed, cursor, now)
	if err == nil {
		err = s.on(s.after, "batch")
	}
	return res, err
}

func (s *spy) Finish(ctx context.Context, l job.Lease, status, details string, now int64, e ...audit.Event) error {
	if err := s.on(s.hook, "finish"); err != nil {
		return err
	}
	s.mu.Lock()
	s.events = append(s.events, e...)
	s.mu.Unlock()
	err := s.Store.Finish(ctx, l, status, details, now, e...)
	if err == nil {
		err = s.on(s.after, "finish")
	}
	return err
}

func (s *spy) Release(ctx context.Context, l job.Lease) error {
	if err := s.on(s.hook, "release"); err != nil {
		return err
	}
	return s.Store.Release(ctx, l)
}

func (s *spy) Extend(ctx context.Context, l job.Lease, until int64) error {
	if err := s.on(s.hook, "extend"); err != nil {
		return err
	}
	return s.Store.Extend(ctx, l, until)
}

func (s *spy) DeleteUsersOf(ctx context.Context, id string, limit int) (int, error) {
	if err := s.on(s.hook, "delete"); err != nil {
		return 0, err
	}
	return s.Store.DeleteUsersOf(ctx, id, limit)
}

func TestImportKeepsTheOrder(t *testing.T) {
	rows, good := people(47)
	w := newWorld(t)
	s := &spy{Store: w}
	w.imports(array(rows), 50, nil)
	r := w.runner(s)
	r.Workers = 4
	work(t, r)
	if len(s.orders) != 5 || !slices.Equal(slices.Concat(s.orders...), good) {
		t.Errorf("%d batches: %q", len(s.orders), s.orders)
	}
}

// A runner dies at any step, with nothing given back; another one goes on when
// the lease has ended. All rows count, none twice (security.md 42).
func TestImportAfterACrash(t *testing.T) {
	rows, good := people(55) // six batches and the end
	want := job.Summary{Failed: int64(len(rows) - len(good)), Inserted: int64(len(good)), Total: int64(len(rows))}
	dead := errs.New(errs.Unavailable, "", "killed")
	for _, format := range []func([]string) string{array, lines, records} {
		for step := range 7 {
			for _, committed := range []bool{false, true} {
				w := newWorld(t)
				j := w.imports(format(rows), 100, nil)
				n, died := 0, false
				die := func(string) error {
					if n++; n > step {
						died = true
					}
					if died {
						return dead
					}
					return nil
				}
				s := &spy{Store: w}
				if committed {
					s.after = die
					s.hook = func(string) error {
						if died {
							return dead
						}
						return nil
					}
				} else {
					s.hook = die
				}
				if _, err := w.runner(s).Work(bg); !errors.Is(err, dead) {
					t.Fatalf("step %d: %v", step, err)
				}

				second := w.runner(w)
				found, err := second.Work(bg)
				over := step == 6 && committed // died after the job was finished
				if err != nil || found {
					t.Fatalf("step %d: claimed while the lease of the dead stands: %v, %v", step, found, err)
				}
				w.clock.forward(time.Minute)
				if found, err = second.Work(bg); err != nil || found == over {
					t.Fatalf("step %d, committed %v: found %v, %v", step, committed, found, err)
				}
				w.want(j, job.Completed, "", want)
				if got := w.emails(); !slices.Equal(got, good) {
					t.Errorf("step %d: users %q", step, got)
				}
				if got := w.failures(j); int64(len(got)) != want.Failed {
					t.Errorf("step %d: failures %q", step, got)
				}
			}
		}
	}
}

// A runner that lost its lease stops without a word, and writes nothing more.
func TestImportLostLease(t *testing.T) {
	rows, good := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	n := 0
	s := &spy{Store: w}
	s.hook = func(what string) error {
		if n++; what == "batch" && n == 3 {
			w.clock.forward(2 * time.Minute)
			work(t, w.runner(w)) // the other one does all the rest
		}
		return nil
	}
	if found, err := w.runner(s).Work(bg); !found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	w.want(j, job.Completed, "", job.Summary{Failed: int64(len(rows) - len(good)), Inserted: int64(len(good)), Total: int64(len(rows))})
	if got := w.emails(); !slices.Equal(got, good) {
		t.Errorf("users %q", got)
	}
}

// The lease is extended when a third of it has passed.
func TestLeaseIsExtended(t *testing.T) {
	rows, _ := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	extended := 0
	s := &spy{Store: w}
	s.hook = func(what string) error {
		switch what {
		case "batch":
			w.clock.forward(15 * time.Second)
			if found, err := w.runner(w).Work(bg); found || err != nil {
				return fmt.Errorf("another runner took the job: %v, %w", found, err)
			}
		case "extend":
			extended++
		}
		return nil
	}
	work(t, w.runner(s))
	if extended != 2 { // at 30 and at 60 seconds
		t.Errorf("extended %d times in 90 seconds of work", extended)
	}
	if got, err := w.Job(bg, j.ID); err != nil || got.Status != job.Completed {
		t.Errorf("%+v, %v", got, err)
	}
}

// Stopping ends after the batch and gives the job back: the next runner needs
// not wait for the lease.
func TestStopInTheMiddle(t *testing.T) {
	rows, good := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	ctx, stop := context.WithCancel(bg)
	s := &spy{Store: w, hook: func(what string) error {
		if what == "batch" {
			stop()
		}
		return nil
	}}
	if found, err := w.runner(s).Work(ctx); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	got, err := w.Job(bg, j.ID)
	if err != nil || got.Summary.Total != 10 || got.Cursor == 0 {
		t.Errorf("after the stop: %+v, %v", got, err)
	}
	work(t, w.runner(w))
	w.want(j, job.Completed, "", job.Summary{Failed: int64(len(rows) - len(good)), Inserted: int64(len(good)), Total: int64(len(rows))})
}

func TestStartWakeStop(t *testing.T) {
	w := newWorld(t)
	finished := make(chan struct{})
	s := &spy{Store: w, after: func(what string) error {
		if what == "finish" {
			finished <- struct{}{}
		}
		return nil
	}}
	r := w.runner(s)
	if err := r.Stop(bg); err != nil {
		t.Errorf("stop before start: %v", err)
	}
	first := w.imports(`[{"email":"a@example.com"}]`, 100, nil)
	r.Start()
	r.Start()
	<-finished
	second := w.imports(`[{"email":"b@example.com"}]`, 100, nil)
	r.Wake()
	r.Wake()
	<-finished
	for range 2 {
		if err := r.Stop(bg); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	w.want(first, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
	w.want(second, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
}

// A stop that may not wait breaks off, and loses nothing.
func TestStopInAHurry(t *testing.T) {
	rows, good := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	begun, broken := make(chan struct{}), make(chan struct{})
	s := &stuck{spy: &spy{Store: w}, begun: begun, broken: broken}
	r := w.runner(s)
	r.Start()
	<-begun
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := r.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	<-broken
	work(t, w.runner(w))
	w.want(j, job.Completed, "", job.Summary{Failed: int64(len(rows) - len(good)), Inserted: int64(len(good)), Total: int64(len(rows))})
}

// stuck never finishes a batch by itself.
type stuck struct {
	*spy
	begun, broken chan struct{}
}

func (s *stuck) ImportBatch(ctx context.Context, _ job.Lease, _ *job.Job, _ []job.Row, _ []job.RowError, _, _ int64) (job.BatchResult, error) {
	close(s.begun)
	<-ctx.Done()
	close(s.broken)
	return job.BatchResult{}, ctx.Err()
}

// A job that always fails for a reason of ours ends as failed; the reason is
// logged and not shown.
func TestPoisonedJob(t *testing.T) {
	w := newWorld(t)
	rows, _ := people(15)
	j := w.imports(array(rows), 100, nil)
	other := w.imports(`[{"email":"other@example.com"}]`, 100, nil)
	bug := errors.New("a bug about ann@example.com")
	batches := 0
	s := &spy{Store: w, hook: func(what string) error {
		if what == "batch" {
			if batches++; batches > 1 && batches <= 6 { // the second batch, five times
				return bug
			}
		}
		return nil
	}}
	r := w.runner(s)
	for range 5 {
		if _, err := r.Work(bg); !errors.Is(err, bug) {
			t.Errorf("%v", err)
		}
	}
	w.want(j, job.Failed, "Internal error.", job.Summary{Failed: 1, Inserted: 9, Total: 10})
	work(t, r)
	w.want(other, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
}

// A database that is away does not count.
func TestUnavailableIsNoFailure(t *testing.T) {
	w := newWorld(t)
	j := w.imports(`[{"email":"a@example.com"}]`, 100, nil)
	away := errs.New(errs.Unavailable, "", "The database is away.")
	n := 0
	s := &spy{Store: w, hook: func(what string) error {
		if what == "batch" {
			if n++; n <= 20 {
				return away
			}
		}
		return nil
	}}
	r := w.runner(s)
	for range 20 {
		if _, err := r.Work(bg); !errors.Is(err, away) {
			t.Fatal(err)
		}
	}
	work(t, r)
	w.want(j, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
}

// Pieces that are gone are no end of the file.
func TestMissingPieces(t *testing.T) {
	rows, _ := people(30)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	s := &holed{spy: &spy{Store: w}}
	r := w.runner(s)
	for range 5 {
		if _, err := r.Work(bg); err == nil {
			t.Error("no error")
		}
	}
	got, err := w.Job(bg, j.ID)
	if err != nil || got.Status != job.Failed || got.StatusDetails != "Internal error." {
		t.Errorf("%+v, %v", got, err)
	}
}

type holed struct{ *spy }

func (h *holed) InputPiece(ctx context.Context, jobID string, seq int64) ([]byte, error) {
	if seq >= 3 {
		return nil, nil
	}
	return h.spy.InputPiece(ctx, jobID, seq)
}

func TestConnectionDelete(t *testing.T) {
	w := newWorld(t)
	w.connect("con_0000000000000002", "others", "auth0", `{}`)
	var rows []string
	for i := range 1203 {
		rows = append(rows, fmt.Sprintf(`{"email":"n%d@example.com"}`, i))
	}
	w.imports(lines(rows), 1<<20, nil)
	w.imports(`[{"email":"stays@example.com"}]`, 100, func(j *job.Job) { j.ConnectionID, j.Connection = "con_0000000000000002", "others" })
	r := w.runner(w)
	r.BatchSize = 1000
	work(t, r)
	if n := len(w.emails()); n != 1204 {
		t.Fatalf("%d users", n)
	}
	late := w.imports(`[{"email":"late@example.com"}]`, 100, nil)
	if err := w.DeleteConnection(bg, database, 0, w.clock.Now().UnixMicro(), audit.Event{Type: audit.APIOperation}); err != nil {
		t.Fatal(err)
	}

	// It dies once in the middle.
	deletes := 0
	dead := errs.New(errs.Unavailable, "", "killed")
	s := &spy{Store: w, hook: func(what string) error {
		if what == "delete" {
			deletes++
		}
		if deletes >= 2 {
			return dead
		}
		return nil
	}}
	first := w.runner(s)
	if found, err := first.Work(bg); !found || err != nil { // the late import
		t.Fatalf("%v, %v", found, err)
	}
	w.want(late, job.Failed, "The connection does not exist.", job.Summary{})
	if _, err := first.Work(bg); !errors.Is(err, dead) {
		t.Fatal(err)
	}
	if n := len(w.emails()); n != 704 {
		t.Errorf("%d users after the first batch", n)
	}
	w.clock.forward(time.Minute)
	work(t, w.runner(w))
	if got := w.emails(); !slices.Equal(got, []string{"stays@example.com"}) {
		t.Errorf("%d users left", len(got))
	}
	w.connect("con_0000000000000005", "people", "auth0", `{}`) // the name is free again
}

// A connection that goes away under an import gets no more users.
func TestConnectionGoesAway(t *testing.T) {
	rows, _ := people(55)
	w := newWorld(t)
	j := w.imports(array(rows), 100, nil)
	n := 0
	s := &spy{Store: w, after: func(what string) error {
		if n++; what == "batch" && n == 2 {
			return w.DeleteConnection(bg, database, 0, w.clock.Now().UnixMicro(), audit.Event{Type: audit.APIOperation})
		}
		return nil
	}}
	work(t, w.runner(s))
	got, err := w.Job(bg, j.ID)
	if err != nil || got.Status != job.Failed || got.StatusDetails != "The connection does not exist." || got.Summary.Total != 20 {
		t.Errorf("%+v, %v", got, err)
	}
	if left := w.emails(); len(left) > 0 {
		t.Errorf("users %q", left)
	}
}

// Nothing about people reaches the process log (security.md 124).
func TestLogsNobody(t *testing.T) {
	var out bytes.Buffer
	w := newWorld(t)
	w.imports(`[{"email":"canary@example.com","name":"Canary","password_hash":"canary"},{"email":"canary2@example.com"}`, 100, nil)
	r := w.runner(w)
	r.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	work(t, r)
	if strings.Contains(strings.ToLower(out.String()), "canary") || !strings.Contains(out.String(), "job_0000000000000001") {
		t.Errorf("log:\n%s", out.String())
	}
}
