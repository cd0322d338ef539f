package mgmt

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/job"
)

// runJobs lets a runner do what there is to do.
func (w *world) runJobs(t *testing.T) {
	t.Helper()
	r := &job.Runner{Store: w.store, Connections: w.store, Now: w.clock.now}
	for {
		found, err := r.Work(t.Context())
		must(t, err)
		if !found {
			return
		}
	}
}

// jobOf is the members of an answered job that tests look at.
type answeredJob struct{ ID, Location string }

func jobOf(t *testing.T, rec *httptest.ResponseRecorder) (j answeredJob) {
	t.Helper()
	must(t, json.Unmarshal(rec.Body.Bytes(), &j))
	return j
}

// path is a location without what is in front of the API's paths.
func (j answeredJob) path(t *testing.T) string {
	t.Helper()
	p, ok := strings.CutPrefix(j.Location, publicURL+Prefix)
	if !ok {
		t.Fatalf("location %q", j.Location)
	}
	return p
}

func unzipped(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(rec.Body.Bytes()))
	must(t, err)
	b, err := io.ReadAll(z)
	must(t, err)
	return string(b)
}

func TestExportUsers(t *testing.T) {
	many := `{"name":"a0"}`
	for i := 1; i < 31; i++ {
		many += `,{"name":"a` + strings.Repeat("0", i+1) + `"}`
	}
	long := strings.Repeat("x", 101)
	onEngines(t, func(t *testing.T, w *world) {
		both := "read:users create:users"
		for _, row := range []struct {
			about, scopes, body string
			status              int
			answer              string // up to created_at; or what the error says
		}{
			{"as recorded", "read:users", `{"connection_id":"` + usersID + `","format":"json","limit":5,"fields":[{"name":"name"},{"name":"email"},{"name":"identities[0].connection"}]}`, 200,
				`{"type":"users_export","status":"pending","connection_id":"` + usersID + `","format":"json","limit":5,"fields":[{"name":"name"},{"name":"email"},{"name":"identities[0].connection"}],"connection":"Users","created_at":"`},
			{"nothing said", "read:users", `{}`, 200, `{"type":"users_export","status":"pending","format":"json","connection":"","created_at":"`},
			{"csv", "read:users", `{"format":"csv","fields":[{"name":"user_metadata.a","export_as":"<&>"}],"limit":1.0}`, 200, `{"type":"users_export","status":"pending","format":"csv","limit":1,"fields":[{"name":"user_metadata.a","export_as":"<&>"}],"connection":"","created_at":"`},
			{"of an upstream", "read:users", `{"connection_id":"` + googleID + `"}`, 200, `{"type":"users_export","status":"pending","connection_id":"` + googleID + `","format":"json","connection":"google","created_at":"`},
			{"not packed", "read:users", `{"gzip":false}`, 200, `{"type":"users_export","status":"pending","format":"json","gzip":false,"connection":"","created_at":"`},
			{"ours, said to be off", "read:users", `{"gzip":true,"include_password_hashes":false}`, 200, `{"type":"users_export","status":"pending","format":"json","connection":"","created_at":"`},
			{"with hashes", both, `{"include_password_hashes":true}`, 200, `{"type":"users_export","status":"pending","format":"json","include_password_hashes":true,"connection":"","created_at":"`},

			{"hashes without the scope", "read:users", `{"include_password_hashes":true}`, 403, `Insufficient scope, expected any of: create:users`},
			{"hashes in csv", both, `{"include_password_hashes":true,"format":"csv"}`, 400, `Password hashes stand only in whole users: format json, without fields' on property include_password_hashes`},
			{"hashes beside fields", both, `{"include_password_hashes":true,"fields":[{"name":"email"}]}`, 400, `on property include_password_hashes`},
			{"unknown connection", "read:users", `{"connection_id":"con_0000000000000000"}`, 400, `"message":"The connection does not exist.","errorCode":"inexistent_connection"`},
			{"connection of another form", "read:users", `{"connection_id":"Users"}`, 400, `Payload validation error: 'String does not match pattern ^con_[A-Za-z0-9]{16}$: Users' on property connection_id (connection_id of the connection from which users will be exported)`},
			{"null connection", "read:users", `{"connection_id":null}`, 400, `Expected type string but found type null' on property connection_id`},
			{"another format", "read:users", `{"format":"xml"}`, 400, "Payload validation error: 'No enum match for: xml' on property format (Format of the file. Must be `json` or `csv`)"},
			{"no limit", "read:users", `{"limit":0}`, 400, `Payload validation error: 'Value 0 is less than minimum 1' on property limit (Limit the number of records)`},
			{"limit of another type", "read:users", `{"limit":"5"}`, 400, `Payload validation error: 'Expected type integer but found type string' on property limit`},
			{"field without name", "read:users", `{"fields":[{"export_as":"x"}]}`, 400, `Missing required property: name' on property fields[0]`},
			{"field with more", "read:users", `{"fields":[{"name":"x","as":"y"}]}`, 400, `Additional properties not allowed: as' on property fields[0]`},
			{"long name", "read:users", `{"fields":[{"name":"` + long + `"}]}`, 400, `String is too long (101 chars), maximum 100' on property fields[0].name (Name of the field in the profile)`},
			{"long title", "read:users", `{"fields":[{"name":"x","export_as":"` + long + `"}]}`, 400, `maximum 100' on property fields[0].export_as (Title of the column in the exported CSV)`},
			{"empty name", "read:users", `{"fields":[{"name":""}]}`, 400, `String is too short (0 chars), minimum 1' on property fields[0].name`},
			{"31 columns", "read:users", `{"format":"csv","fields":[` + many + `]}`, 400, `Array is too long (31), maximum 30' on property fields`},
			{"31 members", "read:users", `{"fields":[` + many + `]}`, 200, `{"type":"users_export","status":"pending","format":"json","fields":[`},
			{"metadata in a cell", "read:users", `{"format":"csv","fields":[{"name":"user_metadata"}]}`, 400, `A CSV file takes metadata by the path of one value, such as user_metadata.key' on property fields[0].name`},
			{"a title twice", "read:users", `{"fields":[{"name":"x"},{"name":"y","export_as":"x"}]}`, 400, `Array items are not unique (indexes 0 and 1)' on property fields`},
			{"unknown member", "read:users", `{"formt":"csv","limit":0}`, 400, `Payload validation error: 'Additional properties not allowed: formt'.","errorCode":"invalid_body"`},
			{"no object", "read:users", `[]`, 400, `"errorCode":"invalid_body"`},
		} {
			t.Run(row.about, func(t *testing.T) {
				rec := w.call(t, "POST", "/jobs/users-exports", w.machine(t, row.scopes), row.body)
				answers(t, rec, row.status, []string{row.answer}, []string{"location"})
				if row.status != 200 {
					if len(w.wakes) != 0 {
						t.Error("a refused export woke the runner")
					}
					return
				}
				<-w.wakes
				shown := w.call(t, "GET", "/jobs/"+jobOf(t, rec).ID, w.machine(t, both), "")
				if !strings.HasPrefix(rec.Body.String(), row.answer) || shown.Body.String() != rec.Body.String() {
					t.Errorf("shown as %s, was answered %s", shown.Body, rec.Body)
				}
			})
		}
		// What was refused left nothing to do.
		w.runJobs(t)
	})
}

