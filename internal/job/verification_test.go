package job_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// postbox is a mail server that answers with its errors, one after the other,
// and then takes everything.
type postbox struct {
	errors  []error
	letters []letter.Letter
	terms   letter.Terms
	closed  error // of Terms
	reports []job.ImportReport
}

func (p *postbox) answer() error {
	if len(p.errors) == 0 {
		return nil
	}
	err := p.errors[0]
	p.errors = p.errors[1:]
	return err
}

func (p *postbox) Terms(context.Context, string, string) (letter.Terms, error) {
	return p.terms, p.closed
}

func (p *postbox) SendLetter(_ context.Context, l letter.Letter) error {
	err := p.answer()
	if err == nil {
		p.letters = append(p.letters, l)
	}
	return err
}

func (p *postbox) SendImportReport(_ context.Context, r job.ImportReport) error {
	err := p.answer()
	if err == nil {
		p.reports = append(p.reports, r)
	}
	return err
}

// mails is a world with a user and a runner that sends mails.
func mails(t *testing.T, p *postbox) (*world, *job.Runner) {
	t.Helper()
	w := newWorld(t)
	u := &user.User{CreatedAt: 1, UpdatedAt: 1}
	u.Profile.Set(profile.Email, profile.Text("ann@example.com"), profile.Source{})
	c, err := w.Connection(bg, database)
	if err != nil {
		t.Fatal(err)
	}
	u.SetPrimary(c, "ann")
	if err := w.CreateUser(bg, u, user.Effect{}); err != nil {
		t.Fatal(err)
	}
	r := w.runner(w)
	r.Letters = &ticket.Service{Store: w, Users: w, Connections: w, Clients: w, PublicURL: "https://id.example", Now: w.clock.Now}
	if p != nil {
		r.Mail = p
	}
	return w, r
}

// ask queues a mail for the identity ann.
func (w *world) ask(m user.VerificationMail) *job.Job {
	w.t.Helper()
	if m.UserID == "" {
		m.UserID = "auth0|ann"
	}
	m.ConnectionID, m.Subject, m.At = database, "ann", w.clock.Now().UnixMicro()
	j := job.ForVerification(m, "client")
	if err := w.CreateJob(bg, j, audit.Event{}); err != nil {
		w.t.Fatal(err)
	}
	return j
}

func TestVerificationMail(t *testing.T) {
	p := &postbox{}
	w, r := mails(t, p)
	j := w.ask(user.VerificationMail{Language: "de"})
	work(t, r)
	w.want(j, job.Completed, "", job.Summary{})
	if len(p.letters) != 1 {
		t.Fatalf("%d letters", len(p.letters))
	}
	l := p.letters[0]
	secret, ok := strings.CutPrefix(l.URL, "https://id.example/u/email-verification?ticket=")
	if l.To != "ann@example.com" || l.Template != letter.VerifyEmail || l.Lifetime != int64(ticket.DefaultLifetime/time.Second) || l.UserID != "auth0|ann" || l.Language != "de" || !ok {
		t.Errorf("%+v", l)
	}
	res, err := r.Letters.(*ticket.Service).Look(bg, ticket.VerifyEmail, strings.TrimSuffix(secret, "#"))
	if err != nil || res.Err != nil {
		t.Errorf("the ticket: %+v, %v", res, err)
	}
}

// The tenant's template says how long the link lives and where it leads.
func TestTermsOfVerificationMail(t *testing.T) {
	p := &postbox{terms: letter.Terms{Lifetime: time.Hour, ResultURL: "https://app.example/done", IncludeEmail: true}}
	w, r := mails(t, p)
	j := w.ask(user.VerificationMail{})
	work(t, r)
	w.want(j, job.Completed, "", job.Summary{})
	if p.letters[0].Lifetime != 3600 {
		t.Errorf("%+v", p.letters[0])
	}
	secret := strings.TrimSuffix(strings.TrimPrefix(p.letters[0].URL, "https://id.example/u/email-verification?ticket="), "#")
	w.clock.forward(2 * time.Hour)
	res, err := r.Letters.(*ticket.Service).Look(bg, ticket.VerifyEmail, secret)
	if err != nil || !errors.Is(res.Err, user.ErrTicketOver) || !strings.HasPrefix(res.Location(), "https://app.example/done?") {
		t.Errorf("%+v %q, %v", res, res.Location(), err)
	}
}

func TestVerificationMailThatIsNotSent(t *testing.T) {
	verify := func(w *world) {
		_, err := w.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.EmailVerified, profile.Bool(true), profile.Source{})
			return user.Effect{}, nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name    string
		mail    user.VerificationMail
		box     *postbox
		before  func(*world)
		details string
	}{
		{"no mail server", user.VerificationMail{}, nil, nil, "No mail server is configured."},
		{"verified meanwhile", user.VerificationMail{}, &postbox{}, verify, "The email address is already verified."},
		{"nobody", user.VerificationMail{UserID: "auth0|eve"}, &postbox{}, nil, "The user no longer has this identity."},
		{"not wanted", user.VerificationMail{}, &postbox{closed: letter.ErrDisabled}, nil, "The template is disabled."},
		{"no provider", user.VerificationMail{}, &postbox{closed: letter.ErrNoServer}, nil, "No mail server is configured."},
		{"refused", user.VerificationMail{}, &postbox{errors: []error{errs.New(errs.Invalid, "", "550")}}, nil, "The mail server refused the message."},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, r := mails(t, row.box)
			if row.before != nil {
				row.before(w)
			}
			j := w.ask(row.mail)
			work(t, r)
			w.want(j, job.Failed, row.details, job.Summary{})
			if row.box != nil && len(row.box.letters) > 0 {
				t.Error("a letter went out")
			}
		})
	}
}

// A mail server that is away is asked again, less and less often, and keeps
// nobody else waiting.
func TestMailServerAway(t *testing.T) {
	away := errs.New(errs.Unavailable, "", "no connection")
	p := &postbox{errors: []error{away, away, away}}
	w, r := mails(t, p)
	var log strings.Builder
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	j := w.ask(user.VerificationMail{})
	for i, pause := range []time.Duration{0, 10 * time.Second, 10 * time.Second, 20 * time.Second} {
		if pause > 0 {
			w.clock.forward(pause - time.Second)
			work(t, r)
			if len(p.errors) != 3-i {
				t.Fatalf("tried before pause %d was over", i)
			}
			w.clock.forward(time.Second)
		}
		work(t, r)
	}
	w.want(j, job.Completed, "", job.Summary{})
	if len(p.letters) != 1 || strings.Contains(log.String(), "ann@") {
		t.Errorf("%d letters, log %s", len(p.letters), log.String())
	}

	p.errors = []error{away}
	j = w.ask(user.VerificationMail{})
	w.clock.forward(7 * time.Hour)
	work(t, r)
	w.want(j, job.Failed, "The mail server could not be reached.", job.Summary{})
}

func TestImportReport(t *testing.T) {
	for _, row := range []struct {
		name, params string
		err          error
		want         int
	}{
		{"wanted", `{"upsert":false,"send_completion_email":true}`, nil, 1},
		{"not wanted", `{"upsert":false,"send_completion_email":false}`, nil, 0},
		{"not sent", `{"upsert":false,"send_completion_email":true}`, errors.New("away"), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &postbox{errors: []error{row.err}}
			w, r := mails(t, p)
			j := w.imports(`[{"email":"bob@example.com"}]`, 100, func(j *job.Job) { j.Params = []byte(row.params) })
			work(t, r)
			w.want(j, job.Completed, "", job.Summary{Inserted: 1, Total: 1})
			if len(p.reports) != row.want {
				t.Fatalf("%d reports", len(p.reports))
			}
			if row.want == 1 && (p.reports[0].JobID != j.ID || p.reports[0].Summary.Inserted != 1 || p.reports[0].Status != job.Completed) {
				t.Errorf("%+v", p.reports[0])
			}
		})
	}
}

// TestMailBesideImports: a mail goes out while as many imports are under way as
// there are lanes for them, and none of them can end.
func TestMailBesideImports(t *testing.T) {
	p := &postbox{}
	sent := make(chan struct{})
	w, r := mails(t, nil)
	r.Mail = &telling{p, sent}
	gate := &gated{Store: r.Store, reading: make(chan struct{}, 8), open: make(chan struct{})}
	r.Store = gate
	for range 3 {
		w.imports(`{"email":"a@example.com"}`, 100, nil)
	}
	r.Start()
	for range 2 {
		<-gate.reading
	}
	w.ask(user.VerificationMail{})
	r.Wake()
	<-sent
	close(gate.open)
	if err := r.Stop(bg); err != nil {
		t.Error(err)
	}
}

type telling struct {
	*postbox
	sent chan struct{}
}

func (p *telling) SendLetter(ctx context.Context, l letter.Letter) error {
	defer close(p.sent)
	return p.postbox.SendLetter(ctx, l)
}

// gated is a store whose files cannot be read until it is opened.
type gated struct {
	job.Store
	reading, open chan struct{}
}

func (g *gated) InputPiece(ctx context.Context, id string, seq int64) ([]byte, error) {
	select {
	case g.reading <- struct{}{}:
	default:
	}
	<-g.open
	return g.Store.InputPiece(ctx, id, seq)
}
