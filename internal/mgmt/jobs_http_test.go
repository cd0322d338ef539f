package mgmt

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/job"
)

// part is one part of a form; a file when it has a file name.
type part struct{ name, file, text string }

func form(t *testing.T, parts ...part) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		var err error
		var w io.Writer
		if p.file != "" {
			w, err = m.CreateFormFile(p.name, p.file)
		} else {
			w, err = m.CreateFormField(p.name)
		}
		must(t, err)
		_, err = io.WriteString(w, p.text)
		must(t, err)
	}
	must(t, m.Close())
	return m.FormDataContentType(), b.String()
}

// watched counts what the upload leaves in the job store.
type watched struct {
	job.Store
	created, dropped, published int
}

func (s *watched) CreateJob(ctx context.Context, j *job.Job, e audit.Event) error {
	s.created++
	return s.Store.CreateJob(ctx, j, e)
}

func (s *watched) DropJob(ctx context.Context, id string) error {
	s.dropped++
	return s.Store.DropJob(ctx, id)
}

func (s *watched) Publish(ctx context.Context, j *job.Job, limit int64, e audit.Event) error {
	s.published++
	return s.Store.Publish(ctx, j, limit, e)
}

func TestImportUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		jobs := &watched{Store: w.api.Jobs}
		w.api.Jobs = jobs
		bearer := w.machine(t, "create:users")
		file := func(text string) part { return part{"users", "../../users.json", text} }
		connection := part{name: "connection_id", text: usersID}
		small, large, most := `[{"email":"c@example.com"}]`, strings.Repeat("x", 2*pieceSize+5), strings.Repeat("y", 3*pieceSize)
		const pattern = "Payload validation error: 'String does not match pattern ^con_[A-Za-z0-9]{16}$' on property connection_id."
		for _, row := range []struct {
			name   string
			parts  []part
			status int
			text   string
			input  string // what the job must hold
			params string
		}{
			{"fields first", []part{connection, {name: "upsert", text: "true"}, file(small)}, 202, `"status":"pending","connection_id":"` + usersID + `","connection":"Users","created_at":"`, small, `{"upsert":true,"send_completion_email":true}`},
			{"file first", []part{file(small), connection, {name: "external_id", text: ""}, {name: "send_completion_email", text: "false"}}, 202, `{"type":"users_import"`, small, `{"upsert":false,"send_completion_email":false}`},
			{"large, fields first", []part{connection, {name: "external_id", text: "ext"}, file(large)}, 202, `"external_id":"ext"`, large, `{"upsert":false,"external_id":"ext","send_completion_email":true}`},
			{"large, file first", []part{file(large), connection, {name: "upsert", text: "true"}}, 202, `"connection":"Users"`, large, `{"upsert":true,"send_completion_email":true}`},
			{"large, file in the middle", []part{connection, file(large), {name: "upsert", text: "true"}}, 202, `"connection":"Users"`, large, `{"upsert":true,"send_completion_email":true}`},
			{"just fits", []part{connection, file(most)}, 202, `"pending"`, most, `{"upsert":false,"send_completion_email":true}`},
			{"unknown field", []part{connection, {name: "foo", text: "x"}, file(small)}, 202, `"pending"`, small, `{"upsert":false,"send_completion_email":true}`},

			{"no file", []part{connection}, 400, "Must provide 'users' file as multipart part.", "", ""},
			{"users is no file", []part{connection, {name: "users", text: small}}, 400, "Must provide 'users' file as multipart part.", "", ""},
			{"empty file", []part{connection, file("")}, 400, "Users file must not be empty.", "", ""},
			{"no connection", []part{file(small)}, 400, "Must provide 'connection_id' as multipart part.", "", ""},
			{"no connection, large", []part{file(large)}, 400, "Must provide 'connection_id' as multipart part.", "", ""},
			{"connection of another form", []part{{name: "connection_id", text: "Users"}, file(small)}, 400, pattern, "", ""},
			{"connection of another form, behind", []part{file(large), {name: "connection_id", text: "Users"}}, 400, pattern, "", ""},
			{"unknown connection", []part{{name: "connection_id", text: "con_0000000000000000"}, file(small)}, 400, "The connection does not exist.", "", ""},
			{"upstream connection", []part{{name: "connection_id", text: googleID}, file(large)}, 400, "Connection must be a database connection.", "", ""},
			{"passwordless connection", []part{{name: "connection_id", text: smsID}, file(small)}, 400, "Connection must be a database connection.", "", ""},
			{"disabled connection", []part{{name: "connection_id", text: disabledID}, file(small)}, 400, "Connection must be enabled.", "", ""},
			{"upsert is no boolean", []part{connection, {name: "upsert", text: "yes"}, file(small)}, 400, "on property upsert", "", ""},
			{"two files", []part{connection, file(small), file(small)}, 400, "Payload validation error: 'Invalid multipart payload format'.", "", ""},
			{"field twice", []part{connection, connection, file(small)}, 400, "Invalid multipart payload format", "", ""},
			{"long name of a field", []part{connection, {name: strings.Repeat("x", 101), text: "x"}, file(small)}, 400, "Invalid multipart payload format", "", ""},
			{"long field", []part{connection, {name: "external_id", text: large}, file(small)}, 400, "Invalid multipart payload format", "", ""},
			{"NUL in a field", []part{connection, {name: "external_id", text: "a\x00"}, file(small)}, 400, "Invalid multipart payload format", "", ""},
			{"many parts", append(make([]part, 200), connection, file(small)), 400, "Invalid multipart payload format", "", ""},
			{"too large", []part{connection, file(most + "y")}, 413, "Payload content length greater than maximum allowed: 1572864", "", ""},
			{"too large, file first", []part{file(most + "y"), connection}, 413, "Payload content length greater than maximum allowed: 1572864", "", ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				*jobs = watched{Store: jobs.Store}
				contentType, body := form(t, row.parts...)
				rec := w.call(t, "POST", "/jobs/users-imports?test=value", bearer, body, "Content-Type", contentType)
				answers(t, rec, row.status, []string{row.text}, nil)
				if row.status != 202 {
					if jobs.published != 0 || jobs.created != jobs.dropped || len(w.wakes) != 0 {
						t.Errorf("left behind: %+v, %d wakes", jobs, len(w.wakes))
					}
					return
				}
				if jobs.published != 1 || jobs.created != jobs.dropped+1 || len(w.wakes) != 1 {
					t.Errorf("jobs %+v, %d wakes", jobs, len(w.wakes))
				}
				<-w.wakes
				var answer struct{ ID string }
				must(t, json.Unmarshal(rec.Body.Bytes(), &answer))
				w.holds(t, answer.ID, row.input, row.params)
				shown := w.call(t, "GET", "/jobs/"+answer.ID, bearer, "")
				answers(t, shown, 200, []string{`"status":"pending"`}, []string{"summary"})
				if shown.Body.String() != rec.Body.String() {
					t.Errorf("shown as %s, was answered %s", shown.Body, rec.Body)
				}
				answers(t, w.call(t, "GET", "/jobs/"+answer.ID+"/errors", bearer, ""), 204, nil, nil)
			})
		}
	})
}

