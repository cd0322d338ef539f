package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/letter"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Post writes the letters and sends them. It is a job.Mailer. All fields are
// required but those that say so.
type Post struct {
	// Sender is the operator's server; nil: there is none, and letters go out only
	// while the tenant names a provider.
	Sender Sender
	// From is the operator's sender; the zero address: made of PublicURL.
	From mail.Address
	// Operator is who gets reports; the zero address: nobody.
	Operator mail.Address

	Settings    letter.Reader
	Tenant      tenant.Reader
	Clients     client.Store
	Connections connection.Store
	Users       user.Store
	// PublicURL is the server's address without a slash at its end.
	PublicURL string
	// Reach says which addresses a tenant's provider may have.
	Reach func(netip.Addr) bool
	Now   func() time.Time
	Log   *slog.Logger

	ready atomic.Bool // there was a provider when somebody last looked
}

var _ job.Mailer = (*Post)(nil)

func (p *Post) host() string {
	u, err := url.Parse(p.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Ready reports whether letters can be sent, without looking: a provider that
// another node was given is known after the next letter, or Refresh.
func (p *Post) Ready() bool { return p.Sender != nil || p.ready.Load() }

// Refresh looks whether there is a provider.
func (p *Post) Refresh(ctx context.Context) error {
	_, err := p.provider(ctx)
	return err
}

func (p *Post) provider(ctx context.Context) (letter.Provider, error) {
	v, err := letter.FindProvider(ctx, p.Settings)
	if err == nil {
		p.ready.Store(v.Enabled)
	}
	return v, err
}

// via is who sends now, and the sender where a template names none.
func (p *Post) via(ctx context.Context) (Sender, mail.Address, error) {
	v, err := p.provider(ctx)
	if err != nil {
		return nil, mail.Address{}, err
	}
	from := p.From
	if from.Address == "" {
		from.Address = "no-reply@" + p.host()
	}
	if !v.Enabled {
		if p.Sender == nil {
			return nil, from, letter.ErrNoServer
		}
		return p.Sender, from, nil
	}
	if a := sender(v.From); a.Address != "" {
		from = a
	}
	s := newSMTP(providerServer(v), nil)
	s.reach = p.Reach
	return s, from, nil
}

// providerServer is how a tenant's server is spoken to: never in the clear, but on
// this machine.
func providerServer(v letter.Provider) Server {
	s := Server{Host: v.Host, Port: v.Port, User: v.User, Password: v.Password}
	switch {
	case v.Port == 465:
		s.TLS = Implicit
	case isLocal(v.Host):
		s.TLS = None
	}
	return s
}

// Terms implements job.Mailer.
func (p *Post) Terms(ctx context.Context, template, clientID string) (letter.Terms, error) {
	if _, _, err := p.via(ctx); err != nil {
		return letter.Terms{}, err
	}
	t, err := p.template(ctx, letter.Letter{Template: template})
	if err != nil {
		return letter.Terms{}, err
	}
	if !t.Enabled && !letter.Always(template) {
		return letter.Terms{}, letter.ErrDisabled
	}
	terms := letter.Terms{Lifetime: t.Lifetime, IncludeEmail: t.IncludeEmail}
	app, err := p.application(ctx, clientID)
	if err != nil {
		return letter.Terms{}, err
	}
	to, err := oneLine(t.ResultURL, map[string]any{"application": applicationVars(app)}, p.Now())
	if err == nil && letter.IsResultURL(to) {
		terms.ResultURL = to
	}
	return terms, nil
}

// SendLetter implements job.Mailer.
func (p *Post) SendLetter(ctx context.Context, l letter.Letter) error {
	via, from, err := p.via(ctx)
	if err != nil {
		return err
	}
	t, err := p.template(ctx, l)
	if err != nil {
		return err
	}
	if !t.Enabled && !letter.Always(l.Template) {
		return letter.ErrDisabled
	}
	c, err := p.write(ctx, l, t)
	if err != nil {
		return err
	}
	m := Message{From: from, To: l.To, Subject: c.subject, Text: c.text, HTML: c.html}
	if c.from.Address != "" {
		m.From = c.from
	}
	return via.Send(ctx, m)
}

// write is the letter in the tenant's words, or in ours: where they cannot be
// filled in, somebody still gets the link.
func (p *Post) write(ctx context.Context, l letter.Letter, t letter.Template) (content, error) {
	look, err := p.Tenant.Settings(ctx)
	if err != nil {
		return content{}, err
	}
	app, err := p.application(ctx, l.ClientID)
	if err != nil {
		return content{}, err
	}
	name := ""
	if app != nil {
		name = app.Name
	}
	own, err := ours(l, look, name, first(look.FriendlyName, p.host()))
	if err != nil {
		return content{}, &errs.Error{Kind: errs.Invalid, Text: "The letter cannot be written.", Cause: err}
	}
	if t.Body == "" {
		return own, nil
	}
	vars, err := p.about(ctx, l, look, app)
	if err != nil {
		return content{}, err
	}
	c, ok, err := theirs(t, vars, p.Now())
	switch {
	case err != nil:
		p.Log.WarnContext(ctx, "a template of the tenant cannot be filled in, ours takes its place", "template", l.Template, "error", err)
		c = own
	case !ok:
		c = own
	}
	c.subject = first(c.subject, own.subject)
	return c, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// SendImportReport tells the operator of an import; without one it does nothing.
func (p *Post) SendImportReport(ctx context.Context, r job.ImportReport) error {
	if p.Operator.Address == "" {
		return nil
	}
	via, from, err := p.via(ctx)
	if errors.Is(err, letter.ErrNoServer) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := report(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return via.Send(ctx, Message{From: from, To: p.Operator.Address, Subject: c.subject, Text: c.text, HTML: c.html})
}
