package mgmt

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

var jobIDParam = schema.Property{
	Name: "id", Description: "ID of the job.", Types: schema.String,
	Pattern: regexp.MustCompile(`^job_[A-Za-z0-9]{16}$`),
}

// errNoJob is how GET /jobs/{id} says it; its errors have job.ErrNotFound's text
// (reference/users.md §3.10).
var errNoJob = errs.New(errs.NotFound, "inexistent_job", "Job not found.")

// jobJSON is a job as shown; the order of members is the recorded one
// (reference/users.md §6.1, §8). Options of ours are there when they were set.
type jobJSON struct {
	Type            string       `json:"type"`
	Status          string       `json:"status"`
	StatusDetails   string       `json:"status_details,omitempty"`
	PercentageDone  *int64       `json:"percentage_done,omitempty"`
	TimeLeftSeconds *int64       `json:"time_left_seconds,omitempty"`
	ConnectionID    string       `json:"connection_id,omitempty"`
	Summary         *job.Summary `json:"summary,omitempty"`
	Connection      string       `json:"connection,omitempty"`
	ExternalID      string       `json:"external_id,omitempty"`
	Merge           bool         `json:"merge,omitempty"`
	UpsertAll       bool         `json:"upsert_all,omitempty"`
	DryRun          bool         `json:"dry_run,omitempty"`
	CreatedAt       string       `json:"created_at"`
	ID              string       `json:"id"`
}

func shownJob(j *job.Job) jobJSON {
	out := jobJSON{
		Type: j.Type, Status: j.Status, StatusDetails: j.StatusDetails,
		ConnectionID: j.ConnectionID, Connection: j.Connection,
		CreatedAt: iso(j.CreatedAt), ID: j.ID,
	}
	if j.Type == job.UsersImport || j.Type == job.UsersUpdate {
		p := job.ReadImportParams(j.Params)
		out.ExternalID, out.Merge, out.UpsertAll, out.DryRun = p.ExternalID, p.Merge, p.UpsertAll, p.DryRun
	}
	// A job that failed in the middle tells what it has done before.
	counted := j.Status == job.Completed || j.Status == job.Failed && (j.CanceledAt != 0 || j.Summary.Total > 0)
	if counted && j.Type != job.VerificationEmail {
		s := j.Summary
		out.Summary = &s
	}
	if j.Status == job.Processing && j.InputBytes > 0 {
		done, left, known := progress(j)
		out.PercentageDone = &done
		if known {
			out.TimeLeftSeconds = &left
		}
	}
	return out
}

// progress is how much of its input a job has done, in percent, and in how many
// seconds it will be at the end, at the pace it had until its last batch.
func progress(j *job.Job) (percent, seconds int64, known bool) {
	percent = min(99, int64(float64(j.Cursor)/float64(j.InputBytes)*100))
	took := j.UpdatedAt - j.StartedAt
	if j.Cursor <= 0 || j.StartedAt == 0 || took < 0 {
		return max(0, percent), 0, false
	}
	left := float64(took) / float64(j.Cursor) * float64(max(0, j.InputBytes-j.Cursor))
	return percent, int64(math.Ceil(left / 1e6)), true
}

// job finds the job of the path. Jobs that are ours alone, and those whose file
// is still coming, are not there.
func (a *api) job(r *http.Request) (*job.Job, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return nil, err
	}
	if vs := jobIDParam.Check("id", profile.Text(id)); len(vs) > 0 {
		return nil, pathError(vs[0])
	}
	j, err := a.Jobs.Job(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if j.Type == job.ConnectionDelete || j.Status == job.Receiving {
		return nil, job.ErrNotFound
	}
	web.Note(r, "job", j.ID)
	return j, nil
}

// getJob is GET /jobs/{id}.
func (a *api) getJob(w http.ResponseWriter, r *http.Request, by *caller) error {
	j, err := a.job(r)
	if errors.Is(err, job.ErrNotFound) {
		return errNoJob
	}
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, a.shown(j, by))
	return nil
}