// holds checks a published job and its input.
func (w *world) holds(t *testing.T, id, input, params string) {
	t.Helper()
	j, err := w.store.Job(t.Context(), id)
	must(t, err)
	if j.Status != job.Pending || j.ConnectionID != usersID || j.Connection != "Users" || string(j.Params) != params ||
		j.InputBytes != int64(len(input)) || j.ActorClientID != machineID {
		t.Errorf("job %+v, params %s", j, j.Params)
	}
	var got []byte
	for seq := int64(0); ; seq++ {
		piece, err := w.store.InputPiece(t.Context(), id, seq)
		must(t, err)
		if piece == nil {
			break
		}
		got = append(got, piece...)
	}
	if string(got) != input {
		t.Errorf("%d bytes are stored, want %d", len(got), len(input))
	}
}

// A form that breaks off anywhere is refused, and nothing of it stays.
func TestImportCutOff(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		jobs := &watched{Store: w.api.Jobs}
		w.api.Jobs = jobs
		bearer := w.machine(t, "create:users")
		contentType, body := form(t, part{name: "connection_id", text: usersID}, part{"users", "u", strings.Repeat("x", pieceSize+100)})
		for _, n := range []int{0, 10, 80, 300, pieceSize, pieceSize + 200, len(body) - 30, len(body) - 10} {
			rec := w.call(t, "POST", "/jobs/users-imports", bearer, body[:n], "Content-Type", contentType)
			answers(t, rec, 400, []string{"Invalid multipart payload format"}, nil)
		}
		for _, other := range []string{"application/json", "multipart/form-data", "multipart/mixed; boundary=x", "", "multipart/form-data; boundary="} {
			rec := w.call(t, "POST", "/jobs/users-imports", bearer, body, "Content-Type", other)
			answers(t, rec, 400, []string{"Invalid multipart payload format"}, nil)
		}
		if jobs.published != 0 || jobs.created != jobs.dropped {
			t.Errorf("left behind: %+v", jobs)
		}
		answers(t, w.call(t, "POST", "/jobs/users-imports", bearer, body, "Content-Type", contentType), 202, nil, nil)
	})
}

