package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	stdmail "net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/job"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

var update = flag.Bool("update", false, "write the golden letters anew")

// The surroundings of a Post: a document, a user, an application, a connection.
type (
	documents   map[string]string
	settings    tenant.Settings
	people      struct{ user.Store }
	clients     struct{ client.Store }
	connections struct {
		connection.Store

		options string
	}
)

func (d documents) MailDocument(_ context.Context, name string) (json.RawMessage, error) {
	if s, ok := d[name]; ok {
		return json.RawMessage(s), nil
	}
	return nil, nil
}

func (s *settings) Settings(context.Context) (*tenant.Settings, error) {
	return (*tenant.Settings)(s), nil
}

func (s *settings) Texts(context.Context, string, string) (map[string]map[string]string, error) {
	return nil, nil
}

func (people) User(_ context.Context, id user.ID) (*user.User, error) {
	if id != "auth0|ann" {
		return nil, user.ErrNotFound
	}
	u := &user.User{ID: id, Identities: []user.Identity{{Provider: "auth0", UserID: "ann"}}}
	u.Profile.Set(profile.Name, profile.Text(`Ann <b>"{{ code }}"</b>`), profile.Source{})
	u.Profile.Set(profile.UserMetadata, profile.Value(`{"city":"Łódź","html":"<i>x</i>"}`), profile.Source{})
	return u, nil
}

func (clients) Client(_ context.Context, id string) (*client.Client, error) {
	if id != "app" {
		return nil, client.ErrNotFound
	}
	return &client.Client{ID: id, Name: "Tide Tables", Doc: json.RawMessage(`{"client_metadata":{"team":"blue"},"callbacks":["com.example:/x","https://app.example/cb"]}`)}, nil
}

func (c connections) Connection(_ context.Context, id string) (*connection.Connection, error) {
	if id != "con" {
		return nil, connection.ErrNotFound
	}
	return &connection.Connection{ID: id, Name: "people", Strategy: "email", Options: json.RawMessage(c.options)}, nil
}

// posted is a Post that keeps what it should send.
func posted(docs documents, change func(*Post)) (*Post, *kept) {
	var out kept
	p := &Post{
		Sender: &out, From: stdmail.Address{Address: "id@example.com"}, Settings: docs, Tenant: &settings{EnabledLocales: []string{"en", "de", "es", "fr"}},
		Clients: clients{}, Connections: connections{options: "{}"}, Users: people{}, PublicURL: "https://id.example",
		Now: func() time.Time { return time.Unix(0, 0).UTC() }, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(p)
	}
	return p, &out
}

const link = "https://id.example/u/email-verification?ticket=0123456789abcdef0123456789abcdef#"

// sample is a letter of a template with all that it can have.
func sample(template, language string) letter.Letter {
	l := letter.Letter{
		Template: template, To: "ann@example.com", UserID: "auth0|ann", ConnectionID: "con", ClientID: "app", Language: language, Lifetime: 432000,
		Vars: map[string]string{"source_ip": "192.0.2.7", "factor": "passkey"},
	}
	switch template {
	case letter.VerifyEmailByCode, letter.ResetEmailByCode, letter.SignInByCode, letter.MFACode:
		l.Code, l.Lifetime = "123456", 900
	case letter.VerifyEmail, letter.ResetEmail, letter.BlockedAccount, letter.EnrollmentEmail, letter.UserInvitation, "async_approval", letter.Passwordless:
		l.URL = link
	}
	return l
}

