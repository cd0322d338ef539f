package mgmt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
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
	// maxParts and maxField bound what comes beside the file.
	maxParts = 100
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

// importParams are the members of an import that rule the work, as the runner
// reads them from job.Params.
type importParams struct {
	Upsert              bool   `json:"upsert"`
	ExternalID          string `json:"external_id,omitempty"`
	SendCompletionEmail bool   `json:"send_completion_email"`
}

func readImportParams(raw json.RawMessage) importParams {
	var p importParams
	_ = json.Unmarshal(raw, &p) // a job of another kind has none
	return p
}

// importUsers is POST /jobs/users-imports: the file goes to the store piece by
// piece, and becomes a job only when all of it, and all the fields, are there.
func (a *api) importUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "multipart/form-data" || params["boundary"] == "" {
		return errMultipart
	}
	if r.ContentLength > a.ImportLimit+aroundFile {
		return a.errFileSize()
	}
	body := &whole{r: http.MaxBytesReader(w, r.Body, a.ImportLimit+aroundFile), rest: "\r\n"}
	u := &upload{api: a, w: w, parts: multipart.NewReader(body, params["boundary"]), by: by, fields: map[string]string{}}
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
	fields map[string]string

	file  bool   // the file's part was seen
	first []byte // its first piece, while no job holds it
	size  int64
	spool *job.Job // in status receiving; holds the pieces
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
	return errMultipart.Because(err)
}

func (u *upload) readField(name string, part *multipart.Part) error {
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

// readFile stores the file. Its first piece stays in memory until there is a
// second one or the form has ended, so that a small file needs no spool.
func (u *upload) readFile(r *http.Request, part *multipart.Part) error {
	if u.file {
		return errMultipart
	}
	u.file = true
	if _, known := u.fields["connection_id"]; known {
		if _, _, err := u.check(r.Context()); err != nil {
			return err
		}
	}
	buf := make([]byte, pieceSize)
	for seq := int64(0); ; seq++ {
		web.Extend(u.w, piecePace)
		n, err := io.ReadFull(part, buf)
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

// store keeps a piece behind the first one in the spool.
func (u *upload) store(r *http.Request, seq int64, piece []byte) error {
	if u.spool == nil {
		if err := u.begin(r); err != nil {
			return err
		}
	}
	return u.Jobs.AppendInput(r.Context(), u.spool.ID, seq, piece)
}

// begin makes the job that receives, with the fields that are known by now, and
// stores the first piece.
func (u *upload) begin(r *http.Request) error {
	c, p, err := u.check(r.Context())
	if errors.Is(err, errNoConnection) {
		c, err = &connection.Connection{}, nil // behind the file, perhaps
	}
	if err != nil {
		return err
	}
	j := u.newJob(c, p)
	if err := u.Jobs.CreateJob(r.Context(), j, u.event(r, c)); err != nil {
		return err
	}
	u.spool = j
	return u.Jobs.AppendInput(r.Context(), j.ID, 0, u.first)
}

func (u *upload) newJob(c *connection.Connection, p importParams) *job.Job {
	params, err := json.Marshal(p)
	if err != nil {
		panic(err) // booleans and a string always encode
	}
	now := u.Now().UnixMicro()
	return &job.Job{
		ID: newJobID(), Type: job.UsersImport, Status: job.Receiving,
		ConnectionID: c.ID, Connection: c.Name, Params: params,
		CreatedAt: now, UpdatedAt: now, ActorClientID: u.by.ClientID,
	}
}

func (u *upload) event(r *http.Request, c *connection.Connection) audit.Event {
	e := u.by.event(r)
	e.Type, e.At, e.Description = audit.APIOperation, u.Now().UnixMicro(), "Create a job to import users"
	e.Connection, e.ConnectionID = c.Name, c.ID
	return e
}

// publish checks what came and makes the job pending.
func (u *upload) publish(r *http.Request) (*job.Job, error) {
	switch {
	case !u.file:
		return nil, errNoFile
	case u.size == 0:
		return nil, errEmptyFile
	}
	c, p, err := u.check(r.Context())
	if err != nil {
		return nil, err
	}
	if u.spool == nil {
		if err := u.begin(r); err != nil {
			return nil, err
		}
	}
	if want := u.newJob(c, p); want.ConnectionID != u.spool.ConnectionID || string(want.Params) != string(u.spool.Params) {
		if err := u.move(r, c, want); err != nil {
			return nil, err
		}
	}
	if err := u.Jobs.Publish(r.Context(), u.spool.ID, u.size); err != nil {
		return nil, err
	}
	j := *u.spool
	j.Status = job.Pending
	return &j, nil
}

// move gives the pieces to a job that has the fields which came behind the file.
func (u *upload) move(r *http.Request, c *connection.Connection, to *job.Job) error {
	from := u.spool.ID
	if err := u.Jobs.CreateJob(r.Context(), to, u.event(r, c)); err != nil {
		return err
	}
	defer u.dropJob(r.Context(), from)
	u.spool = to
	for seq := int64(0); seq*pieceSize < u.size; seq++ {
		web.Extend(u.w, piecePace)
		piece, err := u.Jobs.InputPiece(r.Context(), from, seq)
		if err != nil {
			return err
		}
		if err := u.Jobs.AppendInput(r.Context(), to.ID, seq, piece); err != nil {
			return err
		}
	}
	return nil
}

// check reads the fields and finds the connection.
func (u *upload) check(ctx context.Context) (*connection.Connection, importParams, error) {
	p := importParams{ExternalID: u.fields["external_id"]}
	var err error
	if p.Upsert, err = u.flag("upsert", false); err != nil {
		return nil, p, err
	}
	if p.SendCompletionEmail, err = u.flag("send_completion_email", true); err != nil {
		return nil, p, err
	}
	id := u.fields["connection_id"]
	switch {
	case id == "":
		return nil, p, errNoConnection
	case !connectionIDForm.MatchString(id):
		return nil, p, errConnectionID
	}
	c, err := u.ConnectionStore.Connection(ctx, id)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, p, errGone
	}
	if err != nil {
		return nil, p, err
	}
	return c, p, importable(c.Facts())
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

// flag is a field that says true or false; empty is as good as absent.
func (u *upload) flag(name string, fallback bool) (bool, error) {
	switch u.fields[name] {
	case "":
		return fallback, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, bodyError(schema.Violation{Code: schema.InvalidType, Message: "Expected type boolean but found type string", Path: name})
}

// drop takes back what a refused upload has stored.
func (u *upload) drop(ctx context.Context) {
	if u.spool != nil {
		u.dropJob(ctx, u.spool.ID)
	}
}

// dropJob works although the caller may have gone. A job that it could not
// remove was never published, and nobody will ever see it.
func (u *upload) dropJob(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = u.Jobs.DropJob(ctx, id)
}

// newJobID is job_ and 16 letters and digits, 80 bits of them random.
func newJobID() string { return "job_" + rand.Text()[:16] }