// A body whose length says that it is too large is not read.
func TestImportAnnouncedTooLarge(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		r := httptest.NewRequest("POST", Prefix+"/jobs/users-imports", unread{t})
		r.ContentLength = 1 << 40
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		r.Header.Set("Authorization", "Bearer "+w.machine(t, "create:users"))
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		answers(t, rec, 413, []string{"Payload content length greater than maximum allowed: 1572864"}, nil)
		if rec.Header().Get("Connection") != "close" {
			t.Error("the connection stays open")
		}
	})
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestJobResults(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users")
		ctx := t.Context()
		make := func(id, kind, status string) *job.Job {
			j := &job.Job{
				ID: id, Type: kind, Status: status, ConnectionID: usersID, Connection: "Users",
				Params: json.RawMessage(`{"upsert":false}`), CreatedAt: at, UpdatedAt: at, ActorClientID: machineID,
			}
			must(t, w.store.CreateJob(ctx, j, audit.Event{Type: audit.APIOperation, At: at}))
			return j
		}
		make("job_Receiving0000000", job.UsersImport, job.Receiving)
		make("job_Hidden0000000000", job.ConnectionDelete, job.Completed)
		for _, id := range []string{"job_Receiving0000000", "job_Hidden0000000000"} {
			answers(t, w.call(t, "GET", "/jobs/"+id, bearer, ""), 404, []string{"Job not found."}, nil)
			answers(t, w.call(t, "GET", "/jobs/"+id+"/errors", bearer, ""), 404, []string{"The job does not exist"}, nil)
		}

		done := make("job_Done000000000000", job.UsersImport, job.Pending)
		_, lease, err := w.store.Claim(ctx, "runner", at, at+1_000_000)
		must(t, err)
		const rows = 2*errorsPage + 7
		failed := []job.RowError{}
		for range rows {
			failed = append(failed, job.RowError{
				User:   json.RawMessage(`{"email":"foo@"}`),
				Errors: []job.Problem{{Code: "FORMAT", Message: "Error in email property", Path: "email"}},
			})
		}
		_, err = w.store.ImportBatch(ctx, *lease, done, nil, failed, 10, at)
		must(t, err)
		answers(t, w.call(t, "GET", "/jobs/"+done.ID, bearer, ""), 200, []string{`"status":"processing"`}, []string{"summary"})
		must(t, w.store.Finish(ctx, *lease, job.Completed, "", at))
		answers(t, w.call(t, "GET", "/jobs/"+done.ID, bearer, ""), 200, []string{`"status":"completed"`, `"summary":{"failed":407,"updated":0,"inserted":0,"total":407}`}, nil)
		rec := w.call(t, "GET", "/jobs/"+done.ID+"/errors", bearer, "")
		answers(t, rec, 200, []string{`[{"user":{"email":"foo@"},"errors":[{"code":"FORMAT","message":"Error in email property","path":"email"}]},{"user"`}, nil)
		var list []json.RawMessage
		if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || len(list) != rows || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d errors, %v, %s", len(list), err, rec.Header().Get("Content-Type"))
		}

		broken := make("job_Broken0000000000", job.UsersImport, job.Pending)
		_, lease, err = w.store.Claim(ctx, "runner", at, at+1_000_000)
		must(t, err)
		must(t, w.store.Finish(ctx, *lease, job.Failed, "The file is no JSON array.", at))
		for _, path := range []string{"/jobs/" + broken.ID, "/jobs/" + broken.ID + "/errors"} {
			answers(t, w.call(t, "GET", path, bearer, ""), 200, []string{`"status":"failed","status_details":"The file is no JSON array."`}, []string{"summary"})
		}
	})
}
