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
	"mangrove/internal/letter"
	"mangrove/internal/tenant"
)

//go:embed templates words
var files embed.FS

// Message is one mail to one recipient. Text or HTML may be empty.
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

var (
	texts = texttemplate.Must(texttemplate.ParseFS(files, "templates/*.txt"))
	htmls = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/*.html"))
)

// content is what a message says, and who says it; a zero From: the default.
type content struct {
	from                mail.Address
	subject, text, html string
}

// ours is a letter in our own words.
func ours(l letter.Letter, look *tenant.Settings, app, sender string) (content, error) {
	lang := spoken(languageOf(l.Language, look.EnabledLocales))
	w := vocabulary[lang]
	text, ok := w.Letters[l.Template]
	if !ok {
		return content{}, fmt.Errorf("there is no letter %q", l.Template)
	}
	vars := map[string]any{
		"code": l.Code, "app": line(app), "lifetime": w.span(time.Duration(l.Lifetime) * time.Second), "ip": line(l.Vars["source_ip"]), "factor": w.factors(l.Vars["factor"]),
		"support": line(look.SupportEmail),
	}
	for _, name := range []string{"code", "app", "ip", "support"} {
		if vars[name] == "" {
			vars[name] = nil // Liquid takes an empty text for true
		}
	}
	var failed error
	fill := func(text string) string {
		s, err := say(text, vars)
		failed = errors.Join(failed, err)
		return s
	}
	all := func(list []string) []string {
		out := make([]string, len(list))
		for i := range list {
			out[i] = fill(list[i])
		}
		return out
	}
	v := struct {
		Language, Title, Hello, Code, URL, Button, Copy, Support, Sender string
		Logo                                                             string
		Colour, Background                                               htmltemplate.CSS
		Text, After                                                      []string
	}{
		Language: lang, Title: fill(text.Title), Hello: w.Hello, Code: l.Code, URL: l.URL, Button: text.Button, Copy: w.Copy, Sender: line(sender),
		Logo: look.Branding.LogoURL, Colour: colour(look.Branding.PrimaryColor, "#0b6e4f"), Background: colour(look.Branding.PageBackground, "#f3f4f6"),
		Text: all(text.Text), After: all(text.After),
	}
	if vars["support"] != nil {
		v.Support = fill(w.Support)
	}
	c := content{subject: line(fill(text.Subject))}
	c.text, c.html, failed = drawn("letter", v, failed)
	return c, failed
}

// colour is a colour of the tenant, or ours where it has none: settings hold
// nothing else than #rgb and #rrggbb, and a letter takes nothing else.
func colour(s, standard string) htmltemplate.CSS {
	if (len(s) == 4 || len(s) == 7) && s[0] == '#' && strings.Trim(s[1:], "0123456789abcdefABCDEF") == "" {
		return htmltemplate.CSS(s)
	}
	return htmltemplate.CSS(standard)
}

// report is what the operator is told of an import.
func report(r job.ImportReport) (content, error) {
	c := content{subject: line("Users import " + r.Status + ": " + r.Connection)}
	var err error
	c.text, c.html, err = drawn("import", r, nil)
	return c, err
}

func drawn(name string, data any, before error) (text, html string, err error) {
	var t, h bytes.Buffer
	err = errors.Join(before, texts.ExecuteTemplate(&t, name+".txt", data), htmls.ExecuteTemplate(&h, name+".html", data))
	if err != nil {
		return "", "", fmt.Errorf("letter %s: %w", name, err)
	}
	return t.String(), h.String(), nil
}

// line is s on one line: a name must not begin another header, or a line that
// looks like ours.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }
