package job

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// Mailer is what jobs have to say by mail. Errors of kind errs.Unavailable pass:
// the same letter may be tried again later; any other is the server's last word.
// No error names an address.
type Mailer interface {
	// Terms are what the tenant wants of the links of a template's letters, which
	// an application's person follows. letter.ErrDisabled: no such letters;
	// letter.ErrNoServer: none at all.
	Terms(ctx context.Context, template, clientID string) (letter.Terms, error)
	// SendLetter fails as Terms does, or as said above.
	SendLetter(ctx context.Context, l letter.Letter) error
	// SendImportReport tells the operator how an import ended.
	SendImportReport(ctx context.Context, r ImportReport) error
}

// ImportReport is what the operator is told of an import.
type ImportReport struct {
	JobID, Connection, Status, Details string
	Summary                            Summary
}

// Writer makes the letter of a verification mail; *ticket.Service in production.
type Writer interface {
	Write(ctx context.Context, m user.VerificationMail, terms letter.Terms) (letter.Letter, error)
}

// mailParams are the parameters of a verification mail as stored.
type mailParams struct {
	UserID       string `json:"user_id"`
	ConnectionID string `json:"connection_id"`
	Subject      string `json:"subject"`
	ClientID     string `json:"client_id,omitzero"`
	Language     string `json:"language,omitzero"`
}

// NewID is job_ and 16 letters and digits, 80 bits of them random.
func NewID() string { return "job_" + rand.Text()[:16] }

// ForVerification is the pending job of a verification mail. Its connection is
// a parameter only: the wire form of such a job names none (reference/users.md §8).
func ForVerification(m user.VerificationMail, actorClientID string) *Job {
	params, err := json.Marshal(mailParams{string(m.UserID), m.ConnectionID, m.Subject, m.ApplicationID, m.Language})
	if err != nil {
		panic(err) // five strings always encode
	}
	return &Job{
		ID: NewID(), Type: VerificationEmail, Status: Pending, Params: params,
		CreatedAt: m.At, UpdatedAt: m.At, ActorClientID: actorClientID,
	}
}

// The pace of a mail server that is away: each pause is as long as all waiting
// before it, so that the tries thin out.
const (
	firstPause = 10 * time.Second
	longWait   = 6 * time.Hour
	// mailTime is how long one letter may take; the lease outlives it.
	mailTime = 20 * time.Second
)

// errLater: the job waits under its lease, and whoever finds it then goes on.
var errLater = errors.New("later")

// sendVerification sends one letter. A crash between the mail server's yes and
// ours sends another one; its link replaces the first.
func (t *task) sendVerification() error {
	var p mailParams
	if err := json.Unmarshal(t.job.Params, &p); err != nil {
		return err
	}
	m := user.VerificationMail{UserID: user.ID(p.UserID), ConnectionID: p.ConnectionID, Subject: p.Subject, ApplicationID: p.ClientID, Language: p.Language}
	if t.Mail == nil {
		return t.notSent(m, letter.ErrNoServer.Text)
	}
	terms, err := t.Mail.Terms(t.ctx, letter.VerifyEmail, p.ClientID)
	if errors.Is(err, letter.ErrDisabled) || errors.Is(err, letter.ErrNoServer) {
		return t.notSent(m, errs.From(err).Text)
	}
	if err != nil {
		return err
	}
	l, err := t.Letters.Write(t.ctx, m, terms)
	switch {
	case errors.Is(err, ticket.ErrGone), errors.Is(err, ticket.ErrNeedless):
		return t.notSent(m, errs.From(err).Text)
	case err != nil:
		return err
	}
	ctx, cancel := context.WithTimeout(t.ctx, mailTime)
	defer cancel()
	err = t.Mail.SendLetter(ctx, l)
	switch waited := t.Now().Sub(time.UnixMicro(t.job.CreatedAt)); {
	case err == nil:
		return t.Store.Finish(t.ctx, t.lease, Completed, "", t.Now().UnixMicro(), t.mailEvent(m, audit.VerificationSent, ""))
	case errs.KindOf(err) != errs.Unavailable:
		t.Log.Warn("a mail was refused", "job", t.job.ID, "error", err)
		return t.notSent(m, "The mail server refused the message.")
	case waited >= longWait:
		return t.notSent(m, "The mail server could not be reached.")
	default:
		t.Log.Warn("a mail has to wait", "job", t.job.ID, "error", err)
		if err := t.Store.Extend(t.ctx, t.lease, t.Now().Add(max(firstPause, waited)).UnixMicro()); err != nil {
			return err
		}
		return errLater
	}
}

func (t *task) notSent(m user.VerificationMail, why string) error {
	return t.Store.Finish(t.ctx, t.lease, Failed, why, t.Now().UnixMicro(), t.mailEvent(m, audit.VerificationFailed, why))
}

func (t *task) mailEvent(m user.VerificationMail, kind, description string) audit.Event {
	return audit.Event{
		Type: kind, At: t.Now().UnixMicro(), Description: description,
		ClientID: t.job.ActorClientID, UserID: string(m.UserID), ConnectionID: m.ConnectionID,
	}
}

// reportImport tells the operator how an import ended, if the request wanted
// that and there is somebody to tell. The import is over either way.
func (t *task) reportImport(status, details string) {
	var p struct {
		Wanted bool `json:"send_completion_email"`
	}
	if t.Mail == nil || json.Unmarshal(t.job.Params, &p) != nil || !p.Wanted {
		return
	}
	ctx, cancel := context.WithTimeout(t.ctx, mailTime)
	defer cancel()
	err := t.Mail.SendImportReport(ctx, ImportReport{t.job.ID, t.job.Connection, status, details, t.summary})
	if err != nil {
		t.Log.Warn("the report of an import was not sent", "job", t.job.ID, "error", err)
	}
}
