package mgmt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

const (
	// DefaultImportLimit is the largest import file unless configured, in bytes.
	DefaultImportLimit = 10 << 30
	// pieceSize is how much of a file is in memory at once, and how much of it
	// is stored at once.
	pieceSize = 512 << 10
	// maxParts, maxName and maxField bound what comes beside the file: a header
	// alone may have megabytes.
	maxParts = 100
	maxName  = 100
	maxField = 4 << 10
	// aroundFile is what the other parts and the boundaries may take in all.
	aroundFile = 1 << 20
	// piecePace is how long one piece may take to come.
	piecePace = 60 * time.Second
)

// Refusals of an import (reference/users.md §6.1).
var (
	errNoFile        = errs.New(errs.Invalid, "invalid_body", "Must provide 'users' file as multipart part.")
	errMultipart     = errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'Invalid multipart payload format'.")
	errEmptyFile     = errs.New(errs.Invalid, "invalid_body", "Users file must not be empty.")
	errNoConnection  = errs.New(errs.Invalid, "invalid_body", "Must provide 'connection_id' as multipart part.")
	errNotDatabase   = errs.New(errs.Invalid, "operation_not_supported", "Connection must be a database connection.")
	errNotEnabled    = errs.New(errs.Invalid, "connection_disabled", "Connection must be enabled.")
	errConnectionID  = errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'String does not match pattern ^con_[A-Za-z0-9]{16}$' on property connection_id.")
	errGone          = errs.New(errs.Invalid, "inexistent_connection", "The connection does not exist.")
	errNoImportMode  = errs.New(errs.Invalid, "operation_not_supported", "Custom Database Connections without import mode are not allowed.")
	connectionIDForm = regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`)
)

// importUsers is POST /jobs/users-imports: the file goes to the store piece by
// piece, and becomes a job only when all of it, and all the fields, are there.
func (a *api) importUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	return a.upload(w, r, by, uploadKind{job.UsersImport, "Create a job to import users", a.ImportJobs, (*upload).checkImport})
}

// uploadKind is what becomes of a file of users.
type uploadKind struct {
	job         string // type
	description string // of the record
	limit       int64  // of jobs at once; 0: none
	// check reads the fields, finds the connection (of no id: none is needed), and
	// gives the job its parameters.
	check func(u *upload, ctx context.Context) (*connection.Connection, any, error)
}

// upload takes a file of users.
func (a *api) upload(w http.ResponseWriter, r *http.Request, by *caller, kind uploadKind) error {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "multipart/form-data" || params["boundary"] == "" {
		return errMultipart
	}
	if r.ContentLength > a.ImportLimit+aroundFile {
		return a.errFileSize()
	}
	body := &whole{r: http.MaxBytesReader(w, r.Body, a.ImportLimit+aroundFile), rest: "\r\n"}
	u := &upload{api: a, w: w, parts: multipart.NewReader(body, params["boundary"]), by: by, kind: kind, fields: map[string]string{}}
	j, err := u.receive(r)
	if err != nil {
		u.drop(r.Context())
		return err
	}
	if a.WakeJobs != nil {
		a.WakeJobs()
	}
	web.Note(r, "job", j.ID)
	web.WriteJSON(w, http.StatusAccepted, web.TypeJSON, shownJob(j))
	return nil
}

// whole makes the end of a body an error: multipart.Reader says io.EOF behind
// the last boundary, but also where a body breaks off inside the header of a
// part. The line break spares the forms that end in the boundary itself.
type whole struct {
	r    io.Reader
	rest string
}

func (w *whole) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if n == 0 && w.rest == "" {
		return 0, io.ErrUnexpectedEOF
	}
	if n == 0 {
		n = copy(b, w.rest)
		w.rest = w.rest[n:]
	}
	return n, nil
}

func (a *api) errFileSize() error {
	return errs.New(errs.TooLarge, "", "Payload content length greater than maximum allowed: %d", a.ImportLimit)
}

// upload is one import while it comes in.
type upload struct {
	*api
	w      http.ResponseWriter
	parts  *multipart.Reader
	by     *caller
	kind   uploadKind
	fields map[string]string

	file  bool   // the file's part was seen
	csv   bool   // it calls itself CSV
	first []byte // its first piece, while no job holds it
	size  int64  // unpacked
	spool string // id of the job in status receiving that holds the pieces; empty: none yet
}

// receive reads all parts and publishes the job. The fields may come before or
// behind the file: what is known when the file begins is checked then.
func (u *upload) receive(r *http.Request) (*job.Job, error) {
	for range maxParts {
		web.Extend(u.w, piecePace)
		part, err := u.parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return u.publish(r)
		}
		if err != nil {
			return nil, u.readError(err)
		}
		name := part.FormName()
		isFile := part.FileName() != "" || part.Header.Get("Content-Type") != ""
		switch {
		case name == "users" && isFile:
			err = u.readFile(r, part)
		default:
			err = u.readField(name, part)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errMultipart
}

// readError tells a body that is too large from one that is malformed.
func (u *upload) readError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return u.errFileSize()
	}
	var refused *errs.Error
	if errors.As(err, &refused) {
		return err
	}
	return errMultipart.Because(err)
}

func (u *upload) readField(name string, part *multipart.Part) error {
	if len(name) > maxName {
		return errMultipart
	}
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return u.readError(err)
	}
	if _, twice := u.fields[name]; twice || len(b) > maxField || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return errMultipart
	}
	u.fields[name] = string(b)
	return nil
}

// readFile stores the file, unpacked, so that an import can go on at any byte of
// it. Its first piece stays in memory until there is a second one or the form
// has ended, so that a small file needs no spool.
func (u *upload) readFile(r *http.Request, part *multipart.Part) error {
	if u.file {
		return errMultipart
	}
	u.file = true
	u.csv = csvName.MatchString(part.FileName()) || strings.HasPrefix(strings.ToLower(part.Header.Get("Content-Type")), "text/csv")
	if _, known := u.fields["connection_id"]; known {
		if _, _, err := u.kind.check(u, r.Context()); err != nil {
			return err
		}
	}
	in, err := unpacked(part)
	if err != nil {
		return u.readError(err)
	}
	buf := make([]byte, pieceSize)
	for seq := int64(0); ; seq++ {
		web.Extend(u.w, piecePace)
		n, err := io.ReadFull(in, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return u.readError(err)
		}
		// A form that breaks off inside the file looks like a file that ends inside
		// a piece; asking for the next part tells them apart.
		if u.size += int64(n); u.size > u.ImportLimit {
			return u.errFileSize()
		}
		switch {
		case seq == 0:
			u.first = append([]byte(nil), buf[:n]...)
		case n > 0:
			if err := u.store(r, seq, buf[:n]); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// csvName is a file name that says CSV.
var csvName = regexp.MustCompile(`(?i)\.(csv|tsv)(\.gz)?$`)

// store keeps a piece behind the first one in the spool.
func (u *upload) store(r *http.Request, seq int64, piece []byte) error {
	if u.spool == "" {
		if err := u.begin(r); err != nil {
			return err
		}
	}
	return u.Jobs.AppendInput(r.Context(), u.spool, seq, piece)
}

// begin makes the job that receives and stores the first piece. Nothing of the
// job counts, or is recorded, before it is published.
func (u *upload) begin(r *http.Request) error {
	now := u.Now().UnixMicro()
	j := &job.Job{
		ID: job.NewID(), Type: u.kind.job, Status: job.Receiving, Params: json.RawMessage(`{}`),
		CreatedAt: now, UpdatedAt: now, ActorClientID: u.by.ClientID,
	}
	if err := u.Jobs.CreateJob(r.Context(), j, audit.Event{}); err != nil {
		return err
	}
	u.spool = j.ID
	return u.Jobs.AppendInput(r.Context(), j.ID, 0, u.first)
}

// publish checks what came and makes the job pending.
func (u *upload) publish(r *http.Request) (*job.Job, error) {
	switch {
	case !u.file:
		return nil, errNoFile
	case u.size == 0:
		return nil, errEmptyFile
	}
	c, p, err := u.kind.check(u, r.Context())
	if err != nil {
		return nil, err
	}
	if u.spool == "" {
		if err := u.begin(r); err != nil {
			return nil, err
		}
	}
	j, err := u.Jobs.Job(r.Context(), u.spool)
	if err != nil {
		return nil, err
	}
	if j.Params, err = json.Marshal(p); err != nil {
		return nil, err
	}
	j.ConnectionID, j.Connection, j.InputBytes, j.Status = c.ID, c.Name, u.size, job.Pending
	e := u.by.event(r)
	e.Type, e.At, e.Description = audit.APIOperation, u.Now().UnixMicro(), u.kind.description
	e.Connection, e.ConnectionID = c.Name, c.ID
	if err := u.Jobs.Publish(r.Context(), j, u.kind.limit, e); err != nil {
		return nil, err
	}
	return j, nil
}

// checkImport is the check of an import.
func (u *upload) checkImport(ctx context.Context) (*connection.Connection, any, error) {
	p := job.ImportParams{ExternalID: u.fields["external_id"], SendCompletionEmail: true, CSV: u.csv}
	for _, f := range []struct {
		name string
		flag *bool
	}{
		{"upsert", &p.Upsert},
		{"send_completion_email", &p.SendCompletionEmail},
		{"merge", &p.Merge},
		{"upsert_all", &p.UpsertAll},
		{"dry_run", &p.DryRun},
	} {
		if err := u.flag(f.name, f.flag); err != nil {
			return nil, p, err
		}
	}
	if !p.Upsert {
		for _, name := range []string{"merge", "upsert_all"} {
			if u.fields[name] == "true" {
				return nil, p, bodyError(schema.Violation{Code: schema.NotPassed, Message: "Goes with upsert only", Path: name})
			}
		}
	}
	if u.fields["connection_id"] == "" {
		return nil, p, errNoConnection
	}
	c, err := u.connection(ctx)
	if err != nil {
		return nil, p, err
	}
	return c, p, importable(c.Facts())
}

// connection is the one that the fields name.
func (u *upload) connection(ctx context.Context) (*connection.Connection, error) {
	id := u.fields["connection_id"]
	if !connectionIDForm.MatchString(id) {
		return nil, errConnectionID
	}
	c, err := u.ConnectionStore.Connection(ctx, id)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, errGone
	}
	return c, err
}

// importable decides whether a connection takes imports.
func importable(c profile.Connection) error {
	switch c.Class {
	case profile.Database, profile.ImportDatabase:
	case profile.ExternalDatabase:
		return errNoImportMode
	default:
		return errNotDatabase
	}
	if c.Disabled {
		return errNotEnabled
	}
	return nil
}

// flag reads a field that says true or false; an empty one is as good as absent.
func (u *upload) flag(name string, to *bool) error {
	switch u.fields[name] {
	case "":
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		return bodyError(schema.Violation{Code: schema.InvalidType, Message: "Expected type boolean but found type string", Path: name})
	}
	return nil
}

// drop takes back what a refused upload has stored. It works although the
// caller may have gone. A job that it could not remove was never published, and
// nobody will ever see it.
func (u *upload) drop(ctx context.Context) {
	if u.spool == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = u.Jobs.DropJob(ctx, u.spool)
}
