package mail

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/mail"
	"strings"
	texttemplate "text/template"
	"time"

	"mangrove/internal/job"
	"mangrove/internal/ticket"
)

//go:embed templates
var files embed.FS

// Message is one mail to one recipient.
type Message struct {
	From mail.Address
	To   string // an address
	// Subject is one line.
	Subject, Text, HTML string
}

// Sender brings a message on its way. Errors are as job.Mailer's.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Post writes the letters and sends them. It is a job.Mailer.
type Post struct {
	Sender Sender
	From   mail.Address
	// Operator is who gets reports; the zero address: nobody.
	Operator mail.Address
}

var _ job.Mailer = (*Post)(nil)

var (
	texts = texttemplate.Must(texttemplate.ParseFS(files, "templates/*.txt"))
	htmls = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/*.html"))
)

// SendVerification sends the link that verifies an address.
func (p *Post) SendVerification(ctx context.Context, l ticket.Letter) error {
	l.Application = line(l.Application)
	subject := "Verify your email address"
	if l.Application != "" {
		subject += " for " + l.Application
	}
	m, err := p.message(l.To, subject, "verification", struct {
		Application, URL, Lifetime string
	}{l.Application, l.URL, span(l.Lifetime)})
	if err != nil {
		return err
	}
	return p.Sender.Send(ctx, m)
}

// SendImportReport tells the operator of an import; without one it does nothing.
func (p *Post) SendImportReport(ctx context.Context, r job.ImportReport) error {
	if p.Operator.Address == "" {
		return nil
	}
	m, err := p.message(p.Operator.Address, "Users import "+r.Status+": "+line(r.Connection), "import", r)
	if err != nil {
		return err
	}
	return p.Sender.Send(ctx, m)
}

func (p *Post) message(to, subject, name string, data any) (Message, error) {
	m := Message{From: p.From, To: to, Subject: subject}
	var text, html bytes.Buffer
	if err := errors.Join(texts.ExecuteTemplate(&text, name+".txt", data), htmls.ExecuteTemplate(&html, name+".html", data)); err != nil {
		return Message{}, fmt.Errorf("letter %s: %w", name, err)
	}
	m.Text, m.HTML = text.String(), html.String()
	return m, nil
}

// line is s on one line: a name must not begin another header, or a line that
// looks like ours.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// span says how long, in the largest unit that is exact.
func span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.of; n > 0 && d%unit.of == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