// The gallery: every letter of ours in every language, as it goes out.
func TestOurLetters(t *testing.T) {
	look := &tenant.Settings{EnabledLocales: languages, SupportEmail: "help@example.com", Branding: tenant.Branding{PrimaryColor: "#123456"}}
	for _, lang := range languages {
		if n := len(vocabulary[lang].Letters); n != len(vocabulary["en"].Letters) {
			t.Errorf("%s has %d letters", lang, n)
		}
		var gallery bytes.Buffer
		for _, name := range galleryOrder {
			for _, l := range variants(sample(name, lang)) {
				c, err := ours(l, look, "Tide Tables", "Tide")
				if err != nil {
					t.Fatalf("%s in %s: %v", name, lang, err)
				}
				if !strings.Contains(c.html, `<html lang="`+lang+`">`) || strings.Contains(c.text+c.html+c.subject, "{{") || strings.ContainsAny(c.subject, "\r\n") {
					t.Errorf("%s in %s: %+v", name, lang, c)
				}
				for _, secret := range []string{l.URL, l.Code} {
					if !strings.Contains(c.text, secret) || !strings.Contains(c.html, secret) {
						t.Errorf("%s in %s lacks its link or code", name, lang)
					}
				}
				gallery.WriteString("==== " + name + "\nSubject: " + c.subject + "\n\n" + c.text + "\n" + c.html + "\n")
			}
		}
		path := filepath.Join("testdata", "letters."+lang+".txt")
		if *update {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, gallery.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(want, gallery.Bytes()) {
			t.Errorf("%s differs (%v); look at the change, then run with -update", path, err)
		}
	}
}

var galleryOrder = []string{
	letter.VerifyEmail, letter.VerifyEmailByCode, letter.SignInByCode, letter.ResetEmail, letter.ResetEmailByCode, letter.WelcomeEmail, letter.BlockedAccount,
	letter.StolenCredentials, letter.EnrollmentEmail, letter.MFACode, letter.UserInvitation, "async_approval", letter.Passwordless, letter.PasswordChanged, letter.FactorAdded, letter.FactorRemoved,
}

// variants are a letter as it is, and of passwordless the one with a code as well.
func variants(l letter.Letter) []letter.Letter {
	if l.Template != letter.Passwordless {
		return []letter.Letter{l}
	}
	coded := l
	coded.URL, coded.Code, coded.Lifetime = "", "123456", 180
	return []letter.Letter{l, coded}
}

func TestLanguageOf(t *testing.T) {
	rows := []struct {
		wish    string
		enabled []string
		want    string
	}{
		{"", []string{"de", "en"}, "de"},
		{"es-MX,es;q=0.9,en;q=0.8", []string{"en", "es"}, "es"},
		{"de-CH", []string{"en", "de"}, "de"},
		{"de", []string{"en", "es"}, "en"},
		{"xx", []string{"es"}, "es"},
		{"%%", []string{"en", "de"}, "en"},
		{"de", nil, "en"},
		{strings.Repeat("z", 9999), []string{"en", "de"}, "en"},
	}
	for _, row := range rows {
		if got := languageOf(row.wish, row.enabled); got != row.want {
			t.Errorf("%.30q among %v: %s", row.wish, row.enabled, got)
		}
	}
	if got := spoken("fr"); got != "en" {
		t.Errorf("French is spoken as %s", got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		120 * time.Hour: "5 days", 24 * time.Hour: "1 day", 36 * time.Hour: "36 hours", 90 * time.Second: "90 seconds", time.Minute: "1 minute",
	} {
		if got := vocabulary["en"].span(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
	if got := vocabulary["de"].span(48 * time.Hour); got != "2 Tage" {
		t.Error(got)
	}
}

// Every kind of factor has a name of its own in every language.
func TestFactorsAreNamed(t *testing.T) {
	kinds := []factor.Kind{factor.TOTP, factor.Phone, factor.Email, factor.Roaming, factor.Platform, factor.Passkey, factor.Recovery}
	for _, lang := range languages {
		for _, k := range kinds {
			if name := vocabulary[lang].factors(string(k)); name == "" || name == vocabulary[lang].Factors["other"] {
				t.Errorf("%s in %s: %q", k, lang, name)
			}
		}
	}
	if got := vocabulary["en"].factors("totp nonsense"); got != "an authenticator app, another way to sign in" {
		t.Error(got)
	}
}

// An application's name brings no header and no markup, and is no template.
func TestNamesAreText(t *testing.T) {
	for _, app := range []string{"", "Tide <b>Tables</b>\r\nBcc: eve@example.com", "{{ code }}{% include 'x' %}"} {
		c, err := ours(sample(letter.VerifyEmail, "en"), &tenant.Settings{}, app, app)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(c.subject, "\r\n") || strings.Contains(c.html, "<b>") || strings.Contains(c.text, "\nBcc") {
			t.Errorf("%q: %+v", app, c)
		}
		if strings.Contains(app, "include") && !strings.Contains(c.text, "{{ code }}{% include 'x' %}") {
			t.Errorf("%q was evaluated: %s", app, c.text)
		}
	}
}

func TestTenantsTemplate(t *testing.T) {
	template := func(members string) documents {
		return documents{"verify_email": `{"template":"verify_email","syntax":"liquid","enabled":true,` + members + `}`}
	}
	rows := []struct {
		name                string
		docs                documents
		from, subject, html string
	}{
		{
			"variables", template(`"from":"{{ application.name }} <verify@example.com>","subject":"{{ user.name }} at {{ tenant }}","body":"<a href='{{ url }}'>{{ user.name }}</a> {{ user.email }} {{ user.user_metadata.city }} {{ connection.name }} {{ application.clientID }} {{ application.client_metadata.team }} {{ application.callback_domain }}"`),
			`"Tide Tables" <verify@example.com>`, `Ann <b>"{{ code }}"</b> at id.example`,
			`<a href='` + link + `'>Ann &lt;b&gt;&#34;{{ code }}&#34;&lt;/b&gt;</a> ann@example.com Łódź people app blue https://app.example`,
		},
		{"raw", template(`"from":"","subject":"x","body":"{{ user.user_metadata.html | raw }}{{ user.user_metadata.html }}"`), "<id@example.com>", "x", "<i>x</i>&lt;i&gt;x&lt;/i&gt;"},
		{"our subject", template(`"from":"","subject":null,"body":"b"`), "<id@example.com>", "Verify your email address for Tide Tables", "b"},
		{"a name that looks like an address", template(`"from":"{{ user.name }} <verify@example.com>","subject":"x","body":"b"`), `"Ann <b>\"{{ code }}\"</b>" <verify@example.com>`, "x", "b"},
		{"no address", template(`"from":"{{ user.name }}","subject":"x","body":"b"`), "<id@example.com>", "x", "b"},
		{"one line", template(`"from":"","subject":"{{ \"a\r\nBcc: eve@example.com\" }}","body":"b"`), "<id@example.com>", "a Bcc: eve@example.com", "b"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p, out := posted(row.docs, nil)
			if err := p.SendLetter(t.Context(), sample(letter.VerifyEmail, "")); err != nil {
				t.Fatal(err)
			}
			m := (*out)[0]
			if m.From.String() != row.from || m.Subject != row.subject || m.HTML != row.html || m.Text != "" || m.To != "ann@example.com" {
				t.Errorf("%s\n%+v", m.From.String(), m)
			}
		})
	}
}

// Where a tenant's words cannot be used, ours are.
func TestOursInstead(t *testing.T) {
	for name, members := range map[string]string{
		"no body":              `"enabled":true,"body":""`,
		"the reference's from": `"enabled":true,"body":"theirs","from":"support@auth0.com"`,
		"endless":              `"enabled":true,"body":"theirs{% for i in (1..99999999) %}{% endfor %}"`,
		"not Liquid":           `"enabled":true,"body":"theirs{% nope %}"`,
	} {
		p, out := posted(documents{"reset_email": `{` + members + `}`}, nil)
		if err := p.SendLetter(t.Context(), sample(letter.ResetEmail, "")); err != nil {
			t.Fatal(err)
		}
		if m := (*out)[0]; strings.Contains(m.HTML, "theirs") || !strings.Contains(m.Text, link) || !strings.Contains(m.HTML, link) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestWhichLettersAreSent(t *testing.T) {
	off := func(name string) documents { return documents{name: `{"enabled":false,"body":"b"}`} }
	rows := []struct {
		template string
		docs     documents
		want     error
	}{
		{letter.VerifyEmail, nil, nil},
		{letter.VerifyEmail, off(letter.VerifyEmail), letter.ErrDisabled},
		{letter.WelcomeEmail, nil, letter.ErrDisabled},
		{letter.WelcomeEmail, documents{letter.WelcomeEmail: `{"enabled":true,"body":""}`}, nil},
		{letter.BlockedAccount, off(letter.BlockedAccount), letter.ErrDisabled},
		{letter.ResetEmail, off(letter.ResetEmail), nil},
		{letter.MFACode, off(letter.MFACode), nil},
		{letter.PasswordChanged, nil, nil},
	}
	for _, row := range rows {
		p, out := posted(row.docs, nil)
		if err := p.SendLetter(t.Context(), sample(row.template, "")); !errors.Is(err, row.want) || len(*out) != map[bool]int{true: 1}[row.want == nil] {
			t.Errorf("%s with %v: %v, %d sent", row.template, row.docs, err, len(*out))
		}
	}
	p, _ := posted(nil, func(p *Post) { p.Sender = nil })
	if err := p.SendLetter(t.Context(), sample(letter.VerifyEmail, "")); !errors.Is(err, letter.ErrNoServer) || p.Ready() {
		t.Error(err)
	}
}

func TestTerms(t *testing.T) {
	terms := func(doc string) letter.Terms {
		t.Helper()
		p, _ := posted(documents{"verify_email": doc}, nil)
		v, err := p.Terms(t.Context(), letter.VerifyEmail, "app")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if got, want := terms(`{"enabled":true,"urlLifetimeInSeconds":3600,"resultUrl":"{{ application.callback_domain }}/done?id={{ application.clientID }}"}`),
		(letter.Terms{Lifetime: time.Hour, ResultURL: "https://app.example/done?id=app", IncludeEmail: true}); got != want {
		t.Errorf("%+v", got)
	}
	if got := terms(`{"enabled":true,"includeEmailInRedirect":false,"resultUrl":"{{ application.name }}:x"}`); got != (letter.Terms{}) {
		t.Errorf("%+v", got)
	}
	p, _ := posted(documents{"verify_email": `{"enabled":false}`}, nil)
	if _, err := p.Terms(t.Context(), letter.VerifyEmail, ""); !errors.Is(err, letter.ErrDisabled) {
		t.Error(err)
	}
}

// Passwordless mails have the template of their connection, and of the person its
// address alone.
func TestPasswordlessTemplate(t *testing.T) {
	p, out := posted(nil, func(p *Post) {
		p.Connections = connections{options: `{"email":{"from":"Codes <codes@example.com>","subject":"{{ application.name }}: {{ send }}","syntax":"liquid","body":"{{ send }} {{ code }}{{ link }} {{ user.email }}{{ user.name }} {{ request_language }}"}}`}
	})
	l := sample(letter.Passwordless, "de")
	l.URL, l.Code, l.Vars = "", "123456", map[string]string{"send": "code", "code": "not this"}
	if err := p.SendLetter(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if m := (*out)[0]; m.From.String() != `"Codes" <codes@example.com>` || m.Subject != "Tide Tables: code" || m.HTML != "code 123456 ann@example.com de" {
		t.Errorf("%+v", m)
	}
	p.Connections = connections{options: `{"email":{"body":"{% broken"}}`}
	if err := p.SendLetter(t.Context(), l); err != nil || !strings.Contains((*out)[1].Text, "123456") || !strings.Contains((*out)[1].Text, "Geben Sie ihn niemandem") {
		t.Errorf("%v %+v", err, (*out)[1])
	}
}

// The tenant's provider takes the operator's place while it is enabled.
func TestProvider(t *testing.T) {
	k, server := newSink(t, nil)
	provider := func(enabled string) string {
		b, err := json.Marshal(map[string]any{"smtp_host": "127.0.0.1", "smtp_port": server.Port, "smtp_user": "us", "smtp_pass": "pw"})
		if err != nil {
			t.Fatal(err)
		}
		return `{"name":"smtp","enabled":` + enabled + `,"default_from_address":"Tenant <tenant@example.com>","credentials":` + string(b) + `}`
	}
	docs := documents{"provider": provider("true")}
	p, out := posted(docs, func(p *Post) { p.Reach = netip.Addr.IsLoopback })
	if err := p.SendLetter(t.Context(), sample(letter.ResetEmail, "")); err != nil {
		t.Fatal(err)
	}
	if got := k.got(); len(got) != 1 || !strings.Contains(got[0].from, "tenant@example.com") || got[0].login != "\x00us\x00pw" || len(*out) != 0 {
		t.Errorf("%+v", got)
	}
	// An address inside is out of reach, as for upstreams.
	p.Reach = func(netip.Addr) bool { return false }
	if err := p.SendLetter(t.Context(), sample(letter.ResetEmail, "")); errs.KindOf(err) != errs.Unavailable || len(k.got()) != 1 {
		t.Errorf("%v, %d mails", err, len(k.got()))
	}
	docs["provider"] = provider("false")
	if err := p.SendLetter(t.Context(), sample(letter.ResetEmail, "")); err != nil || len(*out) != 1 {
		t.Errorf("%v, %d mails of the operator's", err, len(*out))
	}
	for host, want := range map[string]TLS{"mail.example": StartTLS, "127.0.0.1": None} {
		if s := providerServer(letter.Provider{Host: host, Port: 587}); s.TLS != want {
			t.Errorf("%s: %+v", host, s)
		}
	}
	if s := providerServer(letter.Provider{Host: "mail.example", Port: 465}); s.TLS != Implicit {
		t.Errorf("%+v", s)
	}
}

func TestReady(t *testing.T) {
	docs := documents{"provider": `{"name":"smtp","credentials":{"smtp_host":"mail.example"}}`}
	p, _ := posted(docs, func(p *Post) { p.Sender, p.From = nil, stdmail.Address{} })
	if p.Ready() {
		t.Error("ready before anybody looked")
	}
	if err := p.Refresh(t.Context()); err != nil || !p.Ready() {
		t.Error("not ready with a provider", err)
	}
	if _, from, err := p.via(t.Context()); err != nil || from.Address != "no-reply@id.example" {
		t.Error(from, err)
	}
	delete(docs, "provider")
	if err := p.Refresh(t.Context()); err != nil || p.Ready() {
		t.Error("ready without one", err)
	}
}

func TestSender(t *testing.T) {
	rows := []struct{ in, want string }{
		{"id@example.com", "<id@example.com>"}, {"Mangrove <id@example.com>", `"Mangrove" <id@example.com>`}, {`"A, B" <id@example.com>`, `"A, B" <id@example.com>`},
		{"Evil <evil@x.example> <id@example.com>", `"Evil <evil@x.example>" <id@example.com>`}, {"a@b.example, c@d.example", "<@>"}, {"", "<@>"}, {"<>", "<@>"},
	}
	for _, row := range rows {
		if a := sender(row.in); a.String() != row.want {
			t.Errorf("%q: %s", row.in, a.String())
		}
	}
}

func TestImportReport(t *testing.T) {
	p, out := posted(nil, nil)
	r := job.ImportReport{JobID: "job_1", Connection: "<people>", Status: job.Failed, Details: "broken", Summary: job.Summary{Total: 7, Failed: 2, Inserted: 5}}
	if err := p.SendImportReport(t.Context(), r); err != nil || len(*out) != 0 {
		t.Fatalf("without an operator: %v, %v", out, err)
	}
	p.Operator.Address = "ops@example.com"
	if err := p.SendImportReport(t.Context(), r); err != nil || len(*out) != 1 {
		t.Fatal(err)
	}
	m := (*out)[0]
	if m.To != "ops@example.com" || !strings.Contains(m.Text, "<people>") || strings.Contains(m.HTML, "<people>") ||
		!strings.Contains(m.Text, "Rows: 7, inserted: 5, updated: 0, failed: 2.") || !strings.Contains(m.Text, "broken") {
		t.Errorf("%+v", m)
	}
}
