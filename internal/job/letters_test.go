package job_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/letter"
)

// posting is a world whose clock agrees with the store's, and a runner that sends
// its letters.
func posting(t *testing.T, m job.Mailer) (*world, *job.Runner, *strings.Builder) {
	t.Helper()
	w := newWorld(t)
	w.clock.t = time.Now().Add(time.Minute)
	var log strings.Builder
	r := w.runner(w)
	r.Outbox, r.Mail, r.Log = w, m, slog.New(slog.NewTextHandler(&log, nil))
	return w, r, &log
}

func (w *world) post(l letter.Letter) {
	w.t.Helper()
	if l.Template == "" {
		l.Template = letter.ResetEmail
	}
	l.To, l.UserID, l.Code = "ann@example.com", "auth0|ann", "123456"
	if err := w.SendLetters(bg, []letter.Letter{l}); err != nil {
		w.t.Fatal(err)
	}
}

func sent(t *testing.T, r *job.Runner) bool {
	t.Helper()
	found, err := r.WorkLetter(bg)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unsent are the descriptions of the records of letters that nobody got.
func (w *world) unsent() []string {
	w.t.Helper()
	recs, err := w.Events(bg, audit.Span{Limit: 50})
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, e := range recs {
		if e.Type == audit.LetterFailed {
			list = append(list, e.Description)
		}
	}
	return list
}

func TestLetterIsSentOnce(t *testing.T) {
	p := &postbox{}
	w, r, log := posting(t, p)
	if sent(t, r) {
		t.Error("there was a letter")
	}
	want := letter.Letter{Template: letter.MFACode, Lifetime: 300, Vars: map[string]string{"factor": "email"}, Language: "de"}
	w.post(want)
	if !sent(t, r) || sent(t, r) || len(p.letters) != 1 {
		t.Fatalf("%d letters", len(p.letters))
	}
	got := p.letters[0]
	if got.Template != letter.MFACode || got.To != "ann@example.com" || got.Code != "123456" || got.Lifetime != 300 || got.Vars["factor"] != "email" || got.Language != "de" {
		t.Errorf("%+v", got)
	}
	if s := log.String(); strings.Contains(s, "ann") || strings.Contains(s, "123456") {
		t.Errorf("log: %s", s)
	}
}

func TestLetterThatIsNotSent(t *testing.T) {
	refused := errs.New(errs.Invalid, "", "the mail server answered 550")
	for _, row := range []struct {
		name   string
		mailer job.Mailer
		want   string // of the record; empty: none
	}{
		{"refused", &postbox{errors: []error{refused}}, "reset_email: The message was refused: the mail server answered 550"},
		{"not wanted", &postbox{errors: []error{letter.ErrDisabled}}, ""},
		{"no provider", &postbox{errors: []error{letter.ErrNoServer}}, "reset_email: No mail server is configured."},
		{"no mailer", nil, "reset_email: No mail server is configured."},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, r, log := posting(t, row.mailer)
			w.post(letter.Letter{})
			if !sent(t, r) || sent(t, r) {
				t.Error("the letter is still there")
			}
			if got := strings.Join(w.unsent(), ";"); got != row.want {
				t.Errorf("recorded %q", got)
			}
			if s := log.String(); strings.Contains(s, "ann") || strings.Contains(s, "123456") {
				t.Errorf("log: %s", s)
			}
		})
	}
}

// A server that is away is asked again, less and less often; what is over
// meanwhile is not sent any more.
func TestLettersWait(t *testing.T) {
	away := errs.New(errs.Unavailable, "", "no connection")
	p := &postbox{errors: []error{away, away, errs.New(errs.Internal, "", "ours")}}
	w, r, _ := posting(t, p)
	w.clock.t = time.Now()
	w.post(letter.Letter{})
	w.clock.forward(time.Second)
	sent(t, r)
	for i, pause := range []time.Duration{10 * time.Second, 12 * time.Second, 25 * time.Second} {
		w.clock.forward(pause - 2*time.Second)
		if sent(t, r) {
			t.Fatalf("tried before pause %d was over", i)
		}
		w.clock.forward(3 * time.Second)
		if !sent(t, r) {
			t.Fatalf("not tried after pause %d", i)
		}
	}
	if len(p.letters) != 1 || len(w.unsent()) != 0 {
		t.Errorf("%d letters, %v", len(p.letters), w.unsent())
	}

	p.errors = []error{away}
	w.post(letter.Letter{Template: letter.MFACode, ExpiresAt: w.clock.Now().Add(3 * time.Minute).UnixMicro()})
	sent(t, r)
	w.clock.forward(4 * time.Minute)
	sent(t, r)
	w.post(letter.Letter{})
	w.clock.forward(7 * time.Hour)
	sent(t, r)
	if got := strings.Join(w.unsent(), ";"); len(p.letters) != 1 || got != "mfa_oob_code: The message could not be sent in time.;reset_email: The message could not be sent in time." {
		t.Errorf("%d letters, %q", len(p.letters), got)
	}
}

// A sender that died gives its letter back when the lease is over, and one that
// was only slow does not end what another has by then.
func TestLetterOfTheDead(t *testing.T) {
	p := &postbox{}
	w, r, _ := posting(t, p)
	w.post(letter.Letter{})
	now := w.clock.Now()
	dead, err := w.ClaimLetter(bg, now.UnixMicro(), now.Add(30*time.Second).UnixMicro())
	if err != nil || dead == nil {
		t.Fatal(err)
	}
	if sent(t, r) {
		t.Fatal("sent under another's lease")
	}
	w.clock.forward(31 * time.Second)
	r.Mail = &late{p, func() {
		if err := w.FinishLetter(bg, dead); errs.From(err).Text != letter.ErrTaken.Text {
			t.Error(err)
		}
	}}
	if !sent(t, r) || len(p.letters) != 1 || sent(t, r) {
		t.Errorf("%d letters", len(p.letters))
	}
}

// late does something else while it sends.
type late struct {
	*postbox

	meanwhile func()
}

func (l *late) SendLetter(ctx context.Context, x letter.Letter) error {
	l.meanwhile()
	return l.postbox.SendLetter(ctx, x)
}

// Whoever waits for a code does not wait for the next look.
func TestWakeLetters(t *testing.T) {
	out := make(herald)
	w, r, _ := posting(t, out)
	r.Poll = time.Hour
	w.post(letter.Letter{})
	r.Start()
	<-out
	w.post(letter.Letter{})
	r.WakeLetters()
	<-out
	if err := r.Stop(bg); err != nil {
		t.Error(err)
	}
}

// herald tells of every letter.
type herald chan struct{}

func (herald) Terms(context.Context, string, string) (letter.Terms, error) {
	return letter.Terms{}, nil
}

func (h herald) SendLetter(context.Context, letter.Letter) error {
	h <- struct{}{}
	return nil
}

func (herald) SendImportReport(context.Context, job.ImportReport) error { return nil }
