package mail

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	stdmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mangrove/internal/errs"
)

func TestParse(t *testing.T) {
	rows := []struct {
		in   string
		want Server
		err  error
	}{
		{"", Server{}, nil},
		{"directory", Server{Directory: true}, nil},
		{"log", Server{Log: true}, nil},
		{"smtp://mail.example", Server{Host: "mail.example", Port: 587}, nil},
		{"smtp://mail.example:2525/", Server{Host: "mail.example", Port: 2525}, nil},
		{"smtps://u%40x:p%2Fw@mail.example", Server{Host: "mail.example", Port: 465, TLS: Implicit, User: "u@x", Password: "p/w"}, nil},
		{"smtp://u:p@mail.example?tls=required", Server{Host: "mail.example", Port: 587, User: "u", Password: "p"}, nil},
		{"smtp://mail.example?tls=none", Server{Host: "mail.example", Port: 25, TLS: None}, nil},
		{"smtp://u:p@127.0.0.1:1025?tls=none", Server{Host: "127.0.0.1", Port: 1025, TLS: None, User: "u", Password: "p"}, nil},
		{"smtp://[::1]:1025?tls=none", Server{Host: "::1", Port: 1025, TLS: None}, nil},
		{"smtp://u:p@mail.example?tls=none", Server{}, errExposed},
		{"smtp://u@mail.example", Server{}, errLogin},
		{"smtp://:p@mail.example", Server{}, errLogin},
		{"smtps://mail.example?tls=none", Server{}, errOption},
		{"smtp://mail.example?tls=opportunistic", Server{}, errOption},
		{"smtp://mail.example?tls=none&tls=required", Server{}, errOption},
		{"smtp://mail.example?starttls=1", Server{}, errOption},
		{"smtp://mail.example:0", Server{}, errPort},
		{"smtp://mail.example:65536", Server{}, errPort},
		{"http://mail.example", Server{}, errForm},
		{"mail.example:25", Server{}, errForm},
		{"smtp://", Server{}, errForm},
		{"smtp:mail.example", Server{}, errForm},
		{"smtp://mail.example/path", Server{}, errForm},
		{"smtp://a b", Server{}, errForm},
	}
	for _, row := range rows {
		got, err := Parse(row.in)
		if got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%q: %+v, %v", row.in, got, err)
		}
		if got.Configured() != (row.in != "" && row.err == nil) {
			t.Errorf("%q: configured %v", row.in, got.Configured())
		}
	}
}

// The law: a mistake never repeats the setting, and what passes has somewhere to go.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"smtp://user:secretsecret@host:1x", "smtps://u:secretsecret@h?tls=none", "directory"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in)
		switch {
		case err != nil && len(in) > 40 && strings.Contains(err.Error(), in):
			t.Fatalf("%q is repeated: %v", in, err)
		case err == nil && in != "" && !s.Configured():
			t.Fatalf("%q leads nowhere", in)
		case err == nil && !s.Directory && !s.Log && in != "" && (s.Port < 1 || s.Port > 65535 || (s.User == "") != (s.Password == "")):
			t.Fatalf("%q: %+v", in, s)
		case s.TLS == None && s.Password != "" && !isLocal(s.Host):
			t.Fatalf("%q would expose the password", in)
		}
	})
}

func TestParseAddress(t *testing.T) {
	rows := []struct{ in, want string }{
		{"id@example.com", "<id@example.com>"}, {"Mangrove <id@example.com>", `"Mangrove" <id@example.com>`},
		{"", ""}, {"id", ""}, {"a@b.example, c@d.example", ""}, {"a@b.example\r\nBcc: x@y.example", ""},
	}
	for _, row := range rows {
		a, err := ParseAddress(row.in)
		if (err == nil) != (row.want != "") || err == nil && a.String() != row.want {
			t.Errorf("%q: %v, %v", row.in, a, err)
		}
	}
}

// kept is a sender that keeps what it should send.
type kept []Message

func (k *kept) Send(_ context.Context, m Message) error {
	*k = append(*k, m)
	return nil
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s := New(Server{Directory: true}, dir, slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		if err := s.Send(t.Context(), Message{From: stdmail.Address{Address: "id@example.com"}, To: "ann@example.com", Subject: "Hello", Text: "text", HTML: "<p>html"}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ann@example.com", "Subject: Hello", "text/plain", "text/html", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("lacks %q:\n%s", want, b)
		}
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text := log.String(); strings.Contains(text, "ann") || strings.Contains(text, "Hello") || !strings.Contains(text, "file=") {
		t.Errorf("log: %s", text)
	}
}

func TestUnwritable(t *testing.T) {
	_, err := compose(Message{From: stdmail.Address{Address: "id@example.com"}, To: "ann@example.com\r\nBcc: eve@example.com"})
	if errs.KindOf(err) != errs.Invalid || strings.Contains(err.Error(), "ann@") {
		t.Error(err)
	}
}

func TestPrinter(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out}
	m := Message{From: stdmail.Address{Address: "id@example.com"}, To: "ann@example.com", Subject: "Hello", Text: "your code is 123456"}
	if err := p.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.Text, m.HTML = "", "<p>of a tenant</p>"
	if err := p.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"to ann@example.com: Hello", "123456", "<p>of a tenant</p>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	m.To = "no address"
	if err := p.Send(t.Context(), m); err == nil {
		t.Error("printed what could not be sent")
	}
}