func TestExportDownload(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users")
		get := func(id, bearer string) *httptest.ResponseRecorder { return w.call(t, "GET", "/jobs/"+id, bearer, "") }
		made := jobOf(t, w.call(t, "POST", "/jobs/users-exports", bearer, `{"fields":[{"name":"email"}]}`))
		table := jobOf(t, w.call(t, "POST", "/jobs/users-exports", bearer, `{"format":"csv","connection_id":"`+usersID+`"}`))
		plain := jobOf(t, w.call(t, "POST", "/jobs/users-exports", bearer, `{"format":"csv","gzip":false,"fields":[{"name":"email","export_as":"e"}]}`))
		answers(t, get(made.ID, bearer), 200, []string{`"status":"pending"`}, []string{"location", "summary"})
		early := w.api.location(made.ID)
		answers(t, w.call(t, "GET", answeredJob{Location: early}.path(t), "", ""), 404, []string{"Job not found."}, nil)

		w.runJobs(t)
		rec := get(made.ID, bearer)
		answers(t, rec, 200, []string{`"status":"completed"`, `"format":"json"`, `"location":"` + publicURL}, []string{"summary", "warnings"})
		link := jobOf(t, rec).path(t)
		answers(t, get(made.ID, w.machine(t, "create:users")), 200, []string{`"status":"completed"`}, []string{"location"})
		answers(t, w.call(t, "GET", "/jobs/"+made.ID+"/errors", bearer, ""), 204, nil, nil)

		file := w.call(t, "GET", link, "", "")
		answers(t, file, 200, nil, nil)
		for name, want := range map[string]string{
			"Content-Type": "application/gzip", "Content-Disposition": `attachment; filename="users.json.gz"`, "Content-Encoding": "",
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		} {
			if got := file.Header().Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if got := unzipped(t, file); got != `{"email":"ann@example.com"}`+"\n"+`{"email":"gus@example.com"}`+"\n" {
			t.Errorf("the file: %s", got)
		}
		head := w.call(t, "HEAD", link, "", "")
		if answers(t, head, 200, nil, nil); head.Body.Len() != 0 || head.Header().Get("Content-Length") != file.Header().Get("Content-Length") || head.Header().Get("Content-Type") != "application/gzip" {
			t.Errorf("HEAD: %d bytes, %v", head.Body.Len(), head.Header())
		}

		csv := w.call(t, "GET", jobOf(t, get(table.ID, bearer)).path(t), "", "")
		answers(t, csv, 200, nil, nil)
		if got := unzipped(t, csv); csv.Header().Get("Content-Disposition") != `attachment; filename="users.csv.gz"` ||
			!strings.HasPrefix(got, "user_id,nickname,name,email,connection,created_at,updated_at\n\"'auth0|ann\",") || strings.Count(got, "\n") != 2 {
			t.Errorf("%v\n%s", csv.Header(), got)
		}
		text := w.call(t, "GET", jobOf(t, get(plain.ID, bearer)).path(t), "", "")
		answers(t, text, 200, nil, nil)
		if text.Body.String() != "e\n\"'ann@example.com\"\n\"'gus@example.com\"\n" || text.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
			text.Header().Get("Content-Disposition") != `attachment; filename="users.csv"` || text.Header().Get("Content-Length") != "40" {
			t.Errorf("%v\n%s", text.Header(), text.Body)
		}

		const invalid, expired = "This download location is not valid.", "This download location has expired."
		_, signature, _ := strings.Cut(link, "signature=")
		for about, path := range map[string]string{
			"nothing":             "/jobs/" + made.ID + "/download",
			"no signature":        strings.Replace(link, signature, "", 1),
			"edited signature":    link[:len(link)-2] + "AA",
			"another job":         strings.Replace(link, made.ID, table.ID, 1),
			"no job":              strings.Replace(link, made.ID, "job_x", 1),
			"a later end":         strings.Replace(link, "expires=", "expires=9", 1),
			"the end twice":       link + "&expires=99999999999999",
			"the signature twice": link + "&signature=" + signature,
			"a broken query":      link + "&%zz",
		} {
			t.Run(about, func(t *testing.T) {
				answers(t, w.call(t, "GET", path, bearer, ""), 403, []string{invalid, `"errorCode":"invalid_location"`}, []string{"example.com"})
			})
		}
		// Nothing but reading, and a token opens no other way in.
		answers(t, w.call(t, "POST", link, "", ""), 404, nil, nil)

		w.clock.forward(time.Minute)
		answers(t, w.call(t, "GET", link, "", ""), 200, nil, nil)
		w.clock.forward(time.Millisecond)
		answers(t, w.call(t, "GET", link, bearer, ""), 403, []string{expired, `"errorCode":"expired_location"`}, nil)
		answers(t, w.call(t, "HEAD", link, "", ""), 403, nil, nil)
		again := jobOf(t, get(made.ID, bearer)).path(t)
		answers(t, w.call(t, "GET", again, "", ""), 200, nil, nil)

		must(t, w.store.Sweep(t.Context(), w.clock.now().Add(25*time.Hour).UnixMicro()))
		answers(t, w.call(t, "GET", again, "", ""), 404, []string{"Job not found."}, nil)
	})
}

