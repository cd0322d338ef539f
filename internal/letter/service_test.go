package letter

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// shelf is a store in memory.
type shelf map[string]json.RawMessage

func (s shelf) MailDocument(_ context.Context, name string) (json.RawMessage, error) {
	return s[name], nil
}

func (s shelf) UpdateMailDocument(_ context.Context, name string, fn func(json.RawMessage) (json.RawMessage, error), e audit.Event) (json.RawMessage, error) {
	if e.Type != audit.APIOperation || e.Description == "" || e.At == 0 {
		return nil, errors.New("no event")
	}
	doc, err := fn(s[name])
	if err != nil {
		return nil, err
	}
	if doc == nil {
		delete(s, name)
	} else {
		s[name] = doc
	}
	return doc, nil
}

func service() (*Service, shelf) {
	s := shelf{}
	return &Service{Store: s, Now: func() time.Time { return time.Unix(1, 0) }}, s
}

func members(t *testing.T, body string) []strictjson.Member {
	t.Helper()
	m, err := strictjson.Object([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return m
}

const whole = `{"template":"verify_email","body":"b","from":"id@example.com","subject":"s","syntax":"liquid","enabled":true}`

func TestTemplateBodies(t *testing.T) {
	rows := []struct{ name, change, want string }{
		{"whole", `{}`, ""},
		{"nulls", `{"body":null,"from":null,"subject":null,"syntax":null,"enabled":null,"resultUrl":null,"urlLifetimeInSeconds":null}`, ""},
		{"everything", `{"resultUrl":"https://app.example/x","urlLifetimeInSeconds":432000,"includeEmailInRedirect":false}`, ""},
		{"variables", `{"from":"{{ application.name }} <x@example.com>","resultUrl":"{{ application.callback_domain }}/done"}`, ""},
		{"another syntax", `{"syntax":"mustache"}`, "The syntax of a template is liquid."},
		{"broken body", `{"body":"a\n{% if %}"}`, "The body is not a Liquid template: invalid value expression: \"\", line:2, col:6"},
		{"broken subject", `{"subject":"{{"}`, "The subject is not a Liquid template: output \"{{\" not closed, line:1, col:1"},
		{"files", `{"body":"{% include 'x' %}"}`, "The body is not a Liquid template: tag \"include\" is not available: a template cannot use other files, line:1, col:1"},
		{"no address", `{"from":"nobody"}`, errFrom.Text},
		{"two senders", `{"from":"a@b.example, c@d.example"}`, errFrom.Text},
		{"a header", `{"subject":"s\r\nBcc: x@y.example"}`, errSubjectLine.Text},
		{"javascript", `{"resultUrl":"javascript:alert(1)"}`, errResultURL.Text},
		{"no scheme", `{"resultUrl":"//app.example"}`, errResultURL.Text},
		{"data", `{"resultUrl":"data:text/html,x"}`, errResultURL.Text},
		{"line breaks", `{"resultUrl":"https://app.example/\r\nx"}`, errResultURL.Text},
		{"javascript by a variable", `{"resultUrl":"{{ 'java' }}script:{{ application.name }}"}`, errResultURL.Text},
		{"unknown member", `{"extra":1}`, "Payload validation error: 'Additional properties not allowed: extra'."},
		{"unknown template", `{"template":"nope"}`, "Payload validation error: 'No enum match for: nope' on property template (" + nameDescription[:len(nameDescription)-1] + ")."},
		{"negative lifetime", `{"urlLifetimeInSeconds":-1}`, "Payload validation error: 'Value -1 is less than minimum 0' on property urlLifetimeInSeconds (Lifetime in seconds that the link within the email will be valid for)."},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			doc := strictjson.ParseDocument(json.RawMessage(whole))
			for name, v := range strictjson.ParseDocument(json.RawMessage(row.change)) {
				doc[name] = v
			}
			s, kept := service()
			_, err := s.CreateTemplate(t.Context(), members(t, string(doc.Encode())), audit.Event{})
			if text := said(err); text != row.want || (len(kept) == 1) != (row.want == "") {
				t.Errorf("%q, kept %v", text, kept)
			}
		})
	}
	s, _ := service()
	_, err := s.CreateTemplate(t.Context(), members(t, `{"template":"verify_email"}`), audit.Event{})
	if text := said(err); !strings.Contains(text, "Missing required property: body") {
		t.Error(text)
	}
}

// said is the public text of an error.
func said(err error) string {
	var bad schema.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &bad):
		return bad.Error()
	}
	return errs.From(err).Text
}

