package mgmt

import (
	"mangrove/internal/job"
	"mangrove/internal/user"
)

// exportJSON is an export as shown: the request's members among those of a job,
// in the recorded order (reference/users.md §8). connection is there without a
// connection, too: the contract requires it.
type exportJSON struct {
	Type          string             `json:"type"`
	Status        string             `json:"status"`
	StatusDetails string             `json:"status_details,omitempty"`
	ConnectionID  string             `json:"connection_id,omitempty"`
	Format        string             `json:"format"`
	Limit         int64              `json:"limit,omitempty"`
	Fields        []user.ExportField `json:"fields,omitempty"`
	Secrets       bool               `json:"include_password_hashes,omitempty"`
	Gzip          *bool              `json:"gzip,omitempty"`
	Connection    string             `json:"connection"`
	CreatedAt     string             `json:"created_at"`
	ID            string             `json:"id"`
	Location      string             `json:"location,omitempty"`
	Warnings      []string           `json:"warnings,omitempty"`
}

const secretsWarning = "The file holds password hashes and second factors. Keep it as you keep the database, and delete it after use."

// shownExport is the job for its caller. The location is for those who may have
// made the export: of the callers that a job is shown to, some cannot read users.
func (a *api) shownExport(j *job.Job, by *caller) exportJSON {
	p, err := job.ReadExportParams(j.Params)
	if err != nil {
		p = job.ExportParams{} // shown without them; the runner will say more
	}
	out := exportJSON{
		Type: j.Type, Status: j.Status, StatusDetails: j.StatusDetails,
		ConnectionID: j.ConnectionID, Format: p.Format, Limit: p.Limit, Fields: p.Fields, Secrets: p.Secrets,
		Connection: j.Connection, CreatedAt: iso(j.CreatedAt), ID: j.ID,
	}
	if p.Plain {
		out.Gzip = new(bool)
	}
	if p.Secrets {
		out.Warnings = []string{secretsWarning}
	}
	if j.Status == job.Completed && by.has(readUsers) && (!p.Secrets || by.has(createUsers)) {
		out.Location = a.location(j.ID)
	}
	return out
}

// shown is a job of any type for its caller.
func (a *api) shown(j *job.Job, by *caller) any {
	if j.Type == job.UsersExport {
		return a.shownExport(j, by)
	}
	return shownJob(j)
}
