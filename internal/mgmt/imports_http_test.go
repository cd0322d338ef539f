package mgmt

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/job"
)

// packed is text by gzip, in as many members as there are texts.
func packed(t *testing.T, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		_, err := io.WriteString(w, text)
		must(t, err)
		must(t, w.Close())
	}
	return b.String()
}

// upload posts an import.
func (w *world) upload(t *testing.T, bearer string, parts ...part) *httptest.ResponseRecorder {
	t.Helper()
	contentType, body := form(t, parts...)
	return w.call(t, "POST", "/jobs/users-imports", bearer, body, "Content-Type", contentType)
}

// runner is one that works on the world's jobs when it is told to.
func (w *world) runner() *job.Runner {
	return &job.Runner{Store: w.store, Connections: w.store, Now: w.clock.now, BatchSize: 2, Workers: 1}
}

// work lets a runner do all there is.
func (w *world) work(t *testing.T) {
	t.Helper()
	r := w.runner()
	for {
		found, err := r.Work(t.Context())
		must(t, err)
		if !found {
			return
		}
	}
}

func jobID(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var j struct{ ID string }
	must(t, json.Unmarshal(rec.Body.Bytes(), &j))
	return j.ID
}

var toUsers = part{name: "connection_id", text: usersID}

// A file packed by gzip is stored unpacked, whatever it is called.
func TestImportUnpacks(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		jobs := &watched{Store: w.api.Jobs}
		w.api.Jobs = jobs
		bearer := w.machine(t, "create:users")
		small, large := `[{"email":"c@example.com"}]`, strings.Repeat(`{"email":"c@example.com"}`+"\n", 2*pieceSize/26+5)
		whole := packed(t, large)
		for _, row := range []struct {
			name, file string
			status     int
			text       string
			input      string
			params     string
		}{
			{"users.json.gz", packed(t, small), 202, "", small, `{"upsert":false,"send_completion_email":true}`},
			{"users.csv.gz", packed(t, "email\na@example.com\n"), 202, "", "email\na@example.com\n", `{"upsert":false,"send_completion_email":true,"csv":true}`},
			{"USERS.CSV", "email\n", 202, "", "email\n", `{"upsert":false,"send_completion_email":true,"csv":true}`},
			{"users", whole, 202, "", large, `{"upsert":false,"send_completion_email":true}`},
			{"members", packed(t, small[:5], "", small[5:]), 202, "", small, `{"upsert":false,"send_completion_email":true}`},
			{"nothing", packed(t, ""), 400, "Users file must not be empty.", "", ""},
			{"cut", whole[:len(whole)-9], 400, "The gzip file is broken or incomplete.", "", ""},
			{"cut in the header", whole[:5], 400, "The gzip file is broken or incomplete.", "", ""},
			{"magic alone", "\x1f\x8b", 400, "The gzip file is broken or incomplete.", "", ""},
			{"another checksum", whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], 400, "The gzip file is broken or incomplete.", "", ""},
			{"garbage behind", whole + "garbage", 400, "The gzip file is broken or incomplete.", "", ""},
			{"too large unpacked", packed(t, strings.Repeat("y", 3*pieceSize+1)), 413, "Payload content length greater than maximum allowed: 1572864", "", ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				*jobs = watched{Store: jobs.Store}
				rec := w.upload(t, bearer, toUsers, part{"users", row.name, row.file})
				answers(t, rec, row.status, []string{row.text}, nil)
				if row.status != 202 {
					if jobs.published != 0 || jobs.created != jobs.dropped {
						t.Errorf("left behind: %+v", jobs)
					}
					return
				}
				w.holds(t, jobID(t, rec), row.input, row.params)
			})
		}
	})
}

