package mgmt

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

func (a *api) exportRoutes() []route {
	return []route{
		{"POST", "/jobs/users-exports", oneOf(readUsers), a.exportUsers},
	}
}

// downloadPath is outside of the table: it is reached without a token, by a
// location that proves itself.
const downloadPath = "/jobs/{id}/download"

// exportBody is CreateExportUsersRequestContent, and the two members that are ours.
var exportBody = []schema.Property{
	{
		Name: "connection_id", Types: schema.String, Pattern: connectionIDForm,
		Description: "connection_id of the connection from which users will be exported.",
	},
	{
		Name: "format", Types: schema.String, Enum: []string{user.ExportJSON, user.ExportCSV},
		Description: "Format of the file. Must be `json` or `csv`.",
	},
	{Name: "limit", Types: schema.Integer, Min: 1, Description: "Limit the number of records."},
	{
		Name: "fields", Types: schema.Array, Max: user.MaxExportFields,
		Description: "List of fields to be included in the CSV. Defaults to a predefined set of fields.",
		Items: &schema.Property{
			Types: schema.Object, Closed: true, Required: []string{"name"},
			Members: []schema.Property{
				{Name: "name", Types: schema.String, Min: 1, Max: 100, Description: "Name of the field in the profile."},
				{Name: "export_as", Types: schema.String, Max: 100, Description: "Title of the column in the exported CSV."},
			},
		},
	},
	{Name: secretsMember, Types: schema.Boolean},
	{Name: "gzip", Types: schema.Boolean},
}

const (
	secretsMember = "include_password_hashes"
	createUsers   = "create:users"
)

// exportRequest reads the body of POST /jobs/users-exports.
func exportRequest(members []strictjson.Member) (connectionID string, p job.ExportParams, err error) {
	p.Format = user.ExportJSON
	var unknown []string
	var wrong []schema.Violation
	for _, m := range members {
		form := memberOf(exportBody, m.Name)
		if form == nil {
			unknown = append(unknown, m.Name)
			continue
		}
		vs := form.Check(m.Name, m.Value)
		if wrong = append(wrong, vs...); len(vs) > 0 {
			continue
		}
		switch m.Name {
		case "connection_id":
			connectionID, _ = schema.Text(m.Value)
		case "format":
			p.Format, _ = schema.Text(m.Value)
		case "limit":
			p.Limit, _ = schema.Int(m.Value)
		case "fields":
			if err := json.Unmarshal(m.Value, &p.Fields); err != nil {
				return "", p, err
			}
		case secretsMember:
			p.Secrets = string(m.Value) == "true"
		case "gzip":
			p.Plain = string(m.Value) == "false"
		}
	}
	if len(unknown) > 0 {
		wrong = []schema.Violation{schema.Additional("", "", unknown...)}
	}
	if err := checkBody(wrong); err != nil {
		return "", p, err
	}
	if p.Secrets && (p.Format != user.ExportJSON || len(p.Fields) > 0) {
		return "", p, bodyError(schema.Violation{
			Code: schema.NotPassed, Path: secretsMember, Message: "Password hashes stand only in whole users: format json, without fields",
		})
	}
	return connectionID, p, user.CheckExport(p.Format, p.Fields)
}

func memberOf(forms []schema.Property, name string) *schema.Property {
	for i := range forms {
		if forms[i].Name == name {
			return &forms[i]
		}
	}
	return nil
}

// exportUsers is POST /jobs/users-exports. Hashes are for those only who may
// also create users with hashes.
func (a *api) exportUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	id, p, err := exportRequest(members)
	if err != nil {
		return err
	}
	if p.Secrets && !by.has(createUsers) {
		return errScope(oneOf(createUsers))
	}
	c := &connection.Connection{}
	if id != "" {
		c, err = a.ConnectionStore.Connection(r.Context(), id)
		if errors.Is(err, connection.ErrNotFound) {
			return errGone
		}
		if err != nil {
			return err
		}
	}
	params, err := json.Marshal(p)
	if err != nil {
		return err
	}
	now := a.Now().UnixMicro()
	j := &job.Job{
		ID: job.NewID(), Type: job.UsersExport, Status: job.Pending, ConnectionID: c.ID, Connection: c.Name, Params: params,
		CreatedAt: now, UpdatedAt: now, ActorClientID: by.ClientID,
	}
	if err := a.Jobs.CreateJob(r.Context(), j, exportEvent(by.event(r), j, p)); err != nil {
		return err
	}
	if a.WakeJobs != nil {
		a.WakeJobs()
	}
	web.Note(r, "job", j.ID)
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, a.shownExport(j, by))
	return nil
}