// pieces is a store where every export has these.
type pieces struct {
	job.Store
	of [][]byte
}

func (p pieces) LastOutput(context.Context, string) (*job.Output, error) {
	return &job.Output{Seq: int64(len(p.of)) - 1, Bytes: 99}, nil
}

func (p pieces) OutputPiece(_ context.Context, _ string, seq int64) ([]byte, error) {
	return p.of[seq], nil
}

// The pieces make one file; a file of which one is gone is cut off, so that
// nobody takes it for a whole one.
func TestExportDownloadOfPieces(t *testing.T) {
	w := newWorld(t)
	bearer := w.machine(t, "read:users")
	made := jobOf(t, w.call(t, "POST", "/jobs/users-exports", bearer, `{}`))
	w.runJobs(t)
	link := jobOf(t, w.call(t, "GET", "/jobs/"+made.ID, bearer, "")).path(t)
	stored := w.api.Jobs
	w.api.Jobs = pieces{stored, [][]byte{[]byte("a"), []byte("bc"), []byte("d")}}
	if rec := w.call(t, "GET", link, "", ""); rec.Code != 200 || rec.Body.String() != "abcd" || rec.Header().Get("Content-Length") != "99" {
		t.Errorf("%d %s %v", rec.Code, rec.Body, rec.Header())
	}
	w.api.Jobs = pieces{stored, [][]byte{[]byte("a"), nil}}
	defer func() {
		if e, ok := recover().(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
			t.Errorf("ended with %v", e)
		}
	}()
	w.call(t, "GET", link, "", "")
}

// Only who may make an export with hashes is given the place of one.
func TestExportWithHashes(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		both := w.machine(t, "read:users create:users")
		made := jobOf(t, w.call(t, "POST", "/jobs/users-exports", both, `{"include_password_hashes":true}`))
		w.runJobs(t)
		rec := w.call(t, "GET", "/jobs/"+made.ID, both, "")
		answers(t, rec, 200, []string{`"location":"`, `"warnings":["The file holds password hashes`}, nil)
		answers(t, w.call(t, "GET", "/jobs/"+made.ID, w.machine(t, "read:users"), ""), 200, []string{`"warnings":[`}, []string{"location"})
		answers(t, w.call(t, "GET", "/jobs/"+made.ID, w.machine(t, "create:users"), ""), 200, nil, []string{"location"})
		file := unzipped(t, w.call(t, "GET", jobOf(t, rec).path(t), "", ""))
		ann, err := w.store.User(t.Context(), w.ann)
		must(t, err)
		if !strings.Contains(file, `,"password_hash":"`+ann.Password.Hash+`"}`) || strings.Count(file, "password_hash") != 1 {
			t.Errorf("the file: %s", file)
		}
		checkHidden(t, file)
	})
}

// checkHidden looks for what no export may hold (security.md 47).
func checkHidden(t *testing.T, file string) {
	t.Helper()
	for _, hidden := range []string{"upstream-secret", `"access_token"`, `"sources"`, usersID, googleID} {
		if strings.Contains(file, hidden) {
			t.Errorf("the file has %s: %s", hidden, file)
		}
	}
}

// Whatever is asked for, an export without the flag holds no secret.
func TestExportHidesSecrets(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users create:users read:user_idp_tokens")
		const hidden = `"fields":[{"name":"password_hash"},{"name":"custom_password_hash"},{"name":"mfa_factors"},{"name":"identities"},{"name":"identities[0].access_token"},{"name":"sources"},{"name":"email"}]`
		for _, body := range []string{`{}`, `{"format":"csv"}`, `{` + hidden + `}`, `{"format":"csv",` + hidden + `}`} {
			made := jobOf(t, w.call(t, "POST", "/jobs/users-exports", bearer, body))
			w.runJobs(t)
			file := unzipped(t, w.call(t, "GET", jobOf(t, w.call(t, "GET", "/jobs/"+made.ID, bearer, "")).path(t), "", ""))
			if !strings.Contains(file, "gus@example.com") || strings.Contains(file, "$2a$") || strings.Contains(file, "$2b$") {
				t.Errorf("%s: %s", body, file)
			}
			checkHidden(t, file)
		}
	})
}

// Without a cursor key nobody can guess the key of the locations.
func TestDownloadKey(t *testing.T) {
	one, two := newDownloadKey(nil), newDownloadKey(nil)
	if len(one) < 20 || bytes.Equal(one, two) {
		t.Errorf("keys %q and %q", one, two)
	}
	if a, b := newDownloadKey([]byte("k")), newDownloadKey([]byte("k")); !bytes.Equal(a, b) || bytes.Equal(a, []byte("k")) {
		t.Error("nodes with one cursor key must agree, on another key")
	}
	of := &api{downloadKey: one}
	if of.downloadMAC("job_1", "2") == of.downloadMAC("job_12", "") {
		t.Error("id and end run into each other")
	}
}

// The record of an export says whose hashes leave, and by whom.
func TestExportEvent(t *testing.T) {
	j := &job.Job{ConnectionID: usersID, Connection: "Users", CreatedAt: at}
	e := exportEvent(audit.Event{ClientID: machineID}, j, job.ExportParams{Secrets: true})
	if e.Type != audit.APIOperation || e.At != at || e.ClientID != machineID || e.Connection != "Users" || string(e.Details) != `{"include_password_hashes":true}` {
		t.Errorf("%+v", e)
	}
	if e := exportEvent(audit.Event{}, j, job.ExportParams{}); e.Details != nil {
		t.Errorf("%+v", e)
	}
}