// A file that unpacks to far more than its size is refused long before the
// limit, with a piece of it in memory at a time.
func TestImportBomb(t *testing.T) {
	w := newWorld(t)
	w.api.ImportLimit = 10 << 30
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	block := make([]byte, 1<<20)
	for range 64 {
		_, err := z.Write(block)
		must(t, err)
	}
	must(t, z.Close())
	rec := w.upload(t, w.machine(t, "create:users"), part{"users", "u.json.gz", b.String()}, toUsers)
	answers(t, rec, 413, []string{"The file unpacks to more than 20 times its size."}, nil)

	// What is below the floor is fine at any ratio.
	in, err := unpacked(strings.NewReader(packed(t, strings.Repeat("x", unpackedFloor))))
	must(t, err)
	if n, err := io.Copy(io.Discard, in); n != unpackedFloor || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestImportOptions(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users")
		file := part{"users", "u.json", `[{"email":"ann@example.com","blocked":true,"user_metadata":{"b":2}}]`}
		for _, row := range []struct {
			name   string
			parts  []part
			status int
			text   string
		}{
			{"merge", []part{toUsers, file, {name: "upsert", text: "true"}, {name: "merge", text: "true"}}, 202, `"merge":true,"created_at"`},
			{"all", []part{toUsers, file, {name: "upsert", text: "true"}, {name: "upsert_all", text: "true"}, {name: "dry_run", text: "true"}}, 202, `"upsert_all":true,"dry_run":true,"created_at"`},
			{"off", []part{toUsers, file, {name: "merge", text: "false"}, {name: "upsert_all", text: ""}, {name: "dry_run", text: "false"}}, 202, `"connection":"Users","created_at"`},
			{"no boolean", []part{toUsers, file, {name: "dry_run", text: "TRUE"}}, 400, "Payload validation error: 'Expected type boolean but found type string' on property dry_run."},
			{"no boolean either", []part{toUsers, {name: "merge", text: "1"}, file}, 400, "Payload validation error: 'Expected type boolean but found type string' on property merge."},
			{"merge alone", []part{toUsers, file, {name: "merge", text: "true"}}, 400, "Payload validation error: 'Goes with upsert only' on property merge."},
			{"all alone", []part{toUsers, file, {name: "upsert_all", text: "true"}}, 400, "Payload validation error: 'Goes with upsert only' on property upsert_all."},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.upload(t, bearer, row.parts...), row.status, []string{row.text}, nil)
			})
		}
		w.work(t)
		// merge, and a dry run of everything: blocked did not change.
		answers(t, w.call(t, "GET", "/users/"+string(w.ann), w.machine(t, "read:users"), ""), 200, []string{`"user_metadata":{"a":1,"b":2}`}, []string{"blocked"})
		answers(t, w.upload(t, bearer, toUsers, file, part{name: "upsert", text: "true"}, part{name: "upsert_all", text: "true"}), 202, nil, nil)
		w.work(t)
		answers(t, w.call(t, "GET", "/users/"+string(w.ann), w.machine(t, "read:users"), ""), 200, []string{`"user_metadata":{"b":2}`, `"blocked":true`}, nil)
	})
}

// Of fifty imports at once the limit passes, exactly; the others leave nothing,
// not even a record.
func TestImportJobsLimit(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.api.ImportJobs = 2
		w.wakes = make(chan struct{}, 100)
		events := &recorded{watched: watched{Store: w.api.Jobs}}
		w.api.Jobs = events
		bearer := w.machine(t, "create:users")
		contentType, body := form(t, toUsers, part{"users", "u", `[{"email":"c@example.com"}]`})
		answered := make(chan *httptest.ResponseRecorder, 50)
		for range cap(answered) {
			go func() {
				answered <- w.call(t, "POST", "/jobs/users-imports", bearer, body, "Content-Type", contentType)
			}()
		}
		counts := map[int]int{}
		for range cap(answered) {
			rec := <-answered
			counts[rec.Code]++
			if rec.Code != 202 {
				answers(t, rec, 429, []string{`"message":"There are 2 active import users jobs, please wait until some of them are finished and try again"}`}, []string{"errorCode"})
			}
		}
		if counts[202] != 2 || counts[429] != 48 {
			t.Errorf("answers %v", counts)
		}
		if n := events.kept(); n != 2 {
			t.Errorf("%d records", n)
		}
		w.work(t)
		answers(t, w.call(t, "POST", "/jobs/users-imports", bearer, body, "Content-Type", contentType), 202, nil, nil)
	})
}

// recorded counts the events of jobs that were published.
type recorded struct {
	watched
	mu     sync.Mutex
	events int
}

func (s *recorded) kept() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

func (s *recorded) count(e audit.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Type != "" {
		s.events++
	}
}

func (s *recorded) CreateJob(ctx context.Context, j *job.Job, e audit.Event) error {
	s.count(e)
	return s.Store.CreateJob(ctx, j, e)
}

func (s *recorded) DropJob(ctx context.Context, id string) error { return s.Store.DropJob(ctx, id) }

func (s *recorded) Publish(ctx context.Context, j *job.Job, limit int64, e audit.Event) error {
	err := s.Store.Publish(ctx, j, limit, e)
	if err == nil {
		s.count(e)
	}
	return err
}

func TestJobOutcomes(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users")
		var rows []string
		for i := range 7 {
			rows = append(rows, fmt.Sprintf(`{"email":"p%d@example.com","user_id":"p%d"}`, i, i))
		}
		rows[3] = `{"email":"foo@"}`
		id := jobID(t, w.upload(t, bearer, toUsers, part{"users", "u", strings.Join(rows, "\n")}))
		answers(t, w.call(t, "GET", "/jobs/"+id+"/outcomes", bearer, ""), 204, nil, nil)
		w.work(t)
		rec := w.call(t, "GET", "/jobs/"+id+"/outcomes", w.machine(t, "read:users"), "")
		lines := strings.Split(rec.Body.String(), "\n")
		if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/x-ndjson" || len(lines) != 8 || lines[7] != "" {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		for i := range 7 {
			want := fmt.Sprintf(`{"row":%d,"outcome":"inserted","user_id":"auth0|p%d"}`, i+1, i)
			if i == 3 {
				want = `{"row":4,"outcome":"failed","errors":[{"code":"FORMAT","message":"Error in email property - Object didn't pass validation for format email: foo@","path":"email"}]}`
			}
			if lines[i] != want {
				t.Errorf("line %d: %s", i, lines[i])
			}
		}
		answers(t, w.call(t, "GET", "/jobs/job_0000000000000000/outcomes", bearer, ""), 404, []string{"The job does not exist"}, nil)
		answers(t, w.call(t, "GET", "/jobs/"+id+"/outcomes", w.machine(t, "read:clients"), ""), 403, []string{"insufficient_scope"}, nil)
	})
}

func TestJobCancel(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users")
		file := part{"users", "u", `[{"email":"c@example.com"}]`}
		id := jobID(t, w.upload(t, bearer, toUsers, file))
		answers(t, w.call(t, "POST", "/jobs/"+id+"/cancel", w.machine(t, "read:users"), ""), 403, []string{"Insufficient scope, expected any of: create:users"}, nil)
		answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 200, []string{`"status":"pending"`}, nil)
		for range 2 {
			answers(t, w.call(t, "POST", "/jobs/"+id+"/cancel", bearer, ""), 200,
				[]string{`"status":"failed","status_details":"The job was canceled."`, `"summary":{"failed":0,"updated":0,"inserted":0,"total":0}`}, nil)
		}
		w.work(t)
		answers(t, w.call(t, "GET", "/jobs/"+id+"/errors", bearer, ""), 200, []string{`"status_details":"The job was canceled."`}, nil)
		answers(t, w.call(t, "GET", "/users-by-email?email=c@example.com", w.machine(t, "read:users"), ""), 200, []string{"[]"}, nil)

		done := jobID(t, w.upload(t, bearer, toUsers, file))
		w.work(t)
		answers(t, w.call(t, "POST", "/jobs/"+done+"/cancel", bearer, ""), 409, []string{"The job has already finished.", "job_finished"}, nil)
		answers(t, w.call(t, "POST", "/jobs/job_0000000000000000/cancel", bearer, ""), 404, []string{"The job does not exist"}, nil)
	})
}

func TestJobProgress(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "create:users")
		id := jobID(t, w.upload(t, bearer, toUsers, part{"users", "u", strings.Repeat("x", 200)}))
		j, lease, err := w.store.Claim(t.Context(), "runner", at, at+60_000_000)
		must(t, err)
		answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 200, []string{`"status":"processing","percentage_done":0,"connection_id"`}, []string{"time_left_seconds"})
		_, err = w.store.ImportBatch(t.Context(), *lease, j, nil, nil, 50, at+10_000_000)
		must(t, err)
		answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 200, []string{`"percentage_done":25,"time_left_seconds":30,`}, []string{"summary"})
		must(t, w.store.Finish(t.Context(), *lease, job.Failed, "Broken.", at+20_000_000))
		answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 200, nil, []string{"percentage_done", "time_left_seconds", "summary"})
	})
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		j             job.Job
		percent, left int64
		known         bool
	}{
		{job.Job{InputBytes: 100}, 0, 0, false},
		{job.Job{InputBytes: 100, Cursor: 100, StartedAt: 1, UpdatedAt: 1}, 99, 0, true},
		{job.Job{InputBytes: 3, Cursor: 1, StartedAt: 5, UpdatedAt: 1_000_005}, 33, 2, true},
		{job.Job{InputBytes: 1 << 40, Cursor: 1, StartedAt: 5, UpdatedAt: 4}, 0, 0, false},
		{job.Job{InputBytes: 1 << 40, Cursor: 1 << 39, StartedAt: 1, UpdatedAt: 2}, 50, 1, true},
	} {
		if percent, left, known := progress(&c.j); percent != c.percent || known != c.known || known && left != c.left {
			t.Errorf("%+v: %d%%, %d s, %v", c.j, percent, left, known)
		}
	}
}