// exportEvent is the record of a new export; it says so when hashes leave.
func exportEvent(e audit.Event, j *job.Job, p job.ExportParams) audit.Event {
	e.Type, e.At, e.Description = audit.APIOperation, j.CreatedAt, "Create a job to export users"
	e.Connection, e.ConnectionID = j.Connection, j.ConnectionID
	if p.Secrets {
		e.Details = json.RawMessage(`{"include_password_hashes":true}`)
	}
	return e
}

// linkLife is how long a location is good (reference/users.md §6.5).
const linkLife = 60 * time.Second

var (
	errLink    = errs.New(errs.Forbidden, "invalid_location", "This download location is not valid. GET the job to have a new one.")
	errOldLink = errs.New(errs.Forbidden, "expired_location", "This download location has expired. GET the job to have a new one.")
)

// newDownloadKey makes the key that signs locations. Without a cursor key it is
// one that only this process knows: a location that anybody can forge is worse
// than one that another node refuses.
func newDownloadKey(cursorKey []byte) []byte {
	if len(cursorKey) == 0 {
		return []byte(rand.Text())
	}
	h := hmac.New(sha256.New, cursorKey)
	h.Write([]byte("download of an export"))
	return h.Sum(nil)
}

func (a *api) downloadMAC(jobID, expires string) string {
	h := hmac.New(sha256.New, a.downloadKey)
	h.Write([]byte(jobID + "\x00" + expires))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// location is where the file of a job is for the next minute. expires is in
// milliseconds since 1970.
func (a *api) location(jobID string) string {
	expires := strconv.FormatInt(a.Now().Add(linkLife).UnixMilli(), 10)
	return a.PublicURL + Prefix + "/jobs/" + jobID + "/download?" + url.Values{
		"expires": {expires}, "signature": {a.downloadMAC(jobID, expires)},
	}.Encode()
}

// mayDownload decides about a location, by nothing but itself.
func (a *api) mayDownload(r *http.Request) (jobID string, err error) {
	jobID, err = web.Param(r, "id")
	if err != nil {
		return "", errLink
	}
	q := queryOf(r)
	expires := q.text(schema.Property{Name: "expires"})
	signature := q.text(schema.Property{Name: "signature"})
	if q.err() != nil || !hmac.Equal([]byte(signature), []byte(a.downloadMAC(jobID, expires))) {
		return "", errLink
	}
	until, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || a.Now().UnixMilli() > until {
		return "", errOldLink
	}
	return jobID, nil
}

// download is GET /jobs/{id}/download: the file of a completed export, piece by
// piece.
func (a *api) download(w http.ResponseWriter, r *http.Request) error {
	web.Route(r, Prefix+downloadPath)
	web.NoStore(w)
	id, err := a.mayDownload(r)
	if err != nil {
		return err
	}
	j, err := a.Jobs.Job(r.Context(), id)
	if errors.Is(err, job.ErrNotFound) || err == nil && (j.Type != job.UsersExport || j.Status != job.Completed) {
		return errNoJob
	}
	if err != nil {
		return err
	}
	web.Note(r, "job", j.ID)
	p, err := job.ReadExportParams(j.Params)
	if err != nil {
		return err
	}
	last, err := a.Jobs.LastOutput(r.Context(), j.ID)
	if err != nil {
		return err
	}
	if last == nil {
		return errNoJob
	}
	contentType, name := fileOf(p)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.FormatInt(last.Bytes, 10))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	for seq := range last.Seq + 1 {
		piece, err := a.Jobs.OutputPiece(r.Context(), j.ID, seq)
		if err != nil {
			return err
		}
		if piece == nil {
			return errNoJob // the job's day was over in the middle of it
		}
		if p.Plain {
			if piece, err = unpack(piece); err != nil {
				return err
			}
		}
		web.Extend(w, writePace)
		if _, err := w.Write(piece); err != nil {
			return nil //nolint:nilerr // the reader has gone: there is nobody to tell
		}
	}
	return nil
}

// fileOf is the type and the name of the file.
func fileOf(p job.ExportParams) (contentType, name string) {
	name = "users." + p.Format
	switch {
	case !p.Plain:
		return "application/gzip", name + ".gz"
	case p.Format == user.ExportCSV:
		return "text/csv; charset=utf-8", name
	}
	return "application/x-ndjson", name
}

func unpack(piece []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(piece))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