func TestTemplateLife(t *testing.T) {
	s, _ := service()
	ctx := t.Context()
	if _, err := s.Template(ctx, "verify_email"); !errors.Is(err, ErrNoTemplate) {
		t.Error(err)
	}
	if _, err := s.PatchTemplate(ctx, "verify_email", members(t, `{"body":"x"}`), audit.Event{}); !errors.Is(err, ErrNoTemplate) {
		t.Error(err)
	}
	if _, err := s.PutTemplate(ctx, "verify_email", members(t, whole), audit.Event{}); !errors.Is(err, ErrNoTemplate) {
		t.Error(err)
	}
	if _, err := s.CreateTemplate(ctx, members(t, whole), audit.Event{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateTemplate(ctx, members(t, whole), audit.Event{})
	if errs.KindOf(err) != errs.Conflict || said(err) != "Template verify_email already exists." {
		t.Error(err)
	}
	doc, err := s.PatchTemplate(ctx, "verify_email", members(t, `{"enabled":false,"resultUrl":"https://app.example"}`), audit.Event{})
	if err != nil || string(doc) != `{"body":"b","enabled":false,"from":"id@example.com","resultUrl":"https://app.example","subject":"s","syntax":"liquid","template":"verify_email"}` {
		t.Errorf("%s %v", doc, err)
	}
	for _, body := range []string{`{"template":"reset_email"}`, `{"body":"{{"}`} {
		if _, err := s.PatchTemplate(ctx, "verify_email", members(t, body), audit.Event{}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", body, err)
		}
	}
	if doc, err = s.PutTemplate(ctx, "verify_email", members(t, whole), audit.Event{}); err != nil || strings.Contains(string(doc), "resultUrl") {
		t.Errorf("%s %v", doc, err)
	}
	if _, err := s.Template(ctx, "nope"); !strings.HasPrefix(said(err), "Path validation error: 'No enum match for: nope' on property templateName") {
		t.Error(said(err))
	}
	found, err := FindTemplate(ctx, s.Store, "verify_email")
	if err != nil || found != (Template{Name: "verify_email", From: "id@example.com", Subject: "s", Body: "b", IncludeEmail: true, Enabled: true}) {
		t.Errorf("%+v %v", found, err)
	}
}

func TestReadTemplate(t *testing.T) {
	rows := []struct {
		name, doc string
		want      Template
	}{
		{"verify_email", "", Template{IncludeEmail: true, Enabled: true}},
		{WelcomeEmail, "", Template{IncludeEmail: true}},
		{WelcomeEmail, `{"enabled":true}`, Template{IncludeEmail: true, Enabled: true}},
		{"verify_email", `{"enabled":null,"body":null}`, Template{IncludeEmail: true}},
		{"verify_email", `{"enabled":true,"urlLifetimeInSeconds":90.5,"includeEmailInRedirect":false}`, Template{Enabled: true, Lifetime: 90 * time.Second}},
		{"verify_email", `{"enabled":true,"urlLifetimeInSeconds":0}`, Template{Enabled: true, IncludeEmail: true}},
		{"verify_email", `{"enabled":true,"urlLifetimeInSeconds":1e300}`, Template{Enabled: true, IncludeEmail: true, Lifetime: maxLifetime}},
	}
	for _, row := range rows {
		row.want.Name = row.name
		var doc json.RawMessage
		if row.doc != "" {
			doc = json.RawMessage(row.doc)
		}
		if got := ReadTemplate(row.name, doc); got != row.want {
			t.Errorf("%s: %+v", row.doc, got)
		}
	}
}

func TestProviderBodies(t *testing.T) {
	rows := []struct{ name, body, want string }{
		{"smtp", `{"name":"smtp","credentials":{"smtp_host":"mail.example","smtp_port":2525,"smtp_user":"u","smtp_pass":"p"},"default_from_address":"Id <id@example.com>","settings":{}}`, ""},
		{"least", `{"name":"smtp","credentials":{"smtp_host":"mail.example"}}`, ""},
		{"another", `{"name":"sendgrid","credentials":{"api_key":"k"}}`, "The email provider sendgrid is not available. Use smtp: sendgrid can be reached by SMTP, too."},
		{"unknown", `{"name":"pigeon","credentials":{"api_key":"k"}}`, "Payload validation error: 'No enum match for: pigeon' on property name"},
		{"nothing", `{}`, "Payload validation error: 'Missing required property: name'"},
		{"no host", `{"name":"smtp","credentials":{"smtp_port":25}}`, errNoHost.Text},
		{"no host name", `{"name":"smtp","credentials":{"smtp_host":"mail.example/x"}}`, errHost.Text},
		{"no password", `{"name":"smtp","credentials":{"smtp_host":"h","smtp_user":"u"}}`, errLogin.Text},
		{"no such port", `{"name":"smtp","credentials":{"smtp_host":"h","smtp_port":70000}}`, "Payload validation error: 'Value 70000 is greater than maximum 65535' on property credentials.smtp_port"},
		{"foreign credentials", `{"name":"smtp","credentials":{"smtp_host":"h","api_key":"k"}}`, "Payload validation error: 'Additional properties not allowed: api_key'"},
		{"bad sender", `{"name":"smtp","credentials":{"smtp_host":"h"},"default_from_address":"nobody"}`, errDefaultFrom.Text},
		{"settings that do nothing", `{"name":"smtp","credentials":{"smtp_host":"h"},"settings":{"headers":{}}}`, "Payload validation error: 'Additional properties not allowed: headers'"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, kept := service()
			shown, err := s.CreateProvider(t.Context(), members(t, row.body), audit.Event{})
			if text := said(err); !strings.HasPrefix(text, row.want) || (text == "") != (row.want == "") || (len(kept) == 1) != (row.want == "") {
				t.Errorf("%q, kept %v", text, kept)
			}
			if strings.Contains(string(shown), "smtp_pass") {
				t.Errorf("shows %s", shown)
			}
		})
	}
}

func TestProviderLife(t *testing.T) {
	s, _ := service()
	ctx := t.Context()
	if _, err := s.Provider(ctx); !errors.Is(err, ErrNoProvider) {
		t.Error(err)
	}
	if _, err := s.PatchProvider(ctx, members(t, `{"enabled":false}`), audit.Event{}); !errors.Is(err, ErrNoProvider) {
		t.Error(err)
	}
	if err := s.DeleteProvider(ctx, audit.Event{}); err != nil {
		t.Error(err)
	}
	body := members(t, `{"name":"smtp","credentials":{"smtp_host":"h","smtp_user":"u","smtp_pass":"p"}}`)
	if doc, err := s.CreateProvider(ctx, body, audit.Event{}); err != nil || string(doc) != `{"credentials":{"smtp_host":"h","smtp_user":"u"},"enabled":true,"name":"smtp"}` {
		t.Errorf("%s %v", doc, err)
	}
	if _, err := s.CreateProvider(ctx, body, audit.Event{}); errs.KindOf(err) != errs.Conflict {
		t.Error(err)
	}
	change := func(body string) error {
		_, err := s.PatchProvider(ctx, members(t, body), audit.Event{})
		return err
	}
	provider := func() Provider {
		p, err := FindProvider(ctx, s.Store)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := change(`{"default_from_address":"id@example.com","credentials":{"smtp_user":"v"}}`); err != nil {
		t.Fatal(err)
	}
	if p := provider(); p != (Provider{Enabled: true, From: "id@example.com", Host: "h", Port: 587, User: "v", Password: "p"}) {
		t.Errorf("%+v", p)
	}
	// Whoever may change the provider learns no password by sending it elsewhere.
	for _, body := range []string{`{"credentials":{"smtp_host":"evil.example"}}`, `{"credentials":{"smtp_port":26}}`} {
		if err := change(body); !errors.Is(err, errLogin) || provider().Host != "h" {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := change(`{"credentials":{"smtp_host":"other.example","smtp_pass":"q"}}`); err != nil || provider().Password != "q" {
		t.Errorf("%v %+v", err, provider())
	}
	for body, want := range map[string]string{`{}`: errEmptyPatch.Text, `{"name":"ses"}`: "The email provider ses is not available. Use smtp: ses can be reached by SMTP, too."} {
		if err := change(body); said(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := change(`{"enabled":false}`); err != nil || provider().Enabled {
		t.Error(err)
	}
	if err := s.DeleteProvider(ctx, audit.Event{}); err != nil || provider() != (Provider{}) {
		t.Error(err)
	}
}

// What is stored of anybody's template renders or falls back; reading it never fails.
func FuzzTemplateBody(f *testing.F) {
	f.Add(whole)
	f.Add(`{"template":"reset_email","body":"{{ x","from":"{{ a }} <b@c>","subject":"","syntax":null,"enabled":true,"resultUrl":"https://{{ application.name }}"}`)
	f.Fuzz(func(t *testing.T, body string) {
		m, err := strictjson.Object([]byte(body))
		if err != nil {
			return
		}
		s, kept := service()
		_, err = s.CreateTemplate(context.Background(), m, audit.Event{})
		if (err == nil) != (len(kept) == 1) {
			t.Fatalf("%v, kept %v", err, kept)
		}
		for name := range kept {
			tpl, err := FindTemplate(context.Background(), s.Store, name)
			if err != nil || strings.ContainsAny(tpl.Subject, "\r\n") || tpl.Lifetime < 0 || tpl.ResultURL != "" && !IsResultURL(fill(tpl.ResultURL)) {
				t.Fatalf("%+v, %v", tpl, err)
			}
		}
	})
}