// errorsPage is how many row errors are held at once.
const errorsPage = 200

// writePace is how long one page of an answer may take to leave.
const writePace = 60 * time.Second

// getJobErrors is GET /jobs/{id}/errors: the job itself when it failed as a
// whole, else the rows that failed, else 204. The content type has no charset
// (reference/users.md §3.0).
func (a *api) getJobErrors(w http.ResponseWriter, r *http.Request, by *caller) error {
	j, err := a.job(r)
	if err != nil {
		return err
	}
	if j.Status == job.Failed {
		web.WriteJSON(w, http.StatusOK, web.TypeJSONPlain, a.shown(j, by))
		return nil
	}
	page, err := a.Jobs.RowErrors(r.Context(), j.ID, 0, errorsPage)
	if err != nil {
		return err
	}
	if len(page) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h := w.Header()
	h.Set("Content-Type", web.TypeJSONPlain)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	separator := byte('[')
	for seen := int64(0); len(page) > 0; {
		b := make([]byte, 0, 256*len(page))
		for i := range page {
			b = appendRowError(append(b, separator), &page[i])
			separator = ','
			seen++
		}
		web.Extend(w, writePace)
		if _, err := w.Write(b); err != nil {
			return nil //nolint:nilerr // the reader has gone: there is nobody to tell
		}
		if len(page) < errorsPage {
			break
		}
		if page, err = a.Jobs.RowErrors(r.Context(), j.ID, seen, errorsPage); err != nil {
			return err
		}
	}
	_, _ = w.Write([]byte{']'})
	return nil
}

// getJobOutcomes is GET /jobs/{id}/outcomes, which is ours: what became of each
// row so far, a line of JSON for each, in the order of the file; 204 when there
// is none.
func (a *api) getJobOutcomes(w http.ResponseWriter, r *http.Request, _ *caller) error {
	j, err := a.job(r)
	if err != nil {
		return err
	}
	lines, at, err := a.Jobs.Outcomes(r.Context(), j.ID, 0)
	if err != nil {
		return err
	}
	if lines == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	for lines != nil {
		web.Extend(w, writePace)
		if _, err := w.Write(lines); err != nil {
			return nil //nolint:nilerr // the reader has gone: there is nobody to tell
		}
		if lines, at, err = a.Jobs.Outcomes(r.Context(), j.ID, at); err != nil {
			return err
		}
	}
	return nil
}

// cancelScopes are the scopes that make a job of each type, and may end it.
var cancelScopes = map[string]string{
	job.UsersImport: "create:users", job.UsersExport: "read:users",
	job.UsersUpdate: "update:users", job.VerificationEmail: "update:users",
}

// cancelJob is POST /jobs/{id}/cancel, which is ours.
func (a *api) cancelJob(w http.ResponseWriter, r *http.Request, by *caller) error {
	j, err := a.job(r)
	if err != nil {
		return err
	}
	if scope := cancelScopes[j.Type]; !by.has(scope) {
		return errScope(oneOf(scope))
	}
	now := a.Now().UnixMicro()
	e := by.event(r)
	e.Type, e.At, e.Description = audit.APIOperation, now, "Cancel a job"
	e.Connection, e.ConnectionID = j.Connection, j.ConnectionID
	if j, err = a.Jobs.Cancel(r.Context(), j.ID, now, e); err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, a.shown(j, by))
	return nil
}

// appendRowError writes one element of the errors of a job.
func appendRowError(b []byte, e *job.RowError) []byte {
	b = append(b, `{"user":`...)
	b = append(b, e.User...)
	b = append(b, `,"errors":[`...)
	for i, p := range e.Errors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"code":`...)
		b = appendString(b, p.Code)
		b = append(b, `,"message":`...)
		b = appendString(b, p.Message)
		if p.Path != "" {
			b = append(b, `,"path":`...)
			b = appendString(b, p.Path)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}
